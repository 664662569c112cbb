"""One object of a bucket. A commit is one PutObject; see `s3`."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import msgspec
from botocore.exceptions import ClientError

from genro_wopi.adapters.storage.answers import fingerprint_of, size_of, storage_time_us
from genro_wopi.adapters.storage.records import Records
from genro_wopi.adapters.storage.s3_bucket import S3Bucket
from genro_wopi.adapters.storage.s3_client import (
    FAULTS,
    S3Body,
    read_chunks,
    status_of,
    translated,
)
from genro_wopi.adapters.storage.s3_kept import (
    KeptObject,
    is_name,
    kept_objects,
    kept_reference,
)
from genro_wopi.domain.errors import InvalidFieldsError, NotFoundError, UnavailableError
from genro_wopi.domain.files import Evidence, Head, KeptVersion, foreign_version
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.rescues import rescued_path
from genro_wopi.domain.storages import (
    Body,
    Capabilities,
    FileBusyError,
    HeadChangedError,
    OpenFile,
    StorageFaultError,
    require_same,
)

READ_CHUNK_BYTES: Final = 256 * 1024
HEADS_AT_ONCE: Final = 16
VERSIONS_MAX: Final = 1000
NOT_FOUND: Final = 404
BAD_REQUEST: Final = 400

_META: Final = "genro-"


class S3Node:
    """Implements `StorageNode` for one object."""

    def __init__(self, storage: S3Bucket, path: StoragePath) -> None:
        self._storage = storage
        self._path = path
        self._object = {"Bucket": storage.settings.bucket, "Key": storage.key(path)}
        self.capabilities = Capabilities(versioning=True, presigned_urls=True)

    @property
    def path(self) -> StoragePath:
        """See StorageNode."""
        return self._path

    async def stat(self) -> Head | None:
        """See StorageNode."""
        try:
            answer = await self._storage.client.head_object(**self._object)
        except ClientError as error:
            if status_of(error) == NOT_FOUND:
                return None
            raise _as_fault(error) from error
        except FAULTS as error:
            raise translated(error) from error
        return _head(answer, self._storage.records)

    @asynccontextmanager
    async def open_read(
        self, *, first: int = 0, last: int | None = None
    ) -> AsyncGenerator[OpenFile]:
        """See StorageNode."""
        parameters: dict[str, object] = dict(self._object)
        if first or last is not None:
            parameters["Range"] = f"bytes={first}-{'' if last is None else last}"
        async with self._opened(parameters) as (answer, chunks):
            yield OpenFile(_head(answer, self._storage.records), chunks)

    async def write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        """See StorageNode."""
        if self._storage.lease is None:
            return await self._write(body, evidence, _condition(self._storage, expected))
        try:
            async with self._storage.lease(self._path):
                require_same(await self.stat(), expected)
                return await self._write(body, evidence, {})
        except UnavailableError as error:
            raise FileBusyError(str(error)) from error

    async def presigned_url(self, *, life_s: int) -> str | None:
        """See StorageNode."""
        if not self._storage.settings.hands_out_urls:
            return None
        url = await self._storage.client.generate_presigned_url(
            "get_object", Params=dict(self._object), ExpiresIn=life_s
        )
        try:
            await self._storage.settings.egress.check_url(url, field="endpoint_url")
        except InvalidFieldsError as error:
            raise StorageFaultError(str(error)) from error
        return url

    async def _write(self, body: Body, evidence: Evidence, condition: dict[str, object]) -> Head:
        evidence = self._storage.records.own(evidence)
        answer = await self._put(
            body, {**self._object, **condition, "Metadata": _metadata(evidence)}
        )
        return Head(
            fingerprint=fingerprint_of(answer.get("ETag")),
            size_bytes=body.size_bytes,
            modified_us=evidence.last_modified_us,
            evidence=evidence,
        )

    async def keep(self, head: Head) -> None:
        """See StorageNode; a versioned bucket keeps by itself.

        A copy must be of what was read: a save that came in between would put its bytes in the
        place of those that it replaced. Where the store does not look (`copies_checked` of the
        probe), the copy is tried under a name of its own, and counts if the source is the same
        afterwards.
        """
        if self._storage.versioned:
            return
        foreign = foreign_version(head.fingerprint.strip('"'))
        name = head.evidence.version if head.evidence else foreign
        target = f"{self._storage.history_prefix(self._path)}{name}"
        source = self._object["Key"]
        if self._storage.copies_checked:
            await self._copy(source, target, head, etag=head.fingerprint)
            return
        trial = f"{target}.{uuid.uuid4().hex}"
        await self._copy(source, trial, head)
        try:
            require_same(await self.stat(), head)
            await self._copy(trial, target, head)
        finally:
            await self._remove({"Key": trial})

    async def _copy(self, source: str, target: str, head: Head, etag: str | None = None) -> None:
        try:
            await self._storage.copy({"Key": source}, target, size_bytes=head.size_bytes, etag=etag)
        except FAULTS as error:
            raise translated(error) from error

    async def versions(self, *, limit: int) -> list[KeptVersion]:
        """See StorageNode."""
        kept = await kept_objects(self._storage, self._path, limit=limit)
        gate = asyncio.Semaphore(HEADS_AT_ONCE)

        async def look(reference: KeptObject) -> KeptVersion | None:
            async with gate:
                return await self._kept(reference.key)

        found = await asyncio.gather(*map(look, kept))
        return [version for version in found if version is not None]

    async def find_version(self, version: str) -> KeptVersion | None:
        """See StorageNode; a bucket that keeps versions itself must be searched."""
        if not self._storage.versioned:
            return await self._kept(version) if is_name(version) else None
        for reference in await kept_objects(self._storage, self._path, limit=VERSIONS_MAX):
            kept = await self._kept(reference.key)
            if kept is not None and kept.version == version:
                return kept
        return None

    async def _kept(self, key: str) -> KeptVersion | None:
        reference = kept_reference(self._storage, self._path, key)
        try:
            answer = await self._storage.client.head_object(
                Bucket=self._object["Bucket"], **reference
            )
        except ClientError as error:
            if status_of(error) == NOT_FOUND or _is_no_version(error):
                return None
            raise _as_fault(error) from error
        except FAULTS as error:
            raise translated(error) from error
        head = _head(answer, self._storage.records)
        if not self._storage.records.owner.shows(
            has_evidence=head.evidence is not None,
            has_bad_record=head.has_bad_record,
            modified_us=head.modified_us,
        ):
            return None
        return KeptVersion(
            key=key,
            size_bytes=head.size_bytes,
            modified_us=head.modified_us,
            evidence=head.evidence,
        )

    @asynccontextmanager
    async def open_version(self, key: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See StorageNode."""
        reference = kept_reference(self._storage, self._path, key)
        async with self._opened({"Bucket": self._object["Bucket"], **reference}) as (_, chunks):
            yield chunks

    async def discard_version(self, key: str) -> None:
        """See StorageNode."""
        await self._remove(kept_reference(self._storage, self._path, key))

    async def tidy(self) -> None:
        """See StorageNode; one PutObject leaves nothing half done."""

    async def discard_rescued(self, rescue_id: str) -> None:
        """See StorageNode."""
        await self._remove({"Key": self._rescued(rescue_id)})

    def _rescued(self, rescue_id: str) -> str:
        return self._storage.key(rescued_path(rescue_id))

    async def _remove(self, reference: dict[str, str]) -> None:
        try:
            await self._storage.client.delete_object(Bucket=self._object["Bucket"], **reference)
        except ClientError as error:
            if status_of(error) != NOT_FOUND and not _is_no_version(error):
                raise _as_fault(error) from error
        except FAULTS as error:
            raise translated(error) from error

    async def rescue(self, body: Body, rescue_id: str) -> None:
        """See StorageNode."""
        await self._put(body, {**self._object, "Key": self._rescued(rescue_id)})

    @asynccontextmanager
    async def open_rescued(self, rescue_id: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See StorageNode."""
        rescued = {**self._object, "Key": self._rescued(rescue_id)}
        async with self._opened(rescued) as (_, chunks):
            yield chunks

    @asynccontextmanager
    async def _opened(
        self, parameters: Mapping[str, object]
    ) -> AsyncGenerator[tuple[dict[str, Any], AsyncIterator[bytes]]]:
        """Hold an object open: what the store says of it, and its bytes."""
        answer = await self._get(parameters)
        body = cast("S3Body", answer["Body"])
        try:
            yield answer, read_chunks(body, READ_CHUNK_BYTES)
        finally:
            body.close()

    async def _get(self, parameters: Mapping[str, object]) -> dict[str, Any]:
        try:
            return await self._storage.client.get_object(**parameters)
        except ClientError as error:
            if status_of(error) == NOT_FOUND or _is_no_version(error):
                raise NotFoundError("There is no such file in the storage.") from error
            raise _as_fault(error) from error
        except FAULTS as error:
            raise translated(error) from error

    async def _put(self, body: Body, parameters: dict[str, object]) -> dict[str, Any]:
        length = {"ContentLength": body.size_bytes, **self._storage.settings.encryption}
        client = await self._storage.writer(body.size_bytes)
        try:
            if body.path is None:
                content = body.in_memory()
                return await client.put_object(Body=content, **length, **parameters)
            with body.path.open("rb") as file:
                return await client.put_object(Body=file, **length, **parameters)
        except FAULTS as error:
            raise translated(error) from error


def _condition(storage: S3Bucket, expected: Head | None) -> dict[str, object]:
    if expected is None:
        return {"IfNoneMatch": "*"}
    quoted = storage.etag_quoted
    return {"IfMatch": expected.fingerprint if quoted else expected.fingerprint.strip('"')}


def _is_no_version(error: ClientError) -> bool:
    """A version id of another form than the store's own is a bad request to it."""
    return status_of(error) == BAD_REQUEST and "version" in str(error).lower()


def _as_fault(error: ClientError) -> Exception:
    """Reading knows no conditions: whatever is refused is a fault."""
    fault = translated(error)
    if isinstance(fault, HeadChangedError):
        return StorageFaultError(f"The store answered {status_of(error)}.")
    return fault


def _head(answer: dict[str, Any], records: Records) -> Head:
    """Read what the store says of an object, and the evidence that it carries.

    Raises:
        OddAnswerError: it says what cannot be.
    """
    total = str(answer.get("ContentRange") or "").rpartition("/")[2]
    evidence, is_bad = _evidence(answer.get("Metadata"), records)
    return Head(
        fingerprint=fingerprint_of(answer.get("ETag")),
        size_bytes=size_of(total or answer.get("ContentLength", "")),
        modified_us=storage_time_us(answer.get("LastModified")),
        evidence=evidence,
        has_bad_record=is_bad,
    )


_NAMES: Final = {
    f.name: _META + f.name.removeprefix("is_").removesuffix("_us").replace("_", "-")
    for f in msgspec.structs.fields(Evidence)
}
"""Fields of evidence, as an object's metadata names them."""


def _metadata(evidence: Evidence) -> dict[str, str]:
    values = {field: getattr(evidence, field) for field in _NAMES}
    return {
        _NAMES[field]: str(int(value) if isinstance(value, bool) else value)
        for field, value in values.items()
        if field not in {"tenant", "received_us"} or value
    }


def _evidence(metadata: object, records: Records) -> tuple[Evidence | None, bool]:
    """Read evidence; None where there is none that counts, and whether there is any."""
    if not isinstance(metadata, dict):
        return None, False
    table = cast("dict[object, object]", metadata)
    found = {str(name).lower(): str(value) for name, value in table.items()}
    values: dict[str, str | bool] = {
        field: found[name] for field, name in _NAMES.items() if name in found
    }
    if not values:
        return None, False
    values |= {flag: values.get(flag) == "1" for flag in ("is_autosave", "is_forced")}
    for text in ("session", "base"):
        values.setdefault(text, "")
    evidence = records.convert(values, Evidence, "evidence")
    counts = evidence is not None and records.counts(evidence)
    return (evidence, False) if counts else (None, True)
