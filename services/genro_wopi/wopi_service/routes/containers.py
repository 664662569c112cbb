"""The addresses of containers."""

from typing import Final

from genro_wopi.domain.identifiers import FileId
from genro_wopi.protocol import headers as names
from genro_wopi.wopi_service.exchange import TEXT, Exchange, Reply, json_reply
from genro_wopi.wopi_service.operations import containers, people
from genro_wopi.wopi_service.routes.ecosystem import ecosystem_pointer
from genro_wopi.wopi_service.routes.reading import Handler, editor_request, header, target
from genro_wopi.wopi_service.service import WopiService


async def _check(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    request = editor_request(exchange, file_id)
    return json_reply(await containers.check_container_info(service.host, request))


async def _children(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    listed = (header(exchange, names.EXTENSION_FILTER) or "").split(",")
    extensions = [e.strip().lstrip(".").lower() for e in listed if e.strip()]
    request = editor_request(exchange, file_id)
    return json_reply(await containers.children(service.host, request, extensions))


async def _ancestry(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    found = await containers.ancestors(service.host, editor_request(exchange, file_id))
    return json_reply({"AncestorsWithRootFirst": found})


async def _create_child_file(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    request = editor_request(exchange, file_id)
    made = await containers.create_child_file(service.host, request, target(exchange))
    return json_reply({"Name": made.name, "Url": made.url, **made.host_urls})


async def _create_child_container(
    service: WopiService, exchange: Exchange, file_id: FileId
) -> Reply:
    request = editor_request(exchange, file_id)
    pointer, info = await containers.create_child_container(service.host, request, target(exchange))
    return json_reply({"ContainerPointer": pointer, "ContainerInfo": info})


async def _delete(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    await containers.delete_container(service.host, editor_request(exchange, file_id))
    return Reply(headers=TEXT)


async def _rename(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    requested = header(exchange, names.REQUESTED_NAME) or ""
    request = editor_request(exchange, file_id)
    return json_reply({"Name": await containers.rename_container(service.host, request, requested)})


async def _get_share_url(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    url_type = header(exchange, names.URL_TYPE) or ""
    request = editor_request(exchange, file_id)
    return json_reply({"ShareUrl": await people.get_share_url(service.host, request, url_type)})


ROUTES: Final[dict[tuple[str, str], tuple[str, Handler]]] = {
    ("GET", ""): ("check_container_info", _check),
    ("GET", "children"): ("enumerate_children", _children),
    ("GET", "ancestry"): ("enumerate_ancestors", _ancestry),
    ("GET", "ecosystem_pointer"): ("get_ecosystem", ecosystem_pointer),
}
"""Handlers by method and what follows the container's id."""

OVERRIDES: Final[dict[str, Handler]] = {
    names.ContainerOverride.CREATE_CHILD_FILE: _create_child_file,
    names.ContainerOverride.CREATE_CHILD_CONTAINER: _create_child_container,
    names.ContainerOverride.DELETE_CONTAINER: _delete,
    names.ContainerOverride.RENAME_CONTAINER: _rename,
    names.ContainerOverride.GET_SHARE_URL: _get_share_url,
}
"""Handlers of ``POST /wopi/containers/{container_id}`` by X-WOPI-Override."""
