"""The local cluster: started part by part, announced when it is open, ended as a whole."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from genro_wopi.dev.data_folder import DataFolder, held_folder
from genro_wopi.dev.errors import DevError
from genro_wopi.dev.opening import until_open
from genro_wopi.dev.ports import Ports
from genro_wopi.dev.processes import (
    Addresses,
    Plan,
    choose_ports,
    demo_processes,
    given_settings,
    service_processes,
    shared_environment,
)
from genro_wopi.dev.redis_server import NAME as REDIS
from genro_wopi.dev.redis_server import UsedRedis, require_given, start_redis
from genro_wopi.dev.supervisor import Failure, Supervisor
from genro_wopi.runtime.lifecycle import EXIT_CONFIGURATION, EXIT_FAILED
from genro_wopi.runtime.logs import configure_logs

DEMO_TENANT: Final = "demo"
EXIT_SIGNALLED: Final = 128
"""A start that a signal ends has the exit code of a program that it ends."""


def run_cluster(plan: Plan, environment: Mapping[str, str]) -> int:
    """Run the cluster until SIGTERM or SIGINT; return the exit code.

    Raises:
        DevError: it cannot start.
    """
    given = given_settings(environment)
    with held_folder(plan.data_dir) as folder, Ports(plan.host) as ports:
        return asyncio.run(_Cluster(plan, given, folder, ports).run())


class _Cluster:
    """One run."""

    def __init__(
        self, plan: Plan, given: Mapping[str, str], folder: DataFolder, ports: Ports
    ) -> None:
        self._plan = plan
        self._given = given
        self._folder = folder
        self._ports = ports

    async def run(self) -> int:
        """Run until a signal comes."""
        signalled = _signalled()
        configure_logs(service="dev", log_format=self._plan.log_format, level="warning")
        colours = sys.stdout.isatty() and self._plan.log_format == "console"
        supervisor = Supervisor(colours=colours, inherited=(self._folder.lock,))
        try:
            if not await _before(signalled, supervisor, self._start(supervisor)):
                return EXIT_SIGNALLED + signalled.result()
            await _before(signalled, supervisor, asyncio.Event().wait())
        finally:
            await supervisor.stop(last=REDIS)
        return 0

    async def _start(self, supervisor: Supervisor) -> None:
        plan, folder = self._plan, self._folder
        keys = folder.keys(self._given)
        addresses = choose_ports(plan, self._ports)
        shared = shared_environment(plan, self._given, folder, keys, addresses)
        services = service_processes(plan, shared, addresses)
        redis = await self._redis(supervisor, shared["WOPI_REDIS_URL"])
        print(f"Redis: {redis.where}", flush=True)  # noqa: T201 - for the person at the terminal
        folder.note("admin-token", keys.admin_token)
        folder.note("redis-url", redis.url)
        folder.note("public-url", shared["WOPI_PUBLIC_URL"])
        for process in services:
            supervisor.start(process)
        if plan.demo:
            for process in demo_processes(shared, folder, addresses):
                supervisor.start(process)
        await until_open(
            plan.own_url,
            keys.admin_token,
            worker_url=_metrics_of_worker(plan, addresses),
            demo=plan.demo,
        )
        supervisor.started()
        print(self._announcement(shared["WOPI_PUBLIC_URL"]), flush=True)  # noqa: T201 - as above

    async def _redis(self, supervisor: Supervisor, url: str) -> UsedRedis:
        if "WOPI_REDIS_URL" in self._given:
            return await require_given(url)
        return await start_redis(supervisor, self._folder.redis, url, self._given)

    def _announcement(self, public_url: str) -> str:
        token_file = self._plan.data_dir / "admin-token"
        header = f'-H "Authorization: Bearer $(cat {token_file})"'
        lines = [
            "",
            f"  Open {public_url}{'/demo/' if self._plan.demo else '/docs'}",
            f"  Admin token: {token_file}",
            "",
            f"  curl {public_url}/health/ready",
            f"  curl {header} {public_url}/api/tenants",
        ]
        if self._plan.demo:
            query = f"tenant_id={DEMO_TENANT}"
            lines.append(f"  curl {header} '{public_url}/api/storages/documents/files?{query}'")
        else:
            lines.append(f"  curl {header} {public_url}/api/editors")
        return "\n".join([*lines, ""])


def _signalled() -> asyncio.Future[int]:
    """Return what gets the number of the first signal that asks for the end."""
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[int] = loop.create_future()

    def note(number: int) -> None:
        if not signalled.done():
            signalled.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)
    return signalled


async def _before(
    signalled: asyncio.Future[int], supervisor: Supervisor, work: Coroutine[Any, Any, object]
) -> bool:
    """Do some work; return whether it was done before a signal came.

    Raises:
        DevError: the work failed, or a process cannot start.
    """
    working = asyncio.ensure_future(work)
    failing = asyncio.ensure_future(supervisor.failure())
    try:
        await asyncio.wait((working, failing, signalled), return_when=asyncio.FIRST_COMPLETED)
        if signalled.done():
            return False
        if failing.done():
            raise _error(failing.result())
        await working
        return True
    finally:
        working.cancel()
        failing.cancel()
        await asyncio.gather(working, failing, return_exceptions=True)


def _error(failure: Failure) -> DevError:
    is_configuration = failure.exit_code == EXIT_CONFIGURATION
    return DevError(
        f"{failure.name} cannot start: {failure.last_line.strip() or 'its lines above say why'}",
        EXIT_CONFIGURATION if is_configuration else EXIT_FAILED,
    )


def _metrics_of_worker(plan: Plan, addresses: Addresses) -> str:
    host = plan.own_url.removeprefix("http://").rpartition(":")[0]
    return f"http://{host}:{addresses.metrics['callback-worker']}/metrics"
