"""A tenant at work: its files, its editors, its application; and whether all of it is as it was."""

import asyncio
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.hostile import stage
from tests.hostile.canaries import Canaries
from tests.hostile.record import Record
from tests.hostile.stage import CONTENT, Host, Tenant

PAUSE_S = 0.3
EVENT_S = 45.0
"""An event of a save arrives within this time, whatever others do to the callback-worker."""

INTRUDER = "intruder"
"""In all that attackers write; no answer to the victim has it."""

TIMEOUT_S = 30.0


@dataclass
class Guest:
    """A person whom the victim gave a session, and who wants more."""

    name: str
    session: dict[str, Any]
    allowed: set[str]


@dataclass
class Victim:
    """The tenant."""

    host: Host
    tenant: Tenant
    record: Record
    files: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    """What must stay as it is, by storage and path."""
    guests: list[Guest] = field(default_factory=list[Guest])
    recovery: dict[str, bytes] = field(default_factory=dict[str, bytes])
    registry: set[str] = field(default_factory=set[str])
    saved: list[str] = field(default_factory=list[str])
    """Versions that were acknowledged; each is announced."""

    @property
    def canaries(self) -> Canaries:
        return self.host.canaries

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=False,
            base_url=self.host.cluster.url,
            headers={"Authorization": f"Bearer {self.tenant.key}"},
            timeout=TIMEOUT_S,
        )


def put_victim(host: Host, record: Record) -> Victim:
    """Register the victim with its files, sessions and recovery copies."""
    name = f"victim{uuid.uuid4().hex[:8]}"
    victim = Victim(host, stage.put_tenant(host, name, host.application.url), record)
    secret = host.admin.post(f"/api/tenants/{name}/webhook-secret").json()["webhook_secret"]
    host.application.secrets[name] = secret
    host.canaries.keep(secret, "the victim's webhook secret")
    for key in (victim.tenant.key, *victim.tenant.keys.values()):
        host.canaries.keep(key, "the victim's API key")
    host.canaries.tell(name, "the victim's tenant id")
    with host.cluster.client(victim.tenant.key) as api:
        for storage in victim.tenant.storages:
            stage.fill(host, victim.tenant, storage, f"the victim's file in {storage}")
            _protect(victim, api, storage)
        _invite(victim, api)
        _remember(victim, api)
    return victim


def _protect(victim: Victim, api: httpx.Client, storage: str) -> None:
    draw, url = victim.canaries.draw, CONTENT.format(storage)
    hidden = draw("a file's name of the victim")
    names = ("flyer.txt", "payroll.txt", "desk/draft.txt", "desk/ledger.txt", "board/minutes.txt")
    for path in (*names, "team/plan.txt", "team/list.txt", f"board/{hidden}.txt"):
        content = draw(f"the victim's {path.replace(hidden, 'hidden')}").encode()
        api.put(url, params={"path": path}, content=content).raise_for_status()
        victim.files[storage, path] = content
    told = api.get(url, params={"path": "told.txt"}).raise_for_status()
    victim.files[storage, "told.txt"] = told.content
    api.put(url, params={"path": "work.txt"}, content=b"work").raise_for_status()


def _invite(victim: Victim, api: httpx.Client) -> None:
    """Give three people a session each: a viewer, an editor, and one who may see its folder."""
    roles: tuple[tuple[str, str, bool, dict[str, Any], tuple[str, ...]], ...] = (
        ("viewer", "flyer.txt", False, {}, ("flyer.txt",)),
        ("writer", "desk/draft.txt", True, {}, ("desk/draft.txt",)),
        (
            "member",
            "team/plan.txt",
            False,
            {"containers": True},
            ("team/plan.txt", "team/list.txt"),
        ),
    )
    for name, path, edit, options, sees in roles:
        session = stage.open_session(api, "docs", path, edit=edit, options=options, user=name)
        own = {victim.files["docs", p].decode() for p in sees}
        own |= {str(session[k]) for k in ("session_id", "file_id", "access_token")}
        victim.guests.append(Guest(name, session, own | {victim.tenant.tenant_id}))
    del victim.files["docs", "desk/draft.txt"]  # Its editor may change it.


def _remember(victim: Victim, api: httpx.Client) -> None:
    """Note ids; half of them are told to attackers."""
    tell = itertools.cycle((victim.canaries.tell, victim.canaries.keep))
    for item in api.get("/api/recovery").json()["items"]:
        recovery_id = str(item["recovery_id"])
        content = api.get(f"/api/recovery/{recovery_id}/content").raise_for_status().content
        victim.recovery[recovery_id] = content
        next(tell)(recovery_id, "a recovery copy's id")
    for item in _registered(api):
        if item["path"] != "desk/draft.txt":  # Its editor may delete it, too.
            victim.registry.add(str(item["file_id"]))
        next(tell)(str(item["file_id"]), f"the id of the victim's {item['path'][:12]}")
        if item["path"].startswith("team/"):
            member = next(g for g in victim.guests if g.name == "member")
            member.allowed.add(str(item["file_id"]))
    for session in api.get("/api/sessions").json()["items"]:
        next(tell)(str(session["session_id"]), "the id of a session of the victim")


def _registered(api: httpx.Client) -> list[dict[str, Any]]:
    """Return every registered file of a tenant."""
    found, cursor = list[dict[str, Any]](), ""
    while True:
        page = api.get("/api/registry", params={"cursor": cursor}).raise_for_status().json()
        found += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return found


async def work(victim: Victim, stop: asyncio.Event) -> None:
    """Edit in every storage and list files, until told to stop."""
    async with asyncio.TaskGroup() as tasks:
        for storage in victim.tenant.storages:
            tasks.create_task(_edit(victim, storage, stop))
        tasks.create_task(_look(victim, stop))


