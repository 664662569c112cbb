"""Management operations, each declared once.

From a declaration come the HTTP route, its OpenAPI entry and the client's call;
`catalog` lists all.
"""
