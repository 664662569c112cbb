"""Every Redis key of the cluster, in one place.

The part in braces is the hash tag of Redis Cluster: all keys that one script touches share it.
``NN`` is a file's partition (two hexadecimal digits), ``T`` a tenant's id, ``NAME`` its name.

| key                                   | type   | lifetime                | written by          |
|---------------------------------------|--------|-------------------------|---------------------|
| wopi:{NN}:file:<file_id>              | hash   | permanent (registry)    | all                 |
| wopi:{NN}:lock:<file_id>              | hash   | 30 min after a refresh  | wopi-service        |
| wopi:{NN}:released:<file_id>          | hash   | 60 s                    | wopi-service        |
| wopi:{NN}:session:<session_id>        | hash   | its end or lock + 70 min | session-, wopi-serv.|
| wopi:{NN}:timeline:<session_id>       | list   | 2 days                  | wopi-, session-serv.|
| wopi:{NN}:children:<session_id>       | hash   | 8 days                  | wopi-service        |
| wopi:{NN}:open:<file_id>              | hash   | 8 days                  | wopi-service        |
| wopi:{NN}:told:<session_id>:<id>      | string | 1 day                   | wopi-service        |
| wopi:{NN}:live                        | zset   | permanent, trimmed      | session-service     |
| wopi:{NN}:intents                     | zset   | permanent, trimmed      | wopi-service        |
| wopi:{NN}:unaudited                   | stream | permanent, moved to audit | callback-worker   |
| wopi:{NN}:upkeep                      | zset   | permanent, trimmed      | all                 |
| wopi:{NN}:events                      | stream | permanent, moved to lanes | all               |
| wopi:{NN}:lane:<file_id>              | list   | until delivered         | callback-worker     |
| wopi:{NN}:due                         | zset   | until delivered         | callback-worker     |
| wopi:{NN}:attempts                    | hash   | until delivered         | callback-worker     |
| wopi:{NN}:backlog                     | hash   | until delivered         | callback-worker     |
| wopi:{NN}:dead                        | stream | permanent, until purged | callback-worker     |
| wopi:{NN}:done                        | stream | permanent, trimmed      | callback-worker     |
| wopi:{t:NAME}:tenant                  | string | permanent (config)      | gateway             |
| wopi:{t:T}:api-keys                   | hash   | permanent (config)      | gateway             |
| wopi:{t:T}:storages                   | hash   | permanent (config)      | gateway             |
| wopi:{t:T}:path:<storage>:<sha256>    | string | permanent (registry)    | gateway, session-s. |
| wopi:{t:T}:sessions                   | zset   | 8 days after the last   | session-, wopi-serv.|
| wopi:{t:T}:user-info:<sha256>         | string | 400 days                | wopi-service        |
| wopi:{t:T}:spent:<budget>             | string | 1 min                   | wopi-, session-serv.|
| wopi:{t:T}:rescued                    | zset   | permanent, trimmed      | wopi-service        |
| wopi:{t:T}:rescue:<id>                | string | permanent, until its end | wopi-service       |
| wopi:{t:T}:aside                      | hash   | permanent, until their end | wopi-service     |
| wopi:{t:T}:audit                      | stream | permanent, trimmed      | gateway, callback-w.|
| wopi:{t:T}:audited:<event_id>         | string | 1 h                     | callback-worker     |
| wopi:{t:NAME}:outbox                  | stream | permanent, trimmed      | callback-worker     |
| wopi:{t:NAME}:outboxed:<event_id>     | string | 7 days                  | callback-worker     |
| wopi:audited                          | set    | permanent               | gateway, callback-w.|
| wopi:{places}:names                   | zset   | permanent (config)      | gateway             |
| wopi:{places}:owners                  | hash   | permanent (config)      | gateway             |
| wopi:{places}:complete                | string | permanent (config)      | gateway             |
| wopi:tenants                          | zset   | permanent (config)      | gateway             |
| wopi:deleted-tenants                  | zset   | permanent, trimmed      | gateway             |
| wopi:instance                         | string | permanent (config)      | gateway             |
| wopi:{e:SCOPE}:editors                | hash   | permanent (config)      | gateway             |
| wopi:{e:SCOPE}:discovery:<name>       | string | permanent (last good)   | all                 |
| wopi:{e:SCOPE}:fetched:<name>         | string | seconds                 | all                 |
| wopi:sweep                            | string | 5 s                     | wopi-service        |
| wopi:unsettled                        | hash   | 10 min after it changed | wopi-service        |
| wopi:upkeep-sweep                     | string | 10 min                  | callback-worker     |
| wopi:lease:<sha256>                   | string | 60 s                    | wopi-serv., gateway |
| wopi:launch:<sha256>                  | string | 10 min; opened: 8 days  | session-service     |
| wopi:{t:T}:once:<sha256>              | string | 1 day                   | gateway             |
| wopi:console:<sha256>                 | string | 30 min                  | gateway             |
| wopi:console-failures:<sha256>        | string | 1 min                   | gateway             |
| wopi:schema                           | string | permanent               | all                 |
| wopi:partitions                       | string | permanent               | all                 |
"""

