"""The local cluster: which processes, with which settings, and what is printed about them."""

import asyncio
import fcntl
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx
import msgspec

from genro_wopi.adapters.new_keys import new_encryption_key, new_signing_key, verify_keys
from genro_wopi.dev.redis_server import RedisServer, choose_redis, require_given
from genro_wopi.dev.supervisor import FatalProcessError, Process, Supervisor
from genro_wopi.runtime.lifecycle import StartError

READY_S: Final = 60.0
DEMO_TENANT: Final = "demo"
DRAIN_SECONDS: Final = "1"


class DevError(Exception):
    """The cluster cannot start; the message says why, in one line."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `genro-wopi dev` was asked for."""

    host: str
    port: int
    data_dir: Path
    replicas: int
    demo: bool
    log_format: str


class Keys(msgspec.Struct, kw_only=True):
    """Secrets of a local cluster, made once and kept in its data folder."""

    admin_token: str
    internal_token: str
    encryption_keys: str
    signing_keys: str


def demo_folder() -> Path | None:
    """Return the folder of dev editor and demo application; None outside of a source tree."""
    folder = Path(__file__).resolve().parents[3] / "deploy"
    return folder if (folder / "dev_editor").is_dir() else None


async def run_cluster(plan: Plan, environment: Mapping[str, str]) -> None:
    """Run the cluster until SIGTERM or SIGINT.

    Raises:
        DevError: it cannot start.
    """
    keys = _prepare(plan)
    ports = _free_ports(plan.host, 2 * plan.replicas + 9)
    _require_port(plan.host, plan.port)
    try:
        redis = choose_redis(environment, plan.data_dir, ports.pop())
        await require_given(redis)
    except (FileNotFoundError, StartError) as error:
        raise DevError(str(error)) from error
    processes, shared = _processes(plan, environment, keys, redis, ports)
    (plan.data_dir / "redis-url").write_text(redis.url)
    (plan.data_dir / "public-url").write_text(shared["WOPI_PUBLIC_URL"])
    print(f"Redis: {redis.where}", flush=True)  # noqa: T201 - for the person at the terminal
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    supervisor = Supervisor(colours=sys.stdout.isatty() and plan.log_format == "console")
    try:
        async with asyncio.TaskGroup() as tasks:
            for process in processes:
                supervisor.start(tasks, process)
            try:
                await _announce(plan, shared, stopping)
                await stopping.wait()
            finally:
                await supervisor.stop(last="redis")
    except* FatalProcessError as group:
        names = ", ".join(str(e) for e in group.exceptions)
        raise DevError(f"{names} cannot start; its lines above say why", 2) from None


async def _announce(plan: Plan, shared: Mapping[str, str], stopping: asyncio.Event) -> None:
    public_url = shared["WOPI_PUBLIC_URL"]
    async with httpx.AsyncClient(base_url=f"http://{plan.host}:{plan.port}") as client:
        if not await _is_ready(client, "/health/ready", stopping):
            return
        if plan.demo:
            await _is_ready(client, "/demo/health", stopping)
    token_file = plan.data_dir / "admin-token"
    header = f'-H "Authorization: Bearer $(cat {token_file})"'
    lines = [
        "",
        f"  Open {public_url}{'/demo/' if plan.demo else '/docs'}",
        f"  Admin token: {token_file}",
        "",
        f"  curl {public_url}/health/ready",
        f"  curl {header} {public_url}/api/tenants",
    ]
    if plan.demo:
        query = f"tenant_id={DEMO_TENANT}"
        lines.append(f"  curl {header} '{public_url}/api/storages/documents/files?{query}'")
    else:
        lines.append(f"  curl {header} {public_url}/api/editors")
    print("\n".join([*lines, ""]), flush=True)  # noqa: T201 - for the person at the terminal


async def _is_ready(client: httpx.AsyncClient, path: str, stopping: asyncio.Event) -> bool:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + READY_S
    while loop.time() < end_s and not stopping.is_set():
        try:
            if (await client.get(path)).is_success:
                return True
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.1)
    if stopping.is_set():
        return False
    raise DevError(f"{path} is not ready after {READY_S:g} s; the lines above say why")


def _prepare(plan: Plan) -> Keys:
    """Make the data folder and its secrets."""
    try:
        for folder in (plan.data_dir / "files", plan.data_dir / "spool"):
            folder.mkdir(parents=True, exist_ok=True)
        _claim(plan.data_dir)
        return _keys(plan.data_dir)
    except OSError as error:
        raise DevError(
            f"the data folder {plan.data_dir} cannot be used: {error.strerror}"
        ) from error


