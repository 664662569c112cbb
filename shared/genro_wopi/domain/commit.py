"""The commit of a save: how bytes become the head without ever losing others.

Looking at the lock and then writing loses saves: the lock may end, the write may arrive late, the
answer may be lost. Here the decision is made by one conditional write of the bytes together with
their evidence, and every unclear answer is resolved by reading the head again:

1. the body was received whole (its spool is given as a `Body`);
2. `SaveLedger.begin` checks the lock and notes the intent;
3. `judgement.judge` compares the head, read now, with what the client's bytes were made from;
4. the head's bytes are kept as a version;
5. one conditional write;
6. anything but a clean success: read the head. Ours by save id: done. Unchanged: write again until
   the deadline. Otherwise judge again;
7. `SaveLedger.publish` registers the head and announces it; its failure does not matter any more.

After step 5 there is no error path: the client gets its 200.
"""

import asyncio
from contextlib import suppress
from typing import Final

import msgspec

from genro_wopi.domain.clock import Clock
from genro_wopi.domain.errors import (
    FileChangedError,
    HostError,
    LockMismatchError,
    UnavailableError,
)
from genro_wopi.domain.files import (
    Evidence,
    Head,
    KnownHead,
    fingerprint_of,
    known_from_evidence,
    lock_digest,
    new_version,
)
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.judgement import (
    Verdict,
    is_blind,
    is_news,
    is_repeated,
    is_template_again,
    is_untouched,
    judge,
    may_adopt,
)
from genro_wopi.domain.locks import Lease, mismatch
from genro_wopi.domain.saves import Begun, FileMovedError, Save, Saved, SaveLedger, Standing
from genro_wopi.domain.storages import Body, HeadChangedError, StorageFaultError, StorageNode

RETRY_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Between two attempts at a storage that does not answer; the last one repeats."""

JUDGEMENTS_MAX: Final = 16
"""How often a save that keeps losing to its own earlier attempts starts again."""


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
        try:
            return await self._put(save, body, begun, deadline_s)
        except (LockMismatchError, FileChangedError) as refusal:
            refusal.nothing_typed = is_template_again(save, body.sha256, begun)
            if refusal.nothing_typed:
                await self._done_with(save)
            raise

    async def _put(self, save: Save, body: Body, begun: Begun, deadline_s: float) -> Saved:
        registered = begun.known
        is_same = registered is not None and registered.sha256 == body.sha256
        if registered is not None and is_same and is_template_again(save, body.sha256, begun):
            return await self._found(save, registered, begun)
        if begun.standing is Standing.OTHER:
            raise mismatch(begun.lease)
        head, known = await self._head(save.file_id, registered, deadline_s)
        begun = await self._settle_lock(save, body, begun, known, deadline_s)
        for _ in range(JUDGEMENTS_MAX):
            verdict = judge(save, body.sha256, known, begun)
            if verdict in {Verdict.CHANGED, Verdict.STALE} and known is not None:
                raise _changed(known, verdict, begun.lease)
            is_there = verdict is Verdict.ALREADY_SAVED or is_untouched(save, body.sha256, known)
            if is_there and known is not None:
                return await self._found(save, known, begun)
            is_forced = verdict is Verdict.FORCED or is_blind(save, body.sha256, known, begun)
            evidence = self._evidence(save, body, begun, known, is_forced=is_forced)
            written = await self._write(body, evidence, head, known, deadline_s)
            if written is not None:
                saved = _saved(
                    written,
                    begun,
                    forced=is_forced,
                    fills=known is None or known.size_bytes == 0,
                    is_twin=known is not None and known.sha256 == body.sha256,
                    is_news=is_news(save, body, known),
                )
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
        saved = _saved(written, begun)
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
            came_us = head.evidence.received_us if head.evidence else 0
            return head, msgspec.structs.replace(registered, lock=lock, received_us=came_us)
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
            received_us=save.receipt.received_us if save.receipt else 0,
        )

    async def _found(self, save: Save, known: KnownHead, begun: Begun) -> Saved:
        """Answer with what is stored already: nothing is written, nothing announced."""
        await self._done_with(save)
        return _saved(known, begun)

    async def _done_with(self, save: Save) -> None:
        """Forget the intent, so that nobody waits for its write."""
        with suppress(HostError):
            await self._ledger.forget(save)

    async def _publish(self, save: Save, saved: Saved) -> None:
        try:
            await self._ledger.publish(save, saved)
        except HostError:
            return  # The bytes are safe; the reconciler announces them.


def _saved(
    head: KnownHead,
    begun: Begun,
    *,
    forced: bool = False,
    fills: bool = False,
    is_twin: bool = False,
    is_news: bool = False,
) -> Saved:
    epoch = begun.lease.epoch if begun.lease else 0
    return Saved(
        head=head, epoch=epoch, forced=forced, fills=fills, is_twin=is_twin, is_news=is_news
    )


def _changed(known: KnownHead, verdict: Verdict, lease: Lease | None) -> FileChangedError:
    reason = "The file was changed by somebody else since it was opened."
    if verdict is Verdict.STALE:
        reason = "A newer save of the same session is already stored."
    held = lease.lock_id if lease else None
    return FileChangedError(known.last_modified_us, held, f"{reason} These bytes were kept aside.")
