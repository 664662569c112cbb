"""Which of a file's kept versions may go. Nothing is decided that the evidence does not show.

A version goes for one of three reasons:

* its bytes are those of the version after it: they are stored once;
* it is an autosave, and the same editor saved again within the window;
* it is beyond the number, or was replaced longer ago than the days, that the storage keeps.

Exit saves and those that a person asked for are never thinned out, nor is what another program
wrote: only number and age end them.

A copy of the head itself never goes: whoever made it is about to replace the head.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from genro_wopi.domain.files import Evidence, Head, KeptVersion

DAY_US: Final = 86_400_000_000


class VersionPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long a storage keeps what was replaced; without settings for ever."""

    coalesce_seconds: int = 0
    """Autosaves of one editor within this window are one version; 0: each is one."""
    keep_count: int | None = None
    """The newest so many; None: all."""
    keep_days: int | None = None
    """Those that were replaced in the last so many days; None: all."""


class Upkeep(msgspec.Struct, frozen=True):
    """What is to be done with a file's versions."""

    superfluous: list[KeptVersion]
    next_us: int | None
    """When the next of those that stay ends by its age; None: none does."""


def upkeep(
    policy: VersionPolicy, head: Head, kept: Sequence[KeptVersion], *, now_us: int
) -> Upkeep:
    """Decide which versions go.

    Args:
        policy: of the storage.
        head: the newest bytes, which always stay.
        kept: all that was kept, the newest first.
        now_us: the moment.
    """
    superfluous: list[KeptVersion] = []
    count, oldest_end_us = 0, None
    newer = _Newer(head.evidence, head.modified_us)
    for version in kept:
        if _may_be_copy(version, head):
            continue
        replaced_us = newer.moment_us
        ends_us = None if policy.keep_days is None else replaced_us + policy.keep_days * DAY_US
        is_over = ends_us is not None and ends_us <= now_us
        is_beyond = policy.keep_count is not None and count >= policy.keep_count
        if is_over or is_beyond or _merges(version.evidence, newer.evidence, policy):
            superfluous.append(version)
            continue
        count += 1
        newer = _Newer(version.evidence, version.modified_us)
        oldest_end_us = ends_us if ends_us is not None else oldest_end_us
    return Upkeep(superfluous, oldest_end_us)


def _may_be_copy(version: KeptVersion, head: Head) -> bool:
    if head.evidence is None or version.evidence is None:
        is_foreign = head.evidence is None and version.evidence is None
        return is_foreign and version.size_bytes == head.size_bytes
    return version.evidence.save_id == head.evidence.save_id


class _Newer:
    """The version after the one that is looked at, among those that stay."""

    def __init__(self, evidence: Evidence | None, modified_us: int) -> None:
        self.evidence = evidence
        self.moment_us = evidence.last_modified_us if evidence else modified_us


def _merges(old: Evidence | None, new: Evidence | None, policy: VersionPolicy) -> bool:
    if old is None or new is None:
        return False
    if old.sha256 == new.sha256 and (old.is_autosave or not new.is_autosave):
        return True  # An autosave must not stand for a person's save: it may be merged itself.
    same_editor = (bool(old.session) and old.session == new.session) or (
        bool(old.lock) and old.lock == new.lock and old.epoch == new.epoch
    )
    apart_us = new.last_modified_us - old.last_modified_us
    return old.is_autosave and same_editor and apart_us < policy.coalesce_seconds * 1_000_000
