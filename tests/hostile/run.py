"""One run: a tenant at work, first in peace, then attacked; and what became of it."""

import asyncio
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.hostile import people, probe, stage, victim
from tests.hostile.api_calls import ApiAttacker
from tests.hostile.attacker import Attacker, client_from
from tests.hostile.below import Below
from tests.hostile.canaries import Canaries
from tests.hostile.odd_servers import OddServer, forbidden_server, odd_server
from tests.hostile.plots import Plotter
from tests.hostile.record import Record
from tests.hostile.stage import Host, Tenant
from tests.hostile.values import Pool
from tests.hostile.victim import Victim
from tests.hostile.watch import Watch
from tests.hostile.wopi_calls import WopiAttacker
from tests.support import tools
from tests.support.cluster import running_application, running_cluster
from tests.support.servers import dav_process, s3_process

CALM_S = 5.0
CALM_SHARE_MAX = 0.3
P99_FACTOR_MAX = 5
P99_FLOOR_S = 1.5
"""Below this no slowness is a finding: attackers, victim and cluster share two processors."""

GANG = ("mallory", "trudy")
"""Tenants who attack."""

SLOW_CONNECTIONS = 560
SLOW_S = 8.0
PAUSE_S = 0.04
LOG = Path("build/hostile.log")
OPEN_FILES = 4096

ENVIRONMENT = {
    "WOPI_CALLBACK_RETRY_SECONDS": "1,1,1,1,1",
    "WOPI_CALLBACK_ALLOW": "127.0.0.1/32",
    "WOPI_STORAGE_ALLOW": "127.0.0.1/32",
    "WOPI_EDITOR_ALLOW": "127.0.0.1/32",
}


@dataclass
class Outcome:
    """What a run found, and what it measured."""

    record: Record
    measured: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    @property
    def is_good(self) -> bool:
        return not self.record.findings

    def rows(self) -> list[tuple[float, str]]:
        """Return counts with what they count."""
        whole = [(n, k) for k, n in sorted(self.record.counts.items()) if ":" not in k]
        kinds = {k.partition(":")[0] for k in self.record.counts if ":" in k}
        of = [(sum(k.startswith(f"{kind}:") for k in self.record.counts), kind) for kind in kinds]
        different = [(float(n), f"different {kind}") for n, kind in sorted(of, key=lambda o: o[1])]
        found = [(float(len(self.record.findings)), "findings")]
        return [*((float(n), k) for n, k in whole), *different, *self.measured, *found]


