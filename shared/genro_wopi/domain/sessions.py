"""Editing sessions: one user, one file, for a while.

A session is *active* and slides while it is used, up to its maximum; editors speak with one
session's token for all who have a document open, so it also slides while others use the document
that it joined. Closing makes it *draining*: nothing new may be opened, but what was typed may still
be saved for a grace, and for as long as the lock that it joined holds. It ends *closed*, *expired*
or *revoked*; a revoked one may do nothing at once.
"""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from genro_wopi.domain.access_tokens import Grant
from genro_wopi.domain.errors import UnauthenticatedError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.secrets import Sealed
from genro_wopi.protocol.check_file_info import EditorKind, Presentation
from genro_wopi.protocol.field_types import OptionFields, OptionText

TTL_S_DEFAULT: Final = 3600
TTL_S_MIN: Final = 1
TTL_S_MAX: Final = 7 * 86_400
LIFETIME_S_DEFAULT: Final = 12 * 3600
"""However much it is used, a session ends after this long, unless it is renewed."""

GRACE_MS: Final = 10 * 60 * 1000
"""How long after its end a session may still save what its lock protects."""

TOKEN_AFTER_MS: Final = 7 * 86_400_000
"""How long after its session's end a token is still known as authentic: its editor may carry the
text of others with it. What it may still do is decided where the session's state is."""

ENDED_KEPT_MS: Final = 3600 * 1000
"""How long an ended session can still be looked at."""

LAUNCH_TTL_MS: Final = 10 * 60 * 1000
"""A launch page can be opened for the first time within ten minutes."""

LAUNCHED_TTL_MS: Final = 8 * 86_400_000
"""How long a browser may load again the page that it opened, if its session lives; from its last
time. Longer than the longest session (7 days)."""


class Permission(StrEnum):
    """What a session may do with its file; each includes ``view``."""

    VIEW = "view"
    COMMENT = "comment"
    REVIEW = "review"
    EDIT = "edit"


class SessionState(StrEnum):
    """Where a session is in its life."""

    ACTIVE = "active"
    DRAINING = "draining"
    EXPIRED = "expired"
    CLOSED = "closed"
    REVOKED = "revoked"


