"""Each service runs under its own user of Redis, and that user may do nothing else."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from genro_wopi.adapters.new_keys import new_encryption_key, new_signing_key, verify_keys
from genro_wopi.adapters.redis.acl import COMMANDS, rules_of, user_of
from tests.support.cluster import ADMIN_TOKEN, Application, running_application
from tests.support.editor import EditorClient
from tests.support.servers import free_port, redis_binary, redis_process

pytestmark = pytest.mark.flow

PASSWORD = "password-of-the-tests"
READY_S = 60.0


class Services:
    """The four services, each with an address of Redis of its own."""

    def __init__(self, stack: ExitStack, url: str, folder: Path) -> None:
        place = url.removeprefix("redis://").removesuffix("/0")
        self.admin: Any = stack.enter_context(Redis.from_url(url))  # pyright: ignore[reportUnknownMemberType]
        ports = {service: free_port() for service in COMMANDS}
        self.url = f"http://127.0.0.1:{ports['gateway']}"
        self.files = folder / "files"
        signing = new_signing_key()
        shared = {
            **os.environ,
            "WOPI_PUBLIC_URL": self.url,
            "WOPI_ADMIN_TOKEN": ADMIN_TOKEN,
            "WOPI_INTERNAL_TOKEN": "i" * 32,
            "WOPI_ENCRYPTION_KEYS": new_encryption_key(),
            "WOPI_SIGNING_KEYS": signing,
            "WOPI_VERIFY_KEYS": verify_keys(signing),
            "WOPI_SESSION_SERVICE_URL": f"http://127.0.0.1:{ports['session-service']}",
            "WOPI_WOPI_SERVICE_URLS": f"http://127.0.0.1:{ports['wopi-service']}",
            "WOPI_LOCAL_ROOTS": str(self.files),
            "WOPI_SPOOL_DIR": str(folder / "spool"),
            "WOPI_CALLBACK_ALLOW": "loopback",
            "WOPI_EDITOR_ALLOW": "loopback",
            "WOPI_METRICS_PORT": "0",
            "WOPI_DRAIN_SECONDS": "1",
        }
        for service, port in ports.items():
            self.admin.execute_command(
                "ACL", "SETUSER", user_of(service), *rules_of(service, PASSWORD)
            )
            own = f"redis://{user_of(service)}:{PASSWORD}@{place}/0"
            process = subprocess.Popen(
                [sys.executable, "-m", "genro_wopi.cli.main", "serve", service],
                env={**shared, "WOPI_REDIS_URL": own, "WOPI_PORT": str(port)},
                stdout=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        deadline = time.monotonic() + READY_S
        while not self._is_ready():
            assert time.monotonic() < deadline, self.refused()
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=3).status_code == 200
        except httpx.HTTPError:
            return False

    def refused(self) -> list[str]:
        """Return what Redis refused: user, command or key."""
        return [f"{e['username']}: {e['object']}" for e in self.admin.acl_log()]


@pytest.fixture(scope="module", params=["", pytest.param("valkey-server", marks=pytest.mark.check)])
def services(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Services]:
    folder = tmp_path_factory.mktemp("acl")
    with ExitStack() as stack:
        binary = redis_binary(request.param)
        url = stack.enter_context(redis_process(binary, folder / "redis"))
        yield Services(stack, url, folder)


@pytest.fixture(scope="module")
def application() -> Generator[Application]:
    with running_application() as running:
        yield running


def test_everything_works_with_what_each_service_may_do(
    services: Services, application: Application
) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx.Client(base_url=services.url, headers=headers, timeout=30) as http:
        tenant = {"id": "acme", "client_base_url": application.url}
        assert http.post("/api/tenants", json=tenant).status_code == 201
        secret = http.post("/api/tenants/acme/webhook-secret").json()
        application.secrets["acme"] = secret["webhook_secret"]
        own = {"tenant_id": "acme"}
        config = {"base_path": str(services.files / "acme")}
        storage = {"name": "docs", "protocol": "local", "config": config, **own}
        assert http.post("/api/storages", json=storage).status_code == 201
        editor = {"name": "e", "kind": "collabora", "url": "http://127.0.0.1:9", "proof": "off"}
        assert http.post("/api/editors", json=editor).status_code == 201
        content = "/api/storages/docs/files/content"
        http.put(content, params={**own, "path": "a.txt"}, content=b"one").raise_for_status()
        request = {
            "storage_name": "docs",
            "file_path": "a.txt",
            "permissions": ["view", "edit"],
            "account": "sales",
            **own,
        }
        twice = {"Idempotency-Key": "once"}
        session = http.post("/api/sessions/create", json=request, headers=twice).json()
        client = EditorClient(http, session)
        assert client.get().status_code == 200
        assert client.override("LOCK", "L").status_code == 200
        assert client.put(b"two", "L").status_code == 200
        assert client.put(b"refused", "other").status_code == 409
        info = client.call("POST", "", {"X-WOPI-Override": "PUT_USER_INFO"}, b"info")
        assert info.status_code == 200
        for number in range(2):
            told = {"Activities": [{"Type": "WopiComment", "Id": str(number)}]}
            headers = {"X-WOPI-Override": "ADD_ACTIVITIES"}
            answer = client.call("POST", "", headers, json.dumps(told).encode())
            assert answer.status_code == 200, answer.text
        for path in ("locks", "sessions", "recovery", "events", "audit"):
            assert http.get(f"/api/{path}", params=own).status_code == 200
        named = {"reason": "test", **own}
        unlock = f"/api/locks/{session['file_id']}/force-unlock"
        assert http.post(unlock, json=named).status_code == 204
        application.wait_for(session["session_id"], "save_rescued")
        versions = {**own, "path": "a.txt"}
        assert http.get("/api/storages/docs/files/versions", params=versions).status_code == 200
        assert http.post("/api/sessions/cleanup", json=own).status_code == 200
        assert http.post("/api/doctor", json={}).status_code == 200
        assert (
            httpx.post(f"{services.url}/console/login", data={"token": ADMIN_TOKEN}).status_code
            == 303
        )
        close = f"/api/sessions/{session['session_id']}/close"
        assert http.post(close, json=own).status_code == 200
        time.sleep(3)  # A round of upkeep and of the reconciler.
        gone = http.delete("/api/tenants/acme", params={"cascade": "true"})
        assert gone.status_code == 204
    # The doctor asks for the configuration of Redis, and does without where it may not see it.
    assert set(services.refused()) <= {"wopi-gateway: config|get"}


@pytest.mark.parametrize("service", sorted(COMMANDS))
@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",),
        ("CONFIG", "SET", "appendonly", "no"),
        ("CONFIG", "GET", "requirepass"),
        ("CONFIG", "GET", "appendonly"),
        ("SHUTDOWN",),
        ("ACL", "LIST"),
        ("KEYS", "*"),
        ("SET", "other", "x"),
        ("GET", "wopi2:x"),
    ],
    ids=" ".join,
)
def test_nothing_else_is_allowed(
    services: Services, service: str, command: tuple[str, ...]
) -> None:
    kwargs: dict[str, Any] = services.admin.connection_pool.connection_kwargs
    place = {"host": kwargs["host"], "port": kwargs["port"]}
    with Redis(**place, username=user_of(service), password=PASSWORD) as user:
        untyped: Any = user
        assert untyped.ping()
        with pytest.raises(NoPermissionError):
            untyped.execute_command(*command)
    services.admin.acl_log_reset()


@pytest.mark.parametrize("service", ["session-service", "wopi-service", "callback-worker"])
def test_only_the_gateway_sees_api_keys(services: Services, service: str) -> None:
    kwargs: dict[str, Any] = services.admin.connection_pool.connection_kwargs
    place = {"host": kwargs["host"], "port": kwargs["port"]}
    with Redis(**place, username=user_of(service), password=PASSWORD) as user:
        untyped: Any = user
        for key in ("wopi:{t:acme}:api-keys", "wopi:console:x", "wopi:{t:acme}:once:x"):
            with pytest.raises(NoPermissionError):
                untyped.get(key)
    services.admin.acl_log_reset()
