"""Whose place is whose: no two tenants' overlap, of two requests at once one wins."""

import asyncio

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.place_store import RedisPlaceStore
from genro_wopi.domain.identifiers import TenantId

ACME, ACME_AGAIN, OTHER = TenantId("acme.1"), TenantId("acme.2"), TenantId("other.1")
PLACE = "local:/srv/files/acme/"


@pytest.fixture
def places(redis: RedisClient) -> RedisPlaceStore:
    return RedisPlaceStore(redis)


@pytest.mark.parametrize(
    "name", [PLACE, f"{PLACE}below/", "local:/srv/files/", "local:/", f"{PLACE}a/b/c/"]
)
@pytest.mark.parametrize("tenant_id", [OTHER, ACME_AGAIN])
async def test_what_overlaps_is_refused_whoever_came_first(
    places: RedisPlaceStore, name: str, tenant_id: TenantId
) -> None:
    assert (await places.claim(PLACE, ACME)).others == []
    refused = await places.claim(name, tenant_id)
    assert [(c.name, c.tenant_id) for c in refused.others] == [(PLACE, ACME)]
    assert await places.owner(PLACE) == ACME


@pytest.mark.parametrize("name", ["local:/srv/files/acme-2/", "local:/srv/other/", "s3:acme:x/"])
async def test_what_lies_beside_is_free(places: RedisPlaceStore, name: str) -> None:
    await places.claim(PLACE, ACME)
    assert (await places.claim(name, OTHER)).others == []


async def test_a_tenants_own_places_may_lie_in_each_other(places: RedisPlaceStore) -> None:
    await places.claim(PLACE, ACME)
    done = await places.claim(f"{PLACE}below/", ACME)
    assert (done.others, done.was_others) == ([], False)
    assert (await places.claim(PLACE, ACME)).others == []


async def test_of_many_at_once_one_has_the_place(places: RedisPlaceStore) -> None:
    names = [PLACE, f"{PLACE}x/", "local:/srv/"]
    claims = [places.claim(names[n % 3], TenantId(f"t{n}.1")) for n in range(24)]
    done = await asyncio.gather(*claims)
    assert sum(not claimed.others for claimed in done) == 1


async def test_a_place_that_is_taken_over_stays_known_as_anothers(places: RedisPlaceStore) -> None:
    await places.claim(PLACE, ACME)
    refused = await places.claim(f"{PLACE}below/", ACME_AGAIN)
    taken = await places.claim(f"{PLACE}below/", ACME_AGAIN, taken=refused.others)
    assert (taken.others, taken.was_others) == ([], True)
    assert await places.owner(PLACE) == ACME_AGAIN
    assert (await places.claim(PLACE, ACME_AGAIN)).was_others
    assert (await places.claim(PLACE, ACME)).others != []


async def test_a_claim_that_was_made_again_is_not_taken_over(places: RedisPlaceStore) -> None:
    await places.claim(PLACE, ACME)
    refused = await places.claim(PLACE, OTHER)
    await places.claim(PLACE, ACME)
    assert (await places.claim(PLACE, OTHER, taken=refused.others)).others != []
    assert await places.owner(PLACE) == ACME


async def test_places_from_before_are_noted_where_nobody_has_them(places: RedisPlaceStore) -> None:
    await places.note(PLACE, ACME)
    await places.note(PLACE, OTHER)
    assert await places.owner(PLACE) == ACME
    assert (await places.claim(f"{PLACE}x/", OTHER)).others != []
    assert not await places.is_complete()
    await places.complete()
    assert await places.is_complete()
