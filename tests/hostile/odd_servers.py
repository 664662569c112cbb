"""Servers that a tenant may own: callback receiver, editor with discovery, S3, WebDAV.

They answer what no well-behaved server does. What the host sends to them is held against the
canaries, too. A last one belongs to nobody: whoever connects to it went where it may not go.
"""

import asyncio
import base64
import json
import os
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.hostile import values
from tests.hostile.canaries import Canaries
from tests.hostile.record import Record
from tests.support.raw_http import Asked, read_request, serving

FORBIDDEN = "127.0.0.77"
"""An address of the loopback that the cluster may not call."""

HUGE_BYTES = 24 * 1024 * 1024
KEYS_MAX = 400
DRIP_S = 0.2

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class OddServer:
    """All of an attacker's servers, told apart by the first part of the path."""

    chance: random.Random
    record: Record
    canaries: Canaries
    forbidden_url: str
    url: str = ""
    calm: bool = False
    """Answer as a good server would, where there is a good answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests of one connection."""
        with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError):
            while True:
                asked = await read_request(reader)
                self._look_at(asked)
                await self._send(writer, asked)

    def _look_at(self, asked: Asked) -> None:
        self.record.counts["requests of the host to attackers"] += 1
        sent = f"{asked.target}\n{asked.headers}\n".encode() + asked.body
        for what in self.canaries.seen_in(sent, self.canaries.told):
            self.record.find(
                f"the host sent an attacker {what}", who="servers", request=asked.target
            )

    async def _send(self, writer: asyncio.StreamWriter, asked: Asked) -> None:
        kind = asked.target.strip("/").partition("/")[0].partition("?")[0]
        make: dict[str, Callable[[Asked], Answer]] = {
            "hook": self._hook,
            "editor": self._discovery,
            "s3": self._s3,
            "dav": self._dav,
        }
        status, headers, body = make.get(kind, self._any)(asked)
        mode = "plain" if self.calm else self.chance.choice(("plain",) * 7 + ("drip", "cut", "lie"))
        length = len(body) + (10**15 if mode == "lie" else 0)
        head = {"Content-Length": str(length), **headers}
        lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
        writer.write(f"HTTP/1.1 {status} Odd\r\n{lines}\r\n".encode("latin-1", "replace"))
        if asked.method != "HEAD":
            await self._write(writer, body, mode)
        await writer.drain()
        if mode in {"cut", "lie"}:
            writer.close()
            raise ConnectionResetError

    async def _write(self, writer: asyncio.StreamWriter, body: bytes, mode: str) -> None:
        if mode == "drip":
            for byte in body[:20]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(DRIP_S)
            writer.write(body[20:])
        else:
            writer.write(body[: len(body) // 2] if mode == "cut" else body)

    def _any(self, _asked: Asked) -> Answer:
        chance = self.chance
        internal = chance.choice((self.forbidden_url, "http://127.0.0.1:1/", "file:///etc/passwd"))
        json_type, gzip = {"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}
        refusal = chance.choice((400, 401, 403, 404, 410, 429, 500, 503))
        answers: list[Callable[[], Answer]] = [
            lambda: (chance.choice((301, 302, 307, 308)), {"Location": internal}, b""),
            lambda: (200, json_type, values.deep(chance)),
            lambda: (200, {}, b"x" * HUGE_BYTES),
            lambda: (refusal, odd_headers(chance), b""),
            lambda: (200, gzip, os.urandom(64)),
            lambda: (200, {}, b""),
            lambda: (204, {}, b""),
        ]
        return chance.choice(answers)()

    def _hook(self, asked: Asked) -> Answer:
        if self.calm or self.chance.random() < 0.3:
            return 200, {"Content-Type": "application/json"}, b'{"ok": true}'
        if self.chance.random() < 0.5:
            return 200, {"Content-Type": "application/json"}, values.deep(self.chance)
        return self._any(asked)

    def _discovery(self, asked: Asked) -> Answer:
        if not self.calm and self.chance.random() < 0.2:
            return self._any(asked)
        return 200, {"Content-Type": "text/xml"}, discovery(self.chance, self.url, calm=self.calm)

    def _s3(self, asked: Asked) -> Answer:
        chance = self.chance
        if chance.random() < 0.3:
            return self._any(asked)
        headers = {"Last-Modified": "Mon, 01 Jan 2026 00:00:00 GMT", "ETag": '"e"'}
        for name in list(headers):
            if chance.random() < 0.4:
                headers[name] = chance.choice(("", "nonsense", '"' * 20, "\xff"))
        if chance.random() < 0.4:
            headers[f"x-amz-meta-genro-{chance.choice(EVIDENCE)}"] = chance.choice(
                ("", "-1", "9" * 60, "x")
            )
        if "list-type" in asked.target or "versions" in asked.target:
            return 200, headers, s3_listing(chance)
        return 200, headers, b"intruder" if asked.method == "GET" else b""

    def _dav(self, asked: Asked) -> Answer:
        if self.chance.random() < 0.3:
            return self._any(asked)
        if asked.method == "PROPFIND":
            return 207, {"Content-Type": "text/xml"}, multistatus(self.chance, asked.target)
        if asked.method in {"PUT", "MKCOL", "LOCK", "MOVE", "COPY"}:
            return self.chance.choice((200, 201, 204, 423, 412)), odd_headers(self.chance), b""
        return 200, odd_headers(self.chance), b"intruder"


EVIDENCE = ("evidence", "save-id", "version", "sequence", "sha256", "file-id", "epoch")


def odd_headers(chance: random.Random) -> dict[str, str]:
    """Return headers of an answer that no server sends."""
    every = {
        "ETag": chance.choice(("", '""', "W/", '"' + "e" * 3_000 + '"')),
        "Retry-After": chance.choice(("-1", "9" * 30, "soon", "1e9", "\xb2")),
        "Last-Modified": chance.choice(("", "yesterday", "Mon, 99 Foo 99999 99:99:99 GMT")),
        "Content-Range": chance.choice(("bytes 0-1/1", "bytes x-y/z", "bytes */-5")),
        "Content-Type": chance.choice(("text/xml; charset=utf-99", "application/json", "\xe9")),
        "Lock-Token": chance.choice(("<>", "", "<" + "t" * 2_000 + ">")),
    }
    return {k: v for k, v in every.items() if chance.random() < 0.5}


def discovery(chance: random.Random, url: str, *, calm: bool = False) -> bytes:
    """Write a discovery document that can be read, with what cannot be meant in it."""
    urlsrc = f"{url}/editor/edit?"
    keys = 1
    if not calm:
        urlsrc = chance.choice(
            (
                urlsrc,
                f"{url}/editor/;script-src * 'unsafe-inline';x?",
                "https://a.example;script-src&#32;*/edit?",
                "https://a.example,https://b.example/?",
                "javascript:alert(1)//?",
                "data:text/html,x?",
                f"{url}/editor/&lt;{'a' * 3_000}=x&gt;?",
                "https://[::1/?",
                "https://a.example\\@b.example/?",
                "https://&quot;&gt;&lt;script&gt;/?",
            )
        )
        keys = chance.choice((0, 1, 2, KEYS_MAX))
    size = 256 if calm else chance.choice((1, 128, 256, 512, 8_192))
    shown = "".join(_proof_key(size) for _ in range(keys))
    count = 1 if calm else chance.choice((1, 1, 30_000))
    actions = f'<action name="edit" ext="txt" urlsrc="{urlsrc}"/>' * count
    text = (
        '<wopi-discovery><net-zone name="external-http"><app name="text">'
        f"{actions}</app></net-zone>{shown}</wopi-discovery>"
    )
    if not calm and chance.random() < 0.2:
        entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
        text = f'<!DOCTYPE x [<!ENTITY a0 "intruder">{entities}]>{text}&a11;'
    if not calm and chance.random() < 0.1:
        text = "<a>" * 200_000
    return text.encode()


def _proof_key(size_bytes: int) -> str:
    modulus = base64.b64encode(os.urandom(max(1, size_bytes - 1)) + b"\x01").decode()
    return (
        f'<proof-key modulus="{modulus}" exponent="AQAB" oldmodulus="{modulus}"'
        ' oldexponent="AQAB"/>'
    )


SIZES = ("12", "-1", "x", "9" * 40, "", "\u00b2")


def s3_listing(chance: random.Random) -> bytes:
    """Write a listing of a bucket that lies."""
    size = chance.choice(SIZES)
    key = chance.choice(("told.txt", "../up", "/etc/passwd", "a" * 2_000, ".genro-wopi/recovery/x"))
    item = (
        f"<Contents><Key>{key}</Key><Size>{size}</Size>"
        + chance.choice(("<ETag>e</ETag>", "", "<ETag/>"))
        + chance.choice(
            (
                "<LastModified>2026-01-01T00:00:00Z</LastModified>",
                "<LastModified>x</LastModified>",
                "",
            )
        )
        + "</Contents>"
    )
    more = chance.choice(("false", "true", "maybe"))
    text = (
        f"<ListBucketResult><IsTruncated>{more}</IsTruncated>"
        f"<NextContinuationToken>same</NextContinuationToken>{item * chance.choice((1, 3, 5_000))}"
        "</ListBucketResult>"
    )
    return text.encode()


FOLDER_TYPE = "<d:resourcetype><d:collection/></d:resourcetype>"


FOLDER = "<d:resourcetype><d:collection/></d:resourcetype>"


def multistatus(chance: random.Random, target: str) -> bytes:
    """Write what a folder of WebDAV holds, and lie."""
    pick = chance.choice
    href = pick((target, "/../../etc/passwd", "//127.0.0.77/x", "a" * 3_000, "%ff%00", ""))
    prop = (
        f"<d:getcontentlength>{pick(SIZES)}</d:getcontentlength>"
        + pick(("<d:getetag>e</d:getetag>", ""))
        + pick(("<d:getlastmodified>x</d:getlastmodified>", ""))
        + pick(("<d:resourcetype/>", FOLDER, ""))
    )
    status = pick(("HTTP/1.1 200 OK", "x", "HTTP/1.1 \u00b2"))
    one = (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{prop}</d:prop>"
        f"<d:status>{status}</d:status></d:propstat></d:response>"
    )
    text = f'<d:multistatus xmlns:d="DAV:">{one * pick((1, 2, 4_000))}</d:multistatus>'
    return text.encode()


@asynccontextmanager
async def odd_server(
    chance: random.Random, record: Record, canaries: Canaries, forbidden_url: str
) -> AsyncGenerator[OddServer]:
    """Serve until the block ends."""
    server = OddServer(chance, record, canaries, forbidden_url)
    async with serving(server.serve) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server


@asynccontextmanager
async def forbidden_server(record: Record, content: str) -> AsyncGenerator[str]:
    """Serve a secret at an address that the cluster may not call."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record.find("the host called an address that it may not call", who="servers")
        body = json.dumps({"secret": content}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        with suppress(OSError):
            await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, FORBIDDEN, 0)
    async with listener:
        yield f"http://{FORBIDDEN}:{listener.sockets[0].getsockname()[1]}/"
