"""The flows of the plan over real processes and sockets, on each back end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flows.conftest import Tenant
from tests.support.editor import EditorClient
from tests.support.waiting import until

pytestmark = pytest.mark.flow


def test_view_flow(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    reader = tenant.open(edit=False)
    info = reader.info()
    assert (info["BaseFileName"], info["Size"], info["UserCanWrite"]) == ("a.txt", 5, False)
    content = reader.get()
    assert content.content == b"hello"
    assert content.headers["X-WOPI-ItemVersion"] == info["Version"]
    assert reader.override("LOCK", "L").status_code == 200
    assert reader.override("GET_LOCK").headers["X-WOPI-Lock"] == ""
    assert reader.put(b"no", "L").status_code == 401
    assert tenant.download("a.txt") == b"hello"


def test_edit_flow(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    info = editor.info()
    assert editor.get().content == b"hello"
    locked = editor.override("LOCK", "L")
    assert (locked.status_code, locked.content) == (200, b"")
    assert "X-WOPI-Lock" not in locked.headers
    saved = editor.put(b"hello world", "L", info["LastModifiedTime"])
    assert saved.status_code == 200, saved.text
    again = editor.info()
    assert saved.json() == {"LastModifiedTime": again["LastModifiedTime"]}
    assert saved.headers["X-WOPI-ItemVersion"] == again["Version"]
    assert editor.override("UNLOCK", "L").status_code == 200
    assert tenant.download("a.txt") == b"hello world"
    event = tenant.application.wait_for(editor.session_id, "document_saved")
    assert (event["size"], event["version"]) == (11, again["Version"])
    tenant.application.wait_for(editor.session_id, "lock_released")
    assert tenant.application.names(editor.session_id) == [
        "session_created",
        "document_opened",
        "lock_acquired",
        "document_saved",
        "lock_released",
    ]


def test_concurrent_edit_flow(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    anna, mario = tenant.open(), tenant.open(user="Mario")
    assert anna.session["file_id"] == mario.session["file_id"]
    assert anna.override("LOCK", "A").status_code == 200
    refused = mario.override("LOCK", "M")
    assert (refused.status_code, refused.headers["X-WOPI-Lock"]) == (409, "A")
    assert "Anna is editing" in refused.headers["X-WOPI-LockFailureReason"]
    assert mario.put(b"mine", "M").status_code == 409
    assert anna.override("UNLOCK", "A").status_code == 200
    assert mario.override("LOCK", "M").status_code == 200


def test_a_change_outside_is_a_conflict_and_the_refused_text_is_kept(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    stamp = editor.info()["LastModifiedTime"]
    editor.get()
    editor.override("LOCK", "L")
    assert tenant.upload("a.txt", b"changed outside").status_code == 200
    refused = editor.put(b"mine", "L", stamp)
    assert refused.status_code == 409
    assert refused.json()["COOLStatusCode"] == 1010
    assert refused.headers["X-WOPI-Lock"] == "L"
    assert tenant.download("a.txt") == b"changed outside"
    event = tenant.application.wait_for(editor.session_id, "save_rescued")
    assert event["recovery_id"]
    forced = editor.put(b"mine", "L")
    assert forced.status_code == 200
    assert tenant.download("a.txt") == b"mine"


def test_a_late_save_after_unlock_is_accepted(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    editor.get()
    editor.override("LOCK", "L")
    editor.override("UNLOCK", "L")
    assert editor.put(b"last words", "L").status_code == 200
    assert tenant.download("a.txt") == b"last words"


def test_a_late_save_after_somebody_else_locked_is_refused(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor, other = tenant.open(), tenant.open()
    editor.override("LOCK", "L")
    editor.override("UNLOCK", "L")
    other.override("LOCK", "O")
    refused = editor.put(b"last words", "L")
    assert (refused.status_code, refused.headers["X-WOPI-Lock"]) == (409, "O")


def test_an_empty_file_takes_a_save_without_lock(tenant: Tenant) -> None:
    tenant.upload("new.txt", b"")
    assert tenant.open("new.txt").put(b"first words", None).status_code == 200
    assert tenant.download("new.txt") == b"first words"


def test_an_unlocked_file_takes_no_save_without_lock(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    refused = tenant.open().put(b"x", None)
    assert (refused.status_code, refused.headers["X-WOPI-Lock"]) == (409, "")


def test_sixty_four_clients_over_the_replicas_have_one_winner(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    barrier = threading.Barrier(16)

    def lock(number: int) -> int:
        if number < 16:
            barrier.wait()
        return editor.override("LOCK", f"L{number}").status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lock, range(64)))
    assert sorted(statuses) == [200] + [409] * 63


def test_a_range_and_an_unchanged_file(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"0123456789")
    reader = tenant.open(edit=False)
    whole = reader.get()
    part = reader.get({"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    assert reader.get({"Range": "bytes=10-"}).status_code == 416
    assert reader.get({"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert reader.get({"X-WOPI-MaxExpectedSize": "9"}).status_code == 412


def test_a_large_document_goes_up_and_down_whole(tenant: Tenant) -> None:
    content = bytes(range(256)) * 40_000
    tenant.upload("big.bin", b"x")
    editor = tenant.open("big.bin")
    editor.get()
    editor.override("LOCK", "L")
    assert editor.put(content, "L").status_code == 200
    assert editor.get().content == content


def test_a_body_that_is_not_as_announced_changes_nothing(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    editor.override("LOCK", "L")
    refused = editor.put(b"short", "L", **{"X-WOPI-Size": "99"})
    assert refused.status_code == 400
    assert tenant.download("a.txt") == b"hello"


@pytest.mark.parametrize("override", ["COBALT", "READ_SECURE_STORE", "DANCE", "lock"])
def test_an_unknown_override_is_not_implemented(tenant: Tenant, override: str) -> None:
    tenant.upload("a.txt", b"hello")
    assert tenant.open().override(override, "L").status_code == 501


@pytest.mark.parametrize("lock", [None, "", "x" * 1025])
def test_a_lock_operation_without_a_usable_lock_is_a_bad_request(
    tenant: Tenant, lock: str | None
) -> None:
    tenant.upload("a.txt", b"hello")
    assert tenant.open().override("LOCK", lock).status_code == 400


def test_a_missing_override_is_a_bad_request(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    assert tenant.open().call("POST").status_code == 400


def test_closing_lets_the_last_save_in_and_nothing_new(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    stamp = editor.info()["LastModifiedTime"]
    editor.get()
    editor.override("LOCK", "L")
    closed = tenant.http.post(f"/api/sessions/{editor.session_id}/close")
    assert closed.json()["state"] == "draining"
    assert editor.get().status_code == 401
    assert editor.put(b"typed before closing", "L", stamp).status_code == 200
    assert editor.override("UNLOCK", "L").status_code == 200


def test_revoking_stops_everything_at_once(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    editor.override("LOCK", "L")
    tenant.http.post(f"/api/sessions/{editor.session_id}/revoke")
    assert editor.call("GET").status_code == 401
    assert editor.put(b"x", "L").status_code == 401


def test_a_renewed_token_is_for_the_same_session(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    renewed = tenant.http.post(f"/api/sessions/{editor.session_id}/renew", json={}).json()
    editor.token = renewed["access_token"]
    assert editor.info()["Size"] == 5


def test_a_token_of_another_file_is_refused(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    tenant.upload("b.txt", b"secret")
    editor, other = tenant.open("a.txt"), tenant.open("b.txt")
    editor.session = {**editor.session, "wopi_src": other.session["wopi_src"]}
    assert editor.call("GET").status_code == 401
    assert editor.get().status_code == 401


def locked_for_seconds(tenant: Tenant) -> tuple[EditorClient, str]:
    """Open and lock with the shortest session that lives until it holds the lock."""
    for seconds in (2, 6, 18):
        options = {"max_lifetime_seconds": seconds}
        editor = tenant.open(ttl_seconds=seconds, options=options)
        opened = editor.call("GET")
        editor.get()
        if opened.status_code == editor.override("LOCK", "L").status_code == 200:
            return editor, opened.json()["LastModifiedTime"]
    raise AssertionError("no session lived long enough")


def test_what_a_lock_protects_is_saved_after_the_session_expired(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor, stamp = locked_for_seconds(tenant)
    url = f"/api/sessions/{editor.session_id}"
    until(lambda: tenant.http.get(url).json()["state"] == "expired")
    assert editor.get().status_code == 401
    assert editor.put(b"typed before it expired", "L", stamp).status_code == 200
    assert editor.override("UNLOCK", "L").status_code == 200
    assert tenant.download("a.txt") == b"typed before it expired"
