"""Pages of the documentation of which parts are measured again."""

from pathlib import Path


def sections(page: Path) -> dict[str, str]:
    """Return the sections of a page by their titles; none where there is no page yet."""
    if not page.exists():
        return {}
    found = page.read_text().split("\n## ")[1:]
    return {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in found}


def write(page: Path, head: str, parts: dict[str, str]) -> None:
    """Write a page of a head and its sections."""
    page.write_text("\n".join([head, *parts.values()]))
