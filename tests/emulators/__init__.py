"""Editors as their vendors built them, against the real service, with faults."""
