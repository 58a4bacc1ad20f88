"""All campaigns in a row: kills, full disks, changed bytes, hostile files, made-up texts, bad settings.

    python scripts/faults [--brief]

Prints what should not have been, and a table of each; the status is 1 where there was anything. In brief it takes half
a minute, and leaves out what starts threads or composes thousands of settings.
"""

from __future__ import annotations

import disk
import flips
import hostile
import kills
import texts
from harness import COLUMNS, bench_parser, told

import settings

_FEW = ["index", "codec", "export", "train"]


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--brief", action="store_true")
    brief, wrong = parser.parse_args().brief, 0
    for title, run, columns in (
        ("kills", lambda: kills.run(2, slow=False) if brief else kills.run(400), COLUMNS),
        ("full disks", lambda: disk.run(1, _FEW, mount=False) if brief else disk.run(12), COLUMNS),
        ("changed bytes", lambda: flips.run(200 if brief else 10_000, packages=not brief), flips.COLUMNS),
        ("hostile files", lambda: hostile.run(46 if brief else 1_500), hostile.COLUMNS),
        ("texts and tables", lambda: texts.run(100 if brief else 4_000), texts.COLUMNS),
    ):
        print(f"\n{title}\n", flush=True)
        counts, lines = run()
        told(counts, lines, columns)
        wrong += len(lines)
    if not brief:
        tried, others = settings.campaign()
        print("\nbad settings\n", *others, dict(tried), sep="\n")
        wrong += len(others)
    raise SystemExit(wrong > 0)


if __name__ == "__main__":
    main()
