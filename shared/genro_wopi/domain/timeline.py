"""What happened in a session since it was made, and what that means in plain words.

It explains, it proves nothing: what a process has not written down when it is killed is missing.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from genro_wopi.domain.identifiers import SessionId

LAUNCH: Final = "launch"
"""The page that shows the editor was opened; everything else is the name of a WOPI operation."""

_OK: Final = 200
_PROOF_REFUSED: Final = 500
_OUTAGES: Final = frozenset({503, 507})
_READS: Final = frozenset({"check_file_info", "get_file"})


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened."""

    at_us: int
    what: str
    status: int = _OK
    duration_ms: int = 0
    reason: str = ""
    recovery_id: str = ""
    """Of a save that was refused: the copy that was kept; empty for none."""


class Timeline(Protocol):
    """Where it is written down."""

    def note(self, session_id: SessionId, entry: TimelineEntry) -> None:
        """Write something down soon; never waits and never fails."""
        ...

    async def read(self, session_id: SessionId) -> list[TimelineEntry]:
        """Return what was written down, the oldest first."""
        ...


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What else a verdict depends on."""

    has_editor: bool
    notes: Sequence[str]
    """Why the editor was chosen, or why there is none."""
    src_url: str
    """How the editor should reach this host."""
    can_edit: bool
    is_over: bool
    opened: bool
    """Whether its editor has, or had, the document: one reads it for all who have it open."""


def verdict(entries: Sequence[TimelineEntry], around: Circumstances) -> str:
    """Say in plain words how the session goes, and what to do where it does not."""
    calls = [e for e in entries if e.what != LAUNCH]
    if not calls:
        return _before_any_call(entries, around)
    last = {e.what: e for e in calls}
    for check in (_proof, _refused, _outage, _lock, _unsaved):
        problem = check(last, around)
        if problem:
            return problem
    saved = last.get("put_file")
    if saved is not None:
        return "All is well: the last save was stored."
    if not around.opened:
        return "The editor asked about the file but has not read it yet."
    return "All is well: the document is open; nothing was saved with this session's token yet."


def _before_any_call(entries: Sequence[TimelineEntry], around: Circumstances) -> str:
    if not around.has_editor:
        why = "; ".join(around.notes) or "no editor is configured"
        return f"There is no editor for this file: {why}."
    if not entries:
        return "The launch page was never opened: show launch_url in a frame or a window."
    refused = entries[-1].reason
    if refused:
        return f"The launch page could not show the editor: {refused}"
    return (
        f"The editor never called us: it must reach {around.src_url} from where it runs, and must"
        " allow this host (Collabora: storage.wopi.alias_groups in coolwsd.xml)."
    )


def _proof(last: dict[str, TimelineEntry], _: Circumstances) -> str:
    found = next((e for e in last.values() if e.status == _PROOF_REFUSED), None)
    if found is None or "proof" not in found.reason.lower():
        return ""
    return (
        f"The editor's proof was refused: {found.reason} Check that WOPI_SRC_URL is the address"
        " that the editor calls, and the clocks of both."
    )


def _refused(last: dict[str, TimelineEntry], around: Circumstances) -> str:
    found = next((last[w] for w in _READS if w in last and last[w].status in {401, 404}), None)
    if found is None:
        return ""
    if around.is_over:
        return "The session has ended; create a new one to open the document again."
    return f"The editor was refused: {found.reason}"


def _outage(last: dict[str, TimelineEntry], _: Circumstances) -> str:
    found = next((e for e in last.values() if e.status in _OUTAGES), None)
    if found is None:
        return ""
    return f"Redis or the storage did not answer ({found.what}): {found.reason}"


def _lock(last: dict[str, TimelineEntry], around: Circumstances) -> str:
    found = last.get("lock")
    if found is None or found.status == _OK:
        return ""
    if not around.can_edit:
        return ""
    return f"Opened read-only: {found.reason}"


def _unsaved(last: dict[str, TimelineEntry], _: Circumstances) -> str:
    found = last.get("put_file")
    if found is None or found.status == _OK:
        return ""
    if found.recovery_id:
        kept = f"its bytes were kept as recovery copy {found.recovery_id}"
    else:
        kept = "none of its bytes were kept"
    return f"The last save was refused, and {kept}: {found.reason}"
