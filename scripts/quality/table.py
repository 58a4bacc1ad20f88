"""Render result rows as Markdown, as the project's own reports do: python scripts/quality/table.py FILE.jsonl..."""

from __future__ import annotations

import argparse
from pathlib import Path

from projhead.report.results import read_results
from projhead.report.tables import markdown


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("files", type=Path, nargs="+")
    print(markdown([row for path in made.parse_args().files for row in read_results(path)]))


if __name__ == "__main__":
    main()
