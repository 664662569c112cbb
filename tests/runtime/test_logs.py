"""Lines of a log: in order, at once where it is quiet, together where it is busy, none lost."""

import io
import json
import subprocess
import sys
import time

import pytest

from genro_wopi.runtime.logs import LineLogger, redact

BUSY = """
import sys
from genro_wopi.runtime.logs import configure_logs, get_logger
configure_logs(service="s", log_format="json", level="info")
for number in range(500):
    get_logger().info("line", number=number, odd={number}, secret="access_token=abcdef")
"""


def test_a_quiet_moment_is_written_at_once_and_an_error_always() -> None:
    stream = io.StringIO()
    logger = LineLogger(stream)
    logger.info("first")
    assert stream.getvalue() == "first\n"
    logger.info("second")
    logger.error("third")
    assert stream.getvalue() == "first\nsecond\nthird\n"


def test_a_busy_moment_is_written_together_and_soon() -> None:
    stream = io.StringIO()
    logger = LineLogger(stream)
    for number in range(100):
        logger.info(str(number))
    assert stream.getvalue() == "0\n"
    deadline = time.monotonic() + 5
    while stream.getvalue().count("\n") < 100:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert stream.getvalue().split() == [str(number) for number in range(100)]


def test_the_last_lines_of_a_process_are_there() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["number"] for line in lines] == list(range(500))
    assert {line["secret"] for line in lines} == {"access_token=***"}


@pytest.mark.parametrize(
    "value",
    [
        "?code=abc",
        "eyJhbGciOiJFZERTQSJ9.e30.abc",
        "gwk_0123456789",
        "BEARER abcdefghij",
        "https://me:secret@host",
    ],
)
def test_the_quick_look_misses_no_credential(value: str) -> None:
    assert "***" in redact(value)
