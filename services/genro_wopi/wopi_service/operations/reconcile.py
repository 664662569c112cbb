"""Publishing saves whose process died between their commit and their publication.

Every process runs this; one at a time looks. A save is announced once: whoever removes its intent.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from genro_wopi.domain.clock import pause
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.files import Head, KnownHead, known_from_evidence
from genro_wopi.domain.identifiers import SessionId
from genro_wopi.domain.intents import FORGOTTEN_AGE_S, SWEEP_S, Intent, IntentStore
from genro_wopi.domain.isolation import Failed, isolated
from genro_wopi.domain.saves import Save, Saved
from genro_wopi.domain.storages import StorageNode
from genro_wopi.wopi_service.operations.host import Host, node_of

INTENTS_AT_ONCE: Final = 50
INTENT_TIMEOUT_S: Final = 30.0
"""For one save: a storage that answers slowly holds up the others' saves no longer."""

VERSIONS_SEARCHED: Final = 100
"""How far back a save is looked for that others have replaced since."""


async def reconcile_until(
    host: Host, intents: IntentStore, stopping: asyncio.Event, failed: Failed
) -> None:
    """Look at overdue intents every few seconds until told to stop.

    Args:
        host: what is worked with.
        intents: saves of which it is not known how they ended.
        stopping: tells when to stop.
        failed: is told of what was raised, whatever it is; the others' saves are looked at.
    """
    while not stopping.is_set():
        overdue = await isolated("finding overdue saves", failed, _overdue, intents)
        for intent in overdue or ():
            await isolated("settling a save", failed, _in_time, host, intents, intent)
        await pause(stopping, SWEEP_S)


async def _overdue(intents: IntentStore) -> Sequence[Intent]:
    return await intents.overdue(limit=INTENTS_AT_ONCE) if await intents.claim_sweep() else ()


async def _in_time(host: Host, intents: IntentStore, intent: Intent) -> None:
    async with asyncio.timeout(INTENT_TIMEOUT_S):
        await _settle(host, intents, intent)


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
