"""Read texts and tables that hypothesis makes up: what went in comes out, or a refusal of one line.

    python scripts/faults/texts.py [--examples 2000]

Whatever Unicode holds goes through every format, through a store and to the terminal; so do files of any bytes.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness import bench_parser, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from projhead.console.printable import printable
from projhead.corpora.files import TextFiles
from projhead.data import Document
from projhead.errors import mendable
from projhead.persistence.identity import EncoderIdentity
from projhead.store.write import write_store

COLUMNS = ("examples", "other answers", "tracebacks")
Table = list[tuple[str, str]]


def _parquet(path: Path, rows: Table) -> None:
    pq.write_table(pa.table({"key": [key for key, _ in rows], "text": [text for _, text in rows]}), path)


def _separated(delimiter: str) -> Callable[[Path, Table], None]:
    def write(path: Path, rows: Table) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([("key", "text"), *rows])

    return write


def _lines(path: Path, rows: Table) -> None:
    path.write_bytes("\n".join(json.dumps({"key": key, "text": text}) for key, text in rows).encode())


def _list(path: Path, rows: Table) -> None:
    path.write_text(json.dumps([{"key": key, "text": text} for key, text in rows], ensure_ascii=False), "utf-8")


WRITERS = {".csv": _separated(","), ".tsv": _separated("\t"), ".jsonl": _lines, ".json": _list, ".parquet": _parquet}
#: All of Unicode but halves of characters, with what formats trip over made likely.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\"',\t\n\r\\\x00\x1b\x85\u2028{}[] "))
ROWS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8)


def reads_back(ending: str, rows: Table, folder: Path) -> None:
    """Check that ids and texts come back as they were written, or are refused."""
    path = folder / f"table{ending}"
    WRITERS[ending](path, rows)
    usual = len({key for key, _ in rows}) == len(rows) and all(key and text.strip() for key, text in rows)
    found = _read(path, id_column="key")
    if found is None:
        # Zero bytes and returns within values are not what every reader of .csv and .tsv takes.
        assert not usual or any(set("\x00\r") & set(key + text) for key, text in rows), f"refused: {rows}"
    else:
        assert usual, f"accepted: {rows}"
        assert found == rows


def any_bytes(ending: str, content: bytes, folder: Path) -> None:
    """Check that a file of any bytes gives texts or a refusal."""
    path = folder / f"bytes{ending}"
    path.write_bytes(content)
    _read(path)


def stores(rows: Table, folder: Path) -> None:
    """Check that a store gives back the ids and texts that went in."""
    documents = [Document(f"{number} {key}", text) for number, (key, text) in enumerate(rows)]
    with tempfile.TemporaryDirectory(dir=folder) as path:
        store = write_store(Path(path) / "store", _Lengths(), documents, shard_rows=3)
        found = store.documents(range(len(store)))
        assert [(one.id, one.text) for one in found] == [(one.id, one.text) for one in documents]


def prints(text: str) -> None:
    """Check that nothing a terminal obeys is left."""
    shown = printable(text)
    assert shown.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", shown)


class _Lengths:
    """An encoder that only counts."""

    name, dimension, two_sided, identity = "lengths", 2, False, EncoderIdentity("lengths", "0" * 16, 2)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Any:
        return np.array([[1.0, len(text)] for text in texts], np.float32)

    encode_query = encode_document = encode


def _read(path: Path, id_column: str | None = None) -> Table | None:
    """Return ids and texts, None where they are refused in one line; raise anything else."""
    try:
        return [(one.id, str(one.text)) for one in TextFiles(str(path), id_column=id_column).documents("all")]
    except Exception as error:
        line = mendable(error)
        if line is None or "\n" in line:
            raise
        return None


def run(examples: int) -> tuple[dict[str, Counter[str]], list[str]]:
    """Return the counts of each property, and what should not have been."""
    counts, lines = {}, []
    each = max(examples // (2 * len(WRITERS) + 4), 5)
    endings = [*WRITERS, ".txt"]
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        checks: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
            **{f"table{e}": (lambda rows, e=e: reads_back(e, rows, folder), {"rows": ROWS}) for e in WRITERS},
            **{f"bytes{e}": (lambda some, e=e: any_bytes(e, some, folder), {"some": st.binary()}) for e in endings},
            "store": (lambda rows: stores(rows, folder), {"rows": ROWS}),
            "terminal": (prints, {"text": st.text()}),
        }
        for name, (check, strategies) in checks.items():
            counts[name] = _checked(name, check, strategies, each, lines)
    return counts, lines


def _checked(
    name: str, check: Callable[..., Any], strategies: dict[str, Any], examples: int, lines: list[str]
) -> Counter[str]:
    found: Counter[str] = Counter()

    def counted(**given_: Any) -> None:
        found["examples"] += 1
        check(**given_)

    looked = settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    try:
        looked(given(**strategies)(counted))()
    except HypothesisException:
        raise
    except Exception as error:
        what = "other answers" if isinstance(error, AssertionError) else "tracebacks"
        found[what] += 1
        lines.append(f"{what}: {name}: {error!r:.400} {' '.join(getattr(error, '__notes__', []))[:400]}")
    return found


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--examples", type=int, default=2_000)
    counts, lines = run(parser.parse_args().examples)
    told(counts, lines, COLUMNS)
    raise SystemExit(bool(lines))


if __name__ == "__main__":
    main()
