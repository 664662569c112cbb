"""One WOPI client of the tests: a session and its calls."""

from typing import Any

import httpx


class EditorClient:
    """Calls WOPI with one session's token."""

    def __init__(self, http: httpx.Client, session: dict[str, Any]) -> None:
        self._http = http
        self.session = session
        self.token: str = session["access_token"]

    @property
    def session_id(self) -> str:
        return str(self.session["session_id"])

    def call(
        self,
        method: str,
        suffix: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> httpx.Response:
        url = f"{self.session['wopi_src']}{suffix}"
        raw = [(k.encode(), v.encode("latin-1")) for k, v in (headers or {}).items()]
        return self._http.request(
            method, url, params={"access_token": self.token}, headers=raw, content=body or None
        )

    def info(self) -> dict[str, Any]:
        answer = self.call("GET")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def get(self, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.call("GET", "/contents", headers)

    def override(self, operation: str, lock: str | None = None, **more: str) -> httpx.Response:
        headers = {"X-WOPI-Override": operation}
        if lock is not None:
            headers["X-WOPI-Lock"] = lock
        return self.call("POST", "", {**headers, **more})

    def put(
        self, body: bytes, lock: str | None, timestamp: str | None = None, **more: str
    ) -> httpx.Response:
        headers = {"X-WOPI-Override": "PUT", **more}
        if lock is not None:
            headers["X-WOPI-Lock"] = lock
        if timestamp is not None:
            headers["X-COOL-WOPI-Timestamp"] = timestamp
        return self.call("POST", "/contents", headers, body)