import hashlib
import re
from typing import Final

from genro_wopi.domain.identifiers import (
    FileId,
    TenantId,
    TenantName,
    partition_of,
    session_partition,
    tenant_name,
)

PERMANENT: Final = re.compile(
    r"wopi:(\{[0-9a-f]{2}\}:(file:.+|intents|live|upkeep|unaudited|events|lane:.+|due|attempts|backlog|dead|done)"
    r"|\{t:.+\}:(tenant|api-keys|storages|path:.+|rescued|rescue:.+|aside|audit|outbox)"
    r"|\{places\}:(names|owners|complete)"
    r"|\{e:.*\}:(editors|discovery:.+)|tenants|deleted-tenants|instance|audited|partitions|schema)"
)
"""Keys that may live for ever; the tests fail on any other that has no expiry."""

PLACES: Final = "wopi:{places}:names"
"""Where storages lie, of all tenants, also of deleted ones."""

PLACE_OWNERS: Final = "wopi:{places}:owners"
"""Whose they are."""

PLACES_COMPLETE: Final = "wopi:{places}:complete"
"""Set when the storages are noted that were registered before there were claims."""

TENANTS: Final = "wopi:tenants"
DELETED_TENANTS: Final = "wopi:deleted-tenants"
"""Ids of tenants that were deleted, by when, until what came late is swept away."""

INSTANCE: Final = "wopi:instance"
SCHEMA: Final = "wopi:schema"
EVERY_PATH: Final = "wopi:{t:*}:path:*"
"""Match the paths of all tenants."""

PARTITIONS: Final = "wopi:partitions"
"""How many partitions were ever in use."""

SWEEP: Final = "wopi:sweep"
"""Held by the process that looks at intents."""

UNSETTLED: Final = "wopi:unsettled"
"""How many saves wait in each wopi-service, and when it said so."""

UPKEEP_SWEEP: Final = "wopi:upkeep-sweep"
"""Held by the process that looks at recovery copies."""


AUDITED: Final = "wopi:audited"
"""Tenants that have audit records."""


class FileKeys:
    """The keys of one file and of the session that asks for it."""

    __slots__ = ("_tag", "file_id")

    def __init__(self, file_id: FileId) -> None:
        self.file_id = file_id
        self._tag = f"wopi:{{{partition_of(file_id):02x}}}"

    @property
    def file(self) -> str:
        """The registry's record."""
        return f"{self._tag}:file:{self.file_id}"

    @property
    def lock(self) -> str:
        """The lock with its lease."""
        return f"{self._tag}:lock:{self.file_id}"

    @property
    def released(self) -> str:
        """The lock that was released last."""
        return f"{self._tag}:released:{self.file_id}"

    @property
    def open(self) -> str:
        """Sessions that opened the file, with what their events say."""
        return f"{self._tag}:open:{self.file_id}"

    @property
    def live(self) -> str:
        """The partition's sessions, by when they should end."""
        return f"{self._tag}:live"

    @property
    def intents(self) -> str:
        """Saves that began and were not published yet."""
        return f"{self._tag}:intents"

    @property
    def upkeep(self) -> str:
        """Files whose kept bytes are to be looked at, by the moment."""
        return f"{self._tag}:upkeep"

    @property
    def events(self) -> str:
        """The partition's stream."""
        return f"{self._tag}:events"

    def told(self, session_id: str, once_id: str) -> str:
        """Set while an event that a session told of may come a second time."""
        return f"{self._tag}:told:{session_id}:{once_id}"

    def session(self, session_id: str) -> str:
        """The session's record; it lies with its file."""
        return f"{self._tag}:session:{session_id}"


