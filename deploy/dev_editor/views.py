"""Editing views: one person's open document, and what the editor does when the host says no.

* 401, 403, 404: the token is thrown away; saving goes on once the page sends a new one.
* 409 with status 1010: the document changed in storage; the person decides.
* 5xx, a time-out, a broken connection: CheckFileInfo, then the same save again, until it gives up.
"""

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

import httpx
import msgspec

from dev_editor.readable_text import is_editable, readable_text
from dev_editor.wopi_client import FileInfo, WopiClient

RETRY_PAUSES_S: Final = (0.3, 0.6, 1.0, 2.0, 3.0, 5.0)
LOCK_REFRESH_S: Final = 10 * 60.0
IDLE_S: Final = 90.0
"""A view whose page is silent for this long is closed."""

CONFLICT: Final = 409
TOO_LARGE: Final = 413
TOKEN_LOST: Final = frozenset({401, 403, 404})
COOL_DOC_CHANGED: Final = 1010


class State(StrEnum):
    """What the person is told."""

    READY = "ready"
    SAVED = "saved"
    CONFLICT = "conflict"
    EXPIRED = "expired"
    FAILED = "failed"


class ViewError(Exception):
    """The document cannot be opened; the message is for the person."""


class Outcome(msgspec.Struct, frozen=True):
    """How a save ended."""

    state: State
    message: str = ""
    last_modified: str = ""


class View:
    """One open document."""

    def __init__(self, client: WopiClient, lock: str) -> None:
        self.view_id = secrets.token_urlsafe(12)
        self.lock = lock or f"cool-lock{secrets.token_hex(4)}"
        self.client = client
        self.name = ""
        self.text = ""
        self.can_write = False
        self.reason = ""
        self.last_modified = ""
        self.origin = ""
        self._saving = asyncio.Lock()
        self._locked_s = 0.0
        self._seen_s = time.monotonic()

    async def open(self, base: str) -> None:
        """CheckFileInfo, GetFile, LOCK.

        Args:
            base: LastModifiedTime that a page which lost its view still works on; empty otherwise.

        Raises:
            ViewError: the host refused.
        """
        info = await self._info()
        self.name, self.origin = info.base_file_name, info.post_message_origin
        content = await _patiently(self.client.get_file)
        if not content.is_success:
            raise ViewError(f"The host did not send the file ({content.status_code}).")
        self.text = readable_text(self.name, content.content)
        self.last_modified = base or info.last_modified_time
        if not info.user_can_write:
            self.reason = "You may read this document but not change it."
        elif not is_editable(self.name):
            self.reason = "This editor changes text only; it shows what this document says."
        else:
            await self._take_lock()

    async def save(self, text: str, *, autosave: bool, exit_save: bool, force: bool) -> Outcome:
        """Save; retries by itself after a fault of the host."""
        async with self._saving:
            content = text.encode()
            for pause_s in (*RETRY_PAUSES_S, None):
                outcome = await self._attempt(
                    content, autosave=autosave, exit_save=exit_save, force=force
                )
                if outcome is not None:
                    return outcome
                if pause_s is None:
                    break
                await asyncio.sleep(pause_s)
                outcome = await self._after_failure(content, force=force)
                if outcome is not None:
                    return outcome
            return Outcome(State.FAILED, "The host does not answer. Your text is still here.")

    async def reload(self) -> None:
        """Discard what was typed and take the host's version."""
        info = await self._info()
        content = await _patiently(self.client.get_file)
        self.text = readable_text(self.name, content.content)
        self.last_modified = info.last_modified_time
        if info.user_can_write and is_editable(self.name):
            await self._take_lock()

    async def close(self) -> None:
        """UNLOCK."""
        if self.can_write:
            await _patiently(lambda: self.client.lock_operation("UNLOCK", self.lock))

    def seen(self) -> None:
        """Note that the page is there."""
        self._seen_s = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether the page was silent for long."""
        return time.monotonic() - self._seen_s > IDLE_S

    async def refresh_lock(self) -> None:
        """Send LOCK again, as Collabora refreshes."""
        if self.can_write and time.monotonic() - self._locked_s > LOCK_REFRESH_S:
            await self._take_lock()

    async def _info(self) -> FileInfo:
        answer = await _patiently(self.client.check_file_info)
        if not answer.is_success:
            raise ViewError(f"The host refused to open the document ({answer.status_code}).")
        return msgspec.json.decode(answer.content, type=FileInfo)

    async def _take_lock(self) -> None:
        answer = await _patiently(lambda: self.client.lock_operation("LOCK", self.lock))
        self.can_write = answer.is_success
        self._locked_s = time.monotonic()
        if not self.can_write:
            why = answer.headers.get("X-WOPI-LockFailureReason", "The document is locked.")
            self.reason = f"Read-only: {why}"

    async def _attempt(
        self, content: bytes, *, autosave: bool, exit_save: bool, force: bool
    ) -> Outcome | None:
        """Send one PutFile; None where the host had a fault."""
        try:
            answer = await self.client.put_file(
                content,
                lock=self.lock,
                timestamp=None if force else self.last_modified,
                autosave=autosave,
                exit_save=exit_save,
            )
        except httpx.HTTPError:
            return None
        if answer.is_success:
            self.last_modified = answer.json()["LastModifiedTime"]
            return Outcome(State.SAVED, last_modified=self.last_modified)
        if answer.status_code == CONFLICT:
            return Outcome(State.CONFLICT, _conflict(answer))
        if answer.status_code in TOKEN_LOST:
            return Outcome(State.EXPIRED, "Your access has expired. Your text is still here.")
        if answer.status_code == TOO_LARGE:
            return Outcome(State.FAILED, "The document is too large for its storage.")
        return None

    async def _after_failure(self, content: bytes, *, force: bool) -> Outcome | None:
        """Look at the file after a fault: saved all the same, changed, or as before."""
        try:
            answer = await self.client.check_file_info()
        except httpx.HTTPError:
            return None
        if not answer.is_success or force:
            return None
        info = msgspec.json.decode(answer.content, type=FileInfo)
        if info.last_modified_time == self.last_modified:
            return None
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        if info.sha256 == digest:
            self.last_modified = info.last_modified_time
            return Outcome(State.SAVED, last_modified=self.last_modified)
        return Outcome(State.CONFLICT, "The document was changed in its storage.")


def _conflict(answer: httpx.Response) -> str:
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    if is_json and answer.json().get("COOLStatusCode") == COOL_DOC_CHANGED:
        return "The document was changed in its storage since you opened it."
    reason: str = answer.headers.get("X-WOPI-LockFailureReason", "")
    return reason or "Your lock on the document was lost."


async def _patiently(call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Send a call again while the host has a fault."""
    for pause_s in (0.3, 1.0, 2.0):
        try:
            answer = await call()
        except httpx.HTTPError:
            await asyncio.sleep(pause_s)
            continue
        if not answer.is_server_error:
            return answer
        await asyncio.sleep(pause_s)
    try:
        return await call()
    except httpx.HTTPError as error:
        raise ViewError("The host does not answer.") from error
