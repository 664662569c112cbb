"""No text from outside keeps a process busy: regular expressions take time in proportion to it."""

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genro_wopi.runtime.logs import VALUE_LENGTH_MAX, redact

ROOT = Path(__file__).parents[2]
FUNCTIONS = frozenset({"compile", "match", "search", "sub", "fullmatch", "split", "findall"})
SHORT, LONG = 1_000, 8_000
GROWTH_MAX = 8 * 4.0
"""A quadratic expression takes 64 times as long for a text that is 8 times as long."""

NOISE_S = 0.02


def patterns() -> Iterator[tuple[str, str, int]]:
    """Find every regular expression in the sources: of `re`, and of declared fields."""
    for folder in ("shared", "services", "deploy"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    yield from _of(node, str(file.relative_to(ROOT)))


def _of(call: ast.Call, file: str) -> Iterator[tuple[str, str, int]]:
    function = call.func
    is_re = (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in FUNCTIONS
    )
    given = [call.args[0]] if is_re and call.args else []
    given += [k.value for k in call.keywords if k.arg == "pattern"]
    flags = re.IGNORECASE if "IGNORECASE" in ast.dump(call) else 0
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield file, value.value, flags


ALL = sorted(set(patterns()))
PIECES = (
    *(
        "eyJ",
        "a",
        "a.",
        "eyJaaaaaaaa.",
        "://",
        "://a:",
        "code=",
        "bearer ",
        " ",
        "gwk_",
        "<a=",
        "<",
    ),
    *("-", "a-", "0", "{", "{a", "=", "bytes=", "a=b&", "\n-- include: ", "*.", ":", "/", "secret"),
)


def seconds(pattern: re.Pattern[str], text: str) -> float:
    best_s = float("inf")
    for _ in range(3):
        began_s = time.perf_counter()
        pattern.sub("", text)
        pattern.match(text)
        best_s = min(best_s, time.perf_counter() - began_s)
    return best_s


def test_the_expressions_of_the_project_are_found() -> None:
    assert len(ALL) > 20
    assert any(file.endswith("logs.py") for file, _, _ in ALL)
    assert any(file.endswith("sessions.py") for file, _, _ in ALL)


@pytest.mark.parametrize(("file", "expression", "flags"), ALL, ids=lambda v: str(v)[-40:])
def test_an_expression_takes_time_in_proportion(file: str, expression: str, flags: int) -> None:
    pattern = re.compile(expression, flags)
    for piece in PIECES:
        for end in ("", "!", "\0"):
            short = seconds(pattern, piece * (SHORT // len(piece)) + end)
            long = seconds(pattern, piece * (LONG // len(piece)) + end)
            assert long < GROWTH_MAX * short + NOISE_S, (file, piece, short, long)


@pytest.mark.parametrize("piece", PIECES)
def test_a_long_value_is_cut_before_it_is_searched(piece: str) -> None:
    began_s = time.process_time()
    shown = redact(piece * (10_000_000 // len(piece)))
    assert time.process_time() - began_s < 0.25
    assert len(shown) < VALUE_LENGTH_MAX + 100
