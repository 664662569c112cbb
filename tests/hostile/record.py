"""What a run found, and the log of everything that attackers did.

Each attacker draws from a random stream of its own, made of the seed and its name. A finding names
seed, attacker and step; the log has the requests of every step, so that it can be sent again.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHOWN_MAX = 400
"""Characters of a request or an answer in a finding."""


@dataclass(frozen=True)
class Finding:
    """One thing that must not be."""

    who: str
    step: int
    what: str
    request: str
    answer: str


@dataclass
class Record:
    """Counts, findings and the log of one run."""

    seed: int
    log: Path
    counts: Counter[str] = field(default_factory=Counter[str])
    findings: list[Finding] = field(default_factory=list[Finding])

    def __post_init__(self) -> None:
        self._began_s = time.monotonic()
        self._file = self.log.open("w")

    def note(self, who: str, step: int, **said: Any) -> None:
        """Write down one action."""
        line = {"at_s": round(time.monotonic() - self._began_s, 3), "who": who, "step": step}
        self._file.write(json.dumps(line | said, default=repr) + "\n")

    def find(
        self, what: str, *, who: str = "run", step: int = 0, request: str = "", answer: str = ""
    ) -> None:
        """Write down what must not be."""
        shown = (request[:SHOWN_MAX], answer[:SHOWN_MAX])
        self.findings.append(Finding(who, step, what, *shown))
        self.note(who, step, finding=what, request=request[:SHOWN_MAX], answer=answer[:SHOWN_MAX])

    def close(self) -> None:
        """Finish the log."""
        self._file.close()

    def lines(self) -> list[str]:
        """Say every finding, equal ones once with their number and the first of them."""
        first: dict[str, Finding] = {}
        numbers = Counter(f.what for f in self.findings)
        for finding in self.findings:
            first.setdefault(finding.what, finding)
        return [
            f"{numbers[what]} x {what} (seed {self.seed}, {f.who}, step {f.step})\n"
            f"    asked {f.request!r}\n    got   {f.answer!r}"
            for what, f in first.items()
        ]
