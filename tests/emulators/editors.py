"""Collabora, OnlyOffice and Microsoft 365, as far as their saving matters, as they were recorded.

A document is the set of updates that were typed into it, so that a lost one can be named. No class
decides whether the host was right: they do what the real editor would do with its answer, and
note what they were told.
"""

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

TICKS_AT_1970 = 621_355_968_000_000_000
TOKEN_LOST = frozenset({401, 403, 404})
RETRIES = 4

Send = Callable[..., Awaitable[httpx.Response | None]]
"""``send(method, suffix, token, headers, body)``; None where the answer was lost."""


@dataclass
class Told:
    """What the host told the editors of one file."""

    stored: list[bytes] = field(default_factory=list[bytes])
    """Bodies that were answered 200."""
    refused: list[bytes] = field(default_factory=list[bytes])
    """Bodies that were received whole and answered 409."""
    conflicts: int = 0
    turned_away: int = 0
    """Saves that were refused for their token's sake."""
    wrong: list[str] = field(default_factory=list[str])
    """Answers that no fault may look like."""
    ended: set[str] = field(default_factory=set[str])
    """Tokens that the application ended: these may be refused."""
    requests: list[tuple[str, dict[str, str], bytes]] = field(
        default_factory=list[tuple[str, dict[str, str], bytes]]
    )
    """Every PutFile, to be sent again late."""


