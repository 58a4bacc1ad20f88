"""All campaigns in a row: kills, full disks, changed bytes, hostile files, made-up texts, bad settings.

    python scripts/faults [--share 1.0]

Prints what should not have been, and a table of each; the status is 1 where there was anything. A share of 0.02 takes
half a minute.
"""

from __future__ import annotations

import argparse

import disk
import flips
import hostile
import kills
import texts
from harness import COLUMNS, told

import settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the whole campaigns")
    share = parser.parse_args().share
    wrong = 0
    for title, run, columns in (
        ("kills", lambda: kills.run(max(int(200 * share), 2)), COLUMNS),
        ("full disks", lambda: disk.run(max(int(12 * share), 1), mount=share > 0.1), COLUMNS),
        ("changed bytes", lambda: flips.run(int(10_000 * share), packages=share > 0.1), flips.COLUMNS),
        ("hostile files", lambda: hostile.run(int(1_000 * share)), hostile.COLUMNS),
        ("texts and tables", lambda: texts.run(int(4_000 * share)), texts.COLUMNS),
    ):
        print(f"\n{title}\n")
        counts, lines = run()
        told(counts, lines, columns)
        wrong += len(lines)
    counts, others = settings.campaign(every=max(int(1 / share), 1))
    print("\nbad settings\n", *others, dict(counts), sep="\n")
    raise SystemExit(wrong + len(others) > 0)


if __name__ == "__main__":
    main()
