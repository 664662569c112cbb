"""The registry of files in Redis; see `genro_wopi.domain.files.FileRegistry`."""

import itertools
from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.rows import FILE_FIELDS, file_record, head_arguments, known_head
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.files import FileRecord, Head, KnownHead
from genro_wopi.domain.identifiers import FILE_ID, FileId, TenantId, new_file_id, partition_of
from genro_wopi.domain.paths import StoragePath

_REGISTER_PATH: Final = Script("register_path")
_REGISTER_FILE: Final = Script("register_file")
_RELEASE_PATH: Final = Script("release_path")
_OBSERVE: Final = Script("observe_head")

REGISTER_ATTEMPTS_MAX: Final = 5
SCAN_COUNT: Final = 1000
SCANS_MAX: Final = 20
"""Of one page: the keys of all tenants are looked at, and one tenant's request ends with these."""


class RedisFileRegistry:
    """Implements `FileRegistry`."""

    def __init__(self, redis: RedisClient, partitions: Partitions) -> None:
        self._redis = redis
        self._partitions = partitions

    async def register(
        self, tenant_id: TenantId, storage_name: str, path: StoragePath
    ) -> FileRecord:
        """See FileRegistry."""
        key = keys.path(tenant_id, storage_name, path)
        count = self._partitions.configured
        await self._partitions.use(count)
        for _ in range(REGISTER_ATTEMPTS_MAX):
            known = await self._redis.run(_REGISTER_PATH, (key,), (new_file_id(count),))
            file_id = FileId(text(known))
            names = FileKeys(file_id)
            row = await self._redis.run(
                _REGISTER_FILE, (names.file,), (tenant_id, storage_name, path)
            )
            record = file_record(file_id, row)
            if record is not None and path in {record.path, record.moving_to}:
                return record
            await self._redis.run(_RELEASE_PATH, (key,), (file_id,))
        raise UnavailableError("The file is moved faster than it can be found; try again.")

    async def record(self, file_id: FileId) -> FileRecord | None:
        """See FileRegistry."""
        if FILE_ID.fullmatch(file_id) is None:
            return None
        names = FileKeys(file_id)
        row = await self._redis.call("HMGET", names.file, *FILE_FIELDS)
        return file_record(file_id, row)

    async def adopt(
        self,
        file_id: FileId,
        tenant_id: TenantId,
        storage_name: str,
        path: StoragePath,
        *,
        may_widen: bool,
    ) -> bool:
        """See FileRegistry; an id of a partition that was never used takes that into use."""
        if may_widen:
            await self._partitions.use(partition_of(file_id) + 1)
        elif partition_of(file_id) >= len(await self._partitions.all()):
            return False
        key = keys.path(tenant_id, storage_name, path)
        if text(await self._redis.run(_REGISTER_PATH, (key,), (file_id,))) != file_id:
            return False
        names = FileKeys(file_id)
        row = await self._redis.run(_REGISTER_FILE, (names.file,), (tenant_id, storage_name, path))
        record = file_record(file_id, row)
        place = record and (record.tenant_id, record.storage_name, record.path)
        if place == (tenant_id, storage_name, path):
            return True
        await self._redis.run(_RELEASE_PATH, (key,), (file_id,))
        return False

    async def page(
        self, tenant_id: TenantId, *, cursor: str, limit: int
    ) -> tuple[list[FileRecord], str]:
        """See FileRegistry; a page that looked at enough of all keys ends, however few it found."""
        pattern = keys.path_pattern(tenant_id)
        position, found = cursor or "0", list[FileRecord]()
        for scans in itertools.count(1):
            position, names = await self._redis.call(
                "SCAN", position, "MATCH", pattern, "COUNT", SCAN_COUNT
            )
            if names:
                ids = await self._redis.pipeline([("GET", name) for name in names])
                for file_id in {FileId(text(i)) for i in ids if i}:
                    record = await self.record(file_id)
                    if record is not None:
                        found.append(record)
            if text(position) == "0" or len(found) >= limit or scans >= SCANS_MAX:
                break
        return found, "" if text(position) == "0" else text(position)

    async def forget(self, record: FileRecord) -> None:
        """See FileRegistry."""
        key = keys.path(record.tenant_id, record.storage_name, record.path)
        await self._redis.run(_RELEASE_PATH, (key,), (record.file_id,))
        await self._redis.call("DEL", FileKeys(record.file_id).file)

    async def find(
        self, tenant_id: TenantId, storage_name: str, path: StoragePath
    ) -> FileId | None:
        """See FileRegistry."""
        file_id = text(await self._redis.call("GET", keys.path(tenant_id, storage_name, path)))
        return FileId(file_id) if file_id else None

    async def observe(
        self,
        file_id: FileId,
        head: Head,
        *,
        reader: str = "",
        editor: str = "",
        loads: bool = True,
        deadline_s: float = 0.0,
    ) -> KnownHead:
        """See FileRegistry."""
        names = FileKeys(file_id)
        evidence = head.evidence
        writer = evidence.session if evidence and evidence.file_id == file_id else ""
        row = await self._redis.run(
            _OBSERVE,
            (
                names.session(reader),
                names.file,
                names.lock,
                names.intents,
                names.session(writer),
            ),
            (reader, *head_arguments(head), file_id, editor, int(loads)),
            deadline_s=deadline_s,
        )
        known = known_head(row)
        if known is None:
            raise UnavailableError("Redis did not keep the file's head; try again.")
        return known
