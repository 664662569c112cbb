"""Every management operation. There is no second list."""

from typing import Any, Final

from genro_wopi.management import (
    editors,
    events,
    files,
    locks,
    recovery,
    sessions,
    storages,
    tenants,
)
from genro_wopi.management.operation import Operation

OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    tenants.TENANTS_CREATE,
    tenants.TENANTS_LIST,
    tenants.TENANTS_GET,
    tenants.TENANTS_UPDATE,
    tenants.TENANTS_DELETE,
    tenants.API_KEYS_CREATE,
    tenants.API_KEYS_LIST,
    tenants.API_KEYS_DELETE,
    tenants.WEBHOOK_SECRET_ROTATE,
    storages.STORAGES_PUT,
    storages.STORAGES_LIST,
    storages.STORAGES_GET,
    storages.STORAGES_UPDATE,
    storages.STORAGES_DELETE,
    storages.STORAGES_PROBE,
    files.FILES_LIST,
    files.FILES_CREATE,
    files.FILES_UPLOAD,
    files.FILES_DOWNLOAD,
    files.FILES_DELETE,
    files.FILES_VERSIONS,
    files.FILES_RESTORE,
    files.FOLDERS_CREATE,
    editors.EDITORS_PUT,
    editors.EDITORS_LIST,
    editors.EDITORS_UPDATE,
    editors.EDITORS_DELETE,
    editors.EDITORS_REFRESH,
    sessions.SESSIONS_CREATE,
    sessions.SESSIONS_LIST,
    sessions.SESSIONS_GET,
    sessions.SESSIONS_RENEW,
    sessions.SESSIONS_CLOSE,
    sessions.SESSIONS_REVOKE,
    sessions.SESSIONS_CLEANUP,
    events.EVENTS_LIST,
    events.EVENTS_REPLAY,
    events.EVENTS_REPLAY_DEAD,
    locks.LOCKS_LIST,
    locks.LOCKS_FORCE_UNLOCK,
    recovery.RECOVERY_LIST,
    recovery.RECOVERY_CONTENT,
    recovery.RECOVERY_RESTORE,
)

ALIASES: Final = {
    "/sessions/create": "sessions.create",
    "/sessions/list": "sessions.list",
    "/sessions/get": "sessions.get",
    "/sessions/close": "sessions.close",
    "/sessions/cleanup": "sessions.cleanup",
}
"""Addresses of the predecessor that answer as the operations do; parameters by query or body."""
