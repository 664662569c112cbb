"""The process that creates and ends editing sessions. It alone holds the private signing key."""
