"""The declarations, the gateway's handlers and OpenAPI name the same operations."""

from genro_wopi.gateway.routes.api import HANDLERS
from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.openapi import openapi_document
from genro_wopi.management.operation import Owner
from genro_wopi.session_service.routes import OPERATIONS as SESSION_OPERATIONS


def test_every_operation_has_exactly_one_handler() -> None:
    gateway = {o.name for o in OPERATIONS if o.owner is Owner.GATEWAY}
    sessions = {o.name for o in OPERATIONS if o.owner is Owner.SESSION_SERVICE}
    assert gateway == set(HANDLERS)
    assert sessions == set(SESSION_OPERATIONS)


def test_the_session_service_takes_the_declared_requests() -> None:
    declared = {o.name: o.request for o in OPERATIONS if o.owner is Owner.SESSION_SERVICE}
    assert declared == {name: kind for name, (kind, _) in SESSION_OPERATIONS.items()}


def test_openapi_describes_every_operation() -> None:
    document = openapi_document(version="1", server_url="http://x")
    described = {e["operationId"] for p in document["paths"].values() for e in p.values()}
    assert described == {o.name for o in OPERATIONS}
