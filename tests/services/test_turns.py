"""Who comes next where not everybody can."""

import asyncio

import pytest

from genro_wopi.domain.shares import Share
from genro_wopi.gateway.forwarding.turns import FullError, Turns, Urgency, WaitingRoom


def test_one_holder_leaves_as_much_as_it_has_and_two_leave_a_third() -> None:
    share = Share(12)
    assert taken(share, "a") == 6
    assert taken(share, "b") == 3
    share.give_back("a")
    assert taken(share, "c") == 2


def taken(share: Share, holder: str) -> int:
    count = 0
    while share.may_take(holder):
        share.take(holder)
        count += 1
    return count


async def test_saves_take_their_turns_first_and_a_greedy_address_lets_others_pass() -> None:
    turns, order = Turns(2, 8), list[str]()
    assert turns.take_now("a")
    assert not turns.take_now("a"), "it has half"

    async def come(name: str, holder: str, urgency: Urgency) -> None:
        await turns.take(holder, urgency)
        order.append(name)

    coming = [
        asyncio.create_task(come("read of a", "a", Urgency.OTHER)),
        asyncio.create_task(come("save of a", "a", Urgency.SAVE)),
    ]
    await asyncio.sleep(0)
    await come("read of b", "b", Urgency.OTHER)
    for _ in range(2):
        turns.give_back("b" if len(order) == 1 else "a")
        turns.give_back("a") if len(order) == 1 else None
        await asyncio.sleep(0.01)
    await asyncio.gather(*coming)
    assert order == ["read of b", "save of a", "read of a"]


async def test_who_stops_waiting_takes_no_turn() -> None:
    turns = Turns(2, 8)
    await turns.take("a", Urgency.SAVE)
    gone = asyncio.create_task(turns.take("a", Urgency.SAVE))
    await asyncio.sleep(0)
    turns.give_back("a")
    gone.cancel()  # In the moment in which its turn came.
    await asyncio.gather(gone, return_exceptions=True)
    assert turns.take_now("a")


async def test_a_full_room_still_has_room_for_saves() -> None:
    room = WaitingRoom(4)
    waiting = [asyncio.create_task(room.wait(Urgency.OTHER)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(FullError):
        await room.wait(Urgency.OTHER)
    waiting += [asyncio.create_task(room.wait(Urgency.SAVE)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(FullError):
        await room.wait(Urgency.SAVE)
    room.open()
    await asyncio.gather(*waiting)
    assert len(room) == 0