def ticks() -> str:
    return str(time.time_ns() // 100 + TICKS_AT_1970)


@dataclass
class Document:
    """What both editors have in common."""

    send: Send
    told: Told
    lock: str = ""
    updates: set[str] = field(default_factory=set[str])
    stamp: str = ""
    users: list[str] = field(default_factory=list[str])
    """Tokens of those who edit."""
    is_modified: bool = False
    is_open: bool = False
    in_conflict: bool = False
    padding_bytes: int = 0
    """So much white space follows, to make it as long as documents are."""

    def type(self) -> None:
        self.updates.add(uuid.uuid4().hex[:12])
        self.is_modified = True

    def body(self) -> bytes:
        return json.dumps(sorted(self.updates)).encode() + b" " * self.padding_bytes

    async def call(
        self,
        method: str,
        suffix: str,
        token: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> httpx.Response | None:
        sent = {"X-WOPI-TimeStamp": ticks(), **(headers or {})}
        answer = await self.send(method, suffix, token, sent, body)
        is_ended = token in self.told.ended
        if answer is not None and answer.status_code in TOKEN_LOST | {413} and not is_ended:
            what = sent.get("X-WOPI-Override", method)
            self.told.wrong.append(f"{answer.status_code} to {what}: {answer.text[:200]}")
        return answer

    async def put(self, token: str, headers: dict[str, str]) -> httpx.Response | None:
        body = self.body()
        headers = {"X-WOPI-Override": "PUT", "X-WOPI-TimeStamp": ticks(), **headers}
        self.told.requests.append((token, headers, body))
        answer = await self.call("POST", "/contents", token, headers, body)
        if answer is None:
            return None
        if answer.status_code == 200:
            self.told.stored.append(body)
            self.stamp = str(answer.json()["LastModifiedTime"])
            self.is_modified = False
        elif answer.status_code in TOKEN_LOST | {409}:
            self.told.refused.append(body)
            self.told.turned_away += answer.status_code in TOKEN_LOST
        return answer

    async def change_lock(self, override: str, token: str) -> bool:
        headers = {"X-WOPI-Override": override, "X-WOPI-Lock": self.lock}
        answer = await self.call("POST", "", token, headers)
        return answer is not None and answer.status_code == 200

    async def read(self, token: str) -> bool:
        content = await self.call("GET", "/contents", token)
        if content is None or content.status_code != 200:
            return False
        self.updates = set(json.loads(content.content or b"[]"))
        return True

    async def stamp_now(self, token: str) -> str | None:
        info = await self.call("GET", "", token)
        known = info is not None and info.status_code == 200
        return str(info.json()["LastModifiedTime"]) if info is not None and known else None


@dataclass
class Collabora(Document):
    """One Collabora process: all its users share the lock and save with any of their tokens."""

    version: str = "25.04"

    async def join(self, token: str, *, can_edit: bool = True) -> bool:
        """Let a user in; the first one loads and locks. False: read-only, or not opened."""
        stamp = await self.stamp_now(token)
        if stamp is None:
            return False
        if self.is_open or not can_edit:
            if can_edit:
                self.users.append(token)
            return self.is_open or await self.read(token)
        self.lock = f"cool-lock{uuid.uuid4().hex[:8]}"
        steps = [self.read(token), self.change_lock("LOCK", token)]
        if self.version == "24.04":
            steps.reverse()
        done = [await step for step in steps]
        self.stamp, self.is_modified, self.in_conflict = stamp, False, False
        self.is_open = all(done)
        self.users = [token] if self.is_open else []
        return self.is_open

    async def save(self, user: int, *, is_exit: bool = False) -> None:
        """Save with one user's token; retry as this version does until the host decides."""
        token = self.users[user % len(self.users)]
        with_stamp = True
        for _ in range(RETRIES):
            answer = await self.put(token, self._headers(with_stamp=with_stamp, is_exit=is_exit))
            if answer is not None and answer.status_code in {200, 409}:
                self.in_conflict = answer.status_code == 409
                self.told.conflicts += self.in_conflict
                return
            if answer is not None and answer.status_code in TOKEN_LOST and len(self.users) > 1:
                self.users.remove(token)
                token = self.users[user % len(self.users)]
            if self.version == "24.04":
                with_stamp = False
            elif self.version == "25.04":
                self.stamp = await self.stamp_now(token) or self.stamp

    async def overwrite(self, user: int) -> None:
        """Answer the conflict dialog: mine counts."""
        token = self.users[user % len(self.users)]
        answer = await self.put(token, self._headers(with_stamp=False, is_exit=False))
        self.in_conflict = answer is None or answer.status_code != 200

    async def close(self, user: int) -> None:
        """Close the document; after a failed save 24.04 and 25.04 unlock first."""
        token = self.users[user % len(self.users)]
        if self.is_modified and not self.in_conflict:
            await self.save(user, is_exit=True)
        await self.change_lock("UNLOCK", token)
        if self.is_modified and not self.in_conflict:
            await self.put(token, self._headers(with_stamp=False, is_exit=True))
        self.is_open, self.users = False, []

    async def refresh(self, user: int) -> bool:
        """Lock again with one user's token for all, as every fifteen minutes."""
        return await self.change_lock("LOCK", self.users[user % len(self.users)])

    def leave(self, user: int) -> str:
        """Let a user go."""
        return self.users.pop(user % len(self.users))

    def _headers(self, *, with_stamp: bool, is_exit: bool) -> dict[str, str]:
        headers = {
            "X-WOPI-Lock": self.lock,
            "X-COOL-WOPI-IsModifiedByUser": "true",
            "X-COOL-WOPI-IsAutosave": "false",
            "X-COOL-WOPI-IsExitSave": "true" if is_exit else "false",
        }
        if with_stamp:
            headers["X-COOL-WOPI-Timestamp"] = self.stamp
        return headers


@dataclass
class OnlyOffice(Document):
    """One OnlyOffice server, as it was recorded (9.3): one constant lock, readers do not lock.

    It reads a document once for all who edit it, saves with the token of who changed it last, and
    refreshes with the token of who opened or saved last, also after that person has left. Its stamp
    is that of the opening, then of the last save, whosever it was. What is false it leaves out. A
    save on leaving is never repeated; its text is kept and sent at the next opening.
    """

    speaker: str = ""
    """The token that refreshes: of who opened or saved last."""
    changer: str = ""
    """The token that saves and unlocks: of who changed the document last."""
    was_saved: bool = False
    """Somebody saved since it was opened: leaving sends the same bytes once more."""
    forgotten: set[str] | None = None
    """Text that the host refused when the last person left."""

    async def join(self, token: str, *, can_edit: bool = True) -> bool:
        """Let a user in; the first one loads the document. False: read-only, or not opened."""
        stamp = await self.stamp_now(token)
        if stamp is None:
            return False
        if not can_edit:
            return await self._show(token)
        if not await self.change_lock("LOCK", token):
            return False
        if not self.is_open and not await self._load(token, stamp):
            return False
        self.users.append(token)
        self.speaker, self.changer = token, self.changer or token
        return True

    async def _show(self, token: str) -> bool:
        """Show the document to a reader, as a document apart."""
        content = await self.call("GET", "/contents", token)
        return content is not None and content.status_code == 200

    async def _load(self, token: str, stamp: str) -> bool:
        self.users, self.changer, self.was_saved = [], token, False
        self.stamp, self.is_modified, self.in_conflict = stamp, False, False
        if self.forgotten is None:
            self.is_open = await self.read(token)
            return self.is_open
        self.updates, self.forgotten = self.forgotten, None
        self.is_open, self.is_modified = True, True
        await self.save(0, is_exit=True)
        return True

    def type(self, user: int = 0) -> None:
        """Type as one of the users."""
        super().type()
        if self.users:
            self.changer = self.users[user % len(self.users)]

    async def save(self, user: int = 0, *, is_exit: bool = False) -> None:
        """Save once with the token of who changed the document last."""
        del user
        headers = {"X-WOPI-Lock": self.lock, "X-LOOL-WOPI-Timestamp": self.stamp}
        if self.is_modified:
            headers["X-LOOL-WOPI-IsModifiedByUser"] = "true"
        if is_exit:
            headers["X-LOOL-WOPI-IsExitSave"] = "true"
        answer = await self.put(self.changer, headers)
        is_stored = answer is not None and answer.status_code == 200
        self.was_saved = self.was_saved or is_stored
        self.speaker = self.changer
        self.in_conflict = answer is not None and answer.status_code == 409
        self.told.conflicts += self.in_conflict

    async def refresh(self) -> bool:
        """Refresh the lock, as every ten minutes."""
        return await self.change_lock("REFRESH_LOCK", self.speaker)

    def leave(self, user: int) -> str:
        """Let a user go; the server goes on with that token where it spoke last."""
        return self.users.pop(user % len(self.users))

    async def close(self) -> None:
        """Save on leaving, once, also what was saved before; then unlock."""
        if self.is_modified or self.was_saved:
            await self.save(is_exit=True)
            self.forgotten = set(self.updates) if self.is_modified else None
        await self.change_lock("UNLOCK", self.changer)
        self.is_open, self.users = False, []


@dataclass
class Microsoft(Document):
    """Microsoft 365: one lock for all who edit, JSON whose fields change; no stamp; saves again."""

    async def join(self, token: str) -> bool:
        """Let a user in; the first one locks, then loads."""
        if await self.stamp_now(token) is None:
            return False
        if not self.is_open:
            self.lock = self._new_lock()
            self.is_open = await self.change_lock("LOCK", token) and await self.read(token)
            self.is_modified, self.in_conflict = False, False
            self.users = []
        if self.is_open:
            self.users.append(token)
        return self.is_open

    async def relock(self, user: int) -> None:
        """Change the lock in one step; where no answer comes, ask which one it is now."""
        token, old, new = self.users[user % len(self.users)], self.lock, self._new_lock()
        headers = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": new, "X-WOPI-OldLock": old}
        answer = await self.call("POST", "", token, headers)
        if answer is not None and answer.status_code == 200:
            self.lock = new
        elif answer is None:
            held = await self.call("POST", "", token, {"X-WOPI-Override": "GET_LOCK"})
            if held is not None and held.headers.get("X-WOPI-Lock") == new:
                self.lock = new

    async def refresh(self, user: int) -> bool:
        """Renew the lock, as every quarter of an hour."""
        return await self.change_lock("REFRESH_LOCK", self.users[user % len(self.users)])

    async def save(self, user: int) -> None:
        """Save with one user's token, again until the host decides."""
        token = self.users[user % len(self.users)]
        for _ in range(RETRIES):
            answer = await self.put(token, {"X-WOPI-Lock": self.lock})
            if answer is not None and answer.status_code in {200, 409}:
                self.in_conflict = answer.status_code == 409
                self.told.conflicts += self.in_conflict
                return

    async def close(self, user: int) -> None:
        """Save what is not saved yet, and unlock."""
        if self.is_modified and not self.in_conflict:
            await self.save(user)
        await self.change_lock("UNLOCK", self.users[user % len(self.users)])
        self.is_open, self.users = False, []

    def _new_lock(self) -> str:
        return json.dumps({"S": uuid.uuid4().hex, "F": 4, "M": uuid.uuid4().hex[:8]})
