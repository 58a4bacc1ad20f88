"""Trained sparse codes, in short, on made-up vectors of a few topics."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from projhead.report.results import read_results
from projhead.vectors import unit_rows

FOLDER = "bytes"
N, D = 320, 64


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
