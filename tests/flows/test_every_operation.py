"""Every operation: by HTTP, client and command line alike, and for nobody whom it is not for."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from genro_wopi.cli.main import build
from genro_wopi.cli.parameters import by_position, parameters
from genro_wopi.client.api import ApiClient
from genro_wopi.client.calls import prepare
from genro_wopi.client.names import groups, python_name
from genro_wopi.domain.identifiers import TenantName
from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.decode import convert_request
from genro_wopi.management.examples import example_of
from genro_wopi.management.operation import Access, Content, Operation
from tests.flows.conftest import Tenant
from tests.support.cluster import ADMIN_TOKEN, Cluster
from tests.support.doctor import Doctor

pytestmark = pytest.mark.flow

AnyOperation = Operation[Any, Any]
MARK = "only-for-acme"
"""In the names of things that others must not see."""

LAST = (
    *("events.replay", "events.replay-dead", "sessions.close", "sessions.revoke"),
    *("locks.force-unlock", "recovery.restore", "files.restore", "files.undelete", "files.delete"),
    *("api-keys.delete", "editors.delete", "storages.delete", "instance.suspend"),
    *("instance.activate", "audit.purge", "tenants.delete"),
)
"""What takes things away comes after what needs them, in this order."""

IN_ORDER = sorted(OPERATIONS, key=lambda o: LAST.index(o.name) if o.name in LAST else -1)


@dataclass
class Acme:
    """A tenant with one thing of every kind."""

    tenant: Tenant
    known: dict[str, Any]
    """Its things by the names of the fields that name them."""

    def request_of(self, operation: AnyOperation) -> dict[str, Any]:
        """Return a request about this tenant's things."""
        group = operation.name.partition(".")[0]
        fields = {f.encode_name for f in msgspec.structs.fields(operation.request)}
        own = {k: v for k, v in self.known.items() if k in fields}
        request = example_of(operation) | own
        if group in {"storages", "files", "folders", "editors"} and "name" in fields:
            request["name"] = "own" if group == "editors" else "docs"
        special: dict[str, dict[str, Any]] = {
            "files.list": {"path": ""},
            "files.create": {"path": f"{MARK}/{uuid.uuid4().hex}.odt"},
            "folders.create": {"path": f"{MARK}/{uuid.uuid4().hex}"},
            "files.undelete": {"file_id": self.known["deleted"]},
            "files.restore": {"path": self.known["other_path"]},
            "files.download": {"path": self.known["other_path"]},
            "storages.put": {"config": {"base_path": self.known["base_path"]}},
            "editors.put": {"url": "http://127.0.0.1:9"},
            "registry.import": {
                "items": [{"file_id": "00" + "i" * 22, "storage_name": "docs", "path": "imported"}]
            },
            "configuration.apply": {"tenants": [], "dry_run": True},
            "tenants.create": {"id": f"new-{uuid.uuid4().hex[:8]}"},
            "events.list": {"status": "delivered"},
            "audit.purge": {"before": "2020-01-01T00:00:00Z"},
            "tenants.delete": {"cascade": True},
            "recovery.restore": {"target": "beside"},
        }
        return request | special.get(operation.name, {})


def made(cluster: Cluster, tenant: Tenant) -> Acme:
    """Give a tenant one thing of every kind."""
    http, path, other = tenant.http, f"{MARK}.txt", f"{MARK}-too.txt"
    for name in (path, path, other, other, "gone.txt"):
        tenant.upload(name, uuid.uuid4().bytes)
    listed = http.get("/api/storages/docs/files/versions", params={"path": other}).json()
    http.delete("/api/storages/docs/files", params={"path": "gone.txt"})
    editor, rival = tenant.open(path), tenant.open(path)
    editor.get()
    editor.override("LOCK", "L")
    assert rival.put(b"refused", "other").status_code == 409
    own = {"name": "own", "kind": "collabora", "url": "http://127.0.0.1:9", "proof": "off"}
    assert http.post("/api/editors", json=own).status_code == 201
    with cluster.admin() as admin:
        keys = f"/api/tenants/{tenant.tenant_id}/api-keys"
        key = admin.post(keys, json={"note": MARK}).json()
    known = {
        "tenant_id": tenant.tenant_id,
        "storage_name": "docs",
        "base_path": str(cluster.data_dir / "files" / tenant.tenant_id),
        "path": path,
        "file_path": path,
        "other_path": other,
        "version": listed["items"][-1]["version"],
        "deleted": http.get("/api/storages/docs/files/deleted").json()["items"][0]["file_id"],
        "file_id": editor.session["file_id"],
        "session_id": rival.session_id,
        "recovery_id": http.get("/api/recovery").json()["items"][0]["recovery_id"],
        "key_id": key["key_id"],
        "event_id": delivered(http, path),
        "audit_id": http.get("/api/audit").json()["items"][0]["audit_id"],
    }
    return Acme(tenant, known)


