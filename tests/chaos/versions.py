"""An older version beside this one, as a rolling update has it for minutes.

    python -m tests.chaos versions [seconds] [seed] [newer-in-older|older-in-newer]

First the older cluster gets replicas of this version, then a cluster of this version gets older
ones. The older version is taken from the repository's history, so it must be a checkout with it.
"""

import asyncio
import io
import os
import random
import subprocess
import tarfile
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.machine import git
from tests.chaos import stage
from tests.chaos.crowd import EditingRun, cast, let_edit, paths_of
from tests.chaos.faults import Trouble
from tests.chaos.people import Ways
from tests.chaos.record import Record, Shelf, judge
from tests.support.cluster import running_application, running_cluster

PEOPLE = 60
SOURCES = ("services", "shared")
BACK = 20
"""Without a release to go back to: so many commits."""


def revision_before() -> str:
    """Return the newest release, else a commit that is some way back.

    Raises:
        RuntimeError: this is no checkout, or it has no history.
    """
    described = git("describe", "--tags", "--abbrev=0", "HEAD^")
    found = described or git("rev-parse", "--short", "--verify", f"HEAD~{BACK}")
    if not found:
        raise RuntimeError("there is no older version: clone the repository with its history")
    return found


async def mix(seconds: float, seed: int, revision: str, *, older_first: bool) -> EditingRun:
    """Let people edit over wopi-services of both versions.

    Args:
        seconds: how long.
        seed: decides who does what, and which process is killed when.
        revision: of the older version.
        older_first: whether all other services are of the older version, too.
    """
    record = Record()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        older, newer = _unpacked(revision, folder / "older"), _path_of(Path.cwd())
        first, second = (older, newer) if older_first else (newer, older)
        application = stack.enter_context(running_application())
        cluster = await asyncio.to_thread(
            lambda: stack.enter_context(
                running_cluster(
                    folder, "--no-demo", "--replicas", "2", environment={"PYTHONPATH": first}
                )
            )
        )
        ports = list(stage.services(cluster, "wopi_service").values())
        for number in range(2):
            beside = stage.replica_beside(cluster, folder / f"{number}.log", PYTHONPATH=second)
            ports.append(await asyncio.to_thread(stack.enter_context, beside))
        url = stack.enter_context(stage.ingress_before(ports, folder / "nginx")).url
        wopi = await stack.enter_async_context(stage.wopi_client(url))
        stage.put_editors(cluster)
        config = {"base_path": str(cluster.data_dir / "files" / "mixed")}
        key = await asyncio.to_thread(
            stage.put_tenant, cluster, application, "mixed", "local", config
        )
        api = await stack.enter_async_context(stage.api_client(cluster, key))
        groups = cast(PEOPLE)
        await stage.put_documents(api, paths_of(groups))
        chance = random.Random(f"{seed} faults")
        trouble = Trouble(cluster, application, chance, redis=None)
        until = asyncio.get_running_loop().time() + seconds
        meanwhile = trouble.go_on(until, record.faults)
        await let_edit([Ways(api, wopi)], record, groups, seed, meanwhile)
        await stage.until_ready(api)
        verdict = await judge(record, [Shelf(api)], application)
        return EditingRun(record, verdict)


def _unpacked(revision: str, folder: Path) -> str:
    """Unpack the sources of a revision; returns what goes into PYTHONPATH."""
    packed = subprocess.run(
        ["git", "archive", revision, *SOURCES],  # noqa: S607 - the one on PATH
        check=True,
        capture_output=True,
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return _path_of(folder)


def _path_of(tree: Path) -> str:
    return os.pathsep.join(str(tree / name) for name in SOURCES)