async def attack(
    seconds: float,
    seed: int,
    log: Path = LOG,
    only: Collection[str] = (),
    *,
    is_alone: bool = True,
) -> Outcome:
    """Let attackers do what they can for some seconds.

    Args:
        seconds: of attack; the time in peace and the looking afterwards come on top.
        seed: decides what each attacker does.
        log: where every action is written down.
        only: names of plots and visits; all where there are none.
        is_alone: nothing else loads the machine, so that the victim's pace can be judged.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    log.parent.mkdir(exist_ok=True)
    record = Record(seed, log)
    outcome = Outcome(record)
    try:
        with _host() as host:
            await _attack_on(host, outcome, seconds, only, is_alone=is_alone)
            _look_at_log(host, record)
    finally:
        record.close()
    return outcome


@contextmanager
def _host() -> Generator[Host]:
    apache = tools.TOOLS["Apache with mod_dav"].find()
    with (
        tempfile.TemporaryDirectory() as name,
        s3_process() as s3_url,
        running_application() as application,
        running_cluster(Path(name), "--no-demo", environment=ENVIRONMENT) as cluster,
        cluster.admin() as admin,
    ):
        if apache is None:
            yield Host(cluster, Canaries(), admin, application, s3_url, None)
            return
        with dav_process(apache) as dav_url:
            yield Host(cluster, Canaries(), admin, application, s3_url, dav_url)


async def _attack_on(
    host: Host, outcome: Outcome, seconds: float, only: Collection[str], *, is_alone: bool
) -> None:
    record = outcome.record
    stage.hide(host)
    watch = Watch(host.cluster, record)
    async with AsyncExitStack() as stack:
        forbidden = await stack.enter_async_context(
            forbidden_server(record, host.canaries.draw("an internal service's answer"))
        )
        servers = await stack.enter_async_context(
            odd_server(_chance(record, "servers"), record, host.canaries, forbidden)
        )
        office = await stack.enter_async_context(
            odd_server(_chance(record, "office"), record, host.canaries, forbidden)
        )
        office.calm = True
        await asyncio.to_thread(stage.put_editor, host, f"{office.url}/editor")
        target = await asyncio.to_thread(victim.put_victim, host, record)
        gang = await _gang(stack, host, target, servers, GANG[:1] if only else GANG)
        stop = asyncio.Event()
        asked = stack.enter_context(_probed(host, target))
        at_work = asyncio.create_task(victim.work(target, stop))
        if is_alone:
            await asyncio.sleep(max(CALM_S, CALM_SHARE_MAX * min(seconds, 30)))
        began_s = time.monotonic()
        watch.begin()
        watching = asyncio.create_task(watch.run(stop))
        await gang.run(seconds, only)
        ended_s = time.monotonic()
        stop.set()
        await asyncio.gather(at_work, watching)
        await victim.inspect(target)
        await victim.await_events(target)
        watch.look()
    outcome.measured += watch.judge()
    outcome.measured += _judge_pace(record, asked, (began_s, ended_s), is_alone=is_alone)


def _judge_pace(
    record: Record, asked: Path, attacked_s: tuple[float, float], *, is_alone: bool
) -> list[tuple[float, str]]:
    calm, busy = (probe.read(asked, a, b) for a, b in ((0.0, attacked_s[0]), attacked_s))
    refused = [a for a in busy if a.status != 200]
    if refused:
        record.find(
            f"the victim's CheckFileInfo was not served ({refused[0].status})",
            answer=f"{len(refused)} of {len(busy)}",
        )
    calm_s, busy_s = (probe.quantile_s(a, 0.99) for a in (calm, busy))
    if is_alone and busy_s > max(P99_FACTOR_MAX * calm_s, P99_FLOOR_S):
        record.find(
            "the victim's CheckFileInfo became slow",
            answer=f"p99 {busy_s * 1000:.0f} ms, calm {calm_s * 1000:.0f} ms",
        )
    return [
        (float(len(calm) + len(busy)), "CheckFileInfo of the victim that were timed"),
        (round(calm_s * 1000, 1), "ms: their p99 in peace"),
        (round(busy_s * 1000, 1), "ms: their p99 while attacked"),
    ]


@contextmanager
def _probed(host: Host, target: Victim) -> Generator[Path]:
    """Ask CheckFileInfo in a process of its own until the block ends."""
    session = next(g.session for g in target.guests if g.name == "member")
    file = host.cluster.data_dir.parent / "probe"
    file.touch()
    url = f"{session['wopi_src']}?access_token={session['access_token']}"
    process = subprocess.Popen([sys.executable, "-m", "tests.hostile.probe", url, str(file)])
    try:
        yield file
    finally:
        process.kill()
        process.wait()


def _look_at_log(host: Host, record: Record) -> None:
    """Read the log of the cluster, which holds no secret, and keep it beside the run's own."""
    log = host.cluster.log.read_bytes()
    record.log.with_suffix(".cluster.log").write_bytes(log)
    for value, what in host.canaries.secret.items():
        if value.encode() in log and any(w in what for w in ("token", "key", "secret")):
            record.find(f"the log shows {what}")
    record.counts["lines of the cluster's log"] = log.count(b"\n")


def _chance(record: Record, name: str) -> random.Random:
    return random.Random(f"{record.seed} {name}")


@dataclass
class Gang:
    """All attackers."""

    plotters: list[Plotter]
    callers: list[ApiAttacker]
    editors: list[WopiAttacker]
    guests: list[people.Guest]
    browser: people.Browser
    crowd: people.SlowCrowd
    url: str

    async def run(self, seconds: float, only: Collection[str]) -> None:
        """Attack for some seconds, and until each plot was carried out once."""
        end_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            for plotter in self.plotters:
                tasks.create_task(self._plot(plotter, end_s, only))
            for caller in self.callers:
                tasks.create_task(_again(caller.call_any, end_s))
            for editor in self.editors:
                tasks.create_task(_again(editor.call_any, end_s))
            tasks.create_task(self._visit(end_s, only))

    async def _plot(self, plotter: Plotter, end_s: float, only: Collection[str]) -> None:
        counts, is_first = plotter.api.attacker.record.counts, True
        while is_first or time.monotonic() < end_s:
            await plotter.settle()
            plots = [(n, p) for n, p in plotter.plots().items() if not only or n in only]
            plotter.api.chance.shuffle(plots)
            for name, plot in plots:
                if is_first or time.monotonic() < end_s:
                    await plot()
                    counts[f"plots: {name}"] += 1
            is_first = False

    async def _visit(self, end_s: float, only: Collection[str]) -> None:
        async def explore() -> None:
            for guest in self.guests:
                await guest.explore()

        every: dict[str, Callable[[], Awaitable[None]]] = {
            "explore": explore,
            "others-pages": self.browser.open_others,
            "wrong-tokens": lambda: self.browser.try_tokens(self.url),
            "slow-connections": lambda: self.crowd.hold(SLOW_S),
        }
        visits = [visit for name, visit in every.items() if not only or name in only]
        is_first = bool(visits)
        while visits and (is_first or time.monotonic() < end_s):
            for visit in visits:
                if is_first or time.monotonic() < end_s:
                    await visit()
            is_first = False


