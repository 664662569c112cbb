"""Attacks of several steps that single random calls would not find; each varies with the seed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from genro_wopi.domain.paths import StoragePath, history_folder
from tests.hostile import values
from tests.hostile.api_calls import ApiAttacker
from tests.hostile.attacker import quoted
from tests.hostile.below import Below
from tests.hostile.stage import CONTENT, HOST_FILE

FSCK_CALLS_MAX = 25
OWN_EDITOR_S = 4.0
"""It waits no longer where its own editor holds up its own request."""

ACTIVITIES_BYTES = 200_000

CURSORS = (
    '{"phase":"files","folders":["../../../../../../etc"]}',
    '{"phase":"files","folders":["../%s"]}',
    '{"phase":"files","folders":["../../outside"]}',
    '{"phase":"files","folders":[]}',
    '{"phase":"recovery","cursor":"../../../x"}',
)


@dataclass
class Plotter:
    """A tenant that owns its storage."""

    api: ApiAttacker
    below: Below
    victim_id: str
    victim_file_ids: list[str]

    def plots(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return plots by their names."""
        return {
            "forged-notes": self.forged_notes,
            "nested-storage": self.nested_storage,
            "forged-cursors": self.forged_cursors,
            "linked-versions": self.linked_versions,
            "garbage": self.garbage,
            "foreign-folders": self.foreign_folders,
            "genro-storage": self.genro_storage,
            "launch-pages": self.launch_pages,
            "removed-editor": self.removed_editor,
            "activities": self.activities,
            "large-requests": self.large_requests,
            "imports": self.imports,
        }

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """Ask with the key that may do everything."""
        headers = {"Authorization": f"Bearer {self.api.tenant.key}"} | more.pop("headers", {})
        return await self.api.attacker.ask(method, path, headers=headers, **more)

    async def settle(self) -> None:
        """Make sure that there are storages, files, versions and sessions to attack with."""
        for name, storage in self.api.tenant.storages.items():
            if storage["protocol"] == "genro":
                continue  # Only the operator registers it.
            await self.ask("POST", "/api/storages", body={"name": name, **storage})
            for path in ("told.txt", "told.txt", "work.txt", "gone.txt"):
                body = b"intruder " + self.api.chance.randbytes(20)
                await self.ask("PUT", CONTENT.format(name), query={"path": path}, body=body)
            gone = {"path": "gone.txt"}
            await self.ask("DELETE", f"/api/storages/{name}/files", query=gone)
            for role in (["view"], ["view", "edit"]):
                await self.open(name, "told.txt", role)

    async def open(
        self, storage: str, path: str, role: list[str], **more: Any
    ) -> dict[str, Any] | None:
        """Open a session."""
        wanted = {"storage_name": storage, "file_path": path, "permissions": role}
        wanted |= {"account": "intruder", **more}
        made = await self.ask("POST", "/api/sessions/create", body=wanted)
        return dict(made.json()) if made is not None and made.status_code == 201 else None

    async def forged_notes(self) -> None:
        """Have notes read that point into the victim's folder, and restore and read them."""
        for file_id in self._ids(4):
            await asyncio.to_thread(self.below.forge_note, file_id)
        note = {"rescue_id": "", "tenant_id": self.api.tenant.tenant_id}
        for path in (f"../{self.victim_id}/payroll.txt", f"../../outside/{HOST_FILE}"):
            name = f"20260102T103000{self.api.chance.randrange(10**6):06d}-intruder"
            fields = note | {"rescue_id": name, "file_path": path}
            await asyncio.to_thread(self._note_named, name, fields)
        await self.check_storage("docs")
        await self.use_recovery()

    def _note_named(self, name: str, fields: dict[str, Any]) -> None:
        chance = self.api.chance
        file_id = f"00{chance.randrange(10**9):022d}"
        whole = {
            "storage_name": "docs",
            "file_id": file_id,
            "session_id": "s",
            "account": "intruder",
            "user": "intruder",
            "size_bytes": 8,
            "sha256": "0" * 64,
            "reason": "intruder",
            "rescued_us": 1767225600000000,
        }
        place = self.below.folder / ".genro-wopi" / "recovery"
        if not place.is_dir():
            return
        (place / name).write_bytes(b"intruder")
        (place / f"{name}.json").write_text(json.dumps(whole | fields))

    async def check_storage(self, name: str, cursor: str = "") -> None:
        """Let the host compare a storage with its registry, and repair."""
        for _ in range(FSCK_CALLS_MAX):
            wanted = {"repair": True, "cursor": cursor, "limit": 1000}
            answer = await self.ask("POST", f"/api/storages/{name}/fsck", body=wanted)
            if answer is None or answer.status_code != 200:
                return
            cursor = str(answer.json()["next_cursor"] or "")
            if not cursor:
                return

    async def use_recovery(self) -> None:
        """Read and restore every recovery copy, and open the files that they name."""
        listed = await self.ask("GET", "/api/recovery", query={"limit": 100})
        items = items_of(listed)
        for item in items[:12]:
            place = f"/api/recovery/{quoted(item['recovery_id'])}"
            await self.ask("GET", f"{place}/content")
            for body in ({"target": "beside"}, {}):
                await self.ask("POST", f"{place}/restore", body=body)
            opened = await self.open("docs", item["file_path"], ["view"])
            if opened is not None:
                await self.read(opened)
        listed = await self.ask("GET", "/api/registry")
        for item in (items_of(listed))[-8:]:
            query = {"path": item["path"]}
            await self.ask("GET", CONTENT.format("docs"), query=query)
            opened = await self.open("docs", item["path"], ["view"])
            if opened is not None:
                await self.read(opened)

    async def read(self, session: dict[str, Any]) -> httpx.Response | None:
        """Read a session's file as an editor."""
        path = urlsplit(str(session["wopi_src"])).path
        query = {"access_token": str(session["access_token"])}
        ask = self.api.attacker.ask
        await ask("GET", path, query=query, timeout_s=OWN_EDITOR_S)
        return await ask("GET", f"{path}/contents", query=query, timeout_s=OWN_EDITOR_S)

    async def nested_storage(self) -> None:
        """Register the folder of the host's own records, and write them through the API."""
        own = str(self.below.folder)
        for name, place in (
            ("n0", f"{own}/.genro-wopi"),
            ("n1", f"{own}/.genro-wopi/recovery"),
            ("n2", f"{own}/x/../.genro-wopi"),
            ("n3", f"{own}/./.GENRO-WOPI"),
        ):
            config = {"base_path": place}
            wanted = {"name": name, "protocol": "local", "config": config}
            made = await self.ask("POST", "/api/storages", body=wanted)
            if made is not None and made.is_success and name != "n3":
                self.api.attacker.find("a storage lies among the host's own records", place, made)
            query = {"path": "recovery/20260103T103000000000-intruder"}
            await self.ask("PUT", CONTENT.format(name), query=query, body=b"intruder")
            await self.ask("DELETE", f"/api/storages/{name}")

    async def forged_cursors(self) -> None:
        """Go on where no list ever was."""
        name = self.api.chance.choice(sorted(self.api.tenant.storages))
        for cursor in CURSORS:
            text = cursor % self.victim_id if "%s" in cursor else cursor
            wanted = {"cursor": text, "repair": True}
            answer = await self.ask("POST", f"/api/storages/{name}/fsck", body=wanted)
            if answer is not None and answer.is_success:
                self.api.attacker.find("a cursor that nobody gave was taken", text, answer)

    async def linked_versions(self) -> None:
        """Make versions, let them be links to what others have, and read them."""
        url, path = CONTENT.format("docs"), "work.txt"
        for number in range(3):
            body = f"intruder {number}".encode()
            await self.ask("PUT", url, query={"path": path}, body=body)
        for _ in range(4):
            await asyncio.to_thread(self._link_versions)
            listed = await self.ask(
                "GET", "/api/storages/docs/files/versions", query={"path": path}
            )
            items = items_of(listed)
            for item in items[:6]:
                query = {"path": path, "version": item["version"]}
                await self.ask("GET", url, query=query)
                body = {"path": path, "version": item["version"]}
                await self.ask("POST", "/api/storages/docs/files/restore", body=body)
            await self.ask("GET", url, query={"path": path})
            await self.ask("GET", url, query={"path": "link.txt"})
            await self.ask("GET", url, query={"path": "linked/payroll.txt"})
            await self.ask("GET", "/api/storages/docs/files", query={"path": "linked"})
            await self.ask("PUT", url, query={"path": "linked/payroll.txt"}, body=b"intruder")

    def _link_versions(self) -> None:
        place = self.below.folder / history_folder(StoragePath("work.txt"))
        goals = (self.below.victim_folder / "payroll.txt", self.below.outside / HOST_FILE)
        if place.is_dir():
            for kept in place.glob("*.before"):
                kept.unlink()
                kept.symlink_to(self.api.chance.choice(goals))
        self.below.link_anywhere()

    async def garbage(self) -> None:
        """Spoil records, then have them read by every operation that reads them, and by upkeep."""
        for _ in range(8):
            await asyncio.to_thread(self.below.change_any, self._ids(3))
        versions = {"versions": {"keep_count": 1, "coalesce_seconds": 60}}
        for name in self.api.tenant.storages:
            await self.ask("PATCH", f"/api/storages/{name}", body=versions)
            for path in ("told.txt", "work.txt", "pipe.txt"):
                query = {"path": path}
                await self.ask("GET", CONTENT.format(name), query=query)
                await self.ask("GET", f"/api/storages/{name}/files/versions", query=query)
                await self.ask("PUT", CONTENT.format(name), query=query, body=b"intruder")
            await self.ask("GET", f"/api/storages/{name}/files/deleted")
            await self.check_storage(name)

    async def foreign_folders(self) -> None:
        """Register what is somebody else's, by every way to write it."""
        own, victim = self.below.folder, self.below.victim_folder
        link = own / f"way{self.api.chance.randrange(9)}"
        await asyncio.to_thread(_link, link, self.api.chance.choice((victim, self.below.outside)))
        places = (
            str(victim),
            str(victim / "board"),
            str(own.parent),
            f"{own}/../{victim.name}",
            str(link),
            f"{link}/board",
            str(self.below.outside),
            str(self.below.outside.parent / "data"),
            "/",
            "/etc",
            str(own) + "/",
            str(victim).upper(),
        )
        for place in places:
            wanted = {"name": "n1", "protocol": "local", "config": {"base_path": place}}
            made = await self.ask("POST", "/api/storages", body=wanted)
            if made is None or not made.is_success:
                continue
            await self.ask("GET", "/api/storages/n1/files")
            for path in ("told.txt", "payroll.txt", "keys.json", HOST_FILE, "minutes.txt"):
                await self.ask("GET", CONTENT.format("n1"), query={"path": path})
            await self.check_storage("n1")
            await self.ask("DELETE", "/api/storages/n1")

    async def genro_storage(self) -> None:
        """Change a storage that only the operator may register."""
        config = {"protocol": "local", "path": str(self.below.victim_folder)}
        wanted = {"config": config, "versions": {"keep_count": 3}}
        answer = await self.ask("PATCH", "/api/storages/mount", body=wanted)
        if answer is not None and answer.is_success:
            self.api.attacker.find("a tenant's key changed a genro storage", "PATCH", answer)
        for path in ("payroll.txt", "told.txt"):
            await self.ask("GET", CONTENT.format("mount"), query={"path": path})

    async def launch_pages(self) -> None:
        """Open documents with an editor whose discovery is made to break out of the page."""
        for number in range(4):
            name = f"e{number % 3}"
            editor = {
                "name": name,
                "kind": "collabora",
                "url": f"{self.api.servers.url}/editor",
                "proof": "if_published",
                "priority": 1,
            }
            await self.ask("POST", "/api/editors", body=editor)
            await self.ask("POST", f"/api/editors/{name}/refresh")
            opened = await self.open("docs", "told.txt", ["view", "edit"], editor=name)
            if opened is None:
                continue
            path = urlsplit(str(opened["launch_url"])).path
            page = await self.api.attacker.ask("GET", path)
            if page is not None:
                self._look_at_policy(page)
            await self.read(opened)
        for number in range(3):
            await self.ask("DELETE", f"/api/editors/e{number}")

    def _look_at_policy(self, page: httpx.Response) -> None:
        policy = page.headers.get("content-security-policy", "")
        parts = [part.split() for part in policy.split(";") if part.strip()]
        names = [part[0] for part in parts]
        own = str(self.api.attacker.http.base_url).rstrip("/")
        scripts = {source for part in parts if part[0] == "script-src" for source in part[1:]}
        if len(names) != len(set(names)) or not scripts <= {own, "'self'", "'none'"}:
            self.api.attacker.find("a discovery changed the launch page's policy", policy, page)
        if "javascript:" in page.text or "<script>" in page.text:
            self.api.attacker.find("a discovery put a script into the launch page", policy, page)

    async def removed_editor(self) -> None:
        """Take away the editor whose proof a session needs, and come without one."""
        servers, name = self.api.servers, "signs"
        editor = {"name": name, "kind": "collabora", "url": f"{servers.url}/editor", "priority": 1}
        servers.calm = True
        try:
            await self.ask("POST", "/api/editors", body=editor | {"proof": "required"})
            await self.ask("POST", f"/api/editors/{name}/refresh")
            opened = await self.open("docs", "told.txt", ["view"], editor=name)
        finally:
            servers.calm = False
        if opened is None:
            return
        signed = await self.read(opened)
        await self.ask("DELETE", f"/api/editors/{name}")
        unsigned = await self.read(opened)
        for answer in (signed, unsigned):
            if answer is not None and answer.is_success:
                self.api.attacker.find("a request without its proof was served", name, answer)

    async def activities(self) -> None:
        """Have as much written into Redis as one viewer can."""
        opened = await self.open("docs", "told.txt", ["view"])
        if opened is None:
            return
        path = urlsplit(str(opened["wopi_src"])).path
        query = {"access_token": str(opened["access_token"])}
        headers = {"X-WOPI-Override": "ADD_ACTIVITIES"}
        data = {"ContentId": "intruder" * (ACTIVITIES_BYTES // 8), "ContentAction": "add"}
        one = {"Type": "WopiComment", "Timestamp": "2026-01-01T00:00:00Z", "Data": data}
        for number in range(40):
            body = {"Activities": [one | {"Id": str(number)}]}
            answer = await self.api.attacker.ask(
                "POST", path, query=query, headers=headers, body=body
            )
            if answer is not None and answer.status_code in {413, 429}:
                return

    async def large_requests(self) -> None:
        """Send bodies, names and headers that are as large as they may be, and larger."""
        long = "intruder" * 500_000
        await self.ask("POST", "/api/storages", body=[[[]]] * 1_000_000)
        await self.ask(
            "POST", "/api/sessions/create", body={"storage_name": long, "file_path": long}
        )
        item = {"file_id": "00" + "i" * 22, "storage_name": long, "path": "x"}
        await self.ask("POST", "/api/registry", body={"items": [item]})
        await self.ask("PATCH", f"/api/tenants/{self.api.tenant.tenant_id}", body={"name": long})
        await self.ask("GET", "/api/storages", headers={"X-Request-Id": "access_token=" * 4_000})
        await self.ask("GET", "/api/storages", headers={"User-Agent": "Bearer " * 7_000})
        form = b"token=" + b"a=b&" * 2_000_000
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        await self.ask("POST", "/console/login", body=form, headers=kind)
        for _ in range(3):
            await self.ask("POST", "/api/audit/purge", body=values.deep(self.api.chance))

    async def imports(self) -> None:
        """Register as many files as one request may, in every partition that an id can name."""
        for _ in range(3):
            number = self.api.chance.randrange(10**6)
            items = [
                {
                    "file_id": f"{(n % 256):02x}{number:06d}{n:016d}",
                    "storage_name": "docs",
                    "path": f"many/{number}/{n}",
                }
                for n in range(1000)
            ]
            await self.ask("POST", "/api/registry", body={"items": items})

    def _ids(self, count: int) -> list[str]:
        own = [f"00{self.api.chance.randrange(10**9):022d}" for _ in range(count)]
        return [self.api.chance.choice(pair) for pair in zip(own, self._told(count), strict=True)]

    def _told(self, count: int) -> list[str]:
        return [self.api.chance.choice(self.victim_file_ids) for _ in range(count)]


def items_of(listed: httpx.Response | None) -> list[dict[str, Any]]:
    """Return the items of a list; none where it was refused."""
    return list(listed.json()["items"]) if listed is not None and listed.is_success else []


def _link(place: Path, goal: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(goal)
