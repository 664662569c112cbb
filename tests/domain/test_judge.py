"""The base check: each row of the commit protocol's step 3."""

import hashlib
from typing import Any

import msgspec
import pytest

from genro_wopi.domain.files import KnownHead, lock_digest
from genro_wopi.domain.identifiers import FileId, SessionId, Version
from genro_wopi.domain.judgement import Verdict, is_news, is_repeated, judge, may_adopt
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.saves import Begun, Receipt, Save, Standing
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.protocol.times import format_us

OLD_US, SESSION_US, NEW_US = 1_000_000, 2_000_000, 3_000_000
BODY = b"text"
SHA = hashlib.sha256(BODY).hexdigest()

SAVE = Save(
    save_id="save",
    file_id=FileId("file"),
    session_id=SessionId("mine"),
    session_created_us=SESSION_US,
    holder="Anna",
    lock_id=LockId("L"),
    timestamp=format_us(NEW_US),
    attempt=100,
    one_process_per_document=False,
    is_autosave=False,
    is_exit_save=False,
    is_modified_by_user=True,
    editors=(),
)
HEAD = KnownHead(
    fingerprint="f",
    version=Version("2.x"),
    last_modified_us=NEW_US,
    size_bytes=5,
    sequence=2,
    sha256="bb",
    session="theirs",
    epoch=4,
    attempt=50,
    save_id="other",
)
LEASE = Lease(
    lock_id=LockId("L"),
    epoch=5,
    session="mine",
    base="2.x",
    first_attempt=0,
    since_us=0,
    expires_us=0,
    holder="Anna",
)
change = msgspec.structs.replace


def verdict(
    save: Save = SAVE, head: KnownHead | None = HEAD, lease: Lease | None = LEASE
) -> Verdict:
    standing = Standing.HELD if lease else Standing.RELEASED
    begun = Begun(
        standing=standing, lease=lease, released_version="2.x", known=head, path=StoragePath("a")
    )
    return judge(save, SHA, head, begun)


def test_the_timestamp_of_the_leases_base_is_accepted() -> None:
    assert verdict() is Verdict.ACCEPT


def test_another_timestamp_is_a_change() -> None:
    assert verdict(change(SAVE, timestamp=format_us(OLD_US))) is Verdict.CHANGED


def test_the_right_timestamp_of_bytes_that_this_lock_never_read_is_a_change() -> None:
    assert verdict(lease=change(LEASE, base="1.x")) is Verdict.CHANGED


def test_the_right_timestamp_of_a_head_older_than_the_session_is_accepted() -> None:
    save = change(SAVE, timestamp=format_us(OLD_US))
    head = change(HEAD, last_modified_us=OLD_US)
    assert verdict(save, head, change(LEASE, base="")) is Verdict.ACCEPT


def test_a_session_continues_on_its_own_earlier_attempt() -> None:
    save = change(SAVE, timestamp=format_us(OLD_US))
    assert verdict(save, change(HEAD, session="mine", attempt=99)) is Verdict.ACCEPT


def test_a_late_duplicate_never_goes_over_a_newer_attempt() -> None:
    assert verdict(head=change(HEAD, session="mine", attempt=101)) is Verdict.STALE


def test_the_same_request_a_second_time_is_saved_already() -> None:
    head = change(HEAD, session="mine", attempt=100, sha256=SHA)
    assert verdict(head=head) is Verdict.ALREADY_SAVED


def test_collabora_saves_with_any_users_token_under_its_epoch() -> None:
    save = change(SAVE, one_process_per_document=True, timestamp=format_us(OLD_US))
    assert verdict(save, change(HEAD, epoch=5, attempt=99)) is Verdict.ACCEPT


def test_collabora_is_known_by_its_random_lock_where_its_epoch_was_lost() -> None:
    save = change(SAVE, one_process_per_document=True, timestamp=format_us(OLD_US))
    head = change(HEAD, lock=lock_digest("L"))
    assert verdict(save, head) is Verdict.ACCEPT
    assert verdict(save, change(head, lock=lock_digest("M"))) is Verdict.CHANGED
    assert verdict(change(save, one_process_per_document=False), head) is Verdict.CHANGED


