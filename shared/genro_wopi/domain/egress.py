"""Which addresses may be called for a tenant; see `genro_wopi.adapters.http.egress`."""

from typing import Protocol


class EgressGuard(Protocol):
    """Checks addresses of one purpose."""

    async def check_url(self, url: str, *, field: str) -> None:
        """Check an address when it is configured.

        Raises:
            InvalidFieldsError: it is not http(s), or leads to an address that is not allowed.
        """
        ...
