"""The commit of a save: how bytes become the head without ever losing others.

Looking at the lock and then writing loses saves: the lock may end, the write may arrive late, the
answer may be lost. Here the decision is made by one conditional write of the bytes together with
their evidence, and every unclear answer is resolved by reading the head again:

1. the body was received whole (its spool is given as a `Body`);
2. `SaveLedger.begin` checks the lock and notes the intent;
3. `judge` compares the head, read now, with what the client's bytes were made from;
4. the head's bytes are kept as a version;
5. one conditional write;
6. anything but a clean success: read the head. Ours by save id: done. Unchanged: write again until
   the deadline. Otherwise judge again;
7. `SaveLedger.publish` registers the head and announces it; its failure does not matter any more.

After step 5 there is no error path: the client gets its 200.
"""

import asyncio
from enum import Enum, auto
from typing import Final, Protocol

import msgspec

from genro_wopi.domain.clock import Clock
from genro_wopi.domain.errors import FileChangedError, HostError, UnavailableError
from genro_wopi.domain.files import (
    Evidence,
    Head,
    KnownHead,
    fingerprint_of,
    known_from_evidence,
    lock_digest,
    new_version,
)
from genro_wopi.domain.identifiers import FileId, SessionId
from genro_wopi.domain.locks import Lease, mismatch
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.storages import Body, HeadChangedError, StorageFaultError, StorageNode
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.protocol.times import format_us

RETRY_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Between two attempts at a storage that does not answer; the last one repeats."""

JUDGEMENTS_MAX: Final = 16
"""How often a save that keeps losing to its own earlier attempts starts again."""


class Save(msgspec.Struct, frozen=True, kw_only=True):
    """One PutFile, or one upload by the management API."""

    save_id: str
    file_id: FileId
    session_id: SessionId = SessionId("")
    """Empty for what the host or the management API stores: nobody's lock is asked."""
    session_created_us: int = 0
    holder: str = ""
    """Name of the person, for others who want to lock."""
    lock_id: LockId | None = None
    timestamp: str | None = None
    """LastModifiedTime on which the bytes are based, as the client sent it."""
    attempt: int = 0
    """X-WOPI-TimeStamp in ticks; 0 where there is none."""
    one_process_per_document: bool = False
    """Collabora: whoever holds the lock's epoch is the same editor, whatever token it uses."""
    is_autosave: bool = False
    is_exit_save: bool = False
    is_modified_by_user: bool | None = None
    editors: tuple[str, ...] = ()
    shows_part_of_lock: bool = False
    """Microsoft 365: a lock that is JSON may be shown in part."""


class Standing(Enum):
    """What `begin` found about the lock that a save shows."""

    HELD = auto()
    """It holds the file; the lease is extended and the intent noted."""
    RELEASED = auto()
    """It was released less than a minute ago and nobody locked since."""
    UNLOCKED = auto()
    """Nothing holds the file."""
    OTHER = auto()
    """Another lock holds the file."""
    SUPERSEDED = auto()
    """The request was sent before the lease was taken, or before a stored save of its session."""
    MOVING = auto()
    """The file is being moved; nothing may be written until it lies still."""


