"""One bounded request to an address that a tenant or operator gave: no redirects, a size limit."""

import asyncio
import math
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore
import msgspec

from genro_wopi.protocol.decimals import parse_decimal

REQUEST_TIMEOUT_S: Final = 15.0
ANSWER_BYTES_MAX: Final = 64 * 1024

FAULTS: Final = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
"""What httpcore raises where nothing usable comes back."""

_SUCCESS: Final = range(200, 300)

Headers = Sequence[tuple[bytes, bytes]]


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether it is a 2xx."""
        return self.status in _SUCCESS

    def retry_after_s(self, now_s: float) -> float:
        """Return for how long ``Retry-After`` asks to wait; 0 where it does not.

        Args:
            now_s: seconds since 1970, for an answer that names a moment.

        Spec: RFC 9110, section 10.2.3.
        """
        asked = self.headers.get("retry-after", "")
        if asked.isascii() and asked.isdigit():
            seconds = parse_decimal(asked)
            return math.inf if seconds is None else float(seconds)
        try:
            return max(0.0, parsedate_to_datetime(asked).timestamp() - now_s)
        except (ValueError, TypeError, IndexError, OverflowError):
            return 0.0


class FetchError(Exception):
    """Nothing usable came back; the message says why."""


async def fetch(
    pool: httpcore.AsyncConnectionPool,
    method: str,
    url: str,
    *,
    headers: Headers = (),
    content: bytes | None = None,
    timeout_s: float = REQUEST_TIMEOUT_S,
    answer_bytes_max: int = ANSWER_BYTES_MAX,
) -> Answer:
    """Send one request and read its answer.

    Args:
        pool: guarded by the policy of its purpose.
        method: GET, POST …
        url: absolute.
        headers: besides Host and Content-Length.
        content: the body.
        timeout_s: for everything together.
        answer_bytes_max: an answer longer than this is cut off and refused.

    Raises:
        FetchError: refused, unreachable, too slow, too long.
    """
    try:
        async with (
            asyncio.timeout(timeout_s),
            pool.stream(method, url, headers=list(headers), content=content) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > answer_bytes_max:
                    raise FetchError(f"the answer is longer than {answer_bytes_max} bytes")
            return Answer(response.status, lower_names(response), bytes(body))
    except TimeoutError as error:
        raise FetchError(f"no answer within {timeout_s:g} s") from error
    except FAULTS as error:
        raise FetchError(str(error) or type(error).__name__) from error
    except (httpcore.UnsupportedProtocol, ValueError, TypeError) as error:
        raise FetchError(f"not a usable address: {error}") from error


def lower_names(response: httpcore.Response) -> dict[str, str]:
    """Return an answer's headers by lower-case name."""
    return {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers}
