"""CheckFileInfo: what the file is, and what this session may do with it.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/checkfileinfo
"""

import base64
from urllib.parse import urlsplit

import msgspec

from genro_wopi.domain.files import FileRecord, Head, KnownHead
from genro_wopi.domain.host_urls import filled
from genro_wopi.domain.paths import base_name, extension_of
from genro_wopi.domain.sessions import Admission, Permission, Purpose
from genro_wopi.domain.tenants import Tenant
from genro_wopi.protocol.check_file_info import FileFacts, PropertyValue, check_file_info
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.host import Host, existing


async def answer_check_file_info(host: Host, request: EditorRequest) -> dict[str, PropertyValue]:
    """Return the answer.

    Raises:
        NotFoundError: the file is not in its storage any more.
        StorageFaultError: the storage does not answer.
    """
    admission = await admit(host, request, Purpose.CHECK)
    _, head = await existing(host, admission.file)
    known = await known_head(host, admission, head)
    session = admission.session
    tenant = await host.directory.tenant(session.tenant_id)
    return check_file_info(_facts(host, tenant, admission, known), session.kind)


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


def share_urls(tenant: Tenant, admission: Admission) -> dict[str, str]:
    """Return the addresses that the person may give to others, by X-WOPI-UrlType."""
    urls = tenant.host_urls
    templates = {"ReadOnly": urls.share_url_read_only}
    if admission.session.can_edit:
        templates["ReadWrite"] = urls.share_url_read_write
    values = _values(admission)
    return {kind: filled(template, values) for kind, template in templates.items() if template}


async def new_file_urls(host: Host, admission: Admission, file: FileRecord) -> dict[str, str]:
    """Return HostViewUrl and HostEditUrl of another file, as far as the tenant has templates."""
    urls = (await host.directory.tenant(admission.session.tenant_id)).host_urls
    values = _values(msgspec.structs.replace(admission, file=file))
    templates = {"HostViewUrl": urls.host_view_url, "HostEditUrl": urls.host_edit_url}
    return {name: filled(template, values) for name, template in templates.items() if template}


def _values(admission: Admission) -> dict[str, str]:
    session, path = admission.session, admission.file.path
    return {
        "tenant_id": session.tenant_id,
        "storage_name": session.storage_name,
        "file_path": path,
        "file_name": base_name(path),
        "file_id": admission.file.file_id,
        "session_id": session.session_id,
        "user_id": session.person,
    }


def _facts(host: Host, tenant: Tenant, admission: Admission, head: KnownHead) -> FileFacts:
    session, options = admission.session, admission.session.options
    urls, values = tenant.host_urls, _values(admission)

    def url(own: str | None, template: str | None) -> str | None:
        return own or (filled(template, values) if template else None)

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
        user_id=session.person,
        user_name=session.user or session.account,
        is_anonymous=options.is_anonymous,
        is_admin=options.is_admin,
        can_edit=session.can_edit,
        can_write_relative=session.can_edit and options.can_write_relative,
        can_rename=session.can_edit and options.can_rename,
        can_delete=session.can_edit and options.can_delete,
        has_containers=options.containers,
        user_info=admission.status.user_info or None,
        share_url_types=sorted(share_urls(tenant, admission)),
        can_comment=Permission.COMMENT in session.permissions,
        can_review=Permission.REVIEW in session.permissions,
        watermark_text=options.watermark_text,
        post_message_origin=options.post_message_origin or f"{origin.scheme}://{origin.netloc}",
        close_url=url(options.close_url, urls.close_url),
        host_edit_url=url(options.host_edit_url, urls.host_edit_url),
        host_view_url=url(options.host_view_url, urls.host_view_url),
        file_sharing_url=url(options.file_sharing_url, urls.file_sharing_url),
        breadcrumb_brand_name=crumb.brand_name or urls.breadcrumb_brand_name,
        breadcrumb_brand_url=url(crumb.brand_url, urls.breadcrumb_brand_url),
        breadcrumb_folder_name=crumb.folder_name,
        breadcrumb_folder_url=url(crumb.folder_url, urls.breadcrumb_folder_url),
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


def _base64(hexadecimal: str) -> str | None:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode() if hexadecimal else None
