"""Two clusters that do not know of each other, one tenant on one bucket, and people at both.

    python -m tests.chaos sharing [seconds] [seed]

They share no lock: only the conditional write stands between their saves. So there are conflicts,
but nothing that was acknowledged is lost. Each cluster draws an id of its own for the tenant, by
whose name the other's records count.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos import stage
from tests.chaos.crowd import EditingRun, Group, let_edit, paths_of
from tests.chaos.people import Habit, Ways
from tests.chaos.record import Record, Shelf, judge
from tests.support.cluster import Application, running_application, running_cluster
from tests.support.servers import s3_process

DOCUMENTS = 20
TENANT = "shared"
CLUSTERS = ("here", "there")


async def share(seconds: float, seed: int) -> EditingRun:
    """Let people edit the same documents over both clusters for a while."""
    record = Record()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        s3_url = stack.enter_context(s3_process())
        config = stage.bucket_config(int(s3_url.rpartition(":")[2]))
        ways: list[Ways] = []
        applications: list[Application] = []
        for name in CLUSTERS:
            own = folder / name
            own.mkdir()
            cluster = stack.enter_context(running_cluster(own, "--no-demo", "--replicas", "1"))
            wopi = await stack.enter_async_context(stage.wopi_client(cluster.url))
            if not ways:
                (await wopi.put(f"{s3_url}/{config['bucket']}")).raise_for_status()
            stage.put_editors(cluster)
            application = stack.enter_context(running_application())
            applications.append(application)
            key = await asyncio.to_thread(
                stage.put_tenant, cluster, application, TENANT, "s3", config
            )
            api = await stack.enter_async_context(stage.api_client(cluster, key))
            ways.append(Ways(api, wopi))
        groups = _groups()
        await stage.put_documents(ways[0].api, paths_of(groups))
        await let_edit(ways, record, groups, seed, asyncio.sleep(seconds))
        verdict = await judge(record, [Shelf(way.api) for way in ways], *applications)
        return EditingRun(record, verdict)


def _groups() -> list[Group]:
    """Put one person at each document in each cluster, with the same habit."""
    habits = list(Habit)
    return [
        (f"document-{number}.odt", habits[number % len(habits)], 1)
        for number in range(DOCUMENTS)
        for _ in CLUSTERS
    ]
