"""PutRelativeFile, RenameFile and DeleteFile over real processes, on each back end."""

import itertools
from typing import Any

import httpx
import pytest

from tests.flows.conftest import Tenant
from tests.support.editor import EditorClient

pytestmark = pytest.mark.flow

_numbers = itertools.count()


def put_relative(editor: EditorClient, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return editor.call("POST", "", {"X-WOPI-Override": "PUT_RELATIVE", **named}, b"copy")


def opened(tenant: Tenant, answer: httpx.Response) -> EditorClient:
    assert answer.status_code == 200, answer.text
    src, _, token = answer.json()["Url"].partition("?access_token=")
    return EditorClient(tenant.http, {"wopi_src": src, "access_token": token, "session_id": ""})


def editor_of(tenant: Tenant, name: str = "a.txt", **options: Any) -> EditorClient:
    tenant.upload(name, b"hello")
    return tenant.open(name, options=options)


def test_a_suggested_extension_keeps_the_name(tenant: Tenant) -> None:
    answer = put_relative(editor_of(tenant), X_WOPI_SuggestedTarget=".pdf")
    assert answer.json()["Name"] == "a.pdf"
    assert "LastModifiedTime" not in answer.json()
    assert tenant.download("a.pdf") == b"copy"


def test_the_new_file_can_be_edited_with_the_token_of_its_address(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    copy = opened(tenant, put_relative(editor, X_WOPI_SuggestedTarget="b.txt"))
    info = copy.info()
    assert (info["BaseFileName"], info["UserCanWrite"]) == ("b.txt", True)
    assert info["UserId"] == editor.info()["UserId"]
    assert copy.override("LOCK", "L").status_code == 200
    assert copy.put(b"edited", "L", info["LastModifiedTime"]).status_code == 200
    assert tenant.download("b.txt") == b"edited"
    assert tenant.download("a.txt") == b"hello"


def test_a_token_of_a_copy_ends_with_the_session_it_was_traded_from(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    copy = opened(tenant, put_relative(editor, X_WOPI_SuggestedTarget="b.txt"))
    assert copy.get().content == b"copy"
    unused = opened(tenant, put_relative(editor, X_WOPI_SuggestedTarget="c.txt"))
    tenant.http.post(f"/api/sessions/{editor.session_id}/revoke")
    assert copy.get().status_code == 401
    assert unused.get().status_code == 401


def test_a_suggested_name_that_is_taken_or_illegal_is_repaired(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    first = put_relative(editor, X_WOPI_SuggestedTarget="a.txt").json()["Name"]
    second = put_relative(editor, X_WOPI_SuggestedTarget="x/y<z.txt").json()["Name"]
    third = put_relative(editor, X_WOPI_SuggestedTarget="..").json()["Name"]
    assert (first, second) == ("a (1).txt", "x_y_z.txt")
    assert "/" not in third
    assert third not in {"..", ""}


def test_names_travel_as_utf7(tenant: Tenant) -> None:
    name = "größe_日本.txt"
    answer = put_relative(
        editor_of(tenant), X_WOPI_SuggestedTarget=name.encode("utf-7").decode("ascii")
    )
    assert answer.json()["Name"] == name


def test_an_exact_name_that_is_taken_is_a_conflict_with_a_free_one(tenant: Tenant) -> None:
    editor = editor_of(tenant, containers=True)
    tenant.upload("b.txt", b"other")
    taken = put_relative(editor, X_WOPI_RelativeTarget="b.txt")
    assert taken.status_code == 409
    assert taken.headers["X-WOPI-ValidRelativeTarget"] == "b (1).txt"
    assert tenant.download("b.txt") == b"other"
    forced = {"X_WOPI_RelativeTarget": "b.txt", "X_WOPI_OverwriteRelativeTarget": "True"}
    assert put_relative(editor, **forced).status_code == 200
    assert tenant.download("b.txt") == b"copy"


def test_a_file_beside_is_not_overwritten_by_a_session_of_one_file(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    tenant.upload("b.txt", b"other")
    forced = {"X_WOPI_RelativeTarget": "b.txt", "X_WOPI_OverwriteRelativeTarget": "True"}
    refused = put_relative(editor, **forced)
    assert refused.status_code == 409
    assert refused.headers["X-WOPI-ValidRelativeTarget"] == "b (1).txt"
    assert tenant.download("b.txt") == b"other"
    forced["X_WOPI_RelativeTarget"] = "a.txt"
    assert put_relative(editor, **forced).status_code == 200
    assert tenant.download("a.txt") == b"copy"


def test_a_locked_file_is_not_overwritten(tenant: Tenant) -> None:
    editor = editor_of(tenant, containers=True)
    other = editor_of(tenant, "b.txt")
    other.override("LOCK", "OTHER")
    forced = {"X_WOPI_RelativeTarget": "b.txt", "X_WOPI_OverwriteRelativeTarget": "true"}
    refused = put_relative(editor, **forced)
    assert (refused.status_code, refused.headers["X-WOPI-Lock"]) == (409, "OTHER")
    assert tenant.download("b.txt") == b"hello"


@pytest.mark.parametrize("name", ["..", "a/b.txt", "+AAA-x", "x" * 600, "+2AA-"])
def test_an_exact_name_that_is_none_is_refused(tenant: Tenant, name: str) -> None:
    refused = put_relative(editor_of(tenant), X_WOPI_RelativeTarget=name)
    assert refused.status_code == 400
    assert refused.headers["X-WOPI-InvalidFileNameError"]


def test_both_targets_or_none_or_no_right_is_501(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    both = {"X_WOPI_SuggestedTarget": ".pdf", "X_WOPI_RelativeTarget": "b.txt"}
    assert put_relative(editor, **both).status_code == 501
    assert put_relative(editor).status_code == 501
    barred = editor_of(tenant, "b.txt", can_write_relative=False)
    assert barred.info()["UserCanNotWriteRelative"] is True
    assert put_relative(barred, X_WOPI_SuggestedTarget=".pdf").status_code == 501


def rename(editor: EditorClient, name: str, lock: str = "", body: bytes = b"") -> httpx.Response:
    headers = {"X-WOPI-Override": "RENAME_FILE", "X-WOPI-RequestedName": name, "X-WOPI-Lock": lock}
    return editor.call("POST", "", headers, body)


def test_a_renamed_file_keeps_its_id_lock_and_history(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    editor.get()
    editor.override("LOCK", "L")
    first = editor.put(b"one", "L", editor.info()["LastModifiedTime"])
    answer = rename(editor, "b", "L", b"the whole document, as Collabora sends it")
    assert answer.json()["Name"] == "b"
    assert answer.json()["Url"].startswith(editor.session["wopi_src"])
    info = editor.info()
    assert info["BaseFileName"] == "b.txt"
    assert info["LastModifiedTime"] == first.json()["LastModifiedTime"]
    assert info["Version"] == first.headers["X-WOPI-ItemVersion"]
    assert editor.put(b"two", "L", info["LastModifiedTime"]).status_code == 200
    assert tenant.download("b.txt") == b"two"
    assert editor.override("UNLOCK", "L").status_code == 200
    event = tenant.application.wait_for(editor.session_id, "document_renamed")
    assert event["old_file_path"].endswith("/a.txt")
    assert event["file_path"].endswith("/b.txt")


def test_a_name_that_is_taken_becomes_a_free_one(tenant: Tenant) -> None:
    tenant.upload("b.txt", b"other")
    assert rename(editor_of(tenant), "b").json()["Name"] == "b (1)"
    assert tenant.download("b.txt") == b"other"


def test_the_old_name_is_free_for_another_file(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    rename(editor, "b")
    other = editor_of(tenant)
    assert other.session["file_id"] != editor.session["file_id"]
    assert editor.info()["BaseFileName"] == "b.txt"
    assert rename(editor, "a").json()["Name"] == "a (1)"


def test_a_file_locked_by_another_is_not_renamed_or_deleted(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    editor.override("LOCK", "L")
    assert rename(editor, "b", "OTHER").headers["X-WOPI-Lock"] == "L"
    assert rename(editor, "b").status_code == 409
    assert editor.override("DELETE", "OTHER").status_code == 409
    assert tenant.download("a.txt") == b"hello"


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 300])
def test_an_illegal_new_name_is_refused(tenant: Tenant, name: str) -> None:
    refused = rename(editor_of(tenant), name)
    assert refused.status_code == 400
    assert refused.headers["X-WOPI-InvalidFileNameError"]


def test_a_deleted_file_is_gone_for_everybody(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    assert editor.override("DELETE").status_code == 200
    assert editor.call("GET").status_code == 404
    assert editor.get().status_code == 404
    assert tenant.http.get("/api/sessions", params={"limit": 1}).status_code == 200
    tenant.application.wait_for(editor.session_id, "document_deleted")
    again = editor_of(tenant)
    assert again.session["file_id"] != editor.session["file_id"]
    assert again.get().content == b"hello"


def test_a_reader_may_not_rename_or_delete(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    reader = tenant.open(edit=False)
    info = reader.info()
    assert (info["UserCanRename"], info["SupportsDeleteFile"]) == (False, False)
    assert rename(reader, "b").status_code == 401
    assert reader.override("DELETE").status_code == 401
    assert put_relative(reader, X_WOPI_SuggestedTarget=".pdf").status_code == 501
