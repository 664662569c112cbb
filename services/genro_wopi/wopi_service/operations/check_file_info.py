"""CheckFileInfo: what the file is, and what this session may do with it.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/checkfileinfo
"""

import base64
import hashlib
from urllib.parse import urlsplit

from genro_wopi.domain.files import Head, KnownHead
from genro_wopi.domain.paths import base_name, extension_of
from genro_wopi.domain.sessions import Admission, Permission, Purpose, Session
from genro_wopi.protocol.check_file_info import FileFacts, PropertyValue, check_file_info
from genro_wopi.wopi_service.operations.host import EditorRequest, Host, admit, existing


async def answer_check_file_info(
    host: Host, request: EditorRequest
) -> tuple[dict[str, PropertyValue], Session]:
    """Return the answer and the session that asked.

    Raises:
        NotFoundError: the file is not in its storage any more.
        StorageFaultError: the storage does not answer.
    """
    admission = await admit(host, request, Purpose.CHECK)
    _, head = await existing(host, admission.file)
    known = await known_head(host, admission, head)
    session = admission.session
    return check_file_info(_facts(host, admission, known), session.kind), session


async def known_head(
    host: Host, admission: Admission, head: Head, *, reader: str = ""
) -> KnownHead:
    """Return the registered head; a second round trip only where the storage shows another one."""
    registered = admission.file.head
    if registered is not None and registered.fingerprint == head.fingerprint:
        return registered
    return await host.registry.observe(
        admission.file.file_id, head, reader=reader, deadline_s=host.deadline(3.0)
    )


def _facts(host: Host, admission: Admission, head: KnownHead) -> FileFacts:
    session, options = admission.session, admission.session.options
    path, crumb = admission.file.path, admission.session.options.breadcrumb
    extension = extension_of(path)
    origin = urlsplit(host.public_url)
    return FileFacts(
        base_name=base_name(path),
        extension=f".{extension}" if extension else "",
        owner_id=session.tenant_id,
        size_bytes=head.size_bytes,
        version=head.version,
        last_modified_us=head.last_modified_us,
        sha256_base64=_base64(head.sha256),
        user_id=user_id(session),
        user_name=session.user or session.account,
        is_anonymous=options.is_anonymous,
        is_admin=options.is_admin,
        can_edit=session.can_edit,
        can_comment=Permission.COMMENT in session.permissions,
        can_review=Permission.REVIEW in session.permissions,
        watermark_text=options.watermark_text,
        post_message_origin=options.post_message_origin or f"{origin.scheme}://{origin.netloc}",
        close_url=options.close_url,
        host_edit_url=options.host_edit_url,
        host_view_url=options.host_view_url,
        file_sharing_url=options.file_sharing_url,
        breadcrumb_brand_name=crumb.brand_name,
        breadcrumb_brand_url=crumb.brand_url,
        breadcrumb_folder_name=crumb.folder_name,
        breadcrumb_folder_url=crumb.folder_url,
        breadcrumb_doc_name=crumb.doc_name,
        user_extra_info=options.user_extra_info,
        template_source=options.template_source,
        disable_print=options.disable_print,
        disable_export=options.disable_export,
        disable_copy=options.disable_copy,
        hide_print_option=options.hide_print_option,
        hide_save_option=options.hide_save_option,
        hide_export_option=options.hide_export_option,
        enable_owner_termination=options.enable_owner_termination,
    )


def user_id(session: Session) -> str:
    """Return an id that is stable for the person and never a name; anonymous: for the session."""
    if session.options.is_anonymous:
        return f"anonymous-{_digest(session.session_id)}"
    if session.user_id:
        return session.user_id
    return f"u-{_digest(session.tenant_id, session.account, session.user)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _base64(hexadecimal: str) -> str | None:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode() if hexadecimal else None