async def _edit(victim: Victim, storage: str, stop: asyncio.Event) -> None:
    body = b"work"
    async with victim.client() as http:
        while not stop.is_set():
            wanted = {"storage_name": storage, "file_path": "work.txt", "account": "people"}
            made = await _ask(
                victim,
                http,
                *("POST", "/api/sessions/create"),
                json=wanted | {"permissions": ["view", "edit"]},
            )
            if made is not None and made.status_code == 201:
                session = made.json()
                victim.canaries.keep(session["access_token"], "a token of the victim")
                for _ in range(5):
                    body = await _save(victim, http, session, body)
                    await asyncio.sleep(PAUSE_S)


async def _save(
    victim: Victim, http: httpx.AsyncClient, session: dict[str, Any], before: bytes
) -> bytes:
    """Open, lock, save and close as an editor does; return what the document holds now."""
    src, lock = str(session["wopi_src"]), victim.canaries.draw("a lock of the victim")
    held = {"X-WOPI-Lock": lock}

    async def call(method: str, suffix: str = "", body: bytes = b"", **headers: str) -> Any:
        named = {f"X-WOPI-{name}": value for name, value in headers.items()}
        return await _ask(
            victim,
            http,
            method,
            src + suffix,
            params={"access_token": session["access_token"]},
            headers=held | named,
            content=body or None,
        )

    await call("GET")
    opened = await call("GET", "/contents")
    if opened is not None and opened.status_code == 200 and opened.content != before:
        victim.record.find("the victim's document was changed", answer=opened.text)
    locked = await call("POST", Override="LOCK")
    body = victim.canaries.draw("what the victim saved").encode()
    stored = await call("POST", "/contents", body, Override="PUT")
    if locked is not None and locked.status_code == 200:
        await call("POST", Override="UNLOCK")
    victim.canaries.secret.pop(lock)
    if stored is None or stored.status_code != 200:
        again = await call("GET", "/contents")
        return bytes(again.content) if again is not None else before
    victim.saved.append(str(stored.headers["X-WOPI-ItemVersion"]))
    victim.canaries.secret.pop(before.decode(), None)
    victim.record.counts["saves of the victim"] += 1
    return body


async def _look(victim: Victim, stop: asyncio.Event) -> None:
    """List what there is, as the victim's application does."""
    async with victim.client() as http:
        while not stop.is_set():
            for storage in victim.tenant.storages:
                await _ask(victim, http, "GET", f"/api/storages/{storage}/files")
            for path in ("/api/audit", "/api/sessions", "/api/locks", "/api/recovery"):
                await _ask(victim, http, "GET", path)
            await asyncio.sleep(PAUSE_S)


async def _ask(
    victim: Victim, http: httpx.AsyncClient, method: str, url: str, **more: Any
) -> httpx.Response | None:
    """Ask; what is refused, or names an intruder, is a finding."""
    record = victim.record
    try:
        answer = await http.request(method, url, **more)
    except httpx.HTTPError as error:
        record.find(f"the victim got no answer: {type(error).__name__}", request=f"{method} {url}")
        return None
    record.counts["requests of the victim"] += 1
    what = more.get("headers", {}).get("X-WOPI-Override") or f"{method} {url.partition('?')[0]}"
    if answer.status_code >= 400:
        asked = what if len(what) < 30 else method
        record.find(f"the victim's {asked} answered {answer.status_code}", answer=answer.text)
    if INTRUDER.encode() in answer.content:
        record.find("the victim was shown what an attacker wrote", request=url, answer=answer.text)
    return answer


async def inspect(victim: Victim) -> None:
    """Look whether everything of the victim is there, and as it was."""
    find = victim.record.find
    async with victim.client() as http:
        for (storage, path), content in victim.files.items():
            got = await _ask(victim, http, "GET", CONTENT.format(storage), params={"path": path})
            if got is not None and got.content != content:
                find("a file of the victim was changed", request=f"{storage}/{path}")
            victim.record.counts["files of the victim compared"] += 1
        for recovery_id, content in victim.recovery.items():
            got = await _ask(victim, http, "GET", f"/api/recovery/{recovery_id}/content")
            if got is not None and got.content != content:
                find("a recovery copy of the victim was changed", request=recovery_id)
    await asyncio.to_thread(_inspect_registry, victim)
    _inspect_folder(victim)


def _inspect_registry(victim: Victim) -> None:
    with victim.host.cluster.client(victim.tenant.key) as api:
        gone = victim.registry - {str(item["file_id"]) for item in _registered(api)}
    if gone:
        victim.record.find("registered files of the victim are gone", answer=str(gone))


def _inspect_folder(victim: Victim) -> None:
    folder = victim.host.files / victim.tenant.tenant_id
    known = {path for storage, path in victim.files if storage == "docs"}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name.startswith((".genro-wopi/", "desk/")):
            continue
        if name not in known | {"work.txt"} and not name.startswith("canary"):
            victim.record.find("a file was planted in the victim's folder", request=name)
    for path in known:
        if (folder / path).read_bytes() != victim.files["docs", path]:
            victim.record.find("a file of the victim was changed on the disk", request=path)


async def await_events(victim: Victim) -> None:
    """Wait until every save of the victim was announced to its application."""
    end = asyncio.get_running_loop().time() + EVENT_S
    wanted = set(victim.saved)
    while True:
        heard = {str(e.get("version")) for e in victim.host.application.events}
        if wanted <= heard:
            break
        if asyncio.get_running_loop().time() > end:
            unheard = len(wanted - heard)
            victim.record.find(f"events of the victim's saves did not arrive: {unheard}")
            break
        await asyncio.sleep(0.2)
    victim.record.counts["events of the victim that arrived"] = len(heard & wanted)
