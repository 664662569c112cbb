"""Publishing saves whose process died between their commit and their publication.

Every process runs this; one at a time looks. A save is announced once: whoever removes its intent.
"""

import asyncio
from typing import Final

from genro_wopi.domain.clock import pause
from genro_wopi.domain.errors import HostError, NotFoundError
from genro_wopi.domain.files import Head, KnownHead, known_from_evidence
from genro_wopi.domain.identifiers import SessionId
from genro_wopi.domain.intents import FORGOTTEN_AGE_S, SWEEP_S, Intent, IntentStore
from genro_wopi.domain.saves import Save, Saved
from genro_wopi.domain.storages import StorageNode
from genro_wopi.wopi_service.operations.host import Host, node_of

INTENTS_AT_ONCE: Final = 50
VERSIONS_SEARCHED: Final = 100
"""How far back a save is looked for that others have replaced since."""


async def reconcile_until(host: Host, intents: IntentStore, stopping: asyncio.Event) -> None:
    """Look at overdue intents every few seconds until told to stop."""
    while not stopping.is_set():
        try:
            if await intents.claim_sweep():
                for intent in await intents.overdue(limit=INTENTS_AT_ONCE):
                    await _settle(host, intents, intent)
        except HostError:
            pass  # Redis or a storage is away: looked at again.
        await pause(stopping, SWEEP_S)


async def _settle(host: Host, intents: IntentStore, intent: Intent) -> None:
    """Publish one save if it was stored; forget it if it never will be."""
    record = await host.registry.record(intent.file_id)
    if record is None:
        await intents.forget(intent)
        return
    try:
        stored = await _find(await node_of(host, record), intent.save_id)
    except NotFoundError:
        stored = None
    except HostError:
        return  # One tenant's storage that is away must not hold up the others.
    if stored is not None:
        saved = Saved(head=stored, epoch=0, forced=stored.is_forced, is_news=True)
        await host.ledger.publish(_save(intent, stored), saved)
    elif intent.age_s > FORGOTTEN_AGE_S:
        await intents.forget(intent)


async def _find(node: StorageNode, save_id: str) -> KnownHead | None:
    """Find the bytes of a save: the head, or what replaced ones were kept."""
    head = await node.stat()
    if head is not None and head.evidence and head.evidence.save_id == save_id:
        return known_from_evidence(head)
    for kept in await node.versions(limit=VERSIONS_SEARCHED):
        if kept.evidence is not None and kept.evidence.save_id == save_id:
            return known_from_evidence(
                Head(
                    fingerprint="",
                    size_bytes=kept.size_bytes,
                    modified_us=kept.modified_us,
                    evidence=kept.evidence,
                )
            )
    return None


def _save(intent: Intent, stored: KnownHead) -> Save:
    """Describe the save as far as its evidence tells."""
    return Save(
        save_id=stored.save_id,
        file_id=intent.file_id,
        session_id=SessionId(stored.session),
        attempt=stored.attempt,
    )
