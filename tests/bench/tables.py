"""Tables of a report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Cell = str | float


@dataclass
class Table:
    """What one measurement shows."""

    title: str
    says: str
    """What was done and what to read out of it."""
    head: tuple[str, ...]
    rows: list[Sequence[Cell]] = field(default_factory=list[Sequence[Cell]])

    def add(self, *cells: Cell) -> None:
        self.rows.append(cells)
        print("  ", *map(digits, cells), flush=True)

    def column(self, name: str) -> list[float]:
        """Return the numbers of a column."""
        index = self.head.index(name)
        return [float(row[index]) for row in self.rows]

    def markdown(self, made: str, picture: str = "") -> str:
        """Write it for a page.

        Args:
            made: when and on what it was measured.
            picture: the name of a file that shows it, too.
        """
        lines = [
            f"## {self.title}",
            "",
            f"{self.says} *Measured at {made}.*",
            "",
            *((f"![{self.title}]({picture})", "") if picture else ()),
            _line(self.head),
            _line("---" for _ in self.head),
        ]
        return "\n".join([*lines, *(_line(map(digits, row)) for row in self.rows), ""])


def digits(cell: Cell) -> str:
    """Write a number with as many digits as matter."""
    if isinstance(cell, str):
        return cell
    if cell == 0 or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.3g}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
