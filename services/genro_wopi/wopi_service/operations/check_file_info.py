"""CheckFileInfo: what the file is, and what this session may do with it.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/checkfileinfo
"""

import base64
from collections.abc import Mapping
from typing import Final

import msgspec

from genro_wopi.domain.files import FileRecord, Head, KnownHead
from genro_wopi.domain.host_urls import HostUrls, filled_url
from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.domain.paths import base_name, extension_of
from genro_wopi.domain.private_info import PrivateInfo, open_private_info
from genro_wopi.domain.reach import Right, may
from genro_wopi.domain.sessions import Admission, Permission, Purpose
from genro_wopi.domain.templates import filled
from genro_wopi.domain.tenants import Tenant
from genro_wopi.protocol.check_file_info import (
    EditorKind,
    FileFacts,
    PropertyValue,
    check_file_info,
)
from genro_wopi.protocol.times import format_us
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.host import (
    CHECK_PATIENCE_S,
    READ_PATIENCE_S,
    Host,
    existing,
    patiently,
)

FILE_URL_LIFE_S: Final = 300
"""An editor reads the file right after it asked about it."""


async def answer_check_file_info(host: Host, request: EditorRequest) -> dict[str, PropertyValue]:
    """Return the answer.

    Raises:
        NotFoundError: the file is not in its storage any more.
        UnavailableError, StorageFaultError: Redis or the storage stayed away.
    """
    deadline_s = host.deadline(CHECK_PATIENCE_S)
    return await patiently(host, deadline_s, lambda: _answer(host, request))


async def _answer(host: Host, request: EditorRequest) -> dict[str, PropertyValue]:
    admission = await admit(host, request, Purpose.CHECK)
    node, head = await existing(host, admission.file)
    known = await known_head(host, admission, head)
    session = admission.session
    tenant = await host.directory.tenant(session.tenant_id)
    file_url = await node.presigned_url(life_s=FILE_URL_LIFE_S)
    if file_url is not None:
        await host.sessions.hand_out(session, known.version, admission.asker)
    facts = _facts(host, tenant, admission, known, file_url)
    return check_file_info(facts, session.kind)


async def known_head(
    host: Host, admission: Admission, head: Head, *, reads: bool = False
) -> KnownHead:
    """Return the registered head; a second round trip only where the storage shows another one."""
    registered = admission.file.head
    if registered is not None and registered.fingerprint == head.fingerprint:
        return registered
    return await host.registry.observe(
        admission.file.file_id,
        head,
        reader=admission.session.session_id if reads else "",
        editor=admission.asker.editor,
        loads=admission.asker.loads,
        deadline_s=host.deadline(READ_PATIENCE_S),
    )


def share_urls(tenant: Tenant, admission: Admission) -> dict[str, str]:
    """Return the addresses that the person may give to others, by X-WOPI-UrlType."""
    urls = tenant.host_urls
    templates = {"ReadOnly": urls.share_url_read_only}
    if admission.session.can_edit:
        templates["ReadWrite"] = urls.share_url_read_write
    return _filled(templates, admission)


async def new_file_urls(host: Host, admission: Admission, file: FileRecord) -> dict[str, str]:
    """Return HostViewUrl and HostEditUrl of another file, as far as the tenant has templates."""
    urls = (await host.directory.tenant(admission.session.tenant_id)).host_urls
    templates = {"HostViewUrl": urls.host_view_url, "HostEditUrl": urls.host_edit_url}
    return _filled(templates, msgspec.structs.replace(admission, file=file))


def _filled(templates: Mapping[str, str | None], admission: Admission) -> dict[str, str]:
    """Fill the templates that there are."""
    given = {name: template for name, template in templates.items() if template}
    if not given:
        return given
    session, path = admission.session, admission.file.path
    values = {
        "tenant_id": tenant_name(session.tenant_id),
        "storage_name": session.storage_name,
        "file_path": path,
        "file_name": base_name(path),
        "file_id": admission.file.file_id,
        "session_id": session.session_id,
        "user_id": session.person,
    }
    return {name: filled_url(template, values) for name, template in given.items()}


def _host_urls(urls: HostUrls, admission: Admission) -> dict[str, str]:
    """Return the addresses of the tenant's templates, but the session's own where it has them."""
    options = admission.session.options
    crumb = options.breadcrumb
    own = {
        "close_url": options.close_url,
        "host_edit_url": options.host_edit_url,
        "host_view_url": options.host_view_url,
        "file_sharing_url": options.file_sharing_url,
        "breadcrumb_brand_url": crumb.brand_url,
        "breadcrumb_folder_url": crumb.folder_url,
    }
    templates = {name: getattr(urls, name) for name, url in own.items() if not url}
    return _filled(templates, admission) | {name: url for name, url in own.items() if url}


def _facts(
    host: Host, tenant: Tenant, admission: Admission, head: KnownHead, file_url: str | None
) -> FileFacts:
    session, options = admission.session, admission.session.options
    path, can_edit = admission.file.path, session.can_edit
    urls, crumb = _host_urls(tenant.host_urls, admission), options.breadcrumb
    extension = extension_of(path)
    private = PrivateInfo()
    if session.private_info and session.kind is EditorKind.COLLABORA:
        private = open_private_info(host.ring, session.tenant_id, session.private_info)
    return FileFacts(
        presentation=options,
        base_name=base_name(path),
        extension=f".{extension}" if extension else "",
        owner_id=tenant_name(session.tenant_id),
        size_bytes=head.size_bytes,
        version=head.version,
        last_modified_us=head.last_modified_us,
        sha256_base64=_base64(head.sha256),
        user_id=session.person,
        user_name=session.user or session.account,
        can_edit=can_edit,
        can_write_relative=may(session, Right.COPY),
        can_rename=may(session, Right.RENAME),
        can_delete=may(session, Right.DELETE),
        has_containers=may(session, Right.LIST),
        user_info=admission.status.user_info or None,
        share_url_types=sorted(share_urls(tenant, admission)),
        can_comment=Permission.COMMENT in session.permissions,
        can_review=Permission.REVIEW in session.permissions,
        watermark_text=_watermark(host, admission),
        post_message_origin=options.post_message_origin or host.public_origin,
        close_url=urls.get("close_url"),
        host_edit_url=urls.get("host_edit_url"),
        host_view_url=urls.get("host_view_url"),
        file_sharing_url=urls.get("file_sharing_url"),
        breadcrumb_brand_name=crumb.brand_name or tenant.host_urls.breadcrumb_brand_name,
        breadcrumb_brand_url=urls.get("breadcrumb_brand_url"),
        breadcrumb_folder_name=crumb.folder_name,
        breadcrumb_folder_url=urls.get("breadcrumb_folder_url"),
        breadcrumb_doc_name=crumb.doc_name,
        file_url=file_url,
        user_private_info=private.user,
        server_private_info=private.server,
    )


def _watermark(host: Host, admission: Admission) -> str | None:
    template = admission.session.options.watermark_text
    if not template:
        return None
    session = admission.session
    values = {
        "user": session.user or session.account,
        "date": format_us(host.clock.now_us())[: len("2026-02-01")],
        "file": base_name(admission.file.path),
    }
    return filled(template, values)


def _base64(hexadecimal: str) -> str | None:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode() if hexadecimal else None
