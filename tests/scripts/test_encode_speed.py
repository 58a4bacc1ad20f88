import json
import sys

import numpy as np
import pytest

from projhead import PCA
from projhead.report.results import read_results

FOLDER = "encode_speed"
pytestmark = pytest.mark.usefixtures("folder")


def test_every_system_has_its_row_and_the_limit_its_speed_alone(teacher, few_words, tmp_path, monkeypatch, capsys):
    import exports

    texts = few_words(140, 2, 20)
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    rows = teacher.encode(texts)
    reducer = PCA(8).fit(rows)
    reducer.teacher_ = teacher.identity
    reducer.save(tmp_path / "artifact")
    results = tmp_path / "results.jsonl"
    arguments = ["--teacher", teacher.path, "--texts", str(tmp_path / "texts.txt"), "--n", "70", "--rounds", "1"]
    kinds = ["--kinds", "sentence_transformers", "--results", str(results)]
    monkeypatch.setattr(sys, "argv", ["exports.py", str(tmp_path / "artifact"), *arguments, *kinds])
    exports.main()
    values: dict[str, dict[str, float]] = {}
    for row in read_results(results):
        values.setdefault(row.task.removeprefix("export/"), {})[row.metric] = row.value
    limits = ["limit of float32 products", "limit of int8 products"]
    assert list(values) == ["stock float32", "stock bfloat16", "sentence_transformers", *limits]
    assert values["sentence_transformers"]["mean_cosine"] == pytest.approx(1, abs=1e-6)
    assert values["stock float32"]["times_stock"] == values["limit of int8 products"]["share_of_limit"] == 1
    assert 0 < values["sentence_transformers"]["padding_share"] < 1
    assert "mean_cosine" not in values["limit of int8 products"]
    assert "| stock bfloat16" in capsys.readouterr().out


def test_padding_counts_every_row_up_to_its_batch():
    from passes import padding

    lengths = [4] * 32 + [2] * 31 + [8]
    texts = ["x" * length for length in lengths]
    # Sorted: the 8 and 31 fours, then a four and 31 twos.
    assert padding("stock onnx", texts, lengths) == pytest.approx(1 - sum(lengths) / (32 * 8 + 32 * 4))
    assert padding("fastembed, bare int8", texts, lengths) == pytest.approx(1 - sum(lengths) / (64 * 8))
    assert padding("model2vec table", texts, lengths) == 0


def test_the_best_of_ours_is_held_against_the_best_of_theirs():
    from compared import _against_peers
    from passes import Taken

    def took(wall, processor):
        return Taken(wall, processor, 0, 0)

    taken = {
        "onnx_int8": took(2, 3), "openvino_int8": took(1, 4), "stock onnx int8": took(2, 9), "static": took(0.1, 0.1),
        "stock openvino int8": took(3, 6), "fastembed, our onnx_int8": took(0.5, 1), "stock onnx": took(1, 1),
    }  # fmt: skip
    assert list(_against_peers(taken)) == [
        "By wall time openvino_int8 is 2.00 times as fast as stock onnx int8.",
        "By processor time onnx_int8 is 2.00 times as fast as stock openvino int8.",
    ]
    assert not [*_against_peers({"onnx_int8": took(1, 1)})]


def test_speeds_are_over_the_texts_their_tokens_and_the_reference():
    from compared import LEAST, REFERENCE, Run
    from passes import Taken

    rows = np.eye(4, dtype=np.float32)
    taken = {REFERENCE: Taken(8, 16, 0, 0), "onnx_int8": Taken(2, 5, 3, 7), LEAST: Taken(1, 2, 0, 0)}
    run = Run([2, 3, 5, 6], None, taken, dict.fromkeys(taken, rows), {}, {}, {"onnx_int8": 400})
    assert run.values("onnx_int8") == pytest.approx({
        "texts_per_second": 2, "texts_per_processor_second": 0.8, "tokens_per_second": 8, "times_stock": 4,
        "times_stock_processor": 3.2, "share_of_limit": 0.4, "peak_megabytes": 400,
    })  # fmt: skip


def test_rows_of_another_space_have_no_cosine():
    from passes import likeness

    rows = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 4)))[0].astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert likeness(rows, None, rows) == pytest.approx({"mean_cosine": 1, "worst_cosine": 1, "overlap_at_10": 1})
    assert likeness(rows, rows, -rows) == pytest.approx({"teacher_overlap_at_10": 1})
    assert json.dumps(likeness(rows, rows[::-1], rows))  # plain numbers
