"""Implementations of the domain's ports: Redis, storages, HTTP, tokens, secrets."""