class PartitionKeys:
    """The keys of one partition's events."""

    __slots__ = ("_tag", "partition")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._tag = f"wopi:{{{partition:02x}}}"

    @property
    def events(self) -> str:
        """Appended by the scripts that change state."""
        return f"{self._tag}:events"

    @property
    def intents(self) -> str:
        """Saves that began and were not published yet."""
        return f"{self._tag}:intents"

    @property
    def live(self) -> str:
        """Sessions, by when they should end."""
        return f"{self._tag}:live"

    @property
    def unaudited(self) -> str:
        """Events that the audit trail has not taken yet."""
        return f"{self._tag}:unaudited"

    @property
    def prefix(self) -> str:
        """What all keys of the partition begin with."""
        return f"{self._tag}:"

    @property
    def upkeep(self) -> str:
        """Files whose kept bytes are to be looked at, by the moment."""
        return f"{self._tag}:upkeep"

    @property
    def due(self) -> str:
        """When each lane is to be looked at next, in milliseconds."""
        return f"{self._tag}:due"

    @property
    def attempts(self) -> str:
        """How often the head of each lane was taken."""
        return f"{self._tag}:attempts"

    @property
    def backlog(self) -> str:
        """How many events of each tenant wait in lanes."""
        return f"{self._tag}:backlog"

    @property
    def dead(self) -> str:
        """Events that were given up."""
        return f"{self._tag}:dead"

    @property
    def done(self) -> str:
        """Events that were delivered lately."""
        return f"{self._tag}:done"

    def lane(self, name: str) -> str:
        """One lane, by its name: tenant/file."""
        return self.lane_prefix + name.rpartition("/")[2]

    @property
    def lane_prefix(self) -> str:
        """What a lane's key begins with; the file's id follows."""
        return f"{self._tag}:lane:"


def session(session_id: str) -> str | None:
    """Key of a session by its id alone; None where it is not a session id."""
    partition = session_partition(session_id)
    return None if partition is None else f"wopi:{{{partition:02x}}}:session:{session_id}"


def timeline(session_id: str) -> str | None:
    """What happened in a session; None where it is not a session id."""
    partition = session_partition(session_id)
    return None if partition is None else f"wopi:{{{partition:02x}}}:timeline:{session_id}"


def children(session_id: str) -> str:
    """Sessions that were traded from a session: ``live`` or ``ended`` by id."""
    return f"wopi:{{{session_id[:2]}}}:children:{session_id}"


def beside(session_id: str, family: str) -> str:
    """Begin the keys of a family (``file``, ``lock``) beside a session; the file's id follows."""
    return f"wopi:{{{session_id[:2]}}}:{family}:"


def tenant(name: TenantName) -> str:
    """Configuration of the tenant that has a name now."""
    return f"wopi:{{t:{name}}}:tenant"


def api_keys(tenant_id: TenantId) -> str:
    """Digests of a tenant's API keys by key id."""
    return f"wopi:{{t:{tenant_id}}}:api-keys"


def storages(tenant_id: TenantId) -> str:
    """Configuration of a tenant's storages by name."""
    return f"wopi:{{t:{tenant_id}}}:storages"


def path(tenant_id: TenantId, storage_name: str, file_path: str) -> str:
    """Id of the file at a path."""
    digest = hashlib.sha256(file_path.encode()).hexdigest()
    return f"wopi:{{t:{tenant_id}}}:path:{storage_name}:{digest}"