class Breadcrumb(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the file lies, for the editor's title bar."""

    brand_name: OptionText | None = None
    brand_url: OptionText | None = None
    folder_name: OptionText | None = None
    folder_url: OptionText | None = None
    doc_name: OptionText | None = None


class SessionOptions(Presentation, frozen=True, kw_only=True):
    """How the editor shows the file and what it offers."""

    can_write_relative: bool = True
    can_rename: bool = True
    can_delete: bool = True
    containers: bool = False
    """Whether the session reaches what lies in the folder of its file, and below."""
    watermark_text: OptionText | None = None
    """May name ``{user}``, ``{date}`` and ``{file}``."""
    close_url: OptionText | None = None
    file_sharing_url: OptionText | None = None
    host_edit_url: OptionText | None = None
    host_view_url: OptionText | None = None
    breadcrumb: Breadcrumb = Breadcrumb()
    post_message_origin: OptionText | None = None
    ui_defaults: OptionText | None = None
    theme: OptionText | None = None
    user_private_info: OptionFields | None = None
    """Secrets of the person for the editor; kept encrypted."""
    server_private_info: OptionFields | None = None
    """Secrets of the application for the editor; kept encrypted."""
    max_lifetime_seconds: int | None = None
    include_token_in_editor_url: bool = False


class EditorRef(msgspec.Struct, frozen=True):
    """Which editor a session was given."""

    scope: str
    """The tenant's id, or empty for an editor of the whole instance."""
    name: str
    kind: EditorKind
    is_unsigned: bool = False
    """Its proofs were off at that time; counts once it is not configured any more."""


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was decided when the session was created; it never changes."""

    session_id: SessionId
    file_id: FileId
    tenant_id: TenantId
    storage_name: str
    file_path: str
    """Where the file lay when the session was created."""
    permissions: tuple[Permission, ...]
    account: str
    user: str
    user_id: str
    editor: EditorRef | None
    editor_notes: tuple[str, ...] = ()
    """Why it was chosen, in words."""
    created_us: int
    ttl_ms: int
    origin_connection_id: str | None = None
    origin_page_id: str | None = None
    lang: str | None = None
    options: SessionOptions = SessionOptions()
    """Without what is private."""
    private_info: Sealed = Sealed("")
    """Empty where there is none; see `genro_wopi.domain.private_info`."""
    parent: SessionId = SessionId("")
    """The session whose token was traded for this one; empty for one that the API created."""
    grant: Grant | None = None
    """Why its token was traded; None for one that the API created."""
    root_folder: str | None = None
    """The folder whose files the session may reach; None: the one of its own file."""

    @property
    def root(self) -> StoragePath:
        """The folder that is the session's root container; empty for the storage's own."""
        if self.root_folder is not None:
            return StoragePath(self.root_folder)
        return StoragePath(self.file_path.rpartition("/")[0])

    @property
    def person(self) -> str:
        """An id that is stable for the person and never a name; anonymous: for the session."""
        if self.options.is_anonymous:
            return f"anonymous-{_digest(self.parent or self.session_id)}"
        if self.user_id:
            return self.user_id
        return f"u-{_digest(self.tenant_id, self.account, self.user)}"

    @property
    def lifetime_ms(self) -> int:
        """How long it lasts however much it is used: what the application set, else half a day."""
        own_s = self.options.max_lifetime_seconds
        lifetime_ms = (own_s or LIFETIME_S_DEFAULT) * 1000
        return min(lifetime_ms if own_s else max(lifetime_ms, self.ttl_ms), TTL_S_MAX * 1000)

    @property
    def can_edit(self) -> bool:
        """Whether the session may change the file."""
        return Permission.EDIT in self.permissions

    @property
    def can_save(self) -> bool:
        """Whether its editor may lock and save the file with its token."""
        return self.can_edit

    @property
    def kind(self) -> EditorKind:
        """Which habits of editors apply."""
        return self.editor.kind if self.editor else EditorKind.GENERIC


class SessionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A session together with where it is in its life."""

    session: Session
    state: SessionState
    expires_us: int
    """When it ends unless it is used."""
    ends_us: int
    """When it ends in any case."""
    opened: bool
    """Whether its file was ever read."""
    user_info: str = ""
    """What the editor keeps for this person (PUT_USER_INFO)."""
    server: str = ""
    """The server of its editor that it was given to last; see `editor_digest`."""


class Purpose(StrEnum):
    """Why an editor asks; decides what a session in its grace may still do."""

    CHECK = "check"
    READ = "read"
    SAVE = "save"
    LOCK_STATE = "lock_state"


class Asker(msgspec.Struct, frozen=True):
    """The editor that sends a request."""

    editor: str = ""
    """Which one, and which server of a pool; empty where it is not known. See `editor_digest`."""
    loads: bool = True
    """Whether what it reads now may be saved by it; OnlyOffice shows readers a document apart."""


ASKER_UNKNOWN: Final = Asker()


class SessionEndedError(UnauthenticatedError):
    """The session may not do this any more, or is not known."""

    def __init__(self, session: Session | None = None, file: FileRecord | None = None) -> None:
        super().__init__("The session has ended or does not belong to this file; create a new one.")
        self.session = session
        """None where nothing is known of it any more."""
        self.file = file
        """The file that the request names; None where there is none."""


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one WOPI request needs of Redis, from one round trip."""

    status: SessionStatus
    file: FileRecord
    lease: Lease | None
    asker: Asker = ASKER_UNKNOWN

    @property
    def session(self) -> Session:
        """The session that asks."""
        return self.status.session


class OpenedLaunch(msgspec.Struct, frozen=True):
    """A launch page that somebody opens."""

    session_id: SessionId
    is_other: bool
    """Another browser opened it before, or this one did not keep its cookie."""


class SessionStore(Protocol):
    """Where sessions are kept. Changes are atomic and safe to run twice."""

    async def admit(
        self,
        session_id: SessionId,
        file_id: FileId,
        purpose: Purpose,
        *,
        deadline_s: float,
        asker: Asker = ASKER_UNKNOWN,
    ) -> Admission:
        """Let a request of a session in; slides all who joined the document, notes the first read.

        Raises:
            SessionEndedError: no such session on that file, or it may not do this any more.
        """
        ...

    async def create(
        self,
        session: Session,
        file: FileRecord,
        *,
        ends_us: int,
        server: str = "",
        beyond_share: bool = False,
    ) -> SessionStatus:
        """Register a session on a registered file; emits ``session_created`` once.

        Args:
            session: the new one.
            file: its file.
            ends_us: when it ends in any case.
            server: of its editor, that it is given to.
            beyond_share: let it in even where its tenant has as many as it may: it carries a save.

        Raises:
            UnauthenticatedError: a traded one was ended before.
            RateLimitedError: the tenant has as many as it may.
        """
        ...

    async def hand_out(self, session: Session, version: str, asker: Asker) -> None:
        """Note that a session's editor was told where to read a version by itself."""
        ...

    async def put_user_info(self, session: Session, user_info: str) -> None:
        """Keep what the editor wants to know about this person the next time."""
        ...

    async def announce(
        self, session: Session, event: str, once_id: str, details: Sequence[str]
    ) -> None:
        """Emit an event of a session, once per id; `details` are names and values in turn."""
        ...

    async def get(self, session_id: SessionId) -> SessionStatus | None:
        """Return a session that is alive, or ended less than an hour ago."""
        ...

    async def loaded_us(self, file_id: FileId, editor: str) -> int:
        """Return when an editor loaded a document last, for whomever; 0 where it did not."""
        ...

    async def list_ids(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> list[tuple[SessionId, str]]:
        """Return ids of a tenant's sessions with their cursors, oldest first."""
        ...

    async def place(self, session_id: SessionId, server: str) -> None:
        """Note to which server of its editor a session is given now."""
        ...

    async def forget(self, tenant_id: TenantId, session_ids: Sequence[SessionId]) -> None:
        """Remove sessions that have ended, with their place in the tenant's list."""
        ...

    async def renew(
        self, session_id: SessionId, *, ttl_ms: int, ends_us: int
    ) -> SessionStatus | None:
        """Give a session a new life, and those traded from it; None where it has ended.

        One that has expired is renewed for a grace, and while the lock that it joined holds.
        """
        ...

    async def end(self, session_id: SessionId, state: SessionState) -> SessionStatus | None:
        """Close (drain) or revoke, and those traded from it; emits ``session_closed`` once.

        Returns:
            None for an unknown id.
        """
        ...

    async def put_launch(self, code: str, session_id: SessionId) -> None:
        """Remember the launch code of a session for ten minutes."""
        ...

    async def launch(self, code: str, *, shown: str, given: str) -> "OpenedLaunch | None":
        """Open a launch page; the browser that does so first keeps it. MUST be atomic.

        Args:
            code: of the page.
            shown: the secret that the browser shows; empty for none.
            given: the secret that it gets where it is the first; empty binds none.

        Returns:
            None where there is no such code, or not any more.
        """
        ...


def editor_digest(ref: EditorRef | None, address: str) -> str:
    """Name an editor, and the server of it that a file was given to.

    Args:
        ref: the session's editor; None for none.
        address: of the server; empty where the editor is no pool.
    """
    return _digest(ref.scope, ref.name, address)[:12] if ref else ""


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
