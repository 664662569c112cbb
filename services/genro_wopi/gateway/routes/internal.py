"""Calls of the gateway to the session-service; its answers are passed on as they are."""

import httpcore
import msgspec

from genro_wopi.adapters.http.fetch import Answer, FetchError, fetch
from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.secrets import Secret

ANSWER_BYTES_MAX = 8 * 1024 * 1024


class SessionServiceClient:
    """Sends operations to the session-service."""

    def __init__(self, url: str, token: Secret) -> None:
        self._url = url
        self._token = token
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=64, keepalive_expiry=20.0, retries=1
        )

    async def call(self, name: str, caller: Caller, request: msgspec.Struct) -> Answer:
        """Send an operation for a caller.

        Raises:
            UnavailableError: the session-service does not answer.
        """
        body = msgspec.json.encode({"caller": caller, "request": request})
        return await self._post(f"/internal/operations/{name}", body)

    async def launch(self, code: str) -> Answer:
        """Ask what a launch page needs.

        Raises:
            UnavailableError: the session-service does not answer.
        """
        return await self._post(
            "/internal/launch", msgspec.json.encode({"request": {"code": code}})
        )

    async def ready(self) -> bool:
        """Tell whether the session-service can serve."""
        try:
            answer = await fetch(self._pool, "GET", f"{self._url}/health/ready", timeout_s=2.0)
        except FetchError:
            return False
        return answer.status == 200  # noqa: PLR2004 - OK

    async def aclose(self) -> None:
        """Close connections."""
        await self._pool.aclose()

    async def _post(self, path: str, body: bytes) -> Answer:
        headers = [
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {self._token.reveal()}".encode()),
        ]
        try:
            return await fetch(
                self._pool,
                "POST",
                self._url + path,
                headers=headers,
                content=body,
                answer_bytes_max=ANSWER_BYTES_MAX,
            )
        except FetchError as error:
            raise UnavailableError(f"The session-service does not answer: {error}.") from error
