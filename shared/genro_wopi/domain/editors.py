"""Editors: the WOPI clients that open files, and how they prove that it is they who call.

One editor may be a pool of addresses that do not know of each other's documents: all sessions of a
file go to the same address, as long as it answers.
"""

import hashlib
from enum import IntEnum, StrEnum
from typing import Final, Protocol

import msgspec

from genro_wopi.domain.sessions import EditorRef
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.discovery import Discovery
from genro_wopi.protocol.proof import ProofKeys


class ProofPolicy(StrEnum):
    """Whether requests must be signed."""

    REQUIRED = "required"
    IF_PUBLISHED = "if_published"
    """Signed once the editor has published a key; some Collabora installations publish none."""
    OFF = "off"


class Editor(msgspec.Struct, frozen=True, kw_only=True):
    """One editor, as configured."""

    scope: str
    """The tenant's id, or empty for the whole instance."""
    name: str
    kind: EditorKind
    url: str
    """As the browser reaches it."""
    discovery_url: str
    """As this host reaches its discovery."""
    proof: ProofPolicy
    priority: int
    """The lower is tried first."""
    extensions: tuple[str, ...]
    """Lower case, without dots; empty for everything that the discovery names."""
    revision: int
    created_us: int
    updated_us: int
    addresses: tuple[str, ...] = ()
    """Further addresses of a pool; `url` is the first."""
    is_further: bool = False
    """Whether `url` is one of the further addresses; see `pool`."""

    @property
    def state_name(self) -> str:
        """Under which name the discovery of this address is kept."""
        if not self.is_further:
            return self.name
        return f"{self.name}#{hashlib.sha256(self.url.encode()).hexdigest()[:16]}"

    @property
    def pool(self) -> "tuple[Editor, ...]":
        """Return the editor once for each of its addresses."""
        others = (
            msgspec.structs.replace(
                self, url=url, discovery_url=url + DISCOVERY_PATH, is_further=True
            )
            for url in self.addresses
        )
        return (self, *others)


def ranked(pool: "tuple[Editor, ...]", file_id: str) -> "list[Editor]":
    """Order a pool for a file, so that each file has its own first choice (rendezvous hashing).

    An address that is added or removed changes the first choice of its own share of files only.
    """

    def weight(editor: Editor) -> bytes:
        return hashlib.sha256(f"{editor.url}\0{file_id}".encode()).digest()

    return sorted(pool, key=weight)


DISCOVERY_PATH = "/hosting/discovery"


class SeenKeys(msgspec.Struct, frozen=True):
    """Proof keys and when a discovery last showed them."""

    keys: ProofKeys
    seen_us: int


class EditorState(msgspec.Struct, frozen=True, kw_only=True):
    """The last good copy of an editor's discovery, shared by all replicas."""

    discovery: Discovery
    fetched_us: int
    seen_keys: tuple[SeenKeys, ...]
    """Those of the last 24 hours: each Collabora pod may sign with its own."""
    had_keys: bool
    """Once true, unsigned requests are refused under ``if_published``."""
    last_error: str | None = None


class StatePut(IntEnum):
    """What became of a copy of an editor's discovery."""

    WRITTEN = 1
    OTHER = 0
    """Another copy was fetched meanwhile; nothing was written."""
    REMOVED = -1
    """The editor has no such address any more; nothing was written."""


EDITORS_MAX: Final = 64
"""Editors of a tenant."""

ADDRESSES_MAX: Final = 64
"""Addresses of all editors of a tenant: of each a discovery is fetched and kept."""


class EditorStore(Protocol):
    """Where editors and the last good copy of their discovery are kept."""

    async def put_editor(self, editor: Editor, *, was: int | None = None) -> bool:
        """Create or replace.

        Args:
            editor: the record.
            was: the revision that must be there; 0 for none, None for any.

        Returns:
            False where another one is there, and nothing was written.

        Raises:
            InvalidFieldsError: the tenant has as many editors, or addresses of them, as it may.
        """
        ...

    async def get_editor(self, scope: str, name: str) -> Editor | None:
        """Return one editor."""
        ...

    async def list_editors(self, scope: str) -> list[Editor]:
        """Return the editors of a tenant, or of the instance (empty scope)."""
        ...

    async def delete_editor(self, scope: str, name: str) -> bool:
        """Remove an editor; False where there is none."""
        ...

    async def get_state(self, scope: str, name: str) -> EditorState | None:
        """Return the last good copy."""
        ...

    async def put_state(
        self, editor: Editor, state: EditorState, *, was: EditorState | None
    ) -> StatePut:
        """Replace the last good copy of an editor's address; MUST be atomic.

        Args:
            editor: at the address that was asked.
            state: what is known now.
            was: what it was made from.
        """
        ...

    async def may_fetch(self, scope: str, name: str, *, interval_ms: int) -> bool:
        """Tell whether this process may fetch now; true once per interval over all replicas."""
        ...


class EditorDirectory(Protocol):
    """Editors as sessions and requests see them: last good copy, briefly cached."""

    async def candidates(self, scopes: tuple[str, ...]) -> list[Editor]:
        """Return the editors of these scopes in the order in which they are tried."""
        ...

    async def answering(self, editor: Editor, file_id: str) -> "tuple[Editor, EditorState] | None":
        """Return the address of an editor that a file's sessions go to, and its discovery.

        Returns:
            None where no address was ever read.
        """
        ...

    async def editor(self, ref: EditorRef) -> Editor | None:
        """Return the editor of a session; None where it was removed."""
        ...

    async def state(self, editor: Editor) -> EditorState | None:
        """Return what the editor's discovery last said, fetching it if it never was.

        Returns:
            None where no usable copy was ever read.
        """
        ...

    async def refetch(self, editor: Editor) -> EditorState | None:
        """Fetch discovery again, at most once per ten seconds over all replicas."""
        ...

    async def fetch(self, editor: Editor) -> EditorState | None:
        """Fetch discovery now; a copy that cannot be used never replaces a good one."""
        ...
