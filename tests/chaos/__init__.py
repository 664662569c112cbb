"""Saves under faults, over the real cluster: `make chaos`."""
