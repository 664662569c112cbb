"""What an event says to those who consume it, whichever way it reaches them."""

from typing import Final

from genro_wopi.adapters.tracing import TRACEPARENT
from genro_wopi.domain.events import Event
from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.protocol.times import format_us

_NUMBERS: Final = frozenset({"size"})
_BOOLEANS: Final = frozenset({"is_autosave", "is_exit_save", "is_modified_by_user", "forced"})
_LITERALS: Final = {"true": True, "false": False, "null": None}


def payload(event: Event) -> dict[str, object]:
    """Build what consumers read, with the names of the callback's fields."""
    context = event.context
    fields: dict[str, object] = {
        "event": event.name,
        "event_id": event.event_id,
        "tenant_id": tenant_name(context.tenant_id),
        "sequence": event.sequence,
        "attempt": event.attempt,
        "session_id": context.session_id,
        "file_id": context.file_id,
        "storage_name": context.storage_name,
        "file_path": event.file_path,
        "account": context.account,
        "user": context.user,
        "origin_connection_id": context.origin_connection_id,
        "origin_page_id": context.origin_page_id,
        "timestamp": format_us(event.at_us),
    }
    for name, value in event.details.items():
        if name != TRACEPARENT:
            fields |= _detail(name, value)
    return fields


def _detail(name: str, value: str) -> dict[str, object]:
    if name.endswith("_us"):
        return {name.removesuffix("_us"): format_us(int(value))}
    if name in _NUMBERS:
        return {name: int(value)}
    if name in _BOOLEANS:
        return {name: _LITERALS[value]}
    if name == "editors":
        return {name: value.split(",") if value else []}
    return {name: value}