def test_onlyoffice_proves_nothing_by_its_constant_lock() -> None:
    save = change(SAVE, timestamp=format_us(OLD_US))
    assert verdict(save, change(HEAD, epoch=5, attempt=99)) is Verdict.CHANGED


def test_without_timestamp_the_leases_base_is_accepted() -> None:
    assert verdict(change(SAVE, timestamp=None)) is Verdict.ACCEPT


def test_without_timestamp_another_base_is_the_users_overwrite() -> None:
    save = change(SAVE, timestamp=None)
    assert verdict(save, lease=change(LEASE, base="1.x")) is Verdict.FORCED


def test_after_unlock_a_save_without_timestamp_needs_the_version_that_was_released() -> None:
    save = change(SAVE, timestamp=None)
    assert verdict(save, lease=None) is Verdict.ACCEPT


def test_after_unlock_a_changed_file_is_not_overwritten() -> None:
    save = change(SAVE, timestamp=None)
    assert verdict(save, change(HEAD, version=Version("3.x")), lease=None) is Verdict.CHANGED


@pytest.mark.parametrize(
    ("receipt", "head", "expected"),
    [
        (Receipt(NEW_US, "2.x"), {}, Verdict.ACCEPT),
        (Receipt(NEW_US, ""), {}, Verdict.ACCEPT),
        (Receipt(OLD_US, "2.x"), {}, Verdict.ACCEPT),
        (Receipt(OLD_US, ""), {}, Verdict.CHANGED),
        (Receipt(NEW_US, "1.x"), {}, Verdict.CHANGED),
        # What another program wrote is known by its moment: it may have been seen only now.
        (Receipt(NEW_US, "1.x"), {"save_id": ""}, Verdict.ACCEPT),
        (Receipt(OLD_US, "1.x"), {"save_id": ""}, Verdict.CHANGED),
        (Receipt(OLD_US, "1.x"), {"session": "mine", "attempt": 0}, Verdict.CHANGED),
    ],
)
def test_a_save_that_waited_replaces_nothing_that_came_after_it(
    receipt: Receipt, head: dict[str, Any], expected: Verdict
) -> None:
    save = change(SAVE, timestamp=None, attempt=0, receipt=receipt)
    assert verdict(save, change(HEAD, **head)) is expected


def test_a_save_that_waited_goes_on_with_its_own_earlier_attempt() -> None:
    save = change(SAVE, receipt=Receipt(OLD_US, "1.x"))
    assert verdict(save, change(HEAD, session="mine", attempt=99)) is Verdict.ACCEPT


def test_an_empty_file_takes_any_save() -> None:
    assert verdict(head=change(HEAD, size_bytes=0)) is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("attempt", "head", "expected"),
    [
        (100, {"session": "mine", "attempt": 100, "sha256": SHA}, True),
        (100, {"session": "mine", "attempt": 100}, False),
        (100, {"session": "mine", "attempt": 99, "sha256": SHA}, False),
        (100, {"session": "theirs", "attempt": 100, "sha256": SHA}, False),
        (0, {"session": "mine", "attempt": 0, "sha256": SHA}, False),
    ],
)
def test_a_repeat_is_the_same_attempt_of_the_same_session_with_the_same_bytes(
    attempt: int, head: dict[str, Any], expected: bool
) -> None:
    save = change(SAVE, attempt=attempt)
    assert is_repeated(save, MemoryBody(BODY), change(HEAD, **head)) is expected


@pytest.mark.parametrize(
    ("timestamp_us", "head", "expected"),
    [
        # Its own newer attempt needs no other evidence.
        (OLD_US, {"session": "mine", "attempt": 99}, True),
        (OLD_US, {"session": "mine", "attempt": 100}, False),
        (OLD_US, {"session": "mine", "attempt": 101}, False),
        (OLD_US, {"session": "mine", "attempt": 0}, False),
        (OLD_US, {"session": "theirs", "attempt": 99}, False),
        # The exact head counts where it is its own, or older than the session.
        (NEW_US, {"session": "mine", "attempt": 101}, True),
        (NEW_US, {"session": "theirs"}, False),
        (SESSION_US, {"session": "theirs", "last_modified_us": SESSION_US}, False),
        (SESSION_US - 1, {"session": "theirs", "last_modified_us": SESSION_US - 1}, True),
        (OLD_US, {"session": "theirs", "last_modified_us": SESSION_US - 1}, False),
    ],
)
def test_a_lost_lock_is_believed_with_evidence_only(
    timestamp_us: int, head: dict[str, Any], expected: bool
) -> None:
    save = change(SAVE, timestamp=format_us(timestamp_us))
    assert may_adopt(save, change(HEAD, **head)) is expected


