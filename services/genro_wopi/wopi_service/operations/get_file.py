"""GetFile: the bytes of the head, or of a range of it, in constant memory.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/getfile
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec

from genro_wopi.domain.errors import ExpectedSizeExceededError, NotFoundError, RangeError
from genro_wopi.domain.files import KnownHead
from genro_wopi.domain.sessions import Purpose
from genro_wopi.protocol.byte_range import ByteRange, UnsatisfiableRangeError, parse_range
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.check_file_info import known_head
from genro_wopi.wopi_service.operations.host import (
    OPEN_PATIENCE_S,
    Host,
    existing,
    node_of,
    patiently,
)


class FileContent(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is being read; `source` closes it."""

    head: KnownHead
    part: ByteRange | None
    """The range that is sent; None for the whole file."""
    chunks: AsyncIterator[bytes]
    source: AsyncExitStack
    is_unchanged: bool
    """The client has this version already: 304."""

    @property
    def size_bytes(self) -> int:
        """How many bytes are sent."""
        return self.part.size_bytes if self.part else self.head.size_bytes


async def open_file(
    host: Host,
    request: EditorRequest,
    *,
    expected_bytes_max: int | None,
    byte_range: str | None,
    if_none_match: str | None,
) -> FileContent:
    """Open the head for reading; bytes, size and version come from one handle.

    Args:
        host: the ports.
        request: who asks.
        expected_bytes_max: X-WOPI-MaxExpectedSize; None where absent.
        byte_range: the Range header.
        if_none_match: the If-None-Match header.

    Raises:
        NotFoundError: the file is not in its storage any more.
        ExpectedSizeExceededError: it is larger than the client can take.
        RangeError: no byte of it lies in the range.
        UnavailableError, StorageFaultError: Redis or the storage stayed away.
    """

    async def attempt() -> FileContent:
        return await _open(host, request, expected_bytes_max, byte_range, if_none_match)

    return await patiently(host, host.deadline(OPEN_PATIENCE_S), attempt)


async def _open(
    host: Host,
    request: EditorRequest,
    expected_bytes_max: int | None,
    byte_range: str | None,
    if_none_match: str | None,
) -> FileContent:
    admission = await admit(host, request, Purpose.READ)
    node = await node_of(host, admission.file)
    registered = admission.file.head
    part = _range(byte_range, registered.size_bytes) if registered else None
    async with AsyncExitStack() as stack:
        first, last = (part.first, part.last) if part else (0, None)
        try:
            opened = await stack.enter_async_context(node.open_read(first=first, last=last))
        except NotFoundError:
            node, _ = await existing(host, admission.file)
            opened = await stack.enter_async_context(node.open_read(first=first, last=last))
        head = await known_head(host, admission, opened.head, reads=True)
        if part is not None and registered is not None and head.version != registered.version:
            raise RangeError(head.size_bytes)
        if expected_bytes_max is not None and head.size_bytes > expected_bytes_max:
            raise ExpectedSizeExceededError(
                f"The file has {head.size_bytes} bytes, more than the editor can take."
            )
        return FileContent(
            head=head,
            part=part,
            chunks=opened.chunks,
            source=stack.pop_all(),
            is_unchanged=if_none_match == etag(head),
        )


def etag(head: KnownHead) -> str:
    """Return the strong validator of a version."""
    return f'"{head.version}"'


def _range(value: str | None, size_bytes: int) -> ByteRange | None:
    try:
        return parse_range(value, size_bytes)
    except UnsatisfiableRangeError as error:
        raise RangeError(size_bytes) from error
