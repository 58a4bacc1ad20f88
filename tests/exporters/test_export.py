from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projhead.exporters.export import sample_texts, write_export
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.record import read_record
from projhead.vectors import Vectors, unit_rows

ITEMS = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


class Noisy:
    """Writes vectors' rows to come with an error, in the way of an exporter of a head."""

    title, usage, encoder, form, min_mean_cosine = "Noise", "rows = vectors\n", None, None, 0.99

    def __init__(self, noise: float) -> None:
        self.noise = noise

    def write(self, subject: Any, folder: Path, items: Vectors) -> Callable[[Vectors], Vectors]:
        self.seen = items
        error = np.random.default_rng(1).normal(size=5).astype(np.float32)
        np.save(folder / "head.npy", self.noise * error)
        (folder / "deep").mkdir()
        (folder / "deep" / "model.safetensors").write_bytes(b"weights")
        return lambda rows: unit_rows(unit_rows(rows) + np.load(folder / "head.npy"))


def run(path: Path, noise: float = 0.01, **settings: Any) -> dict[str, Any]:
    return write_export(
        Noisy(noise),
        None,
        path,
        ITEMS,
        unit_rows(ITEMS),
        teacher=EncoderIdentity("a/b", "feed", 5),
        reducer="pca",
        **settings,
    )


def test_the_record_says_what_was_written_and_measured(tmp_path: Path) -> None:
    record = run(tmp_path / "x")
    written = read_record(tmp_path / "x", "export", ())
    assert record == {**written.body, "bytes": written.bytes}
    assert record["exporter"]["parameters"] == {"noise": 0.01}
    assert record["teacher"] == {"name": "a/b", "fingerprint": "feed", "dimension": 5}
    assert (record["reducer"], record["dimension"], record["parity"]["n"]) == ("pca", 5, 30)
    assert written.files["deep/model.safetensors"]["sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert set(written.files) == {"head.npy", "deep/model.safetensors"}


def test_parity_is_measured_on_what_calibration_did_not_see(tmp_path: Path) -> None:
    exporter = Noisy(0.01)
    record = write_export(exporter, None, tmp_path / "x", ITEMS, unit_rows(ITEMS), teacher=None, reducer="pca")
    np.testing.assert_array_equal(exporter.seen, ITEMS[::2])
    error = 0.01 * np.random.default_rng(1).normal(size=5).astype(np.float32)
    rest = unit_rows(ITEMS[1::2])
    cosine = (rest * unit_rows(rest + error)).sum(1)
    assert record["parity"]["mean_cosine"] == pytest.approx(cosine.mean(), abs=1e-7)
    assert record["parity"]["worst_cosine"] == pytest.approx(cosine.min(), abs=1e-7)


def test_below_the_threshold_nothing_is_left_and_an_older_export_stays(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is 0\.\d+ .*expected at least 0\.99: nothing was written\. Choose another"):
        run(tmp_path / "x", noise=1.0)  # so far off that no other threshold is offered
    assert not any(tmp_path.iterdir())
    older = run(tmp_path / "x")
    with pytest.raises(ValueError, match=r"expected at least 0\.9999999.*accept it with min_mean_cosine"):
        run(tmp_path / "x", min_mean_cosine=0.9999999)
    assert read_record(tmp_path / "x", "export", ()).body == {k: v for k, v in older.items() if k != "bytes"}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert run(tmp_path / "x", noise=1.0, min_mean_cosine=0.1)["parity"]["mean_cosine"] < 0.99


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(FileExistsError, match="is no export"):
        run(tmp_path)
    assert (tmp_path / "diary.txt").read_text() == "dear diary"


def test_the_card_has_what_a_hub_reads_and_the_measured_numbers(tmp_path: Path) -> None:
    record = run(tmp_path / "x", measured="| ndcg@10 | 0.6 |")
    card = (tmp_path / "x" / "README.md").read_text()
    front = card.split("---\n")[1]
    assert "library_name: sentence-transformers\n" in front
    assert "base_model: a/b\n" in front
    assert "pipeline_tag: sentence-similarity\n" in front
    assert f"{record['parity']['mean_cosine']:.5f}" in card
    assert "| ndcg@10 | 0.6 |" in card
    assert "fingerprint feed, width 5" in card


def test_texts_are_sampled_from_the_shortest_to_the_longest() -> None:
    texts = ["x" * n for n in range(1, 101)]
    assert [len(text) for text in sample_texts(texts[::-1] * 2, 4)] == [1, 34, 67, 100]
    assert sample_texts(["b", "a"], 4) == ["a", "b"]
