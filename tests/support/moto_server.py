"""Moto's S3 server, made as strict as S3 is: what is looked at and what is changed is one step.

    python -m tests.support.moto_server -H 127.0.0.1 -p PORT

By itself it compares the condition of a PutObject, stores the bytes, then their metadata, one after
the other, while other threads do the same: two writers with one ETag can both win, and readers see
new bytes without their evidence. S3 promises that neither happens.
"""

import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

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


if __name__ == "__main__":
    for name in ONE_STEP:
        setattr(S3Response, name, _in_one_step(getattr(S3Response, name)))
    main(sys.argv[1:])
