"""What an S3 store really does with conditions, found by trying, in words for the operator.

Stores differ: some take If-Match only without quotation marks, some ignore it on versioned buckets,
some answer 500 for a lost race. A store that loses a race without saying so is not used for saves.
"""

import asyncio
import time
import uuid
from typing import Final

from genro_wopi.adapters.storage.s3_client import FAULTS, S3Client
from genro_wopi.domain.storages import ProbeReport, StorageFaultError

WRITERS: Final = 32
ROUNDS: Final = 3
_ABSENT_ETAG: Final = '"d41d8cd98f00b204e9800998ecf8427e"'


class _Probe:
    """One run of the probe under a key prefix of its own."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}{uuid.uuid4().hex}/"
        self.findings: list[str] = []
        self.quoted = True

    async def run(self) -> bool:
        """Return whether the store's conditional writes are atomic."""
        etag = await self._put("plain", b"one")
        if etag is None:
            raise StorageFaultError("The bucket cannot be written; check its name and the keys.")
        if not await self._finds_quoting(etag):
            return False
        checks = (
            await self._refuses_stale("plain", etag),
            await self._refuses_missing(),
            await self._refuses_existing(),
        )
        return all(checks) and await self._has_one_winner()

    async def reads_what_it_wrote(self) -> bool:
        """Return whether a store whose conditions do not count can be used under a lease."""
        self.quoted = True
        for content in (b"first", b"second"):
            if await self._put("again", content) is None or await self._read("again") != content:
                self.findings.append("What was written is not what is read: not usable.")
                return False
        self.findings.append(
            "Class B: conditions do not count here, so a save is made under a lease of this"
            " cluster, which programs outside do not see."
        )
        return True

    async def copies_what_was_read(self) -> bool:
        """Return whether the store copies an object only while it has the ETag that was read."""
        old, new = await self._put("copied", b"old"), await self._put("copied", b"new")
        if old is None or new is None:
            raise StorageFaultError("The store stopped answering during the probe.")
        if await self._copied(new) and not await self._copied(old):
            self.findings.append("x-amz-copy-source-if-match with a stale ETag is refused.")
            return True
        self.findings.append(
            "x-amz-copy-source-if-match does not count: what a save replaces is copied twice and"
            " looked at in between. A bucket that keeps versions needs no copies."
        )
        return False

    async def clean(self) -> None:
        """Remove what the probe wrote."""
        try:
            answer = await self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix)
            for item in answer.get("Contents", []):
                await self._client.delete_object(Bucket=self._bucket, Key=item["Key"])
        except FAULTS:
            self.findings.append(f"What the probe wrote under {self._prefix} could not be removed.")

    async def _put(self, name: str, content: bytes, **condition: str) -> str | None:
        if not self.quoted and "IfMatch" in condition:
            condition["IfMatch"] = condition["IfMatch"].strip('"')
        try:
            answer = await self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + name, Body=content, **condition
            )
        except FAULTS:
            return None
        return str(answer["ETag"])

    async def _copied(self, etag: str) -> bool:
        try:
            await self._client.copy_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}copy",
                CopySource={"Bucket": self._bucket, "Key": f"{self._prefix}copied"},
                CopySourceIfMatch=etag,
            )
        except FAULTS:
            return False
        return True

    async def _finds_quoting(self, etag: str) -> bool:
        if await self._put("plain", b"one", IfMatch=etag):
            self.findings.append("If-Match with the current ETag is accepted.")
            return True
        self.quoted = False
        if await self._put("plain", b"one", IfMatch=etag):
            self.findings.append("If-Match is accepted only with an unquoted ETag: done so.")
            return True
        self.findings.append("If-Match with the current ETag is refused: saves are impossible.")
        return False

    async def _refuses_stale(self, name: str, etag: str) -> bool:
        await self._put(name, b"two")
        refused = await self._put(name, b"three", IfMatch=etag) is None
        self._note(refused, "If-Match with a stale ETag")
        return refused

    async def _refuses_missing(self) -> bool:
        refused = await self._put("missing", b"x", IfMatch=_ABSENT_ETAG) is None
        self._note(refused, "If-Match on a missing key")
        return refused

    async def _refuses_existing(self) -> bool:
        created = await self._put("new", b"1", IfNoneMatch="*")
        refused = created is not None and await self._put("new", b"2", IfNoneMatch="*") is None
        self._note(refused, "If-None-Match on an existing key")
        return refused

    async def _has_one_winner(self) -> bool:
        for number in range(ROUNDS):
            name = f"race-{number}"
            etag = await self._put(name, b"base")
            if etag is None:
                raise StorageFaultError("The store stopped answering during the probe.")
            bodies = [f"{number}-{writer}".encode() for writer in range(WRITERS)]
            results = await asyncio.gather(*(self._put(name, b, IfMatch=etag) for b in bodies))
            winners = [b for b, won in zip(bodies, results, strict=True) if won]
            if len(winners) != 1 or await self._read(name) != winners[0]:
                self.findings.append(
                    f"{len(winners)} of {WRITERS} concurrent writers won: saves could be lost."
                )
                return False
        self.findings.append(f"Of {WRITERS} concurrent writers one won, {ROUNDS} times.")
        return True

    async def _read(self, name: str) -> bytes:
        try:
            answer = await self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            async with answer["Body"] as body:
                return await body.read()
        except FAULTS as error:
            raise StorageFaultError("The store stopped answering during the probe.") from error

    def _note(self, refused: bool, what: str) -> None:  # noqa: FBT001 - one private flag
        ending = "is refused, as it must." if refused else "is ignored: saves could be lost."
        self.findings.append(f"{what} {ending}")


async def probe_store(client: S3Client, bucket: str, prefix: str) -> ProbeReport:
    """Try what the store does.

    Raises:
        StorageFaultError: the bucket cannot be reached or written.
    """
    probe = _Probe(client, bucket, prefix)
    try:
        is_atomic = await probe.run()
        is_usable = is_atomic or await probe.reads_what_it_wrote()
        copies_checked = is_usable and await probe.copies_what_was_read()
    finally:
        await probe.clean()
    try:
        status = await client.get_bucket_versioning(Bucket=bucket)
        versioned = status.get("Status") == "Enabled"
    except FAULTS:
        versioned = False
    probe.findings.append(
        f"The bucket {'keeps' if versioned else 'does not keep'} versions itself."
    )
    return ProbeReport(
        storage_class="A" if is_atomic else "B" if is_usable else "none",
        etag_quoted=probe.quoted,
        versioned=versioned,
        findings=tuple(probe.findings),
        probed_us=time.time_ns() // 1000,
        copies_checked=copies_checked,
    )
