"""The command line as people and scripts use it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.flows.conftest import Tenant
from tests.support.cli import CommandLine
from tests.support.cluster import ADMIN_TOKEN, Cluster

pytestmark = pytest.mark.flow


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def admin(tmp_path: Path, cluster: Cluster) -> CommandLine:
    return CommandLine(tmp_path, {"WOPI_URL": cluster.url, "WOPI_TOKEN": ADMIN_TOKEN})


def key_of(tenant: Tenant) -> str:
    return str(tenant.http.headers["Authorization"]).removeprefix("Bearer ")


# Which host, as whom


def test_a_profile_is_kept_for_its_owner_only(cli: CommandLine, cluster: Cluster) -> None:
    nobody = cli("tenants", "list")
    assert (nobody.code, nobody.out) == (1, "")
    assert "genro-wopi login" in nobody.err
    logged = cli("login", cluster.url, "--token", ADMIN_TOKEN)
    assert logged.code == 0, logged
    file = cli.folder / ".config" / "genro-wopi" / "profiles.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ADMIN_TOKEN not in logged.out
    assert cli("tenants", "list").code == 0
    assert cli("current").out.startswith(cluster.url)
    assert cli("logout").code == 0
    assert cli("tenants", "list").code == 1


def test_profiles_and_tenants_are_chosen(
    cli: CommandLine, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    cli("login", cluster.url, "--token", ADMIN_TOKEN)
    cli("login", cluster.url, "--token", key_of(tenant), "--profile", "acme")
    assert "tenant" in cli("caller", "get").out
    assert cli("use", "default", "--tenant", tenant.tenant_id).code == 0
    assert "docs" in cli("storages", "list").out
    assert cli("caller", "get", "--profile", "acme").out.split()[1] == "tenant"
    unknown = cli("use", "nowhere")
    assert unknown.code == 1
    assert "acme, default" in unknown.err


def test_a_wrong_token_is_not_kept(cli: CommandLine, cluster: Cluster) -> None:
    wrong = cli("login", cluster.url, "--token", "wrong")
    assert wrong.code == 1
    assert "does not count" in wrong.err
    nobody = cli("login", "http://127.0.0.1:9", "--token", "x")
    assert nobody.code == 3
    assert not (cli.folder / ".config").exists()


def test_in_the_folder_of_a_local_cluster_nothing_is_needed(
    cli: CommandLine, cluster: Cluster
) -> None:
    (cli.folder / ".dev").symlink_to(cluster.data_dir)
    assert cli("current").out.strip() == f"{cluster.url}, tenant -, from .dev"
    assert cli("instance", "status").code == 0


# Answers and exit codes


def test_a_program_gets_json_and_a_person_a_table(
    admin: CommandLine, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    as_json = admin("storages", "list", "--tenant", tenant.tenant_id, "--json")
    assert msgspec.json.decode(as_json.out)["items"][0]["name"] == "docs"
    table = admin("storages", "list", "--tenant", tenant.tenant_id).out.splitlines()
    assert table[0].split()[:2] == ["name", "protocol"]
    assert table[1].split()[:2] == ["docs", "local"]
    assert "\x1b[" not in "".join(table)
    assert admin("locks", "list", "--tenant", tenant.tenant_id).out == "Nothing.\n"


def test_exit_codes_tell_what_happened(admin: CommandLine) -> None:
    assert admin("tenants", "get", "nobody").code == 1
    assert admin("tenants", "list", WOPI_TOKEN="wrong").code == 1
    wrong = admin("sessions", "create", "docs", "a.txt", "--permissions", "fly", "--account", "x")
    assert wrong.code == 2
    assert "'fly' is not one of" in wrong.err
    bad = admin("api-keys", "create", "--tenant", "x", "--note", "y" * 300)
    assert bad.code == 2
    assert "note" in bad.err
    away = admin("tenants", "list", WOPI_URL="http://127.0.0.1:9")
    assert away.code == 3
    assert "does not answer" in away.err
    assert "Traceback" not in wrong.err + bad.err + away.err


def test_a_field_is_emptied_by_name(
    admin: CommandLine, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    name = make_tenant().tenant_id
    admin("tenants", "update", name, "--frame-ancestors", "https://a.example")
    admin("tenants", "update", name, "--clear", "frame_ancestors", "--clear", "client_base_url")
    with cluster.admin() as http:
        now = http.get(f"/api/tenants/{name}").json()
    assert now["frame_ancestors"] == []
    assert now["client_base_url"] is None


def test_a_long_list_is_read_to_its_end(
    admin: CommandLine, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    for number in range(7):
        tenant.upload(f"{number}.txt", b"x")
    words = ("files", "list", "docs", "--tenant", tenant.tenant_id, "--limit", "3")
    assert "add --all" in admin(*words).out
    whole = admin(*words, "--all", "--json")
    assert len(msgspec.json.decode(whole.out)["items"]) == 7


# Documents


def test_a_document_goes_up_and_down(admin: CommandLine, make_tenant: Callable[[], Tenant]) -> None:
    tenant, content = make_tenant(), os.urandom(300_000)
    (admin.folder / "up.bin").write_bytes(content)
    own = ("--tenant", tenant.tenant_id)
    up = admin("files", "upload", "docs", "a/b.bin", "up.bin", *own)
    assert up.code == 0, up
    down = admin("files", "download", "docs", "a/b.bin", "-o", "down.bin", *own)
    assert down.code == 0, down
    assert (admin.folder / "down.bin").read_bytes() == content
    missing = admin("files", "download", "docs", "c.bin", "-o", "none.bin", *own)
    assert missing.code == 1
    assert sorted(p.name for p in admin.folder.glob("*.bin*")) == ["down.bin", "up.bin"]
    piped = admin("files", "upload", "docs", "piped.txt", "-", *own, stdin="from a pipe")
    assert piped.code == 0, piped
    assert admin("files", "download", "docs", "piped.txt", *own).out == "from a pipe"


def test_open_goes_from_a_file_to_its_launch_page(
    admin: CommandLine, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    editor = {"name": "away", "kind": "collabora", "url": "http://127.0.0.1:9", "proof": "off"}
    tenant.http.post("/api/editors", json=editor)
    (admin.folder / "letter.odt").write_bytes(b"x")
    opened = admin("open", "letter.odt", "--no-browser", "--tenant", tenant.tenant_id)
    assert opened.code == 0, opened
    assert opened.out.startswith("Uploaded to docs: letter.odt\n")
    assert f"{cluster.url}/open/" in opened.out
    again = admin("open", "letter.odt", "--no-browser", "--view", WOPI_TOKEN=key_of(tenant))
    assert again.code == 0, again
    missing = admin("open", "nothing.odt", "--no-browser", WOPI_TOKEN=key_of(tenant))
    assert missing.code == 1
    assert "upload it first" in missing.err


# Services


def test_a_service_says_what_it_lacks(cli: CommandLine) -> None:
    ran = cli("serve", "callback-worker")
    assert ran.code == 2
    assert "WOPI_REDIS_URL is not set" in ran.err
    assert cli("serve", "nothing").code == 2


# Comfort


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands(cli: CommandLine, shell: str) -> None:
    assert "_GENRO_WOPI_COMPLETE" in cli("completion", shell).out


def test_the_repl_has_every_operation_and_awaits(
    admin: CommandLine, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    script = (
        "storages.list().items[0].name\n"
        "(await wopi.caller.get()).role\n"
        "sessions.create(storage_name='docs')\n"
        "sessions.nothing\n"
    )
    ran = admin("repl", stdin=script, WOPI_TENANT=tenant.tenant_id, TERM="dumb")
    assert "'docs'" in ran.out
    assert "'admin'" in ran.out
    assert "file_path: it is missing" in ran.out
    assert "sessions has no 'nothing'; it has cleanup, close" in ran.out


def test_no_token_is_ever_shown(admin: CommandLine, cluster: Cluster) -> None:
    for words in (("current",), ("tenants", "list"), ("doctor", "--json"), ("export",)):
        ran = admin(*words)
        assert ADMIN_TOKEN not in ran.out + ran.err
    answer = httpx.get(f"{cluster.url}/api/caller", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 401
