"""The WOPI endpoints: HTTP in, one operation, HTTP out."""
