"""What the gateway's operations work with."""

from collections.abc import Awaitable, Callable

import msgspec

from genro_wopi.domain.audit import AuditStore
from genro_wopi.domain.clock import Clock
from genro_wopi.domain.doctor import CallbackTester, Prober, RedisWitness
from genro_wopi.domain.editors import EditorDirectory, EditorStore
from genro_wopi.domain.egress import EgressGuard
from genro_wopi.domain.events import EventLog
from genro_wopi.domain.files import FileRegistry
from genro_wopi.domain.idempotency import IdempotencyStore
from genro_wopi.domain.instance import InstanceStore
from genro_wopi.domain.locks import LockStore
from genro_wopi.domain.moves import Mover
from genro_wopi.domain.places import PlaceStore
from genro_wopi.domain.rescues import RescueStore
from genro_wopi.domain.saves import SaveLedger
from genro_wopi.domain.secrets import Secret, SecretRing
from genro_wopi.domain.sessions import SessionStore
from genro_wopi.domain.storages import BodyReceiver, StorageOpener
from genro_wopi.domain.tenants import TenantStore
from genro_wopi.gateway.operations.rates import Rates


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the gateway."""

    instances: InstanceStore
    session_service_ready: Callable[[], Awaitable[bool]]
    version: str
    public_url: str
    src_url: str
    internal_token: Secret
    witness: RedisWitness
    prober: Prober
    """Calls the operator's own addresses."""
    editor_prober: Prober
    callback_tester: CallbackTester
    tenants: TenantStore
    editors: EditorStore
    directory: EditorDirectory
    storages: StorageOpener
    places: PlaceStore
    registry: FileRegistry
    ledger: SaveLedger
    mover: Mover
    locks: LockStore
    rescues: RescueStore
    events: EventLog
    audit: AuditStore
    answers: IdempotencyStore
    sessions: SessionStore
    bodies: BodyReceiver
    file_bytes_max: int
    ring: SecretRing
    clock: Clock
    rates: Rates
    callback_egress: EgressGuard
    check_certificates: Callable[[str], object]
    """Raises ValueError where a text holds no certificate."""
    editor_egress: EgressGuard