async def _again(act: Callable[[], Awaitable[None]], end_s: float) -> None:
    while time.monotonic() < end_s:
        await act()
        await asyncio.sleep(PAUSE_S)


async def _gang(
    stack: AsyncExitStack, host: Host, target: Victim, servers: OddServer, names: Sequence[str]
) -> Gang:
    record, told = target.record, Pool()
    for value, what in host.canaries.told.items():
        name = "tenant_id" if "tenant" in what else "session_id" if "session" in what else "file_id"
        told.learn("recovery_id" if "recovery" in what else name, value)
    number = iter(range(100, 200))

    async def attacker(name: str, allowed: set[str] | None = None) -> Attacker:
        http = client_from(f"127.0.0.{next(number)}", host.cluster.url)
        await stack.enter_async_context(http)
        chance = _chance(record, name)
        return Attacker(name, chance, http, record, host.canaries, Pool(), told, allowed or set())

    plotters: list[Plotter] = []
    callers: list[ApiAttacker] = []
    editors: list[WopiAttacker] = []
    for name in names:
        tenant = stage.put_tenant(host, f"{name}{record.seed}", f"{servers.url}/hook")
        plotter = Plotter(
            ApiAttacker(await attacker(name), tenant, servers, _folders(host, tenant, target)),
            _below(host, tenant, target, _chance(record, f"{name} below")),
            target.tenant.tenant_id,
            sorted(told.known["file_id"]),
        )
        plotters.append(plotter)
        caller = await attacker(f"{name}'s application")
        editor = await attacker(f"{name}'s editor")
        caller.pool = editor.pool = plotter.api.attacker.pool
        caller.allowed = editor.allowed = plotter.below.allowed = plotter.api.attacker.allowed
        callers.append(ApiAttacker(caller, tenant, servers, plotter.api.folders))
        editors.append(WopiAttacker(editor))
    heir = stage.ghost(host)
    callers.append(
        ApiAttacker(await attacker("heir"), heir, servers, [str(host.files / heir.tenant_id)])
    )
    guests: list[people.Guest] = []
    for guest in target.guests:
        who = await attacker(guest.name, guest.allowed)
        for key in ("access_token", "file_id", "session_id"):
            who.pool.learn(key, str(guest.session[key]))
        guests.append(people.Guest(who, guest.session, guest.name == "member"))
        editors.append(WopiAttacker(who))
    where = urlsplit(host.cluster.url)
    return Gang(
        plotters,
        callers,
        editors,
        guests,
        people.Browser(await attacker("browser"), await people.opened_by_victim(target)),
        people.SlowCrowd(
            _chance(record, "crowd"),
            str(where.hostname),
            where.port or 80,
            "127.0.0.90",
            SLOW_CONNECTIONS,
        ),
        host.cluster.url,
    )


def _folders(host: Host, tenant: Tenant, target: Victim) -> list[str]:
    own = host.files / tenant.tenant_id
    inner = [str(own), str(own / "a"), str(own / "b"), f"{own}/.genro-wopi", str(own / "linked")]
    return [*inner, str(host.files / target.tenant.tenant_id), str(host.outside), str(host.files)]


def _below(host: Host, tenant: Tenant, target: Victim, chance: random.Random) -> Below:
    bucket = tenant.storages["bucket"]["config"]["bucket"]
    return Below(
        chance,
        host.files / tenant.tenant_id,
        f"{host.s3_url}/{bucket}",
        target.tenant.tenant_id,
        host.files / target.tenant.tenant_id,
        host.outside,
        set(),
    )
