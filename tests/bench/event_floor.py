"""The least that delivers events: XREADGROUP, one POST with httpx, XACK; no order, lanes or retries.

python -m tests.bench.event_floor REDIS_URL STREAM URL PLACES
"""

import asyncio
import base64
import hashlib
import hmac
import sys
import time
from typing import Any

import httpx
import redis.asyncio

GROUP = "floor"
AT_ONCE = 64
KEY = base64.b64decode("c2VjcmV0LW9mLXRoZS1mbG9vcg==")


async def deliver(http: httpx.AsyncClient, url: str, event_id: bytes, body: bytes) -> None:
    moment = str(int(time.time()))
    signed = event_id + b"." + moment.encode() + b"." + body
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    headers = {
        "content-type": "application/json",
        "webhook-id": event_id.decode(),
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{digest}",
    }
    (await http.post(url, content=body, headers=headers)).raise_for_status()


async def main(redis_url: str, stream: str, url: str, places: int) -> None:
    client: Any = redis.asyncio.Redis.from_url(redis_url)  # pyright: ignore[reportUnknownMemberType]
    limit = asyncio.Semaphore(places)

    async def one(entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        async with limit:
            await deliver(http, url, entry_id, fields[b"body"])
        await client.xack(stream, GROUP, entry_id)

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=places)) as http:
        while True:
            got = await client.xreadgroup(GROUP, "worker", {stream: ">"}, count=AT_ONCE, block=500)
            if got:
                await asyncio.gather(*(one(*entry) for entry in got[0][1]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
