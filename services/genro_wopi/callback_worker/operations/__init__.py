"""What the callback-worker does; none of it knows HTTP or Redis."""