def _claim(data_dir: Path) -> None:
    """Hold the data folder until this process ends: two Redis on one file would destroy it."""
    descriptor = os.open(data_dir / "in-use", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DevError(
            f"another cluster uses the data folder {data_dir}; choose another one with --data-dir"
        ) from error


def _keys(data_dir: Path) -> Keys:
    file = data_dir / "keys.json"
    if file.exists():
        keys = msgspec.json.decode(file.read_bytes(), type=Keys)
    else:
        keys = Keys(
            admin_token=os.environ.get("WOPI_ADMIN_TOKEN") or secrets.token_urlsafe(32),
            internal_token=secrets.token_urlsafe(32),
            encryption_keys=new_encryption_key(),
            signing_keys=new_signing_key(),
        )
        _write_secret(file, msgspec.json.encode(keys))
    keys.admin_token = os.environ.get("WOPI_ADMIN_TOKEN") or keys.admin_token
    _write_secret(data_dir / "admin-token", keys.admin_token.encode())
    return keys


def _write_secret(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _processes(
    plan: Plan, environment: Mapping[str, str], keys: Keys, redis: RedisServer, ports: list[int]
) -> tuple[list[Process], dict[str, str]]:
    session_port, editor_port, demo_port = ports.pop(), ports.pop(), ports.pop()
    wopi_ports = [ports.pop() for _ in range(plan.replicas)]
    public_url = f"http://{plan.host}:{plan.port}"
    signing_keys = environment.get("WOPI_SIGNING_KEYS", keys.signing_keys)
    defaults = {
        "WOPI_PUBLIC_URL": public_url,
        "WOPI_INTERNAL_TOKEN": keys.internal_token,
        "WOPI_ENCRYPTION_KEYS": keys.encryption_keys,
        "WOPI_SIGNING_KEYS": signing_keys,
        "WOPI_VERIFY_KEYS": verify_keys(signing_keys),
        "WOPI_LOCAL_ROOTS": str((plan.data_dir / "files").absolute()),
        "WOPI_CALLBACK_ALLOW": "loopback",
        "WOPI_STORAGE_ALLOW": "loopback",
        "WOPI_EDITOR_ALLOW": "loopback",
        "WOPI_SPOOL_DIR": str((plan.data_dir / "spool").absolute()),
        "WOPI_DRAIN_SECONDS": DRAIN_SECONDS,
        "WOPI_LOG_FORMAT": plan.log_format,
    }
    forced = {
        "WOPI_REDIS_URL": redis.url,
        "WOPI_HOST": plan.host,
        "WOPI_ADMIN_TOKEN": keys.admin_token,
        "WOPI_SESSION_SERVICE_URL": f"http://{plan.host}:{session_port}",
        "WOPI_WOPI_SERVICE_URLS": ",".join(f"http://{plan.host}:{p}" for p in wopi_ports),
    }
    shared = {**defaults, **environment, **forced}
    routes = f"/demo=http://{plan.host}:{demo_port},/editor=http://{plan.host}:{editor_port}"
    if plan.demo:
        shared["WOPI_GATEWAY_ROUTES"] = routes
    processes = [redis.process] if redis.process else []
    processes += [
        _service("session-service", "session_service", shared, session_port, ports.pop()),
        *(
            _service(f"wopi-service-{n + 1}", "wopi_service", shared, port, ports.pop())
            for n, port in enumerate(wopi_ports)
        ),
        _service("callback-worker", "callback_worker", shared, 0, ports.pop()),
        _service("gateway", "gateway", shared, plan.port, ports.pop()),
    ]
    folder = demo_folder()
    if plan.demo and folder is not None:
        demo = {"PYTHONPATH": str(folder), "DEMO_DATA_DIR": str(plan.data_dir.absolute())}
        python = (sys.executable, "-m")
        for name, port in (("dev_editor", editor_port), ("demo_app", demo_port)):
            demo_environment = {**shared, **demo, "DEMO_PORT": str(port)}
            processes.append(
                Process(
                    name=name.replace("_", "-"),
                    command=(*python, name),
                    environment=demo_environment,
                )
            )
    return processes, shared


def _service(
    name: str, module: str, shared: Mapping[str, str], port: int, metrics_port: int
) -> Process:
    environment = {**shared, "WOPI_METRICS_PORT": str(metrics_port)}
    if port:
        environment["WOPI_PORT"] = str(port)
    command = (sys.executable, "-m", f"genro_wopi.{module}")
    return Process(name=name, command=command, environment=environment)


def _free_ports(host: str, count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind((host, 0))
        return [int(sock.getsockname()[1]) for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def _require_port(host: str, port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise DevError(
                f"port {port} is in use ({error.strerror}); choose another one with --port"
            ) from error
