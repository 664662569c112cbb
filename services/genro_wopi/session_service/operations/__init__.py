"""What the session-service does; none of it knows HTTP, Redis or S3."""
