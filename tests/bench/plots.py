"""Pictures of tables."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.tables import Table

INK, ACCENT, PALE = "#1f2937", "#2563eb", "#9ca3af"
SIZE = (7.2, 2.8)


def plot(table: Table, folder: Path) -> str:
    """Draw what a picture shows better; returns the name of its file, empty for none."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "wopi", "font.size": 9})
    if table.title.startswith("Beside the least"):
        name = table.title.rpartition(" ")[2]
        return _ratios(table, folder / f"performance-{name}.svg", f"Beside the floor, {name}")
    if table.title == "As sessions grow":
        return _growth(table, folder / "performance-growth.svg", "As sessions grow")
    return ""


def _ratios(table: Table, file: Path, says: str) -> str:
    figure, axes = _axes(says)
    names = [str(row[0]) for row in table.rows]
    ratios = table.column("ratio")
    axes.barh(names[::-1], ratios[::-1], color=ACCENT, height=0.6)
    axes.axvline(1.0, color=INK, linewidth=0.8)
    axes.set_xlabel("of the floor's requests per second")
    return _saved(figure, file)


def _growth(table: Table, file: Path, says: str) -> str:
    figure, axes = _axes(says)
    sizes = [float(str(row[0]).replace(",", "")) for row in table.rows]
    for name, colour in (("admit µs", ACCENT), ("LOCK + UNLOCK µs", PALE)):
        axes.plot(sizes, table.column(name), marker="o", color=colour, label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("sessions")
    axes.legend(frameon=False)
    return _saved(figure, file)


def _axes(title: str) -> tuple[Any, Any]:
    """Return a figure and its axes, both of a library that is typed in part only."""
    figure: Any = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _saved(figure: Any, file: Path) -> str:
    figure.savefig(file, metadata={"Date": None})
    return file.name
