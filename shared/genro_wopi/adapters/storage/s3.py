"""Files in an S3 bucket. Class A where the store honours conditions; the probe finds out.

Where it does not, a save is made under a lease of the cluster: class B.

A commit is one PutObject with If-Match (If-None-Match for a new file) that carries the evidence as
object metadata: bytes and evidence can never disagree. Multipart uploads are not used, since
several stores ignore conditions when they are completed.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Final, cast

from botocore.exceptions import ClientError

from genro_wopi.adapters.storage.s3_client import (
    FAULTS,
    LARGE_BYTES,
    LARGE_READ_TIMEOUT_S,
    S3Body,
    S3Client,
    S3Settings,
    open_client,
    read_chunks,
    status_of,
    translated,
)
from genro_wopi.adapters.storage.s3_folders import (
    make_folder,
    move_object,
    purge_object,
    remove_folder,
)
from genro_wopi.adapters.storage.s3_kept import PAGE_MAX, KeptObject, kept_objects, kept_reference
from genro_wopi.adapters.storage.s3_probe import probe_store
from genro_wopi.adapters.storage.surroundings import StorageSurroundings
from genro_wopi.domain.errors import NotFoundError, UnavailableError
from genro_wopi.domain.files import Evidence, Head, KeptVersion, foreign_version
from genro_wopi.domain.identifiers import Version
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath
from genro_wopi.domain.storages import (
    Body,
    Capabilities,
    FolderEntry,
    FolderPage,
    HeadChangedError,
    OpenFile,
    ProbeReport,
    Storage,
    StorageFaultError,
)

READ_CHUNK_BYTES: Final = 256 * 1024
HEADS_AT_ONCE: Final = 16
VERSIONS_MAX: Final = 1000
LEASE_WAIT_S: Final = 5.0
NOT_FOUND: Final = 404
BAD_REQUEST: Final = 400

_META: Final = "genro-"


async def build(storage: Storage, surroundings: StorageSurroundings) -> "S3Storage":
    """Open a configured storage; nothing is sent yet.

    Raises:
        InvalidFieldsError: its endpoint is not one that this host may call.
    """
    config = storage.config
    endpoint_url = str(config["endpoint_url"]) if config.get("endpoint_url") else None
    if endpoint_url is not None:
        await surroundings.egress.check_url(endpoint_url, field="endpoint_url")
    sealed = storage.sealed.get("secret_access_key")
    context = f"{storage.tenant_id}/storage/{storage.name}/secret_access_key"
    settings = S3Settings(
        bucket=str(config["bucket"]),
        prefix=_prefix(str(config.get("prefix") or "")),
        endpoint_url=endpoint_url,
        region=str(config.get("region") or "us-east-1"),
        path_style=bool(config.get("path_style", endpoint_url is not None)),
        access_key_id=str(config["access_key_id"]) if config.get("access_key_id") else None,
        secret_access_key=surroundings.ring.open(sealed, context=context) if sealed else None,
        encryption=_encryption(config),
        ca_certificate=str(config.get("ca_certificate") or ""),
        hands_out_urls=bool(config.get("file_url", False)),
    )
    backend = await S3Storage.connect(settings, storage.probe)
    if storage.probe is not None and storage.probe.storage_class == "B":
        leases, name = surroundings.leases, f"{storage.tenant_id}/{storage.name}"
        backend.lease = lambda path: leases.held(f"{name}/{path}", wait_s=LEASE_WAIT_S)
    return backend


def _encryption(config: Mapping[str, str | bool]) -> dict[str, str]:
    """Return what asks the store to encrypt, as S3 names it."""
    if not config.get("encryption"):
        return {}
    asked = {"ServerSideEncryption": str(config["encryption"])}
    if config.get("encryption_key_id"):
        asked["SSEKMSKeyId"] = str(config["encryption_key_id"])
    return asked


def _prefix(value: str) -> str:
    return f"{value.strip('/')}/" if value.strip("/") else ""


class S3Storage:
    """Implements `StorageBackend` over one bucket and prefix."""

    def __init__(
        self,
        client: S3Client,
        stack: AsyncExitStack,
        settings: S3Settings,
        probe: ProbeReport | None,
    ) -> None:
        self.client = client
        self.settings = settings
        self.etag_quoted = probe.etag_quoted if probe else True
        self.versioned = probe.versioned if probe else False
        self.lease: Callable[[str], AbstractAsyncContextManager[None]] | None = None
        """Held while a save is made in a store whose conditions do not count."""
        self._stack = stack
        self._patient: S3Client | None = None
        self._opening = asyncio.Lock()

    @classmethod
    async def connect(cls, settings: S3Settings, probe: ProbeReport | None) -> "S3Storage":
        """Open the client; nothing is sent yet."""
        stack = AsyncExitStack()
        return cls(await open_client(stack, settings), stack, settings, probe)

    async def writer(self, size_bytes: int) -> S3Client:
        """Return the client for a write of this size; large ones are waited for longer."""
        if size_bytes < LARGE_BYTES:
            return self.client
        async with self._opening:
            if self._patient is None:
                self._patient = await open_client(
                    self._stack, self.settings, read_timeout_s=LARGE_READ_TIMEOUT_S
                )
        return self._patient

    def node(self, path: StoragePath) -> "S3Node":
        """See StorageBackend."""
        return S3Node(self, path)

    def key(self, path: str) -> str:
        """Return the object's key."""
        return f"{self.settings.prefix}{path}"

    def history_prefix(self, path: StoragePath) -> str:
        """Return what the keys of a file's kept versions begin with."""
        digest = hashlib.sha256(path.encode()).hexdigest()[:32]
        return self.key(f"{RESERVED_SEGMENT}/history/{digest}/")

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[FolderEntry]:
        """See StorageBackend."""
        found: list[FolderEntry] = []
        cursor = ""
        while len(found) < limit:
            page = await self.list_page(path, limit=limit - len(found), cursor=cursor)
            found += page.entries
            cursor = page.cursor
            if not cursor:
                break
        return sorted(found, key=lambda e: e.name)

    async def list_page(self, path: StoragePath, *, limit: int, cursor: str) -> FolderPage:
        """See StorageBackend; the cursor is the store's own."""
        prefix = self.key(f"{path}/" if path else "")
        place = {"ContinuationToken": cursor} if cursor else {}
        try:
            answer = await self.client.list_objects_v2(
                Bucket=self.settings.bucket,
                Prefix=prefix,
                Delimiter="/",
                MaxKeys=min(limit, PAGE_MAX),
                **place,
            )
        except FAULTS as error:
            raise translated(error) from error
        if path and not cursor and not (answer.get("CommonPrefixes") or answer.get("Contents")):
            raise NotFoundError("There is no such folder in the storage.")
        following = answer["NextContinuationToken"] if answer.get("IsTruncated") else ""
        return FolderPage(_entries(answer, prefix), str(following))

    async def make_folder(self, path: StoragePath) -> None:
        """See StorageBackend; an empty object named as the folder marks it."""
        await make_folder(self, path)

    async def remove_folder(self, path: StoragePath) -> None:
        """See StorageBackend."""
        await remove_folder(self, path)

    async def move(
        self, source: StoragePath, target: StoragePath, *, resumed: bool = False
    ) -> Head:
        """See StorageBackend."""
        return await move_object(self, source, target, resumed=resumed)

    async def purge(self, path: StoragePath) -> None:
        """See StorageBackend."""
        await purge_object(self, path)

    async def probe(self) -> ProbeReport:
        """See StorageBackend."""
        return await probe_store(
            self.client, self.settings.bucket, self.key(f"{RESERVED_SEGMENT}/probe/")
        )

    async def aclose(self) -> None:
        """See StorageBackend."""
        await self._stack.aclose()


