"""One who attacks: sends requests from an address of its own, and holds each answer against what
it may see.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from tests.hostile.canaries import Canaries
from tests.hostile.record import Record
from tests.hostile.values import Pool

REQUEST_TIMEOUT_S = 25.0
UNEXPECTED = "An unexpected error"
"""What the host says of its own bugs."""

NOT_IMPLEMENTED, UNAVAILABLE, FULL = 501, 503, 507


def client_from(address: str, url: str, **more: Any) -> httpx.AsyncClient:
    """Return a client whose connections come from an address of the loopback."""
    return httpx.AsyncClient(
        verify=False,
        base_url=url,
        timeout=REQUEST_TIMEOUT_S,
        transport=httpx.AsyncHTTPTransport(local_address=address),
        **more,
    )


@dataclass
class Attacker:
    """Who asks, with what it knows."""

    name: str
    chance: random.Random
    http: httpx.AsyncClient
    record: Record
    canaries: Canaries
    pool: Pool
    """What it was given."""
    others: Pool
    """What attackers tell each other; also what they were told of the victim."""
    allowed: set[str] = field(default_factory=set[str])
    """Canaries that were given to it, or that it sent."""
    step: int = 0

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> httpx.Response | None:
        """Send one request; None where no answer came.

        Args:
            method: of HTTP.
            path: percent-encoded.
            query: its values are percent-encoded here, whatever they hold.
            headers: besides those of the client.
            body: bytes are sent as they are, anything else as JSON.
            timeout_s: how long it waits.
        """
        self.step += 1
        target = path + ("?" + query_of(query) if query else "")
        content = body if isinstance(body, bytes) else b""
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
        sent = f"{method} {target} {dict(headers or {})} ".encode("utf-8", "replace") + content
        self.allowed |= self.canaries.told_in(sent)
        self.record.note(self.name, self.step, asks=sent[:2_000].decode("utf-8", "replace"))
        raw = [(k.encode(), _in_header(v)) for k, v in (headers or {}).items()]
        try:
            answer = await self.http.request(
                method, target, headers=raw, content=content or None, timeout=timeout_s
            )
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self.record.counts["requests without an answer"] += 1
            self.record.note(self.name, self.step, got=repr(error))
            return None
        self.record.counts["requests of attackers"] += 1
        self.record.counts[f"answered {answer.status_code // 100}xx"] += 1
        self.record.note(self.name, self.step, got=answer.status_code)
        self._check(sent, answer)
        self.pool.harvest(answer.content)
        return answer

    def find(self, what: str, sent: bytes | str = "", answer: httpx.Response | None = None) -> None:
        """Report what must not be."""
        said = sent if isinstance(sent, str) else sent.decode("utf-8", "replace")
        got = f"{answer.status_code} {answer.text}" if answer is not None else ""
        self.record.find(what, who=self.name, step=self.step, request=said, answer=got)

    def _check(self, sent: bytes, answer: httpx.Response) -> None:
        head = "\n".join(f"{k}: {v}" for k, v in answer.headers.multi_items()).encode()
        for what in self.canaries.seen_in(head + b"\n" + answer.content, self.allowed):
            self.find(f"an attacker was shown {what}", sent, answer)
        if is_fault(answer):
            self.find(f"answered {answer.status_code} to an attacker", sent, answer)


def is_fault(answer: httpx.Response) -> bool:
    """Tell whether an answer is a fault of the host that nobody wanted."""
    status = answer.status_code
    if status < 500 or status in {NOT_IMPLEMENTED, FULL}:
        return False
    if status == UNAVAILABLE:
        return "retry-after" not in answer.headers
    is_refused_proof = "x-wopi-servererror" in answer.headers
    return not is_refused_proof or UNEXPECTED in answer.headers["x-wopi-servererror"]


def query_of(values: Mapping[str, Any]) -> str:
    """Write a query, whatever its values hold."""
    return "&".join(f"{quoted(k)}={quoted(v)}" for k, v in values.items())


def quoted(value: object) -> str:
    """Percent-encode a value, surrogates too."""
    text = value if isinstance(value, str) else json.dumps(value)
    return quote(text, safe="", errors="surrogatepass")


def _in_header(value: str) -> bytes:
    safe = value.replace("\r", "").replace("\n", "").replace("\x00", "")
    return safe.encode("utf-8", "surrogatepass").strip()
