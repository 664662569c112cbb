"""The spool: bounded memory and disk, and nothing left of processes that were killed."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from litestar.types import HTTPRequestEvent

from genro_wopi.adapters.spool import (
    BATCHES_BYTES_MAX,
    LEFTOVER_AGE_S,
    MEMORY_BYTES_MAX,
    Spool,
)
from genro_wopi.domain.errors import InvalidRequestError, StorageFullError, TooLargeError
from genro_wopi.gateway.forwarding.replayable_body import ReplayableBody

LARGE = 4 * MEMORY_BYTES_MAX
DISK_BYTES = 64 * 2**20


async def chunks(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield bytes(size)


def receive(  # noqa: ANN201 - a context manager
    spool: Spool,
    *sizes: int,
    announced: int | None = None,
    most: int = LARGE * 4,
    holder: str = "acme",
):
    return spool.receive(
        chunks(*sizes),
        holder=holder,
        announced_bytes=announced,
        size_bytes_max=most,
        chunk_timeout_s=5,
    )


@pytest.mark.parametrize("sizes", [(), (3,), (LARGE,), (1, LARGE, 1)])
async def test_a_body_is_held_whole_and_its_place_is_free_afterwards(
    tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    async with receive(Spool(tmp_path, disk_bytes_max=DISK_BYTES), *sizes) as body:
        stored = body.path.read_bytes() if body.path else body.in_memory()
        assert (len(stored), body.size_bytes) == (sum(sizes), sum(sizes))
    assert list(tmp_path.iterdir()) == []


async def test_a_body_that_is_not_as_announced_or_too_large_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, disk_bytes_max=DISK_BYTES)
    with pytest.raises(InvalidRequestError):
        async with receive(spool, LARGE, announced=LARGE + 1):
            pass
    with pytest.raises(TooLargeError):
        async with receive(spool, LARGE, most=LARGE - 1):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_full_spool_refuses_and_is_free_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, disk_bytes_max=2 * LARGE + 1)
    async with receive(spool, LARGE):
        with pytest.raises(StorageFullError):
            async with receive(spool, LARGE):
                pass
    async with receive(spool, LARGE):
        pass


async def test_one_holder_has_no_more_than_it_leaves_free_and_others_find_room(
    tmp_path: Path,
) -> None:
    refused: list[None] = []
    spool = Spool(tmp_path, disk_bytes_max=8 * LARGE, refused=lambda: refused.append(None))
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(receive(spool, LARGE))
        with pytest.raises(StorageFullError):
            await stack.enter_async_context(receive(spool, LARGE))
        assert len(refused) == 1
        await stack.enter_async_context(receive(spool, LARGE, LARGE, holder="other"))
        await stack.enter_async_context(receive(spool, LARGE, holder="third"))
    async with receive(spool, LARGE, LARGE, LARGE, LARGE):
        pass


async def test_a_body_that_is_passed_on_takes_the_share_of_its_address(tmp_path: Path) -> None:
    spool = Spool(tmp_path, disk_bytes_max=8 * LARGE)

    async def received() -> HTTPRequestEvent:
        return {"type": "http.request", "body": bytes(LARGE), "more_body": True}

    scope: Any = {"headers": [(b"transfer-encoding", b"chunked")]}
    passed = ReplayableBody(scope, received, spool, "192.0.2.1")
    await passed.fill()
    assert not passed.is_replayable
    async with receive(spool, LARGE, LARGE):
        pass
    await passed.discard()
    assert list(tmp_path.iterdir()) == []


async def test_many_slow_bodies_share_a_bounded_memory(tmp_path: Path) -> None:
    spool = Spool(tmp_path, disk_bytes_max=2**40)
    going_on = asyncio.Event()
    slow = 500

    async def trickle() -> AsyncIterator[bytes]:
        yield bytes(MEMORY_BYTES_MAX // 2)
        await going_on.wait()

    async def one() -> None:
        async with spool.receive(
            trickle(), holder="acme", announced_bytes=None, size_bytes_max=LARGE, chunk_timeout_s=60
        ):
            pass

    before = resident_bytes()
    tasks = [asyncio.create_task(one()) for _ in range(slow)]
    while len(list(tmp_path.iterdir())) < slow // 4:  # noqa: ASYNC110 - files appear
        await asyncio.sleep(0.05)
    assert resident_bytes() - before < BATCHES_BYTES_MAX + 48 * 2**20
    going_on.set()
    await asyncio.gather(*tasks)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    spool = Spool(tmp_path, disk_bytes_max=DISK_BYTES)
    leftover, other = tmp_path / "save-killed", tmp_path / "notes.txt"
    async with receive(spool, LARGE) as body:
        for path in (leftover, other):
            path.write_bytes(b"x")
        assert body.path is not None
        for path in (leftover, other, body.path):
            old = path.stat().st_mtime - LEFTOVER_AGE_S - 1
            os.utime(path, (old, old))
        assert spool.remove_leftovers() == 1
        assert body.path.exists()
        assert other.exists()
        assert not leftover.exists()
