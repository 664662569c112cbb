"""Files in an S3 bucket. Class A where the store honours conditions; the probe finds out.

Where it does not, a save is made under a lease of the cluster: class B.

A commit is one PutObject with If-Match (If-None-Match for a new file) that carries the evidence as
object metadata: bytes and evidence can never disagree. Multipart uploads are not used, since
several stores ignore conditions when they are completed.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from genro_wopi.adapters.storage.answers import next_place, size_of, sound, storage_time_us
from genro_wopi.adapters.storage.records import Records
from genro_wopi.adapters.storage.s3_bucket import S3Bucket
from genro_wopi.adapters.storage.s3_client import FAULTS, S3Settings, open_client, translated
from genro_wopi.adapters.storage.s3_folders import (
    make_folder,
    move_object,
    purge_object,
    remove_folder,
)
from genro_wopi.adapters.storage.s3_kept import PAGE_MAX
from genro_wopi.adapters.storage.s3_node import S3Node
from genro_wopi.adapters.storage.s3_probe import probe_store
from genro_wopi.adapters.storage.surroundings import StorageSurroundings, require_place
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.files import Head
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath
from genro_wopi.domain.storages import FolderEntry, FolderPage, OddAnswerError, ProbeReport, Storage

LEASE_WAIT_S: Final = 5.0
EMPTY_PAGES_MAX: Final = 20
"""Parts of a list with nothing in them, one after the other; some stores give a few."""


async def build(storage: Storage, surroundings: StorageSurroundings) -> "S3Storage":
    """Open a configured storage; nothing is sent yet.

    Raises:
        InvalidFieldsError: its endpoint is not one that this host may call.
    """
    config = storage.config
    endpoint_url = str(config["endpoint_url"]) if config.get("endpoint_url") else None
    if endpoint_url is not None:
        await surroundings.egress.check_url(endpoint_url, field="endpoint_url")
    settings = S3Settings(
        bucket=str(config["bucket"]),
        prefix=_prefix(str(config.get("prefix") or "")),
        endpoint_url=endpoint_url,
        region=str(config.get("region") or "us-east-1"),
        path_style=bool(config.get("path_style", endpoint_url is not None)),
        access_key_id=str(config["access_key_id"]) if config.get("access_key_id") else None,
        secret_access_key=surroundings.secret(storage, "secret_access_key"),
        encryption=_encryption(config),
        ca_certificate=str(config.get("ca_certificate") or ""),
        egress=surroundings.egress,
        hands_out_urls=bool(config.get("file_url", False)),
    )
    require_place("prefix", settings.prefix)
    backend = await S3Storage.connect(settings, storage.probe, surroundings.records(storage))
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


class S3Storage(S3Bucket):
    """Implements `StorageBackend` over one bucket and prefix."""

    @classmethod
    async def connect(
        cls, settings: S3Settings, probe: ProbeReport | None, records: Records | None = None
    ) -> "S3Storage":
        """Open the client; nothing is sent yet."""
        stack = AsyncExitStack()
        return cls(await open_client(stack, settings), stack, settings, probe, records)

    def node(self, path: StoragePath) -> S3Node:
        """See StorageBackend."""
        return S3Node(self, path)

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[FolderEntry]:
        """See StorageBackend."""
        found: dict[str, FolderEntry] = {}
        cursor, empty = "", 0
        while len(found) < limit:
            page = await self.list_page(path, limit=limit - len(found), cursor=cursor)
            before = len(found)
            found |= {entry.name: entry for entry in page.entries}
            empty = empty + 1 if len(found) == before else 0
            cursor = page.cursor
            if not cursor:
                break
            if empty > EMPTY_PAGES_MAX:
                raise OddAnswerError("The store's list goes on and has nothing new in it.")
        return sorted(found.values(), key=lambda e: e.name)

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
        following = ""
        if answer.get("IsTruncated"):
            following = next_place(answer.get("NextContinuationToken"), cursor)
        return FolderPage(sound(_entries(answer, prefix), self.records, 2 * PAGE_MAX), following)

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


def _entries(answer: dict[str, Any], prefix: str) -> list[FolderEntry]:
    """Read a list; the marker of the folder itself is left out, and what lies elsewhere."""
    folders = [str(folder.get("Prefix", "")) for folder in answer.get("CommonPrefixes", [])]
    entries = [
        FolderEntry(name=name[len(prefix) : -1], is_folder=True, size_bytes=0, modified_us=0)
        for name in folders
        if name.startswith(prefix) and name.endswith("/")
    ]
    for item in answer.get("Contents", []):
        key = str(item.get("Key", ""))
        if key.startswith(prefix) and key != prefix:
            with suppress(OddAnswerError):
                entries.append(_file_entry(item, key[len(prefix) :]))
    return sorted(entries, key=lambda e: e.name)


def _file_entry(item: dict[str, Any], name: str) -> FolderEntry:
    return FolderEntry(
        name=name,
        is_folder=False,
        size_bytes=size_of(item.get("Size")),
        modified_us=storage_time_us(item.get("LastModified")),
    )
