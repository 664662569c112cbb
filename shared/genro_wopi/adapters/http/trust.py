"""Whose certificates are trusted: the machine's authorities, and those that a tenant adds."""

import ssl

import httpcore


def trusting(pem: str) -> ssl.SSLContext:
    """Return a context that verifies, with the authorities of a tenant added.

    Args:
        pem: certificates; empty for none.

    Raises:
        ValueError: it holds no certificate, or one that cannot be read.
    """
    context = httpcore.default_ssl_context()
    if pem:
        try:
            context.load_verify_locations(cadata=pem)
        except ssl.SSLError as error:
            raise ValueError("there is no certificate in it") from error
    return context
