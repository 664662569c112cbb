"""The OpenAPI 3.1 document, made from the declarations."""

import re
from typing import Any, Final

import msgspec

from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.operation import Access, Content, Nothing, Operation

_PARAMETER: Final = re.compile(r"{(\w+)}")
_REFERENCE: Final = "#/components/schemas/{name}"
_ERRORS: Final = {
    "401": "No token, or one that does not count.",
    "403": "The caller may not do this.",
    "404": "No such thing for this caller.",
    "409": "It is taken, or in a state that forbids this.",
    "422": "Fields are missing or wrong; all of them are named.",
    "503": "A part of the host does not answer; try again.",
}
_BINARY: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def openapi_document(*, version: str, server_url: str) -> dict[str, Any]:
    """Build the document for all operations."""
    types = [t for o in OPERATIONS for t in (o.request, o.response)]
    _, components = msgspec.json.schema_components(
        types, schema_hook=_any_value, ref_template=_REFERENCE
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        entry = _entry(operation, components)
        paths.setdefault(operation.path, {})[operation.method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {"title": "genro-wopi", "version": version, "description": "WOPI host"},
        "servers": [{"url": server_url}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components | {"Problem": _PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _any_value(_type: type) -> dict[str, Any]:
    """Describe `object`: any JSON value, as in ``user_extra_info``."""
    return {"description": "Any JSON value."}


def _entry(operation: Operation[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    in_path = _PARAMETER.findall(operation.path)
    schema = components[operation.request.__name__]
    required = schema.get("required", [])
    rest = {k: v for k, v in schema.get("properties", {}).items() if k not in in_path}
    entry: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.name.partition(".")[0]],
        "parameters": [_parameter(n, "path", {"type": "string"}) for n in in_path],
        "responses": _responses(operation),
    }
    if operation.access is Access.ADMIN:
        entry["description"] = "Needs the admin token."
    if operation.reads_query:
        entry["parameters"] += [
            _parameter(n, "query", s, is_required=n in required) for n, s in rest.items()
        ]
    elif rest:
        body: dict[str, Any] = {"type": "object", "properties": rest, "additionalProperties": False}
        body["required"] = [n for n in required if n not in in_path]
        entry["requestBody"] = {"content": {"application/json": {"schema": body}}}
    if operation.content is Content.UPLOAD:
        entry["requestBody"] = {"required": True, "content": _BINARY}
    return entry


def _parameter(
    name: str, place: str, schema: dict[str, Any], *, is_required: bool = True
) -> dict[str, Any]:
    return {"name": name, "in": place, "required": is_required, "schema": schema}


def _responses(operation: Operation[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if operation.content is Content.DOWNLOAD:
        success["content"] = _BINARY
    elif operation.response is not Nothing:
        reference = {"$ref": _REFERENCE.format(name=operation.response.__name__)}
        success["content"] = {"application/json": {"schema": reference}}
    problem = {"schema": {"$ref": _REFERENCE.format(name="Problem")}}
    errors = {
        status: {"description": text, "content": {"application/problem+json": problem}}
        for status, text in _ERRORS.items()
    }
    return {str(operation.status): success, **errors}


_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