def path_pattern(tenant_id: TenantId) -> str:
    """Match the paths of a tenant; ids of tenants hold nothing that a pattern would read."""
    return f"wopi:{{t:{tenant_id}}}:path:*"


def of_tenant(tenant_id: TenantId) -> tuple[str, str]:
    """Match all keys that are kept under a tenant's id."""
    return f"wopi:{{t:{tenant_id}}}:*", f"wopi:{{e:{tenant_id}}}:*"


def audit(tenant_id: TenantId) -> str:
    """Audit records of a tenant; empty: of the installation."""
    return f"wopi:{{t:{tenant_id}}}:audit"


def audit_noted(tenant_id: TenantId, event_id: str) -> str:
    """Set while an event may come to the audit trail a second time."""
    return f"wopi:{{t:{tenant_id}}}:audited:{event_id}"


def tenant_sessions(tenant_id: TenantId) -> str:
    """Session ids of a tenant by the time of their creation."""
    return f"wopi:{{t:{tenant_id}}}:sessions"


def idempotency(scope: str, key: str) -> str:
    """Answer to a request with an idempotency key; empty scope: of the operator."""
    return f"wopi:{{t:{scope}}}:once:{hashlib.sha256(key.encode()).hexdigest()}"


def console_visit(secret: str) -> str:
    """A visit to the console."""
    return f"wopi:console:{hashlib.sha256(secret.encode()).hexdigest()}"


def console_failures(address: str) -> str:
    """Count wrong admin tokens from an address."""
    return f"wopi:console-failures:{hashlib.sha256(address.encode()).hexdigest()[:32]}"


def outbox(tenant_id: TenantId) -> str:
    """Events of a tenant for consumers of the operator's own, who know its name."""
    return f"wopi:{{t:{tenant_name(tenant_id)}}}:outbox"


def outbox_noted(tenant_id: TenantId, event_id: str) -> str:
    """Set while an event that is in the outbox may come a second time."""
    return f"wopi:{{t:{tenant_name(tenant_id)}}}:outboxed:{event_id}"


def user_info(tenant_id: TenantId, person: str) -> str:
    """What editors keep about a person."""
    digest = hashlib.sha256(person.encode()).hexdigest()
    return f"wopi:{{t:{tenant_id}}}:user-info:{digest}"


def spent(tenant_id: TenantId, budget: str) -> str:
    """How much of a budget a tenant used up in this minute, or that something was done in it."""
    return f"wopi:{{t:{tenant_id}}}:spent:{budget}"


def rescued(tenant_id: TenantId) -> str:
    """Ids of a tenant's recovery copies by time."""
    return f"wopi:{{t:{tenant_id}}}:rescued"


def aside(tenant_id: TenantId) -> str:
    """Recovery copies that count against their session and tenant: when, size, digest, session."""
    return f"wopi:{{t:{tenant_id}}}:aside"


def rescue(tenant_id: TenantId, rescue_id: str) -> str:
    """One recovery copy."""
    return f"wopi:{{t:{tenant_id}}}:rescue:{rescue_id}"


def editors(scope: str) -> str:
    """Editors of a tenant, or of the instance (empty scope), by name."""
    return f"wopi:{{e:{scope}}}:editors"


def discovery(scope: str, name: str) -> str:
    """Last good copy of an editor's discovery."""
    return f"wopi:{{e:{scope}}}:discovery:{name}"


def fetched(scope: str, name: str) -> str:
    """Set while nobody may fetch an editor's discovery again."""
    return f"wopi:{{e:{scope}}}:fetched:{name}"


def lease(name: str) -> str:
    """Held by the process that commits to a file of a store that cannot lock."""
    return f"wopi:lease:{hashlib.sha256(name.encode()).hexdigest()}"


def launch(code: str) -> str:
    """Session of a launch code; the code itself is not kept."""
    return f"wopi:launch:{hashlib.sha256(code.encode()).hexdigest()}"
