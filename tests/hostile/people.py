"""People with a session or a browser who want more than they were given."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.hostile.attacker import Attacker, client_from, quoted
from tests.hostile.victim import Victim
from tests.support.cluster import ADMIN_TOKEN

WRONG_TOKENS = 30
ELSEWHERE = "127.0.0.91"
"""Where the one who tries tokens sits; the operator is at 127.0.0.1."""


@dataclass
class Guest:
    """Somebody with a session of the victim; may reach its own file, and a folder where it says."""

    attacker: Attacker
    session: dict[str, Any]
    sees_folder: bool

    async def explore(self) -> None:
        """Ask for the folder, for what is in it, and for tokens of all of that."""
        token, file_id = str(self.session["access_token"]), str(self.session["file_id"])
        base = f"/wopi/files/{file_id}"
        for suffix in ("/ancestry", "/ecosystem_pointer"):
            await self._get(f"{base}{suffix}", token)
        for method, path, operation in (
            ("GET", "/wopi/ecosystem/root_container_pointer", ""),
            ("GET", "/wopi/ecosystem", ""),
            ("GET", "/wopibootstrapper", ""),
            ("POST", "/wopibootstrapper", "GET_ROOT_CONTAINER"),
            ("POST", "/wopibootstrapper", "GET_NEW_ACCESS_TOKEN"),
        ):
            src = self.attacker.others.draw(self.attacker.chance, "file_id") or file_id
            headers = {"Authorization": f"Bearer {token}"}
            if operation:
                headers["X-WOPI-EcosystemOperation"] = operation
                headers["X-WOPI-WopiSrc"] = f"{self.attacker.http.base_url}wopi/files/{src}"
            query = {"access_token": token}
            answer = await self.attacker.ask(method, path, query=query, headers=headers)
            self._learn(answer)
        await self._descend()
        await self._take_siblings(base, token)

    async def _descend(self) -> None:
        """Follow every address that was found, three steps deep."""
        seen: set[str] = set()
        for _ in range(3):
            for url in set(self.attacker.pool.known.get("Url", ())) - seen:
                seen.add(url)
                parts = urlsplit(url)
                for suffix in ("", "/children", "/contents", "/ancestry"):
                    answer = await self.attacker.ask("GET", f"{parts.path}{suffix}?{parts.query}")
                    self._learn(answer)

    async def _take_siblings(self, base: str, token: str) -> None:
        """Write, rename and delete over the files beside one's own."""
        names = ("ledger.txt", "payroll.txt", "list.txt", "../payroll.txt", "told.txt")
        for name in names:
            sent = {
                "PUT_RELATIVE": {
                    "X-WOPI-RelativeTarget": name,
                    "X-WOPI-OverwriteRelativeTarget": "true",
                },
                "RENAME_FILE": {"X-WOPI-RequestedName": name.removesuffix(".txt")},
            }
            for override, headers in sent.items():
                sent_headers = headers | {"X-WOPI-Override": override}
                query = {"access_token": token}
                await self.attacker.ask(
                    "POST", base, query=query, headers=sent_headers, body=b"guest's"
                )

    async def _get(self, path: str, token: str) -> None:
        self._learn(await self.attacker.ask("GET", path, query={"access_token": token}))

    def _learn(self, answer: httpx.Response | None) -> None:
        if answer is None or not answer.is_success or self.sees_folder:
            return
        if b"/wopi/containers/" in answer.content:
            self.attacker.find("a session without containers was given one", answer=answer)


@dataclass
class Browser:
    """Somebody with a browser who knows a launch code that another browser opened."""

    attacker: Attacker
    codes: list[str]

    async def open_others(self) -> None:
        """Open pages of others, with and without made-up cookies, and try to renew."""
        for code in self.codes:
            cookies = ("", f"__Host-{code}=intruder", f"wopi_launch={code}", f"wopi_{code}=x")
            for cookie in cookies:
                headers = {"Cookie": cookie, "X-Forwarded-For": "127.0.0.1"} if cookie else {}
                for path in (f"/open/{quoted(code)}", f"/open/{quoted(code)}/renew", "/open/renew"):
                    method = "POST" if path.endswith("renew") else "GET"
                    page = await self.attacker.ask(method, path, headers=headers)
                    if page is not None and page.is_success and "access_token" in page.text:
                        self.attacker.find("another browser opened a launch page", path, page)

    async def try_tokens(self, url: str) -> None:
        """Try admin tokens from one address; from another the operator still logs in."""
        async with client_from(ELSEWHERE, url) as http:
            for number in range(WRONG_TOKENS):
                form = {"token": f"intruder{number}"}
                try:
                    await http.post("/console/login", data=form)
                except httpx.HTTPError:
                    continue
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            answer = await http.post("/console/login", data={"token": ADMIN_TOKEN})
            if answer.status_code >= 400:
                self.attacker.find("the operator cannot log in", "/console/login", answer)


async def opened_by_victim(victim: Victim) -> list[str]:
    """Open launch pages in a browser of the victim's; return their codes."""
    codes: list[str] = []
    wanted = {"storage_name": "docs", "file_path": "flyer.txt", "account": "people"}
    async with victim.client() as api, httpx.AsyncClient(timeout=30) as browser:
        for _ in range(3):
            body = wanted | {"permissions": ["view"]}
            made = await api.post("/api/sessions/create", json=body)
            session = made.raise_for_status().json()
            victim.canaries.keep(session["access_token"], "a token of the victim")
            victim.canaries.keep(session["session_id"], "the id of a session of the victim")
            page = await browser.get(session["launch_url"])
            page.raise_for_status()
            codes.append(urlsplit(str(session["launch_url"])).path.rpartition("/")[2])
    return codes


@dataclass
class SlowCrowd:
    """Many connections that send almost nothing, from one address."""

    chance: random.Random
    host: str
    port: int
    address: str
    count: int

    async def hold(self, seconds: float) -> None:
        """Hold the connections open for a while."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.count):
                tasks.create_task(self._one(seconds))

    async def _one(self, seconds: float) -> None:
        writer = None
        try:
            async with asyncio.timeout(seconds + 5):
                _, writer = await asyncio.open_connection(
                    self.host, self.port, local_addr=(self.address, 0)
                )
                path = self.chance.choice(
                    ("/api/sessions/create", "/wopi/files/x/contents", "/open/renew")
                )
                head = (
                    f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
                    "Authorization: Bearer intruder\r\nContent-Type: application/json\r\n"
                )
                whole = self.chance.random() < 0.8
                writer.write((head + ("Content-Length: 1000\r\n\r\n{" if whole else "X-")).encode())
                for _ in range(int(seconds)):
                    await asyncio.sleep(1)
                    writer.write(b" ")
                    await writer.drain()
        except (OSError, TimeoutError):
            return
        finally:
            if writer is not None:
                writer.transport.abort()
