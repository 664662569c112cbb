"""A throw-away Ceph with its S3 gateway: a real store that ignores several conditions.

Debian's `radosgw`, `ceph-mon` and `ceph-osd`, everything in memory, on loopback.
"""

import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.servers import free_port, wait_for_port

ACCESS_KEY, SECRET_KEY = "ceph", "cephcephceph"
START_S = 90
START_ATTEMPTS = 10

_CONFIG = """
[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{mon_port}]
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
run dir = {folder}
pid file = {folder}/$name.pid
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
osd objectstore = memstore
memstore device bytes = 1G
mon data = {folder}/mon
osd data = {folder}/osd
[mon.a]
mon addr = 127.0.0.1:{mon_port}
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {folder}/rgw
"""


@contextmanager
def ceph_process() -> Generator[str]:
    """Start the store; yields its address."""
    with tempfile.TemporaryDirectory(prefix="ceph-", dir="/tmp") as name:
        folder, port = Path(name), free_port()
        try:
            _start(folder, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            _stop(folder)


def _start(folder: Path, port: int) -> None:
    for part in ("mon", "osd", "rgw"):
        (folder / part).mkdir()
    fsid, mon_port = str(uuid.uuid4()), free_port()
    config = folder / "ceph.conf"
    config.write_text(_CONFIG.format(fsid=fsid, folder=folder, port=port, mon_port=mon_port))
    monitor = f"[v1:127.0.0.1:{mon_port}]"
    _run(folder, "monmaptool", "--create", "--fsid", fsid, "--addv", "a", monitor, "monmap")
    _run(folder, "ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap")
    _run(folder, "ceph-mon", "-i", "a")
    osd = str(uuid.uuid4())
    _run(folder, "ceph", "osd", "new", osd)
    _run(folder, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    for attempt in range(START_ATTEMPTS):
        try:
            _run(folder, "ceph-osd", "-i", "0")
            break
        except subprocess.CalledProcessError:  # The monitor may not know of it yet.
            if attempt == START_ATTEMPTS - 1:
                raise
            time.sleep(1)
    user = ("user", "create", "--uid", "test", "--display-name", "test")
    keys = ("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
    _run(folder, "radosgw-admin", *user, *keys)
    _run(folder, "radosgw", "-n", "client.rgw")
    wait_for_port(port, START_S)


def _run(folder: Path, program: str, *words: str) -> None:
    config = () if program == "monmaptool" else ("-c", str(folder / "ceph.conf"))
    subprocess.run(
        [program, *config, *words],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=START_S,
    )


def _stop(folder: Path) -> None:
    for file in folder.glob("*.pid"):
        pid = int(file.read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + 10
            while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
