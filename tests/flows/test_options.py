"""Session options: what each kind of editor is told of them, and what is refused."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster

pytestmark = pytest.mark.flow

AVATAR = {"avatar": "https://app.example.com/anna.png"}
SETTINGS = {"uri": "https://app.example.com/settings.json", "stamp": "7"}
PRIVATE = {"SignatureKey": "never-shown-0815"}

OPTIONS = {
    "watermark_text": "{user}, {date}: {file}",
    "disable_print": True,
    "hide_export_option": True,
    "user_extra_info": AVATAR,
    "user_settings": SETTINGS,
    "shared_settings": SETTINGS,
    "user_private_info": PRIVATE,
    "server_private_info": PRIVATE,
    "close_url": "https://app.example.com/closed",
    "is_admin": True,
}

TOLD = {
    "collabora": {
        "DisablePrint",
        "HideExportOption",
        "UserExtraInfo",
        "UserSettings",
        "SharedSettings",
        "UserPrivateInfo",
        "ServerPrivateInfo",
        "WatermarkText",
        "IsAdminUser",
        "CloseUrl",
    },
    "onlyoffice": {"DisablePrint", "CloseUrl"},
    "m365": {"CloseUrl"},
    "generic": {"DisablePrint", "CloseUrl"},
}


@pytest.fixture(scope="module")
def acme(make_tenant: Callable[[str], Tenant], cluster: Cluster) -> Tenant:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    with cluster.admin() as admin:
        for kind in TOLD:
            editor = {"name": kind, "kind": kind, "url": "http://127.0.0.1:9", "proof": "off"}
            answer = admin.post("/api/editors", json={"tenant_id": tenant.tenant_id, **editor})
            answer.raise_for_status()
    return tenant


@pytest.mark.parametrize("kind", TOLD)
def test_each_kind_of_editor_is_told_what_it_reads(acme: Tenant, kind: str) -> None:
    info = acme.open(editor=kind, options=OPTIONS).info()
    assert set().union(*TOLD.values()) & info.keys() == TOLD[kind]


def test_collabora_gets_the_values(acme: Tenant) -> None:
    info = acme.open(editor="collabora", options=OPTIONS).info()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert info["WatermarkText"] == f"Anna, {today}: a.txt"
    assert (info["UserExtraInfo"], info["UserSettings"]) == (AVATAR, SETTINGS)
    assert (info["UserPrivateInfo"], info["ServerPrivateInfo"]) == (PRIVATE, PRIVATE)


def test_private_info_is_shown_to_nobody_else(acme: Tenant) -> None:
    editor = acme.open(editor="collabora", options=OPTIONS)
    shown = acme.http.get(f"/api/sessions/{editor.session_id}").text
    assert "never-shown" not in shown
    assert "never-shown" not in acme.http.get("/api/sessions").text


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"close_url": "javascript:alert(1)"}, "close_url"),
        ({"close_url": "/relative"}, "close_url"),
        ({"post_message_origin": "https://app.example.com/path"}, "post_message_origin"),
        ({"post_message_origin": "*"}, "post_message_origin"),
        ({"watermark_text": "{password}"}, "watermark_text"),
        ({"watermark_text": "{user"}, "watermark_text"),
        ({"watermark_text": "{user.__class__}"}, "watermark_text"),
        ({"watermark_text": "a\r\nb"}, "watermark_text"),
        ({"theme": "x" * 1001}, "theme"),
        ({"user_settings": {"uri": "ftp://x/y", "stamp": "1"}}, "user_settings.uri"),
        ({"breadcrumb": {"brand_url": "brand"}}, "breadcrumb.brand_url"),
        ({"max_lifetime_seconds": 0}, "max_lifetime_seconds"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_used_is_named(
    acme: Tenant, options: dict[str, Any], field: str
) -> None:
    answer = _refused(acme, options)
    assert [e["field"] for e in answer["errors"]] == [f"options.{field}"]


def test_all_options_together_are_bounded(acme: Tenant) -> None:
    answer = _refused(acme, {"user_extra_info": {"x": "y" * 20_000}})
    assert [e["field"] for e in answer["errors"]] == ["options"]


def _refused(tenant: Tenant, options: dict[str, Any]) -> dict[str, Any]:
    request = {"storage_name": tenant.storage, "file_path": "a.txt", "permissions": ["view"]}
    body = {**request, "account": "sales", "options": options}
    answer = tenant.http.post("/api/sessions/create", json=body)
    assert answer.status_code == 422, answer.text
    return dict(answer.json())
