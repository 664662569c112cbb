"""Rotating keys: secrets are encrypted anew, and the old key can go."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cluster import ADMIN_TOKEN, Cluster, running_cluster

pytestmark = pytest.mark.flow


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, {"WOPI_TOKEN": ADMIN_TOKEN})


def settings_of(printed: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in printed.splitlines())
    return {name: value for name, _, value in pairs}


def cluster_with(folder: Path, keys: dict[str, str]) -> Generator[Cluster]:
    with running_cluster(folder, "--no-demo", "--replicas", "1", environment=keys) as running:
        yield running


@pytest.mark.check
def test_secrets_move_to_a_new_key_while_the_old_one_is_there(
    cli: CommandLine, tmp_path: Path
) -> None:
    first = settings_of(cli("keys").out)
    assert set(first) == {"WOPI_ENCRYPTION_KEYS", "WOPI_SIGNING_KEYS", "WOPI_VERIFY_KEYS"}
    for cluster in cluster_with(tmp_path, first):
        with cluster.admin() as admin:
            auth = {"method": "bearer", "token": "callback-token"}
            tenant = {"id": "acme", "client_auth": auth}
            assert admin.post("/api/tenants", json=tenant).status_code == 201
        same = cli("keys", "rotate", "--host", cluster.url)
        assert "1 tenants: 0 secrets encrypted anew." in same.out, same
    added = cli("keys", "add", **first)
    second = settings_of(added.out)
    fresh, old = second["WOPI_ENCRYPTION_KEYS"].split(",")
    assert (fresh[:3], old) == ("k2:", first["WOPI_ENCRYPTION_KEYS"])
    assert second["WOPI_VERIFY_KEYS"].count(",") == 1
    for cluster in cluster_with(tmp_path, second):
        doctor = cli("doctor", "--notes", "--host", cluster.url)
        assert "secrets.old-key" in doctor.out
        moved = cli("keys", "rotate", "--host", cluster.url)
        assert moved.code == 0, moved
        assert "2 secrets encrypted anew" in moved.out
        assert "  key k2: 2" in moved.out
        assert "k1" not in moved.out
        assert "secrets.old-key" not in cli("doctor", "--notes", "--host", cluster.url).out
    for cluster in cluster_with(tmp_path, {**second, "WOPI_ENCRYPTION_KEYS": fresh}):
        assert cli("keys", "rotate", "--host", cluster.url).code == 0
    other = settings_of(cli("keys").out)
    for cluster in cluster_with(tmp_path, other):
        lost = cli("keys", "rotate", "--host", cluster.url)
        assert lost.code == 1
        assert "cannot be read: acme/tenant/auth_secret" in lost.err


def test_keys_that_are_not_there_are_asked_for(cli: CommandLine, tmp_path: Path) -> None:
    nothing = cli("keys", "add")
    assert nothing.code == 1
    assert "WOPI_ENCRYPTION_KEYS and WOPI_SIGNING_KEYS is not set here" in nothing.err
    file = tmp_path / "encryption"
    file.write_text("old3:" + "A" * 43 + "=")
    from_file = cli("keys", "add", "--no-signing", WOPI_ENCRYPTION_KEYS_FILE=os.fspath(file))
    assert from_file.out.startswith("WOPI_ENCRYPTION_KEYS=old4:")
