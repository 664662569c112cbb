"""A tenant at work, and others who own everything that an attacker can own; see `plots`."""
