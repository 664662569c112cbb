"""A deleted tenant is gone: whoever gets its name sees nothing of it, however late it comes."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from genro_wopi.domain.audit import Actor, AuditFilter, AuditRecord
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import SessionId, TenantName, new_session_id
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.rescues import Rescue
from genro_wopi.domain.sessions import Session
from genro_wopi.domain.storages import Storage
from genro_wopi.domain.tenants import ApiKey
from genro_wopi.domain.tenants import Tenant as TenantRecord
from genro_wopi.gateway.operations.office import Office
from genro_wopi.protocol.check_file_info import EditorKind
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.doctor import Doctor
from tests.support.waiting import eventually, until
from tests.support.world import an_editor

pytestmark = pytest.mark.flow

LISTS = ("/api/sessions", "/api/recovery", "/api/registry", "/api/locks", "/api/editors")
FAR_US = 2**62


async def test_the_next_tenant_of_a_name_sees_nothing_of_the_one_before(
    make_tenant: Callable[[str], Tenant], cluster: Cluster, doctor: Doctor
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"of the first")
    tenant.upload("b.txt", b"of the first")
    editor = tenant.open()
    editor.call("POST", "", {"X-WOPI-Override": "PUT_USER_INFO"}, b"settings")
    info = editor.info()
    assert info["UserInfo"] == "settings"
    editor.override("LOCK", "L")
    assert editor.get().content == b"of the first"
    folder = cluster.data_dir / "files" / tenant.tenant_id
    (folder / "a.txt").write_bytes(b"from elsewhere")
    assert editor.put(b"refused", "L", info["LastModifiedTime"]).status_code == 409
    until(lambda: len(items(tenant.http, "/api/recovery")) == 1)
    url = f"/api/tenants/{tenant.tenant_id}"
    with cluster.admin() as admin:
        assert admin.delete(url).status_code == 409
        assert admin.delete(url, params={"cascade": "true"}).status_code == 204
        assert admin.delete(url, params={"cascade": "true"}).status_code == 404
        assert editor.call("GET", "").status_code == 401
        key = admin.post("/api/tenants", json={"id": tenant.tenant_id}).json()["api_key"]
        storage = {"name": "docs", "protocol": "local", "config": {"base_path": str(folder)}}
        storage |= {"tenant_id": tenant.tenant_id}
        refused = admin.post("/api/storages", json=storage)
        assert refused.status_code == 422, refused.text
        assert "reuse=true" in refused.text
        added = admin.post("/api/storages", json=storage | {"reuse": True})
        assert added.status_code == 201, added.text
    assert tenant.http.get("/api/storages").status_code == 401
    with cluster.client(key) as http:
        assert editor.call("GET", "").status_code == 401
        assert editor.put(b"late", "L").status_code == 401
        assert asked(http, f"/api/sessions/{editor.session_id}").status_code == 404
        for path in LISTS:
            assert items(http, path) == [], path
        await all_audited(doctor)
        assert {record["actor"] for record in items(http, "/api/audit")} <= {"operator"}
        renewed = Tenant(tenant.tenant_id, http, "docs", tenant.application)
        assert renewed.download("a.txt") == b"from elsewhere"  # The files stayed.
        assert "UserInfo" not in renewed.open().info()


async def test_what_comes_after_the_name_was_given_again_reaches_nobody(
    make_tenant: Callable[[str], Tenant], cluster: Cluster, doctor: Doctor
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"of the first")
    editor, office = tenant.open(), doctor.office()
    first = await First.read(office, tenant, SessionId(editor.session_id))
    url = f"/api/tenants/{tenant.tenant_id}"
    with cluster.admin() as admin:
        admin.delete(url, params={"cascade": "true"}).raise_for_status()
        key = admin.post("/api/tenants", json={"id": tenant.tenant_id}).json()["api_key"]
    for write in first.writes(office):
        await write
    with cluster.client(key) as http:
        for path in (*LISTS, "/api/storages"):
            assert items(http, path) == [], path
        await all_audited(doctor)
        await eventually(lambda: audited(office, first), lambda n: n >= len(("command", "event")))
        assert {record["actor"] for record in items(http, "/api/audit")} <= {"operator"}
        for status in ("pending", "delivered", "dead"):
            assert items(http, f"/api/events?status={status}") == [], status
    with cluster.admin() as admin:
        assert len(items(admin, f"{url}/api-keys")) == 1
        assert asked(admin, url).json()["name"] == tenant.tenant_id
    assert asked(tenant.http, "/api/storages").status_code == 401
    assert editor.call("GET", "").status_code in {401, 404}
    assert await office.tenants.sweep_deleted(before_us=FAR_US) >= 1
    assert await audited(office, first) == 0
    assert await office.tenants.list_storages(first.tenant.tenant_id) == []


class First(msgspec.Struct, kw_only=True):
    """What was kept of the first tenant of a name, to come once more."""

    tenant: TenantRecord
    storage: Storage
    key: ApiKey
    session: Session
    record: FileRecord

    @classmethod
    async def read(cls, office: Office, tenant: Tenant, session_id: SessionId) -> "First":
        known = await office.tenants.get_tenant(TenantName(tenant.tenant_id))
        assert known is not None
        storage = await office.tenants.get_storage(known.tenant_id, "docs")
        status = await office.sessions.get(session_id)
        assert storage is not None
        assert status is not None
        record = await office.registry.record(status.session.file_id)
        assert record is not None
        (key,) = await office.tenants.list_api_keys(known.tenant_id)
        return cls(tenant=known, storage=storage, key=key, session=status.session, record=record)

    def writes(self, office: Office) -> list[Awaitable[object]]:
        """Return what requests that began before the deletion may still do after it."""
        tenant_id, file_id = self.tenant.tenant_id, self.session.file_id
        late = msgspec.structs.replace(self.session, session_id=new_session_id(file_id))
        renamed = msgspec.structs.replace(self.tenant, name="Late", revision=FAR_US)
        rescue = Rescue(
            rescue_id="0" * 32,
            tenant_id=tenant_id,
            storage_name="docs",
            file_id=file_id,
            file_path=self.record.path,
            session_id=self.session.session_id,
            account="sales",
            user="Anna",
            size_bytes=1,
            sha256="",
            reason="late",
            rescued_us=self.session.created_us,
        )
        command = AuditRecord(
            at_us=1, tenant_id=tenant_id, action="storages.put", actor=Actor.APPLICATION
        )
        editor = an_editor(
            "http://127.0.0.1:9",
            scope=tenant_id,
            name="own",
            kind=EditorKind.COLLABORA,
            priority=1,
        )
        return [
            office.tenants.put_tenant(renamed),
            office.tenants.put_tenant(renamed, was=self.tenant.revision),
            office.tenants.put_storage(self.storage),
            office.tenants.put_api_key(tenant_id, self.key),
            office.editors.put_editor(editor),
            office.registry.register(tenant_id, "docs", StoragePath("a.txt")),
            office.rescues.put(rescue),
            office.audit.append(command),
            office.sessions.create(late, self.record, ends_us=FAR_US),
        ]


async def audited(office: Office, first: First) -> int:
    """Return how many late records lie under the id of the first tenant."""
    found, _ = await office.audit.find(first.tenant.tenant_id, AuditFilter(), before="", limit=10)
    return len(found)


async def all_audited(doctor: Doctor) -> None:
    """Wait until the worker has made audit records of all events so far."""

    async def left() -> int:
        names = await doctor.redis.call("KEYS", "wopi:{??}:*")
        streams = [n for n in names if n.endswith((b"}:unaudited", b"}:events"))]
        return sum([int(await doctor.redis.call("XLEN", name)) for name in streams])

    await eventually(left, lambda count: count == 0)


def asked(http: httpx.Client, path: str) -> httpx.Response:
    return http.get(path)


def items(http: httpx.Client, path: str) -> list[dict[str, Any]]:
    answer = asked(http, path)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])
