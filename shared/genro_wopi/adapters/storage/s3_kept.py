"""Versions that a bucket kept: its own where it is versioned, else the copies that we made.

A copy lies under the history prefix of its file and is named after its version.
"""

from typing import Any, Final

import msgspec

from genro_wopi.adapters.storage.s3_bucket import S3Bucket
from genro_wopi.adapters.storage.s3_client import FAULTS, translated
from genro_wopi.domain.paths import StoragePath

PAGE_MAX: Final = 1000
"""What S3 lists at once."""

COPIES_MAX: Final = 100_000
"""Copies of one file that are listed; their names say nothing about their order."""


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
    """Return how S3 calls a kept version."""
    if bucket.versioned:
        return {"Key": bucket.key(path), "VersionId": key}
    return {"Key": bucket.history_prefix(path) + key.replace("/", "")}


async def _versions(bucket: S3Bucket, path: StoragePath, limit: int) -> list[KeptObject]:
    """List the versions since the key was deleted last: those before are another file's."""
    key = bucket.key(path)
    found: list[dict[str, Any]] = []
    deleted: list[dict[str, Any]] = []
    place: dict[str, Any] = {}
    while len(found) <= limit:
        answer = await bucket.client.list_object_versions(
            Bucket=bucket.settings.bucket, Prefix=key, MaxKeys=PAGE_MAX, **place
        )
        deleted += [m for m in answer.get("DeleteMarkers", []) if m["Key"] == key]
        versions = [v for v in answer.get("Versions", []) if v["Key"] == key]
        found += versions
        if not answer.get("IsTruncated") or answer["NextKeyMarker"] != key:
            break
        place = {
            "KeyMarker": answer["NextKeyMarker"],
            "VersionIdMarker": answer["NextVersionIdMarker"],
        }
    if any(m["IsLatest"] for m in deleted):
        return []
    since = max((m["LastModified"] for m in deleted), default=None)
    own = [v for v in found if not v["IsLatest"] and (since is None or v["LastModified"] >= since)]
    return [_named(bucket, path, str(v["VersionId"])) for v in own[:limit]]


async def _copies(bucket: S3Bucket, path: StoragePath, limit: int) -> list[KeptObject]:
    prefix = bucket.history_prefix(path)
    found: list[dict[str, Any]] = []
    place: dict[str, str] = {}
    while len(found) < COPIES_MAX:
        answer = await bucket.client.list_objects_v2(
            Bucket=bucket.settings.bucket, Prefix=prefix, **place
        )
        found += answer.get("Contents", [])
        if not answer.get("IsTruncated"):
            break
        place = {"ContinuationToken": answer["NextContinuationToken"]}
    found.sort(key=lambda item: (item["LastModified"], _sequence(str(item["Key"]))), reverse=True)
    return [_named(bucket, path, str(i["Key"]).removeprefix(prefix)) for i in found[:limit]]


def _sequence(key: str) -> int:
    """Order copies of one second by the number that a version begins with."""
    number = key.rpartition("/")[2].partition(".")[0]
    return int(number) if number.isdigit() else 0


def _named(bucket: S3Bucket, path: StoragePath, key: str) -> KeptObject:
    return KeptObject(key, kept_reference(bucket, path, key))
