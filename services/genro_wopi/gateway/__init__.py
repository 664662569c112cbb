"""The public edge: management API, launch page, and WOPI where no ingress forwards it."""