def delivered(http: httpx.Client, path: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = http.get("/api/events", params={"status": "delivered"}).json()["items"]
        for event in found:
            if event["file_path"] == path:
                return str(event["event_id"])
        time.sleep(0.1)
    raise AssertionError("no event was delivered")


def checked(operation: AnyOperation, values: dict[str, Any]) -> msgspec.Struct:
    return convert_request(values, operation.request, from_text=False)


async def test_every_operation_by_http(
    cluster: Cluster, make_tenant: Callable[[], Tenant], doctor: Doctor
) -> None:
    acme = made(cluster, make_tenant())
    record = await doctor.office().tenants.get_tenant(TenantName(acme.tenant.tenant_id))
    assert record is not None
    assert record.tenant_id != record.public_id
    with cluster.admin() as admin:
        for operation in IN_ORDER:
            answer = by_http(admin, operation, acme.request_of(operation))
            said = f"{operation.name}: {answer.status_code} {answer.text}"
            assert answer.status_code in {operation.status, 200, 204}, said
            assert record.tenant_id not in answer.text, f"{operation.name} names the inner id"
            if operation.content is Content.JSON and answer.content:
                msgspec.json.decode(answer.content, type=operation.response)


def by_http(http: httpx.Client, operation: AnyOperation, values: dict[str, Any]) -> httpx.Response:
    call = prepare(operation, checked(operation, values))
    body = b"uploaded" if operation.content is Content.UPLOAD else None
    return http.request(call.method, call.path, params=call.query, json=call.json, content=body)


async def test_every_operation_by_the_client(
    cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    acme = made(cluster, make_tenant())
    async with ApiClient(cluster.url, ADMIN_TOKEN) as client:
        named = groups(client.call)
        for operation in IN_ORDER:
            group, _, verb = python_name(operation.name).partition(".")
            body = {"body": b"uploaded"} if operation.content is Content.UPLOAD else {}
            values = acme.request_of(operation)
            answer = await getattr(named[group], verb)(**values, **body)
            kind = bytes if operation.content is Content.DOWNLOAD else operation.response
            assert isinstance(answer, kind), operation.name


@pytest.mark.check
def test_every_operation_by_the_command_line(
    cluster: Cluster, make_tenant: Callable[[], Tenant], tmp_path: Path
) -> None:
    acme, root = made(cluster, make_tenant()), build()
    (tmp_path / "up.txt").write_bytes(b"uploaded")
    runner = CliRunner(
        env={"WOPI_URL": cluster.url, "WOPI_TOKEN": ADMIN_TOKEN, "HOME": str(tmp_path)}
    )
    for operation in IN_ORDER:
        if operation.name == "storages.fsck":
            words = ["storages", "fsck", "docs", "--tenant", acme.tenant.tenant_id]
        else:
            words = words_of(operation, acme.request_of(operation), tmp_path)
        ran = runner.invoke(root, words)
        assert ran.exit_code == 0, f"{' '.join(words)}: {ran.output} {ran.exception}"
        assert ran.output or operation.content is Content.DOWNLOAD, operation.name


def words_of(operation: AnyOperation, values: dict[str, Any], folder: Path) -> list[str]:
    """Write a request as the words of the command line."""
    positions = by_position(operation)
    words = [*operation.name.split(".", 1), *(str(values[name]) for name in positions)]
    if operation.content is Content.UPLOAD:
        words.append(str(folder / "up.txt"))
    if operation.content is Content.DOWNLOAD:
        words += ["--output", str(folder / "down")]
    options = {p.name or "": p.opts[0] for p in parameters(operation) if p.name not in positions}
    for name, value in values.items():
        if name == "tenant_id" and name not in positions:
            words += ["--tenant", value]
        elif name in options and value is None:
            words += ["--clear", name]
        elif name == "items":
            (folder / "items.json").write_bytes(msgspec.json.encode(value))
            words += ["--items", f"@{folder / 'items.json'}"]
        elif name in options and value != []:
            words += said(options[name], value)
    return words


def said(option: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    if isinstance(value, list):
        return [word for item in cast("list[object]", value) for word in (option, str(item))]
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return [word for key, inner in pairs for word in (option, f"{key}={inner}")]
    return [option, str(value)]


# Tenants among themselves


@dataclass
class Strangers:
    """Who may see nothing of a tenant, each with what it shows."""

    acme: Acme
    url: str
    tokens: dict[str, str]

    def ask(self, who: str, operation: AnyOperation, *, naming: bool) -> httpx.Response:
        values = self.acme.request_of(operation)
        if operation.name == "editors.put":
            values["url"] = "http://10.0.0.1"
        if not naming and "{tenant_id}" not in operation.path:
            values.pop("tenant_id", None)
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if self.tokens[who] else {}
        with httpx.Client(verify=False, base_url=self.url, headers=headers, timeout=30) as http:
            return by_http(http, operation, values)


@pytest.fixture(scope="module")
def strangers(cluster: Cluster, make_tenant: Callable[[], Tenant]) -> Strangers:
    acme, other, suspended = made(cluster, make_tenant()), make_tenant(), make_tenant()
    with cluster.admin() as admin:
        keys = f"/api/tenants/{acme.tenant.tenant_id}/api-keys"
        expired = admin.post(keys, json={"expires_at": "2020-01-01T00:00:00Z"}).json()["api_key"]
        admin.patch(f"/api/tenants/{suspended.tenant_id}", json={"active": False})
        admin.delete(f"/api/storages/docs?tenant_id={other.tenant_id}").raise_for_status()

    def key_of(tenant: Tenant) -> str:
        return tenant.http.headers["Authorization"].removeprefix("Bearer ")

    own = key_of(acme.tenant)
    tokens = {
        "nobody": "",
        "a bogus key": f"{own[:-4]}AAAA",
        "an expired key": expired,
        "a suspended tenant": key_of(suspended),
        "another tenant": key_of(other),
    }
    return Strangers(acme, cluster.url, tokens)


@pytest.mark.parametrize("who", ["nobody", "a bogus key", "an expired key", "a suspended tenant"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_who_is_not_known_gets_nothing(
    strangers: Strangers, operation: AnyOperation, who: str
) -> None:
    answer = strangers.ask(who, operation, naming=True)
    assert answer.status_code == 401
    assert MARK not in answer.text


OWN_DEEDS = {"audit.list", "audit.export"}
"""The other tenant's own audit trail names what it was refused."""

OWN_CHANGES = {
    "storages.put": {422},  # The folder is the first tenant's.
    "editors.put": {422},  # The address is not one that a tenant may name.
    "registry.import": {200},
    "sessions.cleanup": {200},
    "events.replay-dead": {200},
    "doctor.run": {200},
}
"""What changes only what is its own, where no tenant is named."""


@pytest.mark.parametrize("naming", [True, False], ids=["naming the tenant", "not naming it"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_another_tenant_sees_and_changes_nothing(
    strangers: Strangers, operation: AnyOperation, *, naming: bool
) -> None:
    answer = strangers.ask("another tenant", operation, naming=naming)
    acme, names_tenant = strangers.acme, "tenant_id" in operation.request.__struct_fields__
    said = f"{operation.name}: {answer.status_code} {answer.text}"
    if operation.name not in OWN_DEEDS:
        assert MARK not in answer.text, said
        assert f'"{acme.tenant.tenant_id}"' not in answer.text, said
    if operation.access is Access.ADMIN:
        assert answer.status_code == 403, said
    elif (naming and names_tenant) or "_id}" in operation.path or "{name}" in operation.path:
        assert answer.status_code == 404, said
    elif operation.method != "GET":
        assert answer.status_code in OWN_CHANGES.get(operation.name, {404}), said


def test_nothing_of_the_tenant_was_changed(strangers: Strangers) -> None:
    acme = strangers.acme
    http = acme.tenant.http
    assert http.get("/api/storages/docs").status_code == 200
    content = http.get("/api/storages/docs/files/content", params={"path": acme.known["path"]})
    assert content.status_code == 200
    assert http.get(f"/api/sessions/{acme.known['session_id']}").json()["state"] == "active"
    assert len(http.get("/api/locks").json()["items"]) == 1
    assert len(http.get("/api/recovery").json()["items"]) == 1
