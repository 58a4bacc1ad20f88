"""Trained sparse codes, in short, on made-up vectors of a few topics."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from projhead.report.results import read_results
from projhead.vectors import unit_rows

FOLDER = "bytes"
N, D = 320, 64


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Return a folder with a retrieval set, and vectors of it: each query is near the document that it is judged by."""
    generator = np.random.default_rng(0)
    topics = generator.standard_normal((12, D))
    rows = topics[generator.integers(12, size=N)] + generator.standard_normal((N, D))
    ids = [str(number) for number in range(N)]
    folder, vectors = tmp_path / "tiny", tmp_path / "vectors"
    (folder / "qrels").mkdir(parents=True)
    vectors.mkdir()
    for name, lines in {"corpus": ids, "queries": ids[::8]}.items():
        content = "\n".join(json.dumps({"_id": one, "text": f"text {one}"}) for one in lines)
        (folder / f"{name}.jsonl").write_text(content)
    judged = "\n".join(f"{one}\t{one}\t1" for one in ids[::8])
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}\n")
    near = unit_rows(rows + 0.5 * generator.standard_normal((N, D)))
    for name, part in {"documents": rows, "sentences": near, "queries": near[::8]}.items():
        np.save(vectors / f"tiny_{name}.npy", unit_rows(part).astype(np.float16))
    pd.DataFrame({"text": ids, "document": range(N)}).to_parquet(vectors / "tiny_sentences.parquet")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_code_is_the_sum_of_its_largest_atoms(given: Path) -> None:
    import sparse_codes

    documents = np.load(given / "vectors" / "tiny_documents.npy")
    torch.manual_seed(0)
    model = sparse_codes.Dictionary(torch.from_numpy(unit_rows(documents)), 40)
    mean, encoder, atoms = (one.detach().numpy() for one in (model.mean, model.encoder, model.atoms))
    stored = sparse_codes.stored(model, documents, 3)
    trained = model(torch.from_numpy(unit_rows(documents)), 3).detach().numpy()
    np.testing.assert_allclose(stored, trained, atol=2e-3)
    for number, row in enumerate(unit_rows(documents)[:20]):
        weights = encoder @ (row - mean)
        largest = sorted(range(40), key=lambda atom: -abs(weights[atom]))[:3]
        said = mean + sum(weights[atom] * atoms[atom] for atom in largest)
        np.testing.assert_allclose(stored[number], said / np.linalg.norm(said), atol=2e-3)  # weights are float16


@pytest.mark.usefixtures("folder")
def test_training_keeps_more_than_the_start_beside_codes_of_as_many_bytes(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sparse_codes

    found = {}
    for steps in ("1", "60"):
        asked = ["sparse_codes.py", str(given / "vectors"), str(given / "tiny"), "--bytes", "16", "--seeds", "0"]
        out = given / f"{steps}.jsonl"
        monkeypatch.setattr(sys, "argv", [*asked, "--atoms", "96", "--steps", steps, "--out", str(out)])
        sparse_codes.main()
        rows = [row for row in read_results(out) if not row.baseline]
        assert {row.codec for row in rows} == {"float32", "rotated_binary_128", "pq_16", "sparse_16"}
        assert {row.bytes_per_vector for row in rows} == {4 * D, 16}
        found[steps] = next(row.value for row in rows if row.codec == "sparse_16")
    assert found["60"] > found["1"]