def test_a_lost_lock_without_a_timestamp_is_believed_for_its_own_newer_attempt_only() -> None:
    save = change(SAVE, timestamp=None)
    assert may_adopt(save, change(HEAD, session="mine", attempt=99))
    assert not may_adopt(save, change(HEAD, last_modified_us=OLD_US))


@pytest.mark.parametrize(
    ("timestamp_us", "base", "modified_us", "expected"),
    [
        (NEW_US, "2.x", NEW_US, Verdict.ACCEPT),
        (NEW_US, "1.x", NEW_US, Verdict.CHANGED),
        (SESSION_US, "1.x", SESSION_US, Verdict.CHANGED),
        (SESSION_US - 1, "1.x", SESSION_US - 1, Verdict.ACCEPT),
        (OLD_US, "2.x", NEW_US, Verdict.CHANGED),
    ],
)
def test_a_timestamp_needs_a_base_or_a_head_older_than_the_session(
    timestamp_us: int, base: str, modified_us: int, expected: Verdict
) -> None:
    save = change(SAVE, timestamp=format_us(timestamp_us))
    head = change(HEAD, last_modified_us=modified_us)
    assert verdict(save, head, change(LEASE, base=base)) is expected


@pytest.mark.parametrize(
    ("attempt", "head", "expected"),
    [
        # Without a time of sending nothing is said to be stale or saved already.
        (0, {"attempt": 101}, Verdict.ACCEPT),
        (100, {"attempt": 0}, Verdict.ACCEPT),
        (100, {"attempt": 100}, Verdict.ACCEPT),
        (100, {"attempt": 100, "sha256": SHA}, Verdict.ALREADY_SAVED),
        (100, {"attempt": 101, "sha256": SHA}, Verdict.STALE),
    ],
)
def test_what_a_session_sent_is_put_in_order_by_its_attempts(
    attempt: int, head: dict[str, Any], expected: Verdict
) -> None:
    save = change(SAVE, timestamp=None, attempt=attempt)
    own = change(HEAD, session="mine", **head)
    assert verdict(save, own, change(LEASE, base="1.x")) is expected


def test_an_own_attempt_of_the_same_moment_needs_the_timestamp() -> None:
    head = change(HEAD, session="mine", attempt=100)
    assert verdict(head=head, lease=change(LEASE, base="1.x")) is Verdict.ACCEPT
    late = change(SAVE, timestamp=format_us(OLD_US))
    assert verdict(late, head, change(LEASE, base="1.x")) is Verdict.CHANGED


def test_the_management_api_is_no_session_and_owns_nothing() -> None:
    save = change(SAVE, session_id=SessionId(""), timestamp=format_us(OLD_US))
    assert verdict(save, change(HEAD, session="", attempt=99)) is Verdict.CHANGED


def test_an_epoch_of_none_is_nobodys() -> None:
    save = change(SAVE, one_process_per_document=True, timestamp=format_us(OLD_US))
    lease = change(LEASE, epoch=0)
    assert verdict(save, change(HEAD, epoch=0, attempt=99), lease) is Verdict.CHANGED


@pytest.mark.parametrize(
    ("modified", "head", "expected"),
    [
        (True, change(HEAD, sha256=SHA), True),
        (None, change(HEAD, sha256=SHA), True),
        (False, change(HEAD, sha256=SHA), False),
        (False, HEAD, True),
        (False, None, True),
    ],
)
def test_the_same_bytes_that_nobody_modified_are_no_news(
    modified: bool | None, head: KnownHead | None, expected: bool
) -> None:
    assert is_news(change(SAVE, is_modified_by_user=modified), MemoryBody(BODY), head) is expected
