"""What a save may do to the head that is there: step 3 of the commit, without any effect.

A head is a save's *own* where the same session wrote it, or the same editor: a Collabora process,
or a server that has held its lock ever since. Own saves are put in order by the moments at which
they were sent; for all others it counts what the bytes were made from.
"""

from enum import Enum, auto

from genro_wopi.domain.files import KnownHead, lock_digest
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.saves import Begun, Save
from genro_wopi.domain.storages import Body
from genro_wopi.protocol.times import format_us


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
    if is_own(save, head, lease) and not is_loaded_before(save, head, begun):
        in_order = _by_order(save, sha256, head)
        if in_order is not None:
            return in_order
    if is_overtaken(save, head):
        return Verdict.CHANGED
    base = lease.base if lease else begun.released_version
    if save.timestamp is not None:
        same_time = save.timestamp == format_us(head.last_modified_us)
        known_base = base == head.version or head.last_modified_us < save.session_created_us
        return Verdict.ACCEPT if same_time and (known_base or _own(save, head)) else Verdict.CHANGED
    if base == head.version:
        return Verdict.ACCEPT
    return Verdict.FORCED if lease else Verdict.CHANGED


def _by_order(save: Save, sha256: str, head: KnownHead) -> Verdict | None:
    """Put a save and its editor's own head in order; None where that is not known."""
    if head.attempt and save.attempt:
        if head.attempt == save.attempt and head.sha256 == sha256:
            return Verdict.ALREADY_SAVED
        if head.attempt > save.attempt:
            return Verdict.STALE
    if head.attempt < save.attempt:
        return Verdict.ACCEPT
    if save.receipt is not None and 0 < head.received_us < save.receipt.received_us:
        return Verdict.ACCEPT
    is_next = save.timestamp is None and not is_overtaken(save, head)
    return Verdict.ACCEPT if is_next else None


def is_loaded_before(save: Save, head: KnownHead, begun: Begun) -> bool:
    """Tell whether an editor loaded the document anew while the head waited to be submitted.

    It is the same session's, and has not got the text all the same. A process of Collabora that
    shows the lock of that time has.
    """
    if not 0 < head.received_us <= begun.loaded_us < head.last_modified_us:
        return False
    return not (save.one_process_per_document and head.lock == lock_digest(save.lock_id))


def is_overtaken(save: Save, head: KnownHead) -> bool:
    """Tell whether the head was made after a save had come that is submitted only now.

    The lease knows that head meanwhile, and nobody has chosen to overwrite it. Moments are told by
    clocks that may differ; of a head that was saved here it counts whether it is another one.
    """
    receipt = save.receipt
    if receipt is None or receipt.version == head.version:
        return False
    is_another = bool(receipt.version and head.save_id)
    return is_another or head.last_modified_us > receipt.received_us


def is_own(save: Save, head: KnownHead, lease: Lease | None) -> bool:
    """Tell whether this editor wrote the head: its session, or the same process for all its users.

    A Collabora process is known by its random lock. Heads written before that was noted are known
    by the epoch, which a failover may take back and give to somebody else. OnlyOffice's lock proves
    nothing; one of its servers is known by its address and by a lease that was never broken.
    """
    if _own(save, head):
        return True
    is_held = lease is not None and 0 < lease.epoch == head.epoch
    if is_held and lease is not None and save.editor and save.editor == lease.editor:
        return True
    is_process = head.lock == lock_digest(save.lock_id) if head.lock else is_held
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


def is_blind(save: Save, sha256: str, head: KnownHead | None, begun: Begun) -> bool:
    """Tell whether a save replaces bytes that its editor never had.

    OnlyOffice opens from its cache, or with text that was refused before, and shows a fresh
    timestamp.
    """
    if head is None or head.size_bytes == 0 or begun.lease is None or head.sha256 == sha256:
        return False
    return not is_own(save, head, begun.lease) and begun.seen_version != head.version


def is_template_again(save: Save, sha256: str, begun: Begun) -> bool:
    """Tell whether a body is what first filled the file: each who opens one of 0 bytes sends it."""
    return save.lock_id is None and bool(sha256) and sha256 == begun.filled_sha256


def is_untouched(save: Save, sha256: str, head: KnownHead | None) -> bool:
    """Tell whether an editor sends what is stored, as it says itself: it adds nothing."""
    is_same = head is not None and bool(sha256) and head.sha256 == sha256
    return is_same and save.is_modified_by_user is False


def is_news(save: Save, body: Body, known: KnownHead | None) -> bool:
    """Tell whether a save is announced: not one of the same bytes that nobody had modified."""
    return save.is_modified_by_user is not False or known is None or known.sha256 != body.sha256


def _own(save: Save, head: KnownHead) -> bool:
    return bool(save.session_id) and head.session == save.session_id
