"""The typed client of the management API."""
