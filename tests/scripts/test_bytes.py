from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from projhead.data import Scores
from projhead.evaluation.bootstrap import paired_bootstrap
from projhead.report.results import read_results

FOLDER = "bytes"
WORDS = [f"{color} {thing}" for color in ("red", "old", "tiny") for thing in ("boat", "piano", "garden", "engine")]


@pytest.mark.usefixtures("folder")
def test_every_method_stores_documents_in_as_many_bytes_and_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import equal

    tiny = tmp_path / "tiny"
    tiny.mkdir()
    texts = [f"We saw a {one}. It was beside the {two}." for one in WORDS for two in WORDS if one != two]
    lines = {
        "corpus": [{"_id": str(n), "text": text} for n, text in enumerate(texts)],
        "queries": [{"_id": f"q{n}", "text": texts[n]} for n in range(0, 40, 4)],
    }
    for name, rows in lines.items():
        (tiny / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tiny / "qrels").mkdir()
    judged = "\n".join(f"q{n}\t{n}\t1" for n in range(0, 40, 4))
    (tiny / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}\n")
    asked = ["equal.py", str(tmp_path / "out"), str(tiny), "--bytes", "8", "3", "--seeds", "0"]
    monkeypatch.setattr(sys, "argv", [*asked, "--methods", "binary", "itq", "pca_int8", "learned_int8"])
    for _ in range(2):
        equal.main()
        found = [row for row in read_results(tmp_path / "out" / "results.jsonl") if row.metric == "ndcg@10"]
        rows = [row for row in found if not row.baseline]
        assert [(row.reducer, row.codec, row.bytes_per_vector) for row in rows] == [
            ("teacher", "float32", 1536),
            ("teacher", "rotated_binary_64", 8),
            ("teacher", "itq_64", 8),
            ("pca", "int8", 8),
            ("pca_uncentered", "int8", 8),
            ("learned", "int8 (trained)", 8),
            ("teacher", "rotated_binary_24", 3),
            ("teacher", "itq_24", 3),
            ("pca", "int8", 3),
            ("pca_uncentered", "int8", 3),
            ("learned", "int8 (trained)", 3),
        ]
    overlap = [row for row in read_results(tmp_path / "out" / "results.jsonl") if row.metric == "overlap@10"]
    plain = [row for row in overlap if not row.baseline and row.codec in ("float32", "itq_64", "itq_24")]
    kept = {row.bytes_per_vector: row.value for row in plain}
    assert 0 < kept[3] < kept[8] < kept[1536] == 1
    for size in (8, 3):
        same = [row for row in rows if row.bytes_per_vector == size]
        paired = next(row for row in found if row.baseline and row.bytes_per_vector == size)
        values = {row.codec if row.reducer == "teacher" else f"{row.reducer}, {row.codec}": row.value for row in same}
        own = values.pop("learned, int8 (trained)")
        assert paired.value == pytest.approx(own - max(values.values()))
        assert values[paired.baseline] == max(values.values())
        items = {file.name: np.load(file)["ndcg@10"] for file in (tmp_path / "out" / "items").rglob(f"{size}/*.npz")}
        ours = items.pop(f"learned {size} int8 (trained) 0.npz")
        best = max(items.values(), key=np.mean)
        expected = paired_bootstrap(Scores("", "", ours), Scores("", "", best))
        assert (paired.low, paired.high) == pytest.approx((expected.low, expected.high))
    assert "Difference to the best baseline" in (tmp_path / "out" / "report" / "index.html").read_text()