class FileMovedError(HostError):
    """The file lies elsewhere than the commit was told, or is on its way; ask where and repeat."""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What `begin` answers."""

    standing: Standing
    lease: Lease | None
    released_version: str
    """The head when the lock was released; only for RELEASED."""
    known: KnownHead | None
    """The head as registered."""
    path: StoragePath
    """Where the file lies, as registered."""


class SaveLedger(Protocol):
    """What Redis remembers of saves."""

    async def begin(self, save: Save, *, deadline_s: float) -> Begun:
        """Check the lock, extend its life to cover the write, note the intent. MUST be atomic.

        Raises:
            UnauthenticatedError: the session was revoked meanwhile.
        """
        ...

    async def adopt(self, save: Save, base: str, *, deadline_s: float) -> Lease | None:
        """Take a lost lease again; None where somebody else was quicker."""
        ...

    async def observe(self, file_id: FileId, head: Head, *, deadline_s: float) -> KnownHead:
        """Give a foreign head its version; see `FileRegistry.observe`."""
        ...

    async def publish(self, save: Save, saved: "Saved") -> None:
        """Register the head, move the lease's base, announce. Safe to repeat."""
        ...

    async def announce_rescue(self, save: Save, rescue_id: str, reason: str) -> None:
        """Emit ``save_rescued``. Safe to repeat."""
        ...


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A committed save."""

    head: KnownHead
    epoch: int
    forced: bool
    """The user chose to overwrite a change that the editor had not seen."""
    is_twin: bool = False
    """The bytes are those of the head before."""
    is_news: bool
    """False for identical bytes that the user had not modified: nothing is announced."""


class Verdict(Enum):
    """What the base check says."""

    ACCEPT = auto()
    FORCED = auto()
    ALREADY_SAVED = auto()
    CHANGED = auto()
    STALE = auto()


def judge(save: Save, sha256: str, head: KnownHead | None, begun: Begun) -> Verdict:
    """Compare the head with what the client's bytes were made from."""
    if head is None or head.size_bytes == 0:
        return Verdict.ACCEPT
    lease = begun.lease
    if is_own(save, head, lease):
        if head.attempt and save.attempt:
            if head.attempt == save.attempt and head.sha256 == sha256:
                return Verdict.ALREADY_SAVED
            if head.attempt > save.attempt:
                return Verdict.STALE
        if save.timestamp is None or head.attempt < save.attempt:
            return Verdict.ACCEPT
    base = lease.base if lease else begun.released_version
    if save.timestamp is not None:
        same_time = save.timestamp == format_us(head.last_modified_us)
        known_base = base == head.version or head.last_modified_us < save.session_created_us
        return Verdict.ACCEPT if same_time and (known_base or _own(save, head)) else Verdict.CHANGED
    if base == head.version:
        return Verdict.ACCEPT
    return Verdict.FORCED if lease else Verdict.CHANGED


def is_own(save: Save, head: KnownHead, lease: Lease | None) -> bool:
    """Tell whether this editor wrote the head: its session, or the same Collabora process.

    A process is known by its random lock. Heads written before that was noted are known by the
    epoch, which a failover may take back and give to somebody else.
    """
    if _own(save, head):
        return True
    if head.lock:
        is_process = head.lock == lock_digest(save.lock_id)
    else:
        is_process = lease is not None and 0 < lease.epoch == head.epoch
    return save.one_process_per_document and is_process


def is_repeated(save: Save, body: Body, known: KnownHead) -> bool:
    """Tell whether the very request that wrote the head came a second time."""
    same_attempt = bool(save.attempt) and known.attempt == save.attempt
    return same_attempt and _own(save, known) and known.sha256 == body.sha256


def may_adopt(save: Save, known: KnownHead) -> bool:
    """Tell whether a lock that was lost is believed.

    Only with evidence: a newer attempt of who wrote the head, or the exact head where nobody else
    wrote it since the session began.
    """
    own = is_own(save, known, None)
    if own and 0 < known.attempt < save.attempt:
        return True
    if save.timestamp != format_us(known.last_modified_us):
        return False
    return own or known.last_modified_us < save.session_created_us


def _own(save: Save, head: KnownHead) -> bool:
    return bool(save.session_id) and head.session == save.session_id


