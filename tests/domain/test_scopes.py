"""What an API key is for: every operation needs a scope."""

from typing import Any

import pytest

from genro_wopi.domain.callers import Caller, Scope
from genro_wopi.domain.errors import ForbiddenError
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.openapi import openapi_document
from genro_wopi.management.operation import Access, Operation

FULL_KEYS_ONLY = {
    *("tenants.get", "tenants.rotate-webhook-secret"),
    *("events.replay", "events.replay-dead", "doctor.run"),
}
"""What concerns the whole tenant; everything else names a scope of its own."""

OF_TENANTS = [o for o in OPERATIONS if o.access is Access.TENANT]


@pytest.mark.parametrize("operation", OF_TENANTS, ids=lambda o: o.name)
def test_every_operation_names_its_scope(operation: Operation[Any, Any]) -> None:
    assert (operation.scope is Scope.ALL) == (operation.name in FULL_KEYS_ONLY)
    assert (operation.scope == "any") == (operation.name == "caller.get")


@pytest.mark.parametrize("operation", OF_TENANTS, ids=lambda o: o.name)
def test_what_only_looks_at_files_needs_no_right_to_change_them(
    operation: Operation[Any, Any],
) -> None:
    if operation.name.partition(".")[0] in {"files", "folders", "recovery"}:
        read_only = operation.method == "GET"
        assert operation.scope is (Scope.FILES_READ if read_only else Scope.FILES_WRITE)


def test_the_api_s_description_names_the_scope() -> None:
    document = openapi_document(version="1", server_url="http://host")
    entry = document["paths"]["/api/storages"]["post"]
    assert entry["security"] == [{"bearer": ["storages"]}]
    assert "'storages'" in entry["description"]


@pytest.mark.parametrize("has", [Scope.SESSIONS, Scope.FILES_READ])
def test_a_key_does_what_it_is_for_and_says_what_it_lacks(has: Scope) -> None:
    caller = Caller(TenantId("acme"), (has,))
    caller.require_scope(has)
    with pytest.raises(ForbiddenError, match=f"'storages'.*has: {has}"):
        caller.require_scope(Scope.STORAGES)
    Caller(TenantId("acme")).require_scope(Scope.STORAGES)
    Caller(None, ()).require_scope(Scope.STORAGES)
