"""The addresses of the ecosystem and of the bootstrapper."""

from typing import Final

from genro_wopi.domain.errors import UnauthenticatedError, UnsupportedOperationError
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.sessions import Purpose
from genro_wopi.protocol import headers as names
from genro_wopi.wopi_service.exchange import TEXT, Exchange, Reply, json_reply
from genro_wopi.wopi_service.operations import ecosystem
from genro_wopi.wopi_service.operations.admission import admit
from genro_wopi.wopi_service.operations.containers import root_container
from genro_wopi.wopi_service.routes.reading import Handler, editor_request, header
from genro_wopi.wopi_service.service import WopiService

GET_ROOT_CONTAINER: Final = "GET_ROOT_CONTAINER"
GET_NEW_ACCESS_TOKEN: Final = "GET_NEW_ACCESS_TOKEN"  # noqa: S105 - an operation's name


async def ecosystem_pointer(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    """Answer GetEcosystem of a file or container."""
    request = editor_request(exchange, file_id)
    await admit(service.host, request, Purpose.CHECK)
    return json_reply(
        {"Url": f"{service.host.src_url}/wopi/ecosystem?access_token={request.token}"}
    )


async def _check(service: WopiService, exchange: Exchange, _file_id: FileId) -> Reply:
    return json_reply(await ecosystem.check_ecosystem(service.host, editor_request(exchange, None)))


async def _root_container(service: WopiService, exchange: Exchange, _file_id: FileId) -> Reply:
    _, pointer, info = await root_container(service.host, editor_request(exchange, None))
    return json_reply({"ContainerPointer": pointer, "ContainerInfo": info})


async def _operation(service: WopiService, exchange: Exchange, _file_id: FileId) -> Reply:
    if header(exchange, names.ECOSYSTEM_OPERATION) == GET_NEW_ACCESS_TOKEN:
        return json_reply({"AccessTokenInfo": await _new_token(service, exchange)})
    raise UnsupportedOperationError("Send X-WOPI-EcosystemOperation: GET_NEW_ACCESS_TOKEN.")


async def _bootstrap(service: WopiService, exchange: Exchange, _file_id: FileId) -> Reply:
    """Answer the bootstrapper; without a token it says where one is to be had."""
    operation = header(exchange, names.ECOSYSTEM_OPERATION) or ""
    try:
        _, answer = await ecosystem.bootstrap(service.host, editor_request(exchange, None))
    except UnauthenticatedError as error:
        url = service.host.public_url
        challenge = f'Bearer authorization_uri="{url}/",tokenIssuance_uri="{url}/"'
        return Reply(
            status=401,
            headers={**TEXT, "WWW-Authenticate": challenge},
            body=str(error).encode(),
        )
    found: dict[str, object] = {"Bootstrap": answer}
    if operation == GET_ROOT_CONTAINER:
        _, pointer, info = await root_container(service.host, editor_request(exchange, None))
        found["RootContainerInfo"] = {"ContainerPointer": pointer, "ContainerInfo": info}
    elif operation == GET_NEW_ACCESS_TOKEN:
        found["AccessTokenInfo"] = await _new_token(service, exchange)
    elif operation or exchange.method == "POST":
        raise UnsupportedOperationError(f"{operation!r} is not an operation of the bootstrapper.")
    return json_reply(found)


async def _new_token(service: WopiService, exchange: Exchange) -> ecosystem.NewToken:
    wopi_src = header(exchange, names.WOPI_SRC) or ""
    return await ecosystem.new_access_token(service.host, editor_request(exchange, None), wopi_src)


ROUTES: Final[dict[tuple[str, str], tuple[str, Handler]]] = {
    ("GET", ""): ("check_ecosystem", _check),
    ("GET", "root_container_pointer"): ("get_root_container", _root_container),
    ("POST", ""): ("ecosystem_operation", _operation),
}

BOOTSTRAPPER_ROUTES: Final[dict[tuple[str, str], tuple[str, Handler]]] = {
    ("GET", ""): ("bootstrap", _bootstrap),
    ("POST", ""): ("bootstrap", _bootstrap),
}
