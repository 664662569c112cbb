"""One declaration, five faces: HTTP, OpenAPI, client, command line, audit; all have the same."""

from typing import Any

import click
import msgspec
import pytest

from genro_wopi.cli.main import build
from genro_wopi.cli.parameters import parameters
from genro_wopi.client.api import ApiClient
from genro_wopi.client.blocking import BlockingClient
from genro_wopi.client.names import groups, python_name
from genro_wopi.gateway.operations.audit import is_audited
from genro_wopi.gateway.routes.api import api_routes
from genro_wopi.gateway.routes.handlers import HANDLERS
from genro_wopi.management.catalog import ALIASES, OPERATIONS
from genro_wopi.management.decode import convert_request
from genro_wopi.management.examples import example_of
from genro_wopi.management.openapi import openapi_document
from genro_wopi.management.operation import Content, Operation, Owner
from genro_wopi.session_service.routes import OPERATIONS as SESSION_OPERATIONS

NAMES = {operation.name for operation in OPERATIONS}


def test_every_operation_has_a_route() -> None:
    served = {
        str(route.name).partition(" ")[0]
        for route in api_routes()
        if str(route.name).partition(" ")[2] not in ALIASES
    }
    assert served == NAMES


def test_every_operation_is_carried_out_by_one_service() -> None:
    assert set(HANDLERS) == {o.name for o in OPERATIONS if o.owner is Owner.GATEWAY}
    declared = {o.name: o.request for o in OPERATIONS if o.owner is Owner.SESSION_SERVICE}
    assert declared == {name: kind for name, (kind, _) in SESSION_OPERATIONS.items()}


def test_every_operation_is_described() -> None:
    document = openapi_document(version="1", server_url="http://x")
    entries = [entry for path in document["paths"].values() for entry in path.values()]
    assert {entry["operationId"] for entry in entries} == NAMES
    assert all(entry["summary"] for entry in entries)


async def test_every_operation_is_a_method_of_both_clients() -> None:
    async with ApiClient("http://x", "t") as client:
        named = {
            f"{group}.{verb}"
            for group in groups(client.call)
            for verb in dir(getattr(client, group))
        }
    assert named == {python_name(name) for name in NAMES}
    with BlockingClient("http://x", "t") as blocking:
        assert {
            f"{g}.{v}" for g in groups(blocking.call) for v in dir(getattr(blocking, g))
        } == named


def test_every_operation_is_a_command() -> None:
    root = build()
    commands = {
        f"{name}.{verb}"
        for name, group in root.commands.items()
        if isinstance(group, click.Group)
        for verb in group.commands
    }
    assert commands & NAMES == NAMES
    assert commands - NAMES == {"keys.add", "keys.rotate"}


def test_no_option_means_two_things() -> None:
    for group in build().commands.values():
        for command in group.commands.values() if isinstance(group, click.Group) else [group]:
            said = [word for option in command.params for word in option.opts]
            assert len(said) == len(set(said)), command.name


def test_every_change_is_audited() -> None:
    unaudited = {o.name for o in OPERATIONS if not is_audited(o)}
    assert unaudited == {
        o.name for o in OPERATIONS if o.method == "GET" and o.content is not Content.DOWNLOAD
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_every_example_is_a_request(operation: Operation[Any, Any]) -> None:
    convert_request(example_of(operation), operation.request, from_text=False)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
def test_every_field_can_be_said_on_the_command_line(operation: Operation[Any, Any]) -> None:
    words = {word.name for word in parameters(operation)} | {"tenant_id"}
    fields = {f.encode_name for f in msgspec.structs.fields(operation.request)}
    assert fields <= words
