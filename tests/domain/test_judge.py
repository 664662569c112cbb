"""The base check: each row of the commit protocol's step 3."""

import msgspec

from genro_wopi.domain.commit import Begun, Save, Standing, Verdict, judge
from genro_wopi.domain.files import KnownHead, lock_digest
from genro_wopi.domain.identifiers import FileId, SessionId, Version
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.paths import StoragePath
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.protocol.times import format_us

OLD_US, SESSION_US, NEW_US = 1_000_000, 2_000_000, 3_000_000
SHA = "aa"

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


def test_an_empty_file_takes_any_save() -> None:
    assert verdict(head=change(HEAD, size_bytes=0)) is Verdict.ACCEPT
