"""What the gateway does itself; none of it knows HTTP, Redis or S3."""
