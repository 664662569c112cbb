"""Ecosystem and bootstrapper: how an editor finds containers without a file, and trades tokens.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/ecosystem/checkecosystem
"""

import msgspec

from genro_wopi.domain.access_tokens import Grant
from genro_wopi.domain.errors import InvalidRequestError, NotFoundError
from genro_wopi.domain.identifiers import FILE_ID, FileId
from genro_wopi.domain.reach import Right, may, reaches, require
from genro_wopi.domain.sessions import Admission, Purpose
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.host import Host


class NewToken(msgspec.Struct, frozen=True, rename={"token": "AccessToken"}):
    """A token for another file or container of the session's folder."""

    token: str
    expiry_ms: int = msgspec.field(name="AccessTokenExpiry")


async def check_ecosystem(host: Host, request: EditorRequest) -> dict[str, object]:
    """Say what this host supports beside files."""
    admission = await admit(host, request, Purpose.CHECK)
    return {"SupportsContainers": may(admission.session, Right.LIST)}


async def bootstrap(host: Host, request: EditorRequest) -> tuple[Admission, dict[str, object]]:
    """Say who the person is and where the ecosystem is."""
    admission = await admit(host, request, Purpose.CHECK)
    session = admission.session
    return admission, {
        "EcosystemUrl": f"{host.src_url}/wopi/ecosystem?access_token={request.token}",
        "UserId": session.person,
        "SignInName": session.account,
        "UserFriendlyName": session.user or session.account,
    }


async def new_access_token(host: Host, request: EditorRequest, wopi_src: str) -> NewToken:
    """Trade a token for one of another file of the session's folder.

    Raises:
        InvalidRequestError: X-WOPI-WopiSrc is missing or no address of this host.
        NotFoundError: the session cannot reach such a file.
        UnsupportedOperationError: the session sees no containers.
    """
    admission = await admit(host, request, Purpose.CHECK)
    require(admission.session, Right.LIST)
    path = wopi_src.partition("?")[0]
    for kind in ("files", "containers"):
        prefix = f"{host.src_url}/wopi/{kind}/"
        file_id = path.removeprefix(prefix)
        if path.startswith(prefix) and FILE_ID.fullmatch(file_id):
            break
    else:
        raise InvalidRequestError("X-WOPI-WopiSrc must name a file or container of this host.")
    record = await host.registry.record(FileId(file_id))
    is_container = kind == "containers"
    if record is None or record.is_folder != is_container:
        raise NotFoundError("There is no such file.")
    if not reaches(admission.session, record):
        raise NotFoundError("There is no such file.")
    grant = Grant.CONTAINER if is_container else Grant.LISTED
    traded = await host.trader.trade(
        admission.session.session_id, [record.file_id], grant, address=admission.asker.editor
    )
    return NewToken(traded.tokens[0], traded.expires_us // 1000)