class S3Node:
    """Implements `StorageNode` for one object."""

    def __init__(self, storage: S3Storage, path: StoragePath) -> None:
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
            return _head(await self._storage.client.head_object(**self._object))
        except ClientError as error:
            if status_of(error) == NOT_FOUND:
                return None
            raise _as_fault(error) from error
        except FAULTS as error:
            raise translated(error) from error

    @asynccontextmanager
    async def open_read(
        self, *, first: int = 0, last: int | None = None
    ) -> AsyncGenerator[OpenFile]:
        """See StorageNode."""
        parameters: dict[str, object] = dict(self._object)
        if first or last is not None:
            parameters["Range"] = f"bytes={first}-{'' if last is None else last}"
        answer = await self._get(parameters)
        body = cast("S3Body", answer["Body"])
        try:
            yield OpenFile(_head(answer), read_chunks(body, READ_CHUNK_BYTES))
        finally:
            body.close()

    async def write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        """See StorageNode."""
        if self._storage.lease is None:
            return await self._write(body, evidence, _condition(self._storage, expected))
        try:
            async with self._storage.lease(self._path):
                now = await self.stat()
                if _fingerprint(now) != _fingerprint(expected):
                    raise HeadChangedError("The file is not what was expected.")
                return await self._write(body, evidence, {})
        except UnavailableError as error:
            raise StorageFaultError(str(error)) from error

    async def presigned_url(self, *, life_s: int) -> str | None:
        """See StorageNode."""
        if not self._storage.settings.hands_out_urls:
            return None
        return await self._storage.client.generate_presigned_url(
            "get_object", Params=dict(self._object), ExpiresIn=life_s
        )

    async def _write(self, body: Body, evidence: Evidence, condition: dict[str, object]) -> Head:
        answer = await self._put(
            body, {**self._object, **condition, "Metadata": _metadata(evidence)}
        )
        return Head(
            fingerprint=str(answer["ETag"]),
            size_bytes=body.size_bytes,
            modified_us=evidence.last_modified_us,
            evidence=evidence,
        )

    async def keep(self, head: Head) -> None:
        """See StorageNode; a versioned bucket keeps by itself."""
        if self._storage.versioned:
            return
        bucket, key = self._object["Bucket"], self._object["Key"]
        foreign = foreign_version(head.fingerprint.strip('"'))
        name = head.evidence.version if head.evidence else foreign
        target = f"{self._storage.history_prefix(self._path)}{name}"
        client = await self._storage.writer(head.size_bytes)
        try:
            await client.copy_object(
                Bucket=bucket,
                Key=target,
                CopySource={"Bucket": bucket, "Key": key},
                CopySourceIfMatch=head.fingerprint,
                **self._storage.settings.encryption,
            )
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
            return await self._kept(version)
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
        head = _head(answer)
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
        answer = await self._get({"Bucket": self._object["Bucket"], **reference})
        body = cast("S3Body", answer["Body"])
        try:
            yield read_chunks(body, READ_CHUNK_BYTES)
        finally:
            body.close()

    async def discard_version(self, key: str) -> None:
        """See StorageNode."""
        await self._remove(kept_reference(self._storage, self._path, key))

    async def tidy(self) -> None:
        """See StorageNode; one PutObject leaves nothing half done."""

    async def discard_rescued(self, rescue_id: str) -> None:
        """See StorageNode."""
        await self._remove({"Key": self._rescued(rescue_id)})

    def _rescued(self, rescue_id: str) -> str:
        return self._storage.key(f"{RESERVED_SEGMENT}/recovery/{rescue_id}")

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
        answer = await self._get({**self._object, "Key": self._rescued(rescue_id)})
        body = cast("S3Body", answer["Body"])
        try:
            yield read_chunks(body, READ_CHUNK_BYTES)
        finally:
            body.close()

    async def _get(self, parameters: dict[str, object]) -> dict[str, Any]:
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


