"""The dev editor: a small but real WOPI client, for trying and testing without an office suite."""
