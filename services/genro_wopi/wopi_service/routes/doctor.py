"""The doctor's address: tells how a request reached this service, to who shows a pass."""

import asyncio
import time
from typing import Final

from genro_wopi.domain.doctor import ECHO_BODY_BYTES_MAX, ECHO_PATH, Echo
from genro_wopi.domain.doctor_pass import is_valid_pass
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.identifiers import FileId
from genro_wopi.protocol import headers as names
from genro_wopi.protocol.decimals import parse_decimal
from genro_wopi.wopi_service.exchange import Exchange, Reply, json_reply
from genro_wopi.wopi_service.service import WopiService

SILENT_S: Final = 5.0
"""Longer than the doctor waits to see whether somebody on the way refuses a large body."""


async def echo(service: WopiService, exchange: Exchange, _file_id: FileId) -> Reply:
    """Say what arrived. A body that is announced as larger than a probe's never comes.

    Raises:
        NotFoundError: no pass, or one that is over.
    """
    shown = exchange.path.removeprefix(f"{ECHO_PATH}/").partition("/")[0]
    if not is_valid_pass(service.internal_token, shown, int(time.time())):
        raise NotFoundError("There is no such address.")
    length = exchange.headers.get("content-length", "")
    is_small = (parse_decimal(length) or 0) <= ECHO_BODY_BYTES_MAX
    if not is_small:
        await asyncio.sleep(SILENT_S)
    body = await exchange.read(bytes_max=ECHO_BODY_BYTES_MAX) if is_small else b""
    return json_reply(
        Echo(
            pass_code=shown,
            path=exchange.path,
            query=exchange.query,
            lock=exchange.headers.get(names.LOCK.lower()),
            body_bytes=len(body),
        )
    )
