"""What the operations on sessions work with: ports, and how sessions and tokens are shown."""

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims, TokenSigner, TokenVerifier
from genro_wopi.domain.budgets import Budgets
from genro_wopi.domain.callers import Caller
from genro_wopi.domain.clock import Clock
from genro_wopi.domain.editors import EditorDirectory
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.files import FileRegistry
from genro_wopi.domain.identifiers import SessionId, tenant_name
from genro_wopi.domain.instance import InstanceStore
from genro_wopi.domain.secrets import Secret, SecretRing
from genro_wopi.domain.sessions import TOKEN_AFTER_MS, SessionStatus, SessionStore
from genro_wopi.domain.storages import StorageOpener
from genro_wopi.domain.tenants import Directory, TenantFinder
from genro_wopi.domain.timeline import Timeline
from genro_wopi.management.sessions import SessionRenewed, SessionView
from genro_wopi.protocol.times import format_us


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the session-service."""

    instances: InstanceStore
    sessions: SessionStore
    budgets: Budgets
    registry: FileRegistry
    tenants: TenantFinder
    directory: Directory
    storages: StorageOpener
    editors: EditorDirectory
    signer: TokenSigner
    verifier: TokenVerifier
    ring: SecretRing
    timeline: Timeline
    clock: Clock
    public_url: str
    src_url: str

    def wopi_src(self, file_id: str) -> str:
        """Return the file's one address, as editors call it."""
        return f"{self.src_url}/wopi/files/{file_id}"

    def token(self, status: SessionStatus) -> Secret:
        """Sign an access token for the server of its editor that the session was given to last.

        It lives longer than the session can. Whether an ended session may still do something is
        decided where its state is; a token that ended with it would turn the last save away.
        """
        session = status.session
        editor = session.editor
        return self.signer.sign(
            AccessClaims(
                session_id=session.session_id,
                file_id=session.file_id,
                tenant_id=session.tenant_id,
                editor=f"{editor.scope}/{editor.name}" if editor else "",
                editor_kind=editor.kind if editor else "",
                is_unsigned=editor.is_unsigned if editor else False,
                can_edit=session.can_save,
                user=session.user or session.account,
                expires_us=status.ends_us + TOKEN_AFTER_MS * 1000,
                address=status.server,
            )
        )


async def session_of(
    desk: Desk, caller: Caller, session_id: str, tenant_id: str | None
) -> SessionStatus:
    """Return a session that the caller may see.

    Raises:
        NotFoundError: there is none, or it is another tenant's.
    """
    status = await desk.sessions.get(SessionId(session_id))
    if status is not None and caller.reaches(status.session.tenant_id, tenant_id):
        return status
    raise NotFoundError("There is no such session; it may have ended more than an hour ago.")


def view(status: SessionStatus) -> SessionView:
    """Show a session without its token."""
    session = status.session
    return SessionView(
        session_id=session.session_id,
        file_id=session.file_id,
        tenant_id=tenant_name(session.tenant_id),
        storage_name=session.storage_name,
        file_path=session.file_path,
        permissions=list(session.permissions),
        account=session.account,
        user=session.user or None,
        user_id=session.user_id or None,
        editor=session.editor.name if session.editor else None,
        notes=list(session.editor_notes),
        state=status.state,
        opened=status.opened,
        created_at=format_us(session.created_us),
        expires_at=format_us(status.expires_us),
        ends_at=format_us(status.ends_us),
    )


def renewed_view(desk: Desk, status: SessionStatus) -> SessionRenewed:
    """Show a session's new life with a new token."""
    return SessionRenewed(
        session_id=status.session.session_id,
        access_token=desk.token(status).reveal(),
        access_token_ttl=status.ends_us // 1000,
        expires_at=format_us(status.expires_us),
    )
