"""The doctor of a gateway in this process, beside a cluster that runs."""

import json
from contextlib import AsyncExitStack
from typing import Any, Self

from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.domain.doctor import Finding, Level
from genro_wopi.domain.editors import Editor, ProofPolicy
from genro_wopi.domain.identifiers import TenantName
from genro_wopi.gateway.app import build_service
from genro_wopi.gateway.operations.doctor.case import Case
from genro_wopi.gateway.operations.doctor.editor_checks import examine_editors
from genro_wopi.gateway.operations.doctor.host_checks import examine_host
from genro_wopi.gateway.operations.doctor.tenant_checks import examine_tenant
from genro_wopi.gateway.operations.office import Office
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.setting_loading import load_settings
from genro_wopi.runtime.settings import Service
from genro_wopi.web.server import Readiness
from tests.support.cluster import ADMIN_TOKEN, Cluster

NOWHERE = "http://127.0.0.1:9"
SCOPE = "doctored"


class Doctor:
    """The doctor of a gateway that is set up like the cluster's, or not quite."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        url = (self._cluster.data_dir / "redis-url").read_text()
        self.redis: RedisClient = await self._stack.enter_async_context(connect(url))
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.redis.call("DEL", f"wopi:{{e:{SCOPE}}}:editors")
        await self._stack.aclose()

    def office(self, **settings: str) -> Office:
        keys = json.loads((self._cluster.data_dir / "keys.json").read_text())
        own = {
            "WOPI_REDIS_URL": (self._cluster.data_dir / "redis-url").read_text(),
            "WOPI_PUBLIC_URL": self._cluster.url,
            "WOPI_ADMIN_TOKEN": ADMIN_TOKEN,
            "WOPI_INTERNAL_TOKEN": keys["internal_token"],
            "WOPI_ENCRYPTION_KEYS": keys["encryption_keys"],
            "WOPI_SESSION_SERVICE_URL": NOWHERE,
            "WOPI_LOCAL_ROOTS": str(self._cluster.data_dir / "files"),
            "WOPI_SPOOL_DIR": str(self._cluster.data_dir / "spool"),
            "WOPI_EDITOR_ALLOW": "loopback",
            "WOPI_CALLBACK_ALLOW": "loopback",
        }
        loaded = load_settings(own | settings, Service.GATEWAY)
        return build_service(loaded, self.redis, Readiness(), self._stack).office

    async def host(self, **settings: str) -> dict[str, Finding]:
        case = Case()
        await examine_host(case, self.office(**settings))
        return found(case)

    async def editor(self, change: dict[str, Any], **settings: str) -> dict[str, Finding]:
        office, case = self.office(**settings), Case()
        plain: dict[str, Any] = {
            "scope": SCOPE,
            "name": "office",
            "kind": EditorKind.COLLABORA,
            "url": NOWHERE,
            "discovery_url": f"{NOWHERE}/hosting/discovery",
            "proof": ProofPolicy.IF_PUBLISHED,
            "priority": 1,
            "extensions": (),
            "revision": 1,
            "created_us": 1,
            "updated_us": 1,
        }
        if "url" in change:
            plain["discovery_url"] = f"{change['url']}/hosting/discovery"
        await office.editors.put_editor(Editor(**plain | change))
        await examine_editors(case, office, (SCOPE,), None)
        return found(case)

    async def tenant(self, tenant_id: str, **settings: str) -> dict[str, Finding]:
        office, case = self.office(**settings), Case()
        tenant = await office.tenants.get_tenant(TenantName(tenant_id))
        assert tenant is not None
        await examine_tenant(case, office, tenant)
        return found(case)


def found(case: Case) -> dict[str, Finding]:
    return {f.check: f for f in case.findings if f.level is not Level.NOTE}
