"""What of aiobotocore this host uses: with types and time-outs, errors in the domain's words."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol, cast

import aiohttp
import msgspec
from aiobotocore.session import (
    get_session,  # pyright: ignore[reportUnknownVariableType] - untyped library
)
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.storage.s3_http import guarded_config
from genro_wopi.domain.errors import StorageFullError
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.storages import HeadChangedError, OddAnswerError, StorageFaultError

CONNECT_TIMEOUT_S: Final = 2
READ_TIMEOUT_S: Final = 8
"""Without a byte from the store. A save is given 25 s, so there is time for a second attempt."""

LARGE_BYTES: Final = 8 * 2**20
LARGE_READ_TIMEOUT_S: Final = 60
"""For writing and copying what is large: the store answers only when it has taken all of it, and
megabytes may still lie in the buffers of slow links when the last of them was sent."""

CONNECTIONS_MAX: Final = 64

_CHANGED: Final = frozenset({404, 409, 412})
_FULL: Final = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"})


class S3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one bucket."""

    bucket: str
    prefix: str
    endpoint_url: str | None
    region: str
    path_style: bool
    access_key_id: str | None
    secret_access_key: Secret | None
    encryption: dict[str, str] = {}
    """Parameters of PutObject and CopyObject that ask the store to encrypt."""
    ca_certificate: str = ""
    """PEM of the authority that signed the store's certificate; empty: the usual ones."""
    egress: EgressPolicy
    """Which addresses may be called, whatever the store or the resolver says."""
    hands_out_urls: bool = False
    """Editors read documents from the store itself, by short-lived addresses."""


class S3Body(Protocol):
    """The body of an answer; it must be closed or the connection is lost."""

    async def read(self, amt: int = -1) -> bytes:
        """Return at most `amt` bytes; empty at the end."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class S3Client(Protocol):
    """The operations that are called, with their parameters as S3 names them."""

    async def head_object(self, **parameters: object) -> dict[str, Any]:
        """HeadObject."""
        ...

    async def get_object(self, **parameters: object) -> dict[str, Any]:
        """GetObject."""
        ...

    async def put_object(self, **parameters: object) -> dict[str, Any]:
        """PutObject."""
        ...

    async def copy_object(self, **parameters: object) -> dict[str, Any]:
        """CopyObject."""
        ...

    async def delete_object(self, **parameters: object) -> dict[str, Any]:
        """DeleteObject."""
        ...

    async def list_objects_v2(self, **parameters: object) -> dict[str, Any]:
        """ListObjectsV2."""
        ...

    async def list_object_versions(self, **parameters: object) -> dict[str, Any]:
        """ListObjectVersions."""
        ...

    async def generate_presigned_url(
        self,
        operation: str,
        *,
        Params: dict[str, str],  # noqa: N803 - S3's names
        ExpiresIn: int,  # noqa: N803 - S3's names
    ) -> str:
        """Sign an address; nothing is sent."""
        ...

    async def get_bucket_versioning(self, **parameters: object) -> dict[str, Any]:
        """GetBucketVersioning."""
        ...


async def open_client(
    stack: AsyncExitStack, settings: S3Settings, *, read_timeout_s: int = READ_TIMEOUT_S
) -> S3Client:
    """Open one long-lived client; it closes with the stack."""
    config = guarded_config(
        settings.egress,
        ignore_configured_endpoint_urls=settings.access_key_id is not None,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        max_pool_connections=CONNECTIONS_MAX,
        retries={"mode": "standard", "total_max_attempts": 1},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            "addressing_style": "path" if settings.path_style else "auto",
            "payload_signing_enabled": False,
        },
    )
    secret = settings.secret_access_key
    verify: str | None = None
    if settings.ca_certificate:
        file = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".pem"))  # noqa: SIM115 - closed with the stack
        file.write(settings.ca_certificate)
        file.flush()
        verify = file.name
    context = get_session().create_client(  # pyright: ignore[reportUnknownMemberType] - untyped library
        "s3",
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=secret.reveal() if secret else None,
        config=config,
        verify=verify,
    )
    return cast("S3Client", await stack.enter_async_context(cast("Any", context)))


FAULTS: Final = (
    *(ClientError, BotoCoreError, OSError, TimeoutError, ResponseParserError),
    aiohttp.ClientError,
    *(ValueError, TypeError, LookupError, AttributeError, RecursionError),
)
"""What a call can raise: `translated` says what it means. The last line is what the library meets
in an answer that is no answer of S3."""


def translated(error: Exception) -> Exception:
    """Turn an error of the library into one of the domain's."""
    if isinstance(error, ClientError):
        status = status_of(error)
        code = str(_response(error).get("Error", {}).get("Code", ""))
        if code in _FULL or status == 507:  # noqa: PLR2004 - Insufficient Storage
            return StorageFullError("The bucket's quota is used up; raise it or free space.")
        if status in _CHANGED:
            return HeadChangedError(f"The store refused the condition ({code}).")
        return StorageFaultError(f"The store answered {status} {code}.")
    if isinstance(error, (BotoCoreError, OSError, TimeoutError)):
        return StorageFaultError(f"The store does not answer ({type(error).__name__}).")
    return OddAnswerError(f"The store's answer is none of S3 ({type(error).__name__}).")


def status_of(error: ClientError) -> int:
    """Return the HTTP status of a refusal."""
    status = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status if isinstance(status, int) else 0


def _response(error: ClientError) -> dict[str, Any]:
    return cast("dict[str, Any]", error.response)


async def read_chunks(body: S3Body, chunk_bytes: int) -> AsyncIterator[bytes]:
    """Stream an answer's body."""
    while True:
        try:
            chunk = await body.read(chunk_bytes)
        except FAULTS as error:
            raise translated(error) from error
        if not chunk:
            return
        yield chunk
