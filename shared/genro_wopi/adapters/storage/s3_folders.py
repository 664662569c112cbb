"""Folders of the `s3` back end, and moving an object.

S3 has no folders and no rename. A folder that is made is an empty object whose key ends with a
slash. A move copies the object, checks that the original did not change meanwhile, and deletes it;
killed in between it leaves both, and the next call goes on: the copy carries the same evidence.
"""

from typing import Any, Final

from botocore.exceptions import ClientError

from genro_wopi.adapters.storage.s3_bucket import S3Bucket
from genro_wopi.adapters.storage.s3_client import FAULTS, LARGE_BYTES, status_of, translated
from genro_wopi.adapters.storage.s3_kept import kept_objects
from genro_wopi.adapters.storage.s3_node import S3Node
from genro_wopi.domain.errors import AlreadyExistsError, ConflictError, NotFoundError
from genro_wopi.domain.files import Head
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.storages import (
    FileBusyError,
    HeadChangedError,
    OddAnswerError,
    StorageFaultError,
)

COPY_ATTEMPTS_MAX: Final = 5
HISTORY_MAX: Final = 200
"""Kept versions that a file takes along when it moves."""

_PRECONDITION_FAILED: Final = 412


async def make_folder(bucket: S3Bucket, path: StoragePath) -> None:
    """See StorageBackend.make_folder."""
    if await _keys(bucket, bucket.key(f"{path}/"), limit=1):
        raise AlreadyExistsError(f"There is a folder {path!r} already.")
    if await S3Node(bucket, path).stat() is not None:
        raise AlreadyExistsError(f"There is a file {path!r} already.")
    await _call(
        bucket.client.put_object(
            Bucket=bucket.settings.bucket, Key=bucket.key(f"{path}/"), Body=b"", ContentLength=0
        )
    )


async def remove_folder(bucket: S3Bucket, path: StoragePath) -> None:
    """See StorageBackend.remove_folder."""
    marker = bucket.key(f"{path}/")
    found = await _keys(bucket, marker, limit=2)
    if not found:
        raise NotFoundError("There is no such folder in the storage.")
    if found != [marker]:
        raise ConflictError("The folder is not empty.")
    await _delete(bucket, marker)


async def move_object(
    bucket: S3Bucket, source: StoragePath, target: StoragePath, *, resumed: bool
) -> Head:
    """See StorageBackend.move."""
    for _ in range(COPY_ATTEMPTS_MAX):
        old = await S3Node(bucket, source).stat()
        if old is None:
            raise NotFoundError("There is no such file in the storage.")
        taken = await S3Node(bucket, target).stat()
        if taken is not None and not (resumed and _is_copy(old, taken)):
            raise AlreadyExistsError(f"There is a file {target!r} already.")
        await _move_history(bucket, source, target)
        try:
            await _copy(bucket, {"Key": bucket.key(source)}, bucket.key(target), old.fingerprint)
        except HeadChangedError:
            resumed = True
            continue
        now = await S3Node(bucket, source).stat()
        if now is not None and now.fingerprint != old.fingerprint:
            resumed = True
            continue
        await _delete(bucket, bucket.key(source))
        moved = await S3Node(bucket, target).stat()
        if moved is None:
            raise FileBusyError("The moved file is gone again.")
        return moved
    raise FileBusyError("The file changes faster than it can be moved.")


async def purge_object(bucket: S3Bucket, path: StoragePath) -> None:
    """See StorageBackend.purge."""
    gone: set[str] = set()
    while kept := await kept_objects(bucket, path, limit=HISTORY_MAX):
        if all(old.key in gone for old in kept):
            raise OddAnswerError("The store goes on listing what it said that it deleted.")
        gone |= {old.key for old in kept}
        for old in kept:
            await _call(bucket.client.delete_object(Bucket=bucket.settings.bucket, **old.reference))
    if await S3Node(bucket, path).stat() is None:
        return
    reference = {"Key": bucket.key(path)}
    if bucket.versioned:
        head = await _call(bucket.client.head_object(Bucket=bucket.settings.bucket, **reference))
        if head.get("VersionId"):
            reference["VersionId"] = str(head["VersionId"])
    await _call(bucket.client.delete_object(Bucket=bucket.settings.bucket, **reference))


def _is_copy(old: Head, copied: Head) -> bool:
    """Tell whether an earlier, unfinished move of the same file made this object."""
    if old.evidence and copied.evidence:
        return copied.evidence.sequence <= old.evidence.sequence
    return old.fingerprint == copied.fingerprint and old.size_bytes == copied.size_bytes


async def _move_history(bucket: S3Bucket, source: StoragePath, target: StoragePath) -> None:
    """Take along what was kept, the oldest first: in a versioned bucket order is all it has."""
    kept = await kept_objects(bucket, source, limit=HISTORY_MAX)
    for old in reversed(kept):
        key = bucket.key(target)
        if not bucket.versioned:
            key = bucket.history_prefix(target) + old.key
        await _copy(bucket, old.reference, key, None)
        if not bucket.versioned:
            await _delete(bucket, old.reference["Key"])


async def _keys(bucket: S3Bucket, prefix: str, *, limit: int) -> list[str]:
    answer = await _call(
        bucket.client.list_objects_v2(Bucket=bucket.settings.bucket, Prefix=prefix, MaxKeys=limit)
    )
    found = [str(item.get("Key", "")) for item in answer.get("Contents", [])]
    if not all(key.startswith(prefix) for key in found):
        raise OddAnswerError("The store lists what lies elsewhere.")
    return found


async def _copy(
    bucket: S3Bucket, source: dict[str, str], target_key: str, etag: str | None
) -> None:
    await _call(bucket.copy(source, target_key, size_bytes=LARGE_BYTES, etag=etag))


async def _delete(bucket: S3Bucket, key: str) -> None:
    await _call(bucket.client.delete_object(Bucket=bucket.settings.bucket, Key=key))


async def _call(work: Any) -> dict[str, Any]:  # noqa: ANN401 - a coroutine of the untyped library
    try:
        answer: dict[str, Any] = await work
    except ClientError as error:
        if status_of(error) == _PRECONDITION_FAILED:
            raise HeadChangedError("The object changed meanwhile.") from error
        fault = translated(error)
        if isinstance(fault, HeadChangedError):
            raise StorageFaultError(f"The store answered {status_of(error)}.") from error
        raise fault from error
    except FAULTS as error:
        raise translated(error) from error
    return answer
