"""What a session reaches beside its file: each role with each option at each operation."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from tests.flows.conftest import Tenant
from tests.support.editor import EditorClient

pytestmark = pytest.mark.flow

_numbers = itertools.count()

ROLES = {
    "view": ["view"],
    "comment": ["view", "comment"],
    "review": ["view", "review"],
    "edit": ["view", "edit"],
}
OPTIONS: dict[str, dict[str, bool]] = {
    "nothing said": {},
    "no containers": {"containers": False},
    "containers": {"containers": True},
    "no new files": {"containers": True, "can_write_relative": False},
    "no removing": {"containers": True, "can_delete": False, "can_rename": False},
}
DEFAULTS = {
    "containers": False,
    "can_write_relative": True,
    "can_delete": True,
    "can_rename": True,
}


@pytest.fixture(scope="module")
def acme(make_tenant: Callable[[str], Tenant]) -> Tenant:
    return make_tenant("local")


CONTAINERS = frozenset({"root", "board", "empty", "spare"})


@dataclass
class Stage:
    """A session on ``flyer.txt``, with files beside, below and above it."""

    tenant: Tenant
    editor: EditorClient
    ids: dict[str, str]
    """Of files and containers, by their names."""

    @property
    def wopi(self) -> str:
        return self.editor.session["wopi_src"].partition("/wopi/")[0] + "/wopi"

    def client(self, kind: str, name: str, token: str) -> EditorClient:
        return followed(self.tenant, f"{self.wopi}/{kind}/{self.ids[name]}?access_token={token}")

    def ask(self, operation: str, name: str = "") -> httpx.Response:
        """Ask the bootstrapper with the session's own token."""
        headers = {
            "Authorization": f"Bearer {self.editor.token}",
            "X-WOPI-EcosystemOperation": operation,
        }
        if name:
            headers["X-WOPI-WopiSrc"] = f"{self.wopi}/{_kind(name)}/{self.ids[name]}"
        return self.tenant.http.post("/wopibootstrapper", headers=headers)

    def at(self, name: str) -> EditorClient:
        """Return a client for a file or container: with a token for it where there is one."""
        answer = self.ask("GET_NEW_ACCESS_TOKEN", name)
        token = self.editor.token
        if answer.status_code == 200:
            token = answer.json()["AccessTokenInfo"]["AccessToken"]
        return self.client(_kind(name), name, token)


def _kind(name: str) -> str:
    return "containers" if name in CONTAINERS else "files"


def staged(tenant: Tenant, role: str, options: dict[str, bool]) -> Stage:
    own = replace(tenant, folder=f"g{next(_numbers)}/")
    files = ("flyer", "payroll", "wages", "names", "board/minutes", "board/notes")
    for path in (*(f"all/{name}.txt" for name in files), "above.txt"):
        assert own.upload(path, path.encode()).status_code < 300
    for name in ("empty", "spare"):
        url, path = f"/api/storages/{tenant.storage}/folders", f"{own.folder}all/{name}"
        assert tenant.http.post(url, json={"path": path}).status_code == 201
    editor = own.open("all/flyer.txt", permissions=ROLES[role], options=options)
    guide = own.open("above.txt", options={"containers": True})
    ids = {"above": guide.session["file_id"]}
    top = Stage(own, guide, {}).ask("GET_ROOT_CONTAINER").json()["RootContainerInfo"]
    pointers = children(own, top["ContainerPointer"]["Url"])
    ids["root"] = file_id(pointers["all"])
    pointers = children(own, pointers["all"])
    pointers |= children(own, pointers["board"])
    return Stage(own, editor, ids | {name: file_id(url) for name, url in pointers.items()})


def followed(tenant: Tenant, url: str) -> EditorClient:
    src, _, token = url.partition("?access_token=")
    return EditorClient(tenant.http, {"wopi_src": src, "access_token": token, "session_id": ""})


