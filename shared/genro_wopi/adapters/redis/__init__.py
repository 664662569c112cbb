"""The domain's ports on Redis: one store per kind of record, every decision in a Lua script."""
