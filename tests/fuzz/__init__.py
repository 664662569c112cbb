"""Input that nobody thought of: `make fuzz` looks long, `make test` for a moment."""
