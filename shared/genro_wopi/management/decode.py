"""Parameters of a request to its Struct, with every wrong field named at once."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from genro_wopi.domain.errors import FieldError, InvalidFieldsError, InvalidRequestError
from genro_wopi.domain.foreign_json import decode_json

T = TypeVar("T", bound=msgspec.Struct)


def decode_json_object(body: bytes) -> dict[str, Any]:
    """Read a JSON body; an empty one is an empty object.

    Raises:
        InvalidRequestError: it is not a JSON object.
    """
    if not body.strip():
        return {}
    try:
        return decode_json(body, dict[str, Any])
    except msgspec.DecodeError as error:
        raise InvalidRequestError(f"The body must be a JSON object: {error}.") from error


def convert_request(values: Mapping[str, Any], kind: type[T], *, from_text: bool) -> T:
    """Convert parameters to a request.

    Args:
        values: by name.
        kind: the request's Struct.
        from_text: values of the query are text and may be numbers or booleans.

    Raises:
        InvalidFieldsError: fields are missing, unknown or wrong; all of them.
    """
    errors: list[FieldError] = []
    converted: dict[str, Any] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    errors += [
        FieldError(name, f"unknown; use {', '.join(sorted(fields))}")
        for name in values
        if name not in fields
    ]
    for name, field in fields.items():
        if name not in values:
            if field.required:
                errors.append(FieldError(name, "it is missing"))
            continue
        try:
            converted[field.name] = msgspec.convert(values[name], field.type, strict=not from_text)
        except msgspec.ValidationError as error:
            errors.append(FieldError(name, _readable(error)))
    if not errors:
        try:
            request = kind(**converted)
        except ValueError as error:
            errors.append(FieldError("body", str(error)))
        else:
            return request
    raise InvalidFieldsError(tuple(errors))


def _readable(error: msgspec.ValidationError) -> str:
    text = str(error).replace(" - at `$", " at `").replace("`$.", "`")
    return text[:1].lower() + text[1:]
