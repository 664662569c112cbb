"""Moto's S3 server, made as strict as S3 is: what is looked at and what is changed is one step.

    python -m tests.support.moto_server -H 127.0.0.1 -p PORT

By itself it compares the condition of a PutObject, stores the bytes, then their metadata, one after
the other, while other threads do the same: two writers with one ETag can both win, and readers see
new bytes without their evidence. And it copies whatever there is, without asking for the condition
on the source (`x-amz-copy-source-if-match`). S3 promises that none of it happens.
"""

import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.s3.exceptions import PreconditionFailed
from moto.s3.responses import S3Response
from moto.server import main

ONE_STEP = ("put_object", "copy_object", "delete_object", "get_object", "head_object")
_lock = threading.RLock()


def _in_one_step(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def locked(*arguments: Any, **more: Any) -> Any:
        with _lock:
            return method(*arguments, **more)

    return locked


def _if_source_matches(copy_object: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(copy_object)
    def compared(response: Any) -> Any:
        wanted = response.headers.get("x-amz-copy-source-if-match")
        source = unquote(urlsplit(str(response.headers["x-amz-copy-source"])).path).lstrip("/")
        bucket, _, name = source.partition("/")
        found = response.backend.get_object(bucket, name) if wanted else None
        if found is not None and found.etag.strip('"') != wanted.strip('"'):
            raise PreconditionFailed("x-amz-copy-source-If-Match")
        return copy_object(response)

    return compared


if __name__ == "__main__":
    S3Response.copy_object = _if_source_matches(S3Response.copy_object)
    for name in ONE_STEP:
        setattr(S3Response, name, _in_one_step(getattr(S3Response, name)))
    main(sys.argv[1:])
