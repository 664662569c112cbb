"""An example of every operation's request, by the names of its fields.

For OpenAPI, and for the tests that carry out every operation. A field means the same everywhere, so
one value for each name does; what differs is said by operation.
"""

from typing import Any, Final

import msgspec

from genro_wopi.management.operation import Operation

_BY_FIELD: Final[dict[str, Any]] = {
    "account": "sales",
    "file_path": "offers/offer.odt",
    "items": [
        {"file_id": "0aT3xQ9mBvW8kLr2NcYzEhSg", "storage_name": "docs", "path": "offers/offer.odt"}
    ],
    "kind": "collabora",
    "path": "offers/offer.odt",
    "permissions": ["view", "edit"],
    "protocol": "local",
    "storage_name": "docs",
    "url": "https://office.example.org",
    "user": "Mario Rossi",
}
"""Of required fields, and of those that make an example worth reading."""

_BY_OPERATION: Final[dict[str, dict[str, Any]]] = {
    "tenants.create": {
        "id": "acme",
        "name": "Acme",
        "client_base_url": "https://app.example.org",
        "client_auth": {"method": "bearer", "token": "…"},
    },
    "tenants.update": {"callback_events": ["document_saved"], "frame_ancestors": None},
    "api-keys.create": {"note": "new deployment", "expires_at": "2030-01-01T00:00:00Z"},
    "storages.put": {"name": "docs", "config": {"base_path": "/srv/documents/acme"}},
    "storages.update": {"versions": {"keep_count": 100}},
    "editors.put": {"name": "collabora"},
    "editors.update": {"priority": 10},
    "files.restore": {"version": "0000000000000003"},
    "files.create": {"template": "odt"},
    "folders.create": {"path": "offers/2026"},
    "instance.update": {"name": "Documents of Acme"},
    "instance.suspend": {"reason": "Back at noon."},
    "locks.force-unlock": {"reason": "Its user is on holiday."},
    "events.replay-dead": {"event": "document_saved", "since": "2026-01-01T00:00:00Z"},
    "audit.purge": {"before": "2026-01-01T00:00:00Z"},
    "registry.import": {},
    "sessions.create": {"origin_connection_id": "conn_abc123", "ttl_seconds": 3600},
    "configuration.apply": {
        "tenants": [{"id": "acme", "client_base_url": "https://app.example.org"}],
        "dry_run": True,
    },
}

_IN_PATH: Final[dict[str, str]] = {
    "audit_id": "1767225600000-0",
    "event_id": "evt_0a_1767225600000_0",
    "file_id": "0aT3xQ9mBvW8kLr2NcYzEhSg",
    "key_id": "3f9c1a7be204",
    "name": "docs",
    "recovery_id": "20260101T103000123456-0aT3xQ9mBvW8",
    "session_id": "0aR7vK2pXnQ5sTz8MbWyLcHd",
    "tenant_id": "acme",
}

_OPTIONAL: Final = {"sessions.create": ("user",)}


def example_of(operation: Operation[Any, Any]) -> dict[str, Any]:
    """Return an example of an operation's request; every required field is in it."""
    own = _BY_OPERATION.get(operation.name, {})
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(operation.request):
        name = field.encode_name
        if name in own:
            found[name] = own[name]
        elif field.required or name in _OPTIONAL.get(operation.name, ()):
            in_path = f"{{{name}}}" in operation.path
            found[name] = _IN_PATH[name] if in_path or name not in _BY_FIELD else _BY_FIELD[name]
    return found
