"""Versions that a bucket kept: its own where it is versioned, else the copies that we made.

A copy lies under the history prefix of its file and is named after its version.
"""

from typing import Any, Final

import msgspec

from genro_wopi.adapters.storage.answers import next_place, storage_time_us
from genro_wopi.adapters.storage.s3_bucket import S3Bucket
from genro_wopi.adapters.storage.s3_client import FAULTS, translated
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.paths import StoragePath, segment_problem
from genro_wopi.domain.storages import OddAnswerError

PAGE_MAX: Final = 1000
"""What S3 lists at once."""

COPIES_MAX: Final = 100_000
"""Copies of one file that are listed; their names say nothing about their order."""


PAGES_MAX: Final = 100
"""Parts of the list of one key's versions; they are bounded by the limit besides."""

SEQUENCE_DIGITS_MAX: Final = 16


class KeptObject(msgspec.Struct, frozen=True):
    """One kept version."""

    key: str
    reference: dict[str, str]
    """Key, and VersionId where the bucket is versioned."""


async def kept_objects(bucket: S3Bucket, path: StoragePath, *, limit: int) -> list[KeptObject]:
    """List what was kept of a file, the newest first."""
    try:
        return await (_versions if bucket.versioned else _copies)(bucket, path, limit)
    except FAULTS as error:
        raise translated(error) from error


def kept_reference(bucket: S3Bucket, path: StoragePath, key: str) -> dict[str, str]:
    """Return how S3 calls a kept version.

    Raises:
        NotFoundError: it is no key that one can have.
    """
    if bucket.versioned:
        return {"Key": bucket.key(path), "VersionId": key}
    if not is_name(key):
        raise NotFoundError("There is no such version.")
    return {"Key": bucket.history_prefix(path) + key}


def is_name(key: str) -> bool:
    """Tell whether a copy can have this name; anything else under the history is no copy."""
    return segment_problem(key) is None


async def _versions(bucket: S3Bucket, path: StoragePath, limit: int) -> list[KeptObject]:
    """List the versions since the key was deleted last: those before are another file's."""
    key = bucket.key(path)
    found: list[dict[str, Any]] = []
    deleted: list[dict[str, Any]] = []
    place: dict[str, Any] = {}
    for _ in range(PAGES_MAX):
        answer = await bucket.client.list_object_versions(
            Bucket=bucket.settings.bucket, Prefix=key, MaxKeys=PAGE_MAX, **place
        )
        deleted += [m for m in answer.get("DeleteMarkers", []) if m.get("Key") == key]
        found += [v for v in answer.get("Versions", []) if v.get("Key") == key]
        is_more = answer.get("IsTruncated") and answer.get("NextKeyMarker") == key
        if not is_more or len(found) > limit:
            break
        before = str(place.get("VersionIdMarker", ""))
        following = next_place(answer.get("NextVersionIdMarker"), before)
        place = {"KeyMarker": key, "VersionIdMarker": following}
    if any(m.get("IsLatest") for m in deleted):
        return []
    since = max((_written_us(m) for m in deleted), default=0)
    own = [v for v in found if not v.get("IsLatest") and _written_us(v) >= since]
    return [_named(bucket, path, str(v["VersionId"])) for v in own[:limit] if v.get("VersionId")]


async def _copies(bucket: S3Bucket, path: StoragePath, limit: int) -> list[KeptObject]:
    prefix = bucket.history_prefix(path)
    found: list[tuple[int, int, str]] = []
    place: dict[str, str] = {}
    while len(found) < COPIES_MAX:
        answer = await bucket.client.list_objects_v2(
            Bucket=bucket.settings.bucket, Prefix=prefix, **place
        )
        for item in answer.get("Contents", []):
            key = str(item.get("Key", ""))
            name = key.removeprefix(prefix)
            if key.startswith(prefix) and is_name(name):
                found.append((_written_us(item), _sequence(name), name))
            else:
                bucket.records.bad("name")
        if not answer.get("IsTruncated"):
            break
        before = place.get("ContinuationToken", "")
        place = {"ContinuationToken": next_place(answer.get("NextContinuationToken"), before)}
        if not answer.get("Contents"):
            raise OddAnswerError("The store's list goes on and has nothing in it.")
    found.sort(reverse=True)
    return [_named(bucket, path, name) for _, _, name in found[:limit]]


def _written_us(item: dict[str, Any]) -> int:
    return storage_time_us(item.get("LastModified"))


def _sequence(name: str) -> int:
    """Order copies of one second by the number that a version begins with."""
    number = name.partition(".")[0]
    is_number = number.isascii() and number.isdigit() and len(number) <= SEQUENCE_DIGITS_MAX
    return int(number) if is_number else 0


def _named(bucket: S3Bucket, path: StoragePath, key: str) -> KeptObject:
    return KeptObject(key, kept_reference(bucket, path, key))
