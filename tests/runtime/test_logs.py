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

EVERY_KIND = """
from genro_wopi.domain.secrets import Secret
from genro_wopi.runtime.logs import configure_logs, get_logger
configure_logs(service="s", log_format="FORMAT", level="info")
log = get_logger()
log.info("plain", number=1, path="docs/a.odt")
log.info("typed", key=Secret("hidden-1"))
log.info("written", url="https://me:hidden-2@host", wrapped=ValueError("access_token=hidden-3"))
try:
    raise RuntimeError("code=hidden-4")
except RuntimeError:
    log.exception("raised")
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


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_kind_of_field_shows_a_secret(log_format: str) -> None:
    program = EVERY_KIND.replace("FORMAT", log_format)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "hidden" not in done.stdout
    assert "docs/a.odt" in done.stdout
    assert "RuntimeError" in done.stdout
    if log_format == "json":
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert {line["service"] for line in lines} == {"s"}
        assert [line["event"] for line in lines] == ["plain", "typed", "written", "raised"]


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