class Commit:
    """The commit protocol over a ledger, one node and a clock."""

    def __init__(self, ledger: SaveLedger, node: StorageNode, clock: Clock) -> None:
        self._ledger = ledger
        self._node = node
        self._clock = clock

    async def put_file(self, save: Save, body: Body, *, deadline_s: float) -> Saved:
        """Commit what an editor sends.

        Args:
            save: what the request says.
            body: the bytes, received whole.
            deadline_s: monotonic time until which outages are waited for.

        Raises:
            LockMismatchError: another lock holds the file, or none does.
            FileChangedError: the head is not what the bytes were made from.
            FileMovedError: the file lies elsewhere, or moves; nothing was changed.
            UnavailableError: Redis or the storage stayed away; nothing was changed.
            StorageFullError: no room; nothing was changed.
        """
        begun = await self._begin(save, deadline_s)
        if begun.standing is Standing.OTHER:
            raise mismatch(begun.lease)
        head, known = await self._head(save.file_id, begun.known, deadline_s)
        begun = await self._settle_lock(save, body, begun, known, deadline_s)
        for _ in range(JUDGEMENTS_MAX):
            verdict = judge(save, body.sha256, known, begun)
            if verdict is Verdict.ALREADY_SAVED and known is not None:
                return _saved(known, begun, is_news=False)
            if verdict in {Verdict.CHANGED, Verdict.STALE} and known is not None:
                raise _changed(known, verdict, begun.lease)
            is_forced = verdict is Verdict.FORCED
            evidence = self._evidence(save, body, begun, known, is_forced=is_forced)
            written = await self._write(body, evidence, head, known, deadline_s)
            if written is not None:
                is_news = _is_news(save, body, known)
                saved = _saved(written, begun, forced=is_forced, is_news=is_news)
                is_twin = known is not None and known.sha256 == body.sha256
                saved = msgspec.structs.replace(saved, is_twin=is_twin)
                await self._publish(save, saved)
                return saved
            head, known = await self._head(save.file_id, begun.known, deadline_s)
        raise UnavailableError("The file changes faster than it can be saved; try again.")

    async def upload(
        self, save: Save, body: Body, expected: Head | None, *, deadline_s: float
    ) -> Saved:
        """Commit what the management API sends, if the head still is `expected`.

        Raises:
            HeadChangedError: it is not.
            FileMovedError, UnavailableError, StorageFullError: as `put_file`.
        """
        begun = await self._begin(save, deadline_s)
        begun = msgspec.structs.replace(begun, standing=Standing.UNLOCKED, lease=None)
        known = None
        if expected is not None:
            known = await self._ledger.observe(save.file_id, expected, deadline_s=deadline_s)
        evidence = self._evidence(save, body, begun, known)
        written = await self._write(body, evidence, expected, known, deadline_s)
        if written is None:
            raise HeadChangedError("The file changed meanwhile; read it again and repeat.")
        saved = _saved(written, begun, is_news=False)
        await self._publish(save, saved)
        return saved

    async def _begin(self, save: Save, deadline_s: float) -> Begun:
        begun = await self._ledger.begin(save, deadline_s=deadline_s)
        if begun.standing is Standing.MOVING or begun.path != self._node.path:
            raise FileMovedError("The file was moved.")
        return begun

    async def _settle_lock(
        self, save: Save, body: Body, begun: Begun, known: KnownHead | None, deadline_s: float
    ) -> Begun:
        """Decide whether a save may go on without a lease that holds; 409 where it may not."""
        if begun.standing is Standing.HELD:
            return begun
        if begun.standing is Standing.SUPERSEDED:
            if known is not None and is_repeated(save, body, known):
                return begun
            if known is None:
                raise mismatch(begun.lease)
            raise _changed(known, Verdict.STALE, begun.lease)
        if known is None or known.size_bytes == 0 or is_repeated(save, body, known):
            return begun
        if begun.standing is Standing.RELEASED and known.version == begun.released_version:
            return begun
        if save.lock_id is not None and may_adopt(save, known):
            lease = await self._ledger.adopt(save, known.version, deadline_s=deadline_s)
            if lease is not None:
                return msgspec.structs.replace(begun, standing=Standing.HELD, lease=lease)
        raise mismatch(None)

    async def _head(
        self, file_id: FileId, registered: KnownHead | None, deadline_s: float
    ) -> tuple[Head | None, KnownHead | None]:
        head = await self._stat(deadline_s)
        if head is None:
            return None, None
        if registered is not None and registered.fingerprint == head.fingerprint:
            lock = head.evidence.lock if head.evidence else ""
            return head, msgspec.structs.replace(registered, lock=lock)
        own = known_from_evidence(head)
        observed = await self._ledger.observe(file_id, head, deadline_s=deadline_s)
        if own is not None and (registered is None or own.sequence > registered.sequence):
            return head, own
        return head, observed

    async def _write(
        self,
        body: Body,
        evidence: Evidence,
        head: Head | None,
        known: KnownHead | None,
        deadline_s: float,
    ) -> KnownHead | None:
        """Do steps 4 to 6; None where the head changed meanwhile and must be judged again."""
        attempts = 0
        while True:
            try:
                if head is not None and body.sha256 != (known.sha256 if known else ""):
                    await self._node.keep(head)
                written = await self._node.write_if(body, evidence, head)
                return known_from_evidence(written)
            except (HeadChangedError, StorageFaultError):
                now = await self._stat(deadline_s)
            if now is not None and now.evidence and now.evidence.save_id == evidence.save_id:
                return known_from_evidence(now)
            if fingerprint_of(now) != fingerprint_of(head):
                return None
            await self._pause(attempts, deadline_s)
            attempts += 1

    async def _stat(self, deadline_s: float) -> Head | None:
        attempts = 0
        while True:
            try:
                return await self._node.stat()
            except StorageFaultError:
                await self._pause(attempts, deadline_s)
                attempts += 1

    async def _pause(self, attempts: int, deadline_s: float) -> None:
        pause_s = RETRY_PAUSES_S[min(attempts, len(RETRY_PAUSES_S) - 1)]
        if self._clock.monotonic_s() + pause_s > deadline_s:
            raise UnavailableError("The storage does not answer; the save was not stored.")
        await asyncio.sleep(pause_s)

    def _evidence(
        self,
        save: Save,
        body: Body,
        begun: Begun,
        known: KnownHead | None,
        *,
        is_forced: bool = False,
    ) -> Evidence:
        sequence = (known.sequence if known else 0) + 1
        floor_us = known.last_modified_us + 1 if known else 0
        return Evidence(
            save_id=save.save_id,
            session=save.session_id,
            epoch=begun.lease.epoch if begun.lease else 0,
            attempt=save.attempt,
            base=known.version if known else "",
            sequence=sequence,
            version=new_version(sequence, save.save_id),
            last_modified_us=max(self._clock.now_us(), floor_us),
            sha256=body.sha256,
            lock=lock_digest(save.lock_id),
            file_id=save.file_id,
            is_autosave=save.is_autosave and not save.is_exit_save,
            is_forced=is_forced,
        )

    async def _publish(self, save: Save, saved: Saved) -> None:
        try:
            await self._ledger.publish(save, saved)
        except HostError:
            return  # The bytes are safe; the reconciler announces them.


def _saved(head: KnownHead, begun: Begun, *, forced: bool = False, is_news: bool = True) -> Saved:
    epoch = begun.lease.epoch if begun.lease else 0
    return Saved(head=head, epoch=epoch, forced=forced, is_news=is_news)


def _is_news(save: Save, body: Body, known: KnownHead | None) -> bool:
    return save.is_modified_by_user is not False or known is None or known.sha256 != body.sha256


def _changed(known: KnownHead, verdict: Verdict, lease: Lease | None) -> FileChangedError:
    reason = "The file was changed by somebody else since it was opened."
    if verdict is Verdict.STALE:
        reason = "A newer save of the same session is already stored."
    held = lease.lock_id if lease else None
    return FileChangedError(known.last_modified_us, held, f"{reason} These bytes were kept aside.")
