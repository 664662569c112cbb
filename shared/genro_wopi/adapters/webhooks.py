"""Events to a tenant's application, signed as Standard Webhooks says.

Success is a 2xx whose JSON body, if it is one, does not say ``error`` or ``"ok": false``: Genropy
answers errors with 200.

Spec: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
import time
from typing import Final

import msgspec

from genro_wopi.adapters.event_owner import owner_of
from genro_wopi.adapters.event_payload import payload
from genro_wopi.adapters.http.egress import GuardedNetwork
from genro_wopi.adapters.http.fetch import Answer, FetchError, fetch
from genro_wopi.adapters.http.trusting_pools import TrustingPools
from genro_wopi.adapters.tracing import TRACEPARENT, span, traceparent
from genro_wopi.domain.doctor import UnreachedError
from genro_wopi.domain.events import DeliveryOutcome, Event, EventContext
from genro_wopi.domain.foreign_json import decode_json
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.secrets import Secret, SecretRing, UnreadableSecretError
from genro_wopi.domain.tenants import AuthMethod, Directory, Tenant

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a prefix, not a secret
PING: Final = "ping"
"""Sent by the doctor only; nothing happened to any document."""

TIMEOUT_S: Final = 15.0
RETRY_AFTER_MS_MAX: Final = 24 * 3600 * 1000

_GONE: Final = 410
_DISABLED: Final = (
    "the application answered 410: it gets nothing more until its callbacks are configured anew"
)


class WebhookReceiver:
    """Implements `Receiver` of domain.events and `CallbackTester` of domain.doctor."""

    def __init__(self, directory: Directory, ring: SecretRing, network: GuardedNetwork) -> None:
        self._directory = directory
        self._ring = ring
        self._pools = TrustingPools(network)

    async def deliver(self, event: Event) -> DeliveryOutcome:
        """See Receiver."""
        tenant = await owner_of(self._directory, event)
        if isinstance(tenant, DeliveryOutcome):
            return tenant
        if not tenant.client_base_url:
            return DeliveryOutcome(delivered=True, reason="no client_base_url", skipped=True)
        if tenant.callback_events and event.name not in tenant.callback_events:
            return DeliveryOutcome(delivered=True, reason="not asked for", skipped=True)
        if tenant.callbacks_disabled:
            return DeliveryOutcome(delivered=False, reason=_DISABLED, gone=True)
        parent = event.details.get(TRACEPARENT, "")
        with span("callback", parent=parent, event=event.name, attempt=event.attempt) as step:
            outcome = await self._send(tenant, event)
            step.set(delivered=outcome.delivered)
        return outcome

    async def ping(self, tenant: Tenant) -> int:
        """See CallbackTester."""
        try:
            answer = await self._post(tenant, _ping_of(tenant.tenant_id))
        except (FetchError, ValueError) as error:
            raise UnreachedError(str(error)) from error
        return answer.status

    async def aclose(self) -> None:
        """Close connections."""
        await self._pools.aclose()

    async def _send(self, tenant: Tenant, event: Event) -> DeliveryOutcome:
        try:
            answer = await self._post(tenant, event)
        except (FetchError, UnreadableSecretError, ValueError) as error:
            return DeliveryOutcome(delivered=False, reason=str(error))
        return _outcome(answer, strict=tenant.callback_strict)

    async def _post(self, tenant: Tenant, event: Event) -> Answer:
        body = msgspec.json.encode(payload(event))
        headers = self._headers(tenant, event.event_id, body)
        pool = await self._pools.trusting(tenant.client_ca)
        return await fetch(
            pool, "POST", tenant.callback_url, headers=headers, content=body, timeout_s=TIMEOUT_S
        )

    def _headers(self, tenant: Tenant, event_id: str, body: bytes) -> list[tuple[bytes, bytes]]:
        moment = int(time.time())
        keys = [
            self._ring.open(sealed, context=f"{tenant.tenant_id}/tenant/webhook_secret")
            for sealed in tenant.webhook_secrets
        ]
        headers = {
            "content-type": "application/json",
            "user-agent": "genro-wopi",
            "webhook-id": event_id,
            "webhook-timestamp": str(moment),
        }
        if keys:
            signatures = (sign(key, event_id, moment, body) for key in keys)
            headers["webhook-signature"] = " ".join(signatures)
        authorization = self._authorization(tenant)
        if authorization:
            headers["authorization"] = authorization
        trace = traceparent()
        if trace:
            headers[TRACEPARENT] = trace
        return [(k.encode(), v.encode()) for k, v in headers.items()]

    def _authorization(self, tenant: Tenant) -> str:
        if tenant.auth_method is AuthMethod.NONE or tenant.auth_secret is None:
            return ""
        context = f"{tenant.tenant_id}/tenant/auth_secret"
        secret = self._ring.open(tenant.auth_secret, context=context).reveal()
        if tenant.auth_method is AuthMethod.BEARER:
            return f"Bearer {secret}"
        pair = f"{tenant.auth_user or ''}:{secret}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def _ping_of(tenant_id: TenantId) -> Event:
    """Build what looks like an event, for applications that read the fields of all events."""
    context = EventContext(
        tenant_id=tenant_id, session_id="", file_id="", storage_name="", account="", user=""
    )
    return Event(
        event_id=f"{PING}_{secrets.token_hex(8)}",
        name=PING,
        context=context,
        sequence=0,
        file_path="",
        at_us=time.time_ns() // 1000,
        attempt=1,
        details={},
    )


def sign(secret: Secret, event_id: str, moment_s: int, body: bytes) -> str:
    """Make one signature: ``v1,<base64>``."""
    key = base64.b64decode(secret.reveal().removeprefix(SECRET_PREFIX))
    signed = f"{event_id}.{moment_s}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _outcome(answer: Answer, *, strict: bool) -> DeliveryOutcome:
    is_taken = _says_ok(answer.body) if strict else not _says_error(answer.body)
    if answer.is_success and is_taken:
        return DeliveryOutcome(delivered=True, reason=str(answer.status))
    if answer.status == _GONE:
        return DeliveryOutcome(delivered=False, reason=_DISABLED, gone=True)
    reason = f"the application answered {answer.status}"
    if answer.is_success:
        reason += " without saying ok" if strict else " with an error in its body"
    retry_after_ms = min(answer.retry_after_s(time.time()) * 1000, RETRY_AFTER_MS_MAX)
    return DeliveryOutcome(delivered=False, reason=reason, retry_after_ms=int(retry_after_ms))


def _says_error(body: bytes) -> bool:
    answer = _object(body)
    return bool(answer.get("error")) or answer.get("ok") is False


def _says_ok(body: bytes) -> bool:
    return _object(body).get("ok") is True


def _object(body: bytes) -> dict[str, object]:
    try:
        return decode_json(body, dict[str, object])
    except msgspec.DecodeError:
        return {}