def _entries(answer: dict[str, Any], prefix: str) -> list[FolderEntry]:
    """Read a list; the host's own folder, and the marker of the folder itself, are left out."""
    entries = [
        FolderEntry(name=name, is_folder=True, size_bytes=0, modified_us=0)
        for folder in answer.get("CommonPrefixes", [])
        if (name := str(folder["Prefix"])[len(prefix) :].rstrip("/")) != RESERVED_SEGMENT
    ]
    entries += [
        FolderEntry(
            name=name,
            is_folder=False,
            size_bytes=int(item["Size"]),
            modified_us=_us(item["LastModified"]),
        )
        for item in answer.get("Contents", [])
        if (name := str(item["Key"])[len(prefix) :])
    ]
    return sorted(entries, key=lambda e: e.name)


def _condition(storage: S3Storage, expected: Head | None) -> dict[str, object]:
    if expected is None:
        return {"IfNoneMatch": "*"}
    quoted = storage.etag_quoted
    return {"IfMatch": expected.fingerprint if quoted else expected.fingerprint.strip('"')}


def _fingerprint(head: Head | None) -> str:
    return head.fingerprint if head else ""


def _is_no_version(error: ClientError) -> bool:
    """A version id of another form than the store's own is a bad request to it."""
    return status_of(error) == BAD_REQUEST and "version" in str(error).lower()


def _as_fault(error: ClientError) -> Exception:
    """Reading knows no conditions: whatever is refused is a fault."""
    fault = translated(error)
    if isinstance(fault, HeadChangedError):
        return StorageFaultError(f"The store answered {status_of(error)}.")
    return fault


def _head(answer: dict[str, Any]) -> Head:
    size_bytes = int(answer["ContentLength"])
    content_range = str(answer.get("ContentRange", ""))
    if "/" in content_range:
        size_bytes = int(content_range.rpartition("/")[2])
    return Head(
        fingerprint=str(answer["ETag"]),
        size_bytes=size_bytes,
        modified_us=_us(answer["LastModified"]),
        evidence=_evidence({k.lower(): str(v) for k, v in answer.get("Metadata", {}).items()}),
    )


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _metadata(evidence: Evidence) -> dict[str, str]:
    return {
        f"{_META}save-id": evidence.save_id,
        f"{_META}session": evidence.session,
        f"{_META}epoch": str(evidence.epoch),
        f"{_META}attempt": str(evidence.attempt),
        f"{_META}base": evidence.base,
        f"{_META}sequence": str(evidence.sequence),
        f"{_META}version": evidence.version,
        f"{_META}last-modified": str(evidence.last_modified_us),
        f"{_META}sha256": evidence.sha256,
        f"{_META}lock": evidence.lock,
        f"{_META}file-id": evidence.file_id,
        f"{_META}autosave": str(int(evidence.is_autosave)),
    }


def _evidence(metadata: dict[str, str]) -> Evidence | None:
    try:
        return Evidence(
            save_id=metadata[f"{_META}save-id"],
            session=metadata.get(f"{_META}session", ""),
            epoch=int(metadata[f"{_META}epoch"]),
            attempt=int(metadata[f"{_META}attempt"]),
            base=metadata.get(f"{_META}base", ""),
            sequence=int(metadata[f"{_META}sequence"]),
            version=Version(metadata[f"{_META}version"]),
            last_modified_us=int(metadata[f"{_META}last-modified"]),
            sha256=metadata[f"{_META}sha256"],
            lock=metadata.get(f"{_META}lock", ""),
            file_id=metadata.get(f"{_META}file-id", ""),
            is_autosave=metadata.get(f"{_META}autosave") == "1",
        )
    except (KeyError, ValueError):
        return None
