"""Measurements by name; without words all of them. Each goes into `docs/performance.md`.

python -m tests.bench [compare] [latency] [costs] [growth] [replicas] [start] [memory] [events] [profile]
"""

import sys

from tests.bench.report import PARTS, report


def main() -> int:
    words = sys.argv[1:]
    if any(word not in PARTS for word in words):
        print(__doc__)
        return 2
    report(words or list(PARTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
