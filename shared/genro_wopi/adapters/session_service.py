"""Calls of the gateway and the wopi-service to the session-service."""

from collections.abc import Sequence
from typing import Final

import httpcore
import msgspec

from genro_wopi.adapters.http.fetch import Answer, FetchError, fetch
from genro_wopi.adapters.tracing import TRACEPARENT, traceparent
from genro_wopi.domain.access_tokens import Grant, TradedTokens
from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import UnauthenticatedError, UnavailableError
from genro_wopi.domain.identifiers import FileId, SessionId
from genro_wopi.domain.secrets import Secret

ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024

_OK: Final = 200
_UNAUTHENTICATED: Final = 401


class SessionServiceClient:
    """Sends operations to the session-service; implements `TokenTrader`."""

    def __init__(self, url: str, token: Secret) -> None:
        self._url = url
        self._token = token
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=64, keepalive_expiry=20.0, retries=1
        )

    async def call(self, name: str, caller: Caller, request: msgspec.Struct) -> Answer:
        """Send an operation for a caller; its answer is to be passed on as it is.

        Raises:
            UnavailableError: the session-service does not answer.
        """
        body = msgspec.json.encode({"caller": caller, "request": request})
        return await self._post(f"/internal/operations/{name}", body)

    async def launch(self, launch: msgspec.Struct) -> Answer:
        """Ask what a launch page needs.

        Raises:
            UnavailableError: the session-service does not answer.
        """
        return await self._post("/internal/launch", msgspec.json.encode({"request": launch}))

    async def renew_token(self, token: str) -> Answer:
        """Trade a session's token for a new one of the same session; the answer is passed on.

        Raises:
            UnavailableError: the session-service does not answer.
        """
        body = msgspec.json.encode({"request": {"access_token": token}})
        return await self._post("/internal/renew-token", body)

    async def trade(
        self, session_id: SessionId, file_ids: Sequence[FileId], grant: Grant, *, address: str
    ) -> TradedTokens:
        """See TokenTrader."""
        request = {
            "session_id": session_id,
            "file_ids": list(file_ids),
            "grant": grant,
            "address": address,
        }
        answer = await self._post("/internal/trade", msgspec.json.encode({"request": request}))
        if answer.status == _UNAUTHENTICATED:
            raise UnauthenticatedError("The session has ended.")
        if answer.status != _OK:
            raise UnavailableError(f"The session-service answered {answer.status}.")
        return msgspec.json.decode(answer.body, type=TradedTokens)

    async def ready(self) -> bool:
        """Tell whether the session-service can serve."""
        try:
            answer = await fetch(self._pool, "GET", f"{self._url}/health/ready", timeout_s=2.0)
        except FetchError:
            return False
        return answer.status == _OK

    async def aclose(self) -> None:
        """Close connections."""
        await self._pool.aclose()

    async def _post(self, path: str, body: bytes) -> Answer:
        headers = [
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {self._token.reveal()}".encode()),
        ]
        trace = traceparent()
        if trace:
            headers.append((TRACEPARENT.encode(), trace.encode()))
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
