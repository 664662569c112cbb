"""A storage that fails during a save is asked again, until the deadline and no longer."""

import time

import msgspec
import pytest

from genro_wopi.domain.commit import Commit
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import new_save_id
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.saves import Save
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.wopi_service.operations.host import node_of
from tests.emulators.faults import Fault, FaultyOpener
from tests.support.in_process import Wopi


async def save(wopi: Wopi, faults: list[Fault], *, within_s: float) -> float:
    """Save ``text`` while writes fail; return how long it took, in s."""
    opener = FaultyOpener(wopi.service.host.storages)
    opener.faults.extend(faults)
    host = msgspec.structs.replace(wopi.service.host, storages=opener)
    lock = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}
    await wopi.http.post(wopi.path, params={"access_token": wopi.token}, headers=lock)
    record = await _record(wopi)
    asked = Save(
        save_id=new_save_id(),
        file_id=wopi.session.file_id,
        session_id=wopi.session.session_id,
        lock_id=LockId("L"),
    )
    began_s = time.monotonic()
    commit = Commit(host.ledger, await node_of(host, record), host.clock)
    try:
        await commit.put_file(asked, MemoryBody(b"text"), deadline_s=began_s + within_s)
    finally:
        took_s = time.monotonic() - began_s
    assert not opener.faults
    return took_s


@pytest.mark.parametrize("faults", [[Fault.BEFORE], [Fault.BEFORE] * 3, [Fault.AFTER]])
async def test_a_write_that_fails_is_tried_again(wopi: Wopi, faults: list[Fault]) -> None:
    assert await save(wopi, faults, within_s=60) < 30
    assert (wopi.folder / "a.txt").read_bytes() == b"text"
    node = await node_of(wopi.service.host, await _record(wopi))
    assert len(await node.versions(limit=10)) == 1, "stored once"


async def test_at_the_deadline_it_is_given_up_and_nothing_was_changed(wopi: Wopi) -> None:
    began_s = time.monotonic()
    with pytest.raises(UnavailableError, match="not stored"):
        await save(wopi, [Fault.BEFORE] * 100, within_s=0.5)
    assert 0.3 < time.monotonic() - began_s < 30
    assert (wopi.folder / "a.txt").read_bytes() == b"hello"


async def _record(wopi: Wopi) -> FileRecord:
    record = await wopi.service.host.registry.record(wopi.session.file_id)
    assert record is not None
    return record