def file_id(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def children(tenant: Tenant, url: str) -> dict[str, str]:
    """Return the addresses of what lies in a container, by names without extension."""
    found = followed(tenant, url).call("GET", "/children").json()
    every = [*found["ChildContainers"], *found["ChildFiles"]]
    return {c["Name"].removesuffix(".txt"): c["Url"] for c in every}


def _override(client: EditorClient, operation: str, **headers: str) -> httpx.Response:
    named = {f"X-WOPI-{name}": value for name, value in headers.items()}
    return client.call("POST", "", {"X-WOPI-Override": operation, **named})


def _overwrite(stage: Stage) -> httpx.Response:
    both = {"RelativeTarget": "payroll.txt", "OverwriteRelativeTarget": "true"}
    return _override(stage.editor, "PUT_RELATIVE", **both)


def _save(client: EditorClient) -> httpx.Response:
    client.override("LOCK", "L")
    return client.put(b"changed", "L")


@dataclass(frozen=True)
class Row:
    """One operation, and what it takes."""

    name: str
    ask: Callable[[Stage], httpx.Response]
    needs: frozenset[str]
    refused: frozenset[int] = frozenset({501})


def row(name: str, ask: Callable[[Stage], httpx.Response], needs: str, *refused: int) -> Row:
    return Row(name, ask, frozenset(needs.split()), frozenset(refused or {501}))


LIST, CHANGE = "containers", "edit containers can_write_relative"

ROWS = (
    row("EnumerateAncestors of the file", lambda s: s.editor.call("GET", "/ancestry"), LIST),
    row("GetRootContainer", lambda s: s.ask("GET_ROOT_CONTAINER"), LIST),
    row("GetNewAccessToken: itself", lambda s: s.ask("GET_NEW_ACCESS_TOKEN", "flyer"), LIST),
    row("GetNewAccessToken: beside", lambda s: s.ask("GET_NEW_ACCESS_TOKEN", "payroll"), LIST),
    row("GetNewAccessToken: below", lambda s: s.ask("GET_NEW_ACCESS_TOKEN", "minutes"), LIST),
    row("GetNewAccessToken: a container", lambda s: s.ask("GET_NEW_ACCESS_TOKEN", "board"), LIST),
    row(
        "GetNewAccessToken: above", lambda s: s.ask("GET_NEW_ACCESS_TOKEN", "above"), "no", 404, 501
    ),
    row("CheckContainerInfo", lambda s: s.at("root").call("GET"), LIST, 401),
    row("EnumerateChildren", lambda s: s.at("root").call("GET", "/children"), LIST, 401),
    row("EnumerateAncestors", lambda s: s.at("board").call("GET", "/ancestry"), LIST, 401),
    row("CheckFileInfo beside", lambda s: s.at("payroll").call("GET"), LIST, 401),
    row("GetFile below", lambda s: s.at("minutes").get(), LIST, 401),
    row("GetFile above", lambda s: s.at("above").get(), "no", 401),
    row("PutFile beside", lambda s: _save(s.at("wages")), "edit containers", 401),
    row(
        "RenameFile beside",
        lambda s: _override(s.at("names"), "RENAME_FILE", RequestedName="b"),
        "edit containers can_rename",
        401,
    ),
    row(
        "DeleteFile below",
        lambda s: _override(s.at("notes"), "DELETE"),
        "edit containers can_delete",
        401,
    ),
    row(
        "PutRelativeFile",
        lambda s: _override(s.editor, "PUT_RELATIVE", SuggestedTarget=".pdf"),
        "edit can_write_relative",
    ),
    row("PutRelativeFile onto another", _overwrite, CHANGE, 409, 501),
    row(
        "CreateChildFile",
        lambda s: _override(s.at("root"), "CREATE_CHILD_FILE", SuggestedTarget="new.txt"),
        CHANGE,
        401,
        501,
    ),
    row(
        "CreateChildContainer",
        lambda s: _override(s.at("root"), "CREATE_CHILD_CONTAINER", SuggestedTarget="new"),
        CHANGE,
        401,
        501,
    ),
    row(
        "RenameContainer",
        lambda s: _override(s.at("empty"), "RENAME_CONTAINER", RequestedName="other"),
        f"{CHANGE} can_rename",
        401,
    ),
    row(
        "DeleteContainer",
        lambda s: _override(s.at("spare"), "DELETE_CONTAINER"),
        f"{CHANGE} can_delete",
        401,
    ),
    row(
        "DeleteContainer: the root",
        lambda s: _override(s.at("root"), "DELETE_CONTAINER"),
        "no",
        401,
    ),
)


def has(role: str, options: dict[str, bool], need: str) -> bool:
    return role == "edit" if need == "edit" else {**DEFAULTS, **options}.get(need, False)


@pytest.mark.parametrize("said", OPTIONS)
@pytest.mark.parametrize("role", ROLES)
def test_a_session_reaches_what_its_role_and_options_say(
    acme: Tenant, role: str, said: str
) -> None:
    options, wrong = OPTIONS[said], list[str]()
    stage = staged(acme, role, options)
    for operation in ROWS:
        answer = operation.ask(stage)
        allowed = all(has(role, options, need) for need in operation.needs)
        expected = {200} if allowed else operation.refused
        if answer.status_code not in expected:
            wrong.append(f"{operation.name}: {answer.status_code} instead of {expected}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("containers", [False, True])
def test_what_is_advertised_is_what_works(acme: Tenant, *, containers: bool) -> None:
    stage = staged(acme, "view", {"containers": containers})
    info: dict[str, Any] = stage.editor.info()
    shown = info["SupportsContainers"], info["SupportsEcosystem"]
    assert shown == (containers, containers)


def test_a_file_that_an_editor_made_opens_without_containers(acme: Tenant) -> None:
    stage = staged(acme, "edit", {})
    made = _override(stage.editor, "PUT_RELATIVE", SuggestedTarget="copy.txt").json()
    copy = followed(stage.tenant, made["Url"])
    assert copy.info()["SupportsContainers"] is False
    assert _save(copy).status_code == 200
    assert copy.call("GET", "/ancestry").status_code == 501


def test_a_container_s_token_opens_no_file_and_a_file_s_no_container(acme: Tenant) -> None:
    stage = staged(acme, "edit", {"containers": True})
    root, payroll = stage.at("root"), stage.at("payroll")
    crossed = stage.client("files", "root", root.token)
    assert crossed.call("GET").status_code == 401
    assert crossed.override("LOCK", "L").status_code == 401
    crossed = stage.client("containers", "payroll", payroll.token)
    assert crossed.call("GET").status_code == 401
