"""One module per WOPI operation or family; none knows HTTP, Redis or S3."""
