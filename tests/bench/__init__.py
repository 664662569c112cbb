"""``make bench``: this host beside a bare program that does the same work, in one run."""
