"""Outgoing HTTP: one guard for every address that a tenant gives."""
