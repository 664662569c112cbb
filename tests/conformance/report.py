"""Writes docs/conformance.md: ``python -m tests.conformance.report``.

Every row is a test (`tests/conformance/test_conformance.py`) that runs for each kind of editor on
each back end; so what is written here holds, or the build fails.
"""

from pathlib import Path

from tests.conformance.cases import CASES, Case

REPORT = Path(__file__).parents[2] / "docs" / "conformance.md"

HEAD = """# Conformance

Each row is one test over HTTP against the running cluster, for editors of the kinds `collabora`,
`onlyoffice`, `m365` and `generic`, on the back ends `local` and `s3`. Written by
`python -m tests.conformance.report` from the table that the tests run.
"""


TABLE_HEAD = ("| asked | given | status | X-WOPI-Lock |", "|---|---|---|---|")


def report() -> str:
    lines = [HEAD]
    section = ""
    for case in CASES:
        if case.section != section:
            section = case.section
            lines += [
                f"\n## {section}\n",
                "| asked | given | status | X-WOPI-Lock |",
                "|---|---|---|---|",
            ]
        lines.append(_row(case))
    return "\n".join(lines) + "\n"


def _row(case: Case) -> str:
    lock = "" if case.lock is None else f"`{case.lock}`" if case.lock else "empty"
    step = case.step if len(case.step) < 40 else f"{case.step[:12]}…"
    return f"| `{step}` | {case.given} | {case.status} | {lock} |"


if __name__ == "__main__":
    REPORT.write_text(report(), "utf-8")
