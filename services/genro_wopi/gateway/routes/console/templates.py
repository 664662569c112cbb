"""The templates of the console; everything that they show is escaped."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def render(template: str, **values: Any) -> str:  # noqa: ANN401 - the template's
    """Fill a template."""
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("genro_wopi.gateway", "templates/console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": moment, "ago": ago, "size": size, "query": urlencode}
    return environment


def moment(text: str | None) -> str:
    """Write a moment as people read it."""
    return (text or "").replace("T", " ")[:19]


def ago(text: str | None) -> str:
    """Write how long ago, or until when."""
    if not text:
        return ""
    then = datetime.fromisoformat(text)
    seconds = (datetime.now(UTC) - then).total_seconds()
    words = _span(abs(seconds))
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def _span(seconds: float) -> str:
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def size(count: int) -> str:
    """Write a number of bytes."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":  # noqa: PLR2004 - the next unit
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""
