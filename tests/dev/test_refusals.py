"""What `genro-wopi dev` refuses: one sentence, an exit code, nothing left running."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from genro_wopi.dev.cluster import run_cluster
from genro_wopi.dev.data_folder import held_folder
from genro_wopi.dev.errors import DevError
from genro_wopi.dev.processes import Plan
from tests.dev.starting import environment, refused
from tests.support.servers import free_port, redis_binary, redis_process

CONFIGURATION = 2
FAILED = 1
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refusal = refused(tmp_path, "--port", str(port))
    assert f"port {port} is in use" in refusal.said
    assert "choose another one with --port" in refusal.said
    assert refusal.exit_code == FAILED


def test_an_address_of_another_machine_is_one_clear_line(tmp_path: Path) -> None:
    refusal = refused(tmp_path, "--host", "192.0.2.1")
    assert "cannot listen at 192.0.2.1" in refusal.said
    assert refusal.exit_code == CONFIGURATION


@pytest.mark.parametrize("part", ["", "files"])
def test_a_data_folder_that_is_a_file_is_one_clear_line(tmp_path: Path, part: str) -> None:
    file = tmp_path / "data" / part
    file.parent.mkdir(exist_ok=True)
    if file.exists():
        file.rmdir()
    file.write_text("not a folder")
    refusal = refused(tmp_path / "data")
    assert f"the data folder {tmp_path / 'data'} cannot be used" in refusal.said
    assert "--data-dir" in refusal.said


@needs_root
def test_a_data_folder_of_another_user_is_one_clear_line(tmp_path: Path) -> None:
    """As after `sudo make run`, or copied from another machine."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv")
    folder = tmp_path / "data"
    for place in (folder, folder / "files", folder / "spool", folder / "redis"):
        place.mkdir()
        os.chown(place, NOBODY, NOBODY)
    owner_only = [setpriv, "--bounding-set", "-dac_override,-dac_read_search"]
    said = refused(folder, through=owner_only).said
    assert f"the data folder {folder} cannot be used: Permission denied" in said


@contextmanager
def disk(place: Path, options: str) -> Generator[None]:
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("needs mount")
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run([umount, str(place)], check=True)


@needs_root
def test_a_read_only_disk_is_one_clear_line(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "ro"):
        assert "Read-only file system" in refused(tmp_path / "disk" / "data").said


@needs_root
def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    folder = tmp_path / "disk" / "data"
    with disk(tmp_path / "disk", "size=64k"):
        for part in ("files", "spool", "redis"):
            (folder / part).mkdir(parents=True)
        filling = os.open(tmp_path / "disk" / "filling", os.O_WRONLY | os.O_CREAT)
        with suppress(OSError):
            while True:
                os.write(filling, b"x" * 4096)
        os.close(filling)
        assert "No space left on device" in refused(folder).said


def test_two_clusters_never_share_a_data_folder(tmp_path: Path) -> None:
    (tmp_path / "public-url").write_text("http://127.0.0.1:4711")
    with (tmp_path / "in-use").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = refused(tmp_path).said
    assert "another cluster uses the data folder" in said
    assert "http://127.0.0.1:4711" in said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        json.dumps(dict.fromkeys(("admin_token", "internal_token", "signing_keys"), 5)).encode(),
    ],
)
def test_secrets_of_another_version_are_kept_and_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(content)
    with held_folder(tmp_path) as folder, pytest.raises(DevError, match="cannot be used"):
        folder.keys({})
    assert file.read_bytes() == content


def test_secrets_of_another_version_are_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"admin_token": "a" * 32, "key": "of an older version"}))
    refusal = refused(tmp_path)
    assert f"{file} cannot be used" in refusal.said
    assert "move the folder" in refusal.said
    assert refusal.exit_code == CONFIGURATION


NONSENSE = {
    "WOPI_LOG_LEVEL": "loud",
    "WOPI_EVENT_PARTITIONS": "many",
    "WOPI_ENCRYPTION_KEYS": "k1:short",
    "WOPI_ADMIN_TOKEN": "x",
    "WOPI_REDIS_URL": "redis://localhost:port/0",
    "WOPI_CALLBACK_PROXY": "ftp://proxy",
}


def test_settings_with_nonsense_are_one_clear_line(tmp_path: Path) -> None:
    refusal = refused(tmp_path, **NONSENSE)
    assert [name for name in NONSENSE if name not in refusal.said] == []
    assert refusal.exit_code == CONFIGURATION
    assert refusal.output == ""
    assert not (tmp_path / "admin-token").exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WOPI_SIGNING_KEYS", "nonsense"),
        ("WOPI_SIGNING_KEYS", "s1:!!!"),
        ("WOPI_REDIS_URL", "localhost:6379"),
        ("WOPI_REDIS_URL", "redis+sentinel://one:26379,two:port/service/0"),
        ("WOPI_REDIS_URL", "redis:///0"),
        ("WOPI_ADMIN_TOKEN_FILE", "/nowhere/token"),
        ("WOPI_LOG_FORMAT", "pretty"),
    ],
)
def test_a_setting_with_nonsense_is_named(tmp_path: Path, variable: str, value: str) -> None:
    plan = Plan(
        host="127.0.0.1",
        port=free_port(),
        data_dir=tmp_path,
        replicas=1,
        demo=False,
        log_format="console",
    )
    with pytest.raises(DevError, match=variable) as refusal:
        run_cluster(plan, environment(**{variable: value}))
    assert refusal.value.exit_code == CONFIGURATION


def test_records_of_a_newer_version_are_one_clear_line(tmp_path: Path) -> None:
    binary = redis_binary()
    with redis_process(binary, tmp_path / "redis") as url:
        _set_schema(url, 999)
    refusal = refused(tmp_path)
    assert "Redis holds records of schema 999" in refusal.said
    assert "--data-dir" in refusal.said
    assert refusal.exit_code == FAILED


def test_a_redis_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    refusal = refused(tmp_path, WOPI_REDIS_URL=url)
    assert "check WOPI_REDIS_URL" in refusal.said
    assert refusal.exit_code == FAILED


def _set_schema(url: str, version: int) -> None:
    from redis import Redis  # noqa: PLC0415 - only here

    client = Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType] - untyped
    client.set("wopi:schema", version)
    client.close()
