"""Beginning a save against a real Redis or Valkey: which lock counts."""

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.domain.identifiers import new_save_id
from genro_wopi.domain.saves import Save, Standing
from genro_wopi.protocol.lock_id import LockId
from tests.support.world import World

HELD = '{"S":"abc","F":4,"M":"x"}'


@pytest.mark.parametrize(
    ("shown", "in_part", "standing"),
    [
        (HELD, True, Standing.HELD),
        ('{"S":"abc","F":4}', True, Standing.HELD),
        ('{"F":4}', True, Standing.HELD),
        ('{"S":"abc","F":5}', True, Standing.OTHER),
        ('{"S":"abc","X":1}', True, Standing.OTHER),
        ("{}", True, Standing.OTHER),
        ("not json", True, Standing.OTHER),
        ('{"S":"abc","F":4}', False, Standing.OTHER),
    ],
)
async def test_a_lock_may_be_shown_in_part_by_microsoft_365_only(
    each_redis: RedisClient, shown: str, in_part: bool, standing: Standing
) -> None:
    world = World(each_redis)
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, HELD), deadline_s=0)
    save = Save(
        save_id=new_save_id(),
        file_id=session.file_id,
        session_id=session.session_id,
        session_created_us=session.created_us,
        holder="Anna",
        lock_id=LockId(shown),
        timestamp=None,
        attempt=0,
        one_process_per_document=False,
        is_autosave=False,
        is_exit_save=False,
        is_modified_by_user=None,
        editors=(),
        shows_part_of_lock=in_part,
    )
    assert (await world.ledger.begin(save, deadline_s=0)).standing is standing
