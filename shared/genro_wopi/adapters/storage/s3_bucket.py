"""One bucket and prefix, open: its clients, its keys, and what the probe found out about it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from genro_wopi.adapters.storage.records import Records
from genro_wopi.adapters.storage.s3_client import (
    LARGE_BYTES,
    LARGE_READ_TIMEOUT_S,
    S3Client,
    S3Settings,
    open_client,
)
from genro_wopi.domain.paths import StoragePath, history_folder, inner_path
from genro_wopi.domain.storages import ProbeReport


class S3Bucket:
    """What everything about a bucket works with."""

    def __init__(
        self,
        client: S3Client,
        stack: AsyncExitStack,
        settings: S3Settings,
        probe: ProbeReport | None,
        records: Records | None = None,
    ) -> None:
        self.client = client
        self.settings = settings
        self.records = records or Records()
        self.etag_quoted = probe.etag_quoted if probe else True
        self.versioned = probe.versioned if probe else False
        self.copies_checked = probe.copies_checked if probe else False
        self.lease: Callable[[str], AbstractAsyncContextManager[None]] | None = None
        """Held while a save is made in a store whose conditions do not count."""
        self._stack = stack
        self._patient: S3Client | None = None
        self._opening = asyncio.Lock()

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

    async def copy(
        self, source: dict[str, str], target_key: str, *, size_bytes: int, etag: str | None = None
    ) -> dict[str, Any]:
        """Copy an object within the bucket; faults are those of the client.

        Args:
            source: its key, and a version where one is meant.
            target_key: where to.
            size_bytes: how large it may be.
            etag: what it must be, at a store that looks; None for whatever it is.
        """
        condition = {"CopySourceIfMatch": etag} if etag else {}
        client = await self.writer(size_bytes)
        return await client.copy_object(
            Bucket=self.settings.bucket,
            Key=target_key,
            CopySource={"Bucket": self.settings.bucket, **source},
            **condition,
            **self.settings.encryption,
        )

    def key(self, path: str) -> str:
        """Return the object's key.

        Raises:
            NotFoundError: the path leads out of the storage; some stores keep objects as files.
        """
        return f"{self.settings.prefix}{inner_path(path)}"

    def history_prefix(self, path: StoragePath) -> str:
        """Return what the keys of a file's kept versions begin with."""
        return self.key(f"{history_folder(path)}/")
