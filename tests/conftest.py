"""Real infrastructure: Redis or Valkey, an S3 server, the cluster."""

import os
import signal
from collections.abc import AsyncGenerator, Generator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, connect, text
from tests.support import tools
from tests.support.ceph import ceph_process
from tests.support.servers import (
    cluster_processes,
    dav_process,
    redis_binary,
    redis_process,
    s3_process,
)

ROOT = Path(__file__).parents[1]

settings.register_profile("default", deadline=None, max_examples=40)
settings.register_profile("breaks", deadline=None, max_examples=40, phases=(Phase.generate,))
settings.register_profile("fuzz", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("WOPI_TEST_PROFILE", "default"))


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts tests in the background has them ignore it, and so what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

LOADS_THE_MACHINE = frozenset({"chaos", "hostile"})
"""Folders whose tests run one after the other, also where several processes share the tests."""

LONGEST = (
    *("breaks/test_breaks.py", "storage/test_conformance.py", "emulators/test_emulators.py"),
    *("flows/test_cli.py", "flows/test_editors.py", "conformance/test_conformance.py"),
    *("dev/test_cluster.py", "dev/test_refusals.py", "services/test_unsettled_saves.py"),
    *("model/test_simulation.py", "services/test_late_submissions.py", "flows/test_registry.py"),
    *("services/test_isolation.py", "storage/test_odd_answers.py", "dev/test_make.py"),
)
"""Files that take more than twenty seconds begin first: no process ends long before the others."""

PROCESSES_MAX = 4
"""Each has servers of its own; more of them need more memory than they save time."""

BROUGHT_BY_CHECK = {
    "tests/browser": "playwright",
    "tests/deploy/test_chart.py": "helm_python",
    "tests/flows/test_schema.py": "schemathesis",
}
"""What imports a package that only `make check` installs; all of it is marked `check`."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what cannot be imported; `make check` has it, and fails where it has not."""
    package = BROUGHT_BY_CHECK.get(collection_path.relative_to(ROOT).as_posix())
    marks = config.getoption("markexpr")
    is_left_out = marks == "not check" or (marks != "check" and not find_spec(str(package)))
    return True if package is not None and is_left_out else None


def pytest_xdist_auto_num_workers() -> int:
    """Use the processors that this process may use (`-n auto`)."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(PROCESSES_MAX, usable or 1)


class ByFile(LoadScopeScheduling):
    """Gives all tests of a file to one process, which starts the servers of that file once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "busy" if Path(file).parent.name in LOADS_THE_MACHINE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Share tests between processes by file, in the order in which they were collected."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    ranks = {ROOT / "tests" / name: rank for rank, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> tuple[bool, int]:
        is_busy = item.path.parent.name in LOADS_THE_MACHINE
        return not is_busy, ranks.get(item.path, len(ranks))

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line for each reason what was skipped."""
    skipped: list[pytest.TestReport] = terminalreporter.stats.get("skipped", [])
    reasons = (report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))
    for line in tools.lines(reason.removeprefix("Skipped: ") for reason in reasons):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with redis_process(redis_binary(), tmp_path_factory.mktemp("redis")) as url:
        yield url


CLUSTER = "a cluster"
OTHERS = ("valkey-server", CLUSTER)
"""What scripts run on besides the server that there is."""


@pytest.fixture(
    scope="session", params=["redis", *(pytest.param(s, marks=pytest.mark.check) for s in OTHERS)]
)
def each_redis_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[str]:
    if request.param == CLUSTER:
        folder = tmp_path_factory.mktemp("cluster-of-redis")
        with cluster_processes(redis_binary(), folder) as url:
            yield url
        return
    binary = redis_binary("" if request.param == "redis" else request.param)
    with redis_process(binary, tmp_path_factory.mktemp(request.param)) as url:
        yield url


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[RedisClient]:
    async with clean_redis(redis_url) as client:
        yield client


@pytest.fixture
async def each_redis(each_redis_url: str) -> AsyncGenerator[RedisClient]:
    async with clean_redis(each_redis_url) as client:
        yield client


class clean_redis:  # noqa: N801 - used as a context manager
    """A client on an empty Redis; what is left afterwards must expire or be listed as permanent."""

    def __init__(self, url: str) -> None:
        self._context = connect(url)

    async def __aenter__(self) -> RedisClient:
        self._client = await self._context.__aenter__()
        await self._client.call("FLUSHALL")
        return self._client

    async def __aexit__(self, *exception: object) -> None:
        immortal = [
            name
            for name in map(text, await self._client.call("KEYS", "*"))
            if await self._client.call("PTTL", name) == -1 and not keys.PERMANENT.fullmatch(name)
        ]
        await self._context.__aexit__(None, None, None)
        assert not immortal, f"keys that never expire: {immortal}"


@pytest.fixture(scope="session")
def s3_url() -> Generator[str]:
    with s3_process() as url:
        yield url


@pytest.fixture(scope="session")
def ceph_url() -> Generator[str]:
    tools.needed("Ceph with radosgw")
    with ceph_process() as url:
        yield url


@pytest.fixture(scope="session")
def dav_url() -> Generator[str]:
    binary = tools.needed("Apache with mod_dav")
    with dav_process(binary) as url:
        yield url


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder
