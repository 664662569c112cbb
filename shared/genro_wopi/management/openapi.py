"""The OpenAPI 3.1 document, made from the declarations."""

import re
from typing import Any, Final

import msgspec

from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.examples import example_of
from genro_wopi.management.field_docs import field_docs
from genro_wopi.management.operation import Access, Content, Nothing, Operation

_PARAMETER: Final = re.compile(r"{(\w+)}")
_REFERENCE: Final = "#/components/schemas/{name}"
_ERRORS: Final = {
    "400": "It cannot be read: no JSON object, a body that ended early, a bad header.",
    "401": "No token, or one that does not count.",
    "403": "The caller may not do this.",
    "404": "No such thing for this caller.",
    "409": "It is taken, or in a state that forbids this.",
    "422": "Fields are missing or wrong; all of them are named.",
    "429": "Too many requests with this key.",
    "503": "A part of the host does not answer; try again.",
}
_OF_REVISIONS: Final = {"412": "It was changed since you read it."}
_OF_BODIES: Final = {"413": "The body is larger than the operation takes."}
_OF_UPLOADS: Final = {
    "412": "The file is not the one of If-Match, or exists where If-None-Match is *.",
    "413": "It is larger than this host takes.",
    "507": "There is no room for it.",
}
_OF_DOWNLOADS: Final = {"416": "The file is shorter than the range."}
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A request that is sent again with the same key is not carried out again.",
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[ -~]*$"},
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "Only where it still has this revision, as `ETag` said.",
    "schema": {"type": "string", "pattern": '^"[0-9]{1,18}"$'},
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
    docs, example = field_docs(operation.request), example_of(operation)
    every = {k: _described(v, docs.get(k)) for k, v in schema.get("properties", {}).items()}
    rest = {k: v for k, v in every.items() if k not in in_path}
    entry: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.name.partition(".")[0]],
        "parameters": [
            _parameter(n, "path", {"type": "string", "minLength": 1}, example.get(n))
            for n in in_path
        ],
        "responses": _responses(operation),
    }
    if operation.access is Access.ADMIN:
        entry["description"] = "Needs the admin token."
    else:
        entry["description"] = _scope_needed(operation.scope)
        entry["security"] = [{"bearer": [] if operation.scope == "any" else [operation.scope]}]
    if operation.reads_query:
        entry["parameters"] += [
            _parameter(n, "query", s, example.get(n), is_required=n in required)
            for n, s in rest.items()
        ]
    elif rest:
        body: dict[str, Any] = {"type": "object", "properties": rest, "additionalProperties": False}
        body["required"] = [n for n in required if n not in in_path]
        shown = {k: v for k, v in example.items() if k not in in_path}
        content = {"application/json": {"schema": body, "example": shown}}
        entry["requestBody"] = {"content": content}
    if operation.content is Content.UPLOAD:
        entry["requestBody"] = {"required": True, "content": _BINARY}
    if operation.method == "POST" and operation.content is Content.JSON:
        entry["parameters"].append(_IDEMPOTENCY)
    if "if_revision" in rest:
        entry["parameters"].append(_IF_MATCH)
    return entry


def _scope_needed(scope: str) -> str:
    if scope == "any":
        return "Any API key, or the admin token."
    return f"An API key with the scope {scope!r} (or 'all'), or the admin token."


def _described(schema: dict[str, Any], text: str | None) -> dict[str, Any]:
    return schema if text is None else {**schema, "description": text}


def _parameter(
    name: str, place: str, schema: dict[str, Any], example: object, *, is_required: bool = True
) -> dict[str, Any]:
    shown = {} if example is None else {"example": example}
    return {"name": name, "in": place, "required": is_required, "schema": schema, **shown}


def _responses(operation: Operation[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if operation.content is Content.DOWNLOAD:
        success["content"] = _BINARY
    elif operation.response is not Nothing:
        reference = {"$ref": _REFERENCE.format(name=operation.response.__name__)}
        success["content"] = {"application/json": {"schema": reference}}
    found = {str(operation.status): success}
    if operation.status == 201:  # noqa: PLR2004 - Created
        found["200"] = {**success, "description": "Replaced, or what the first request got."}
    if operation.content is Content.DOWNLOAD:
        found["206"] = {**success, "description": "The part that Range asked for."}
    problem = {"schema": {"$ref": _REFERENCE.format(name="Problem")}}
    return found | {
        status: {"description": text, "content": {"application/problem+json": problem}}
        for status, text in sorted(_errors_of(operation).items())
    }


def _errors_of(operation: Operation[Any, Any]) -> dict[str, str]:
    found = dict(_ERRORS)
    if operation.method in {"POST", "PUT", "PATCH"}:
        found |= _OF_BODIES
    if "if_revision" in operation.request.__struct_fields__:
        found |= _OF_REVISIONS
    if operation.content is Content.UPLOAD:
        found |= _OF_UPLOADS
    if operation.content is Content.DOWNLOAD:
        found |= _OF_DOWNLOADS
    return found


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
