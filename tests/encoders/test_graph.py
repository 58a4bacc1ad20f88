from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from projhead.encoders import graph
from projhead.encoders.load import load_encoder
from projhead.persistence.record import read_record
from projhead.persistence.registry import build, spec_of

WEIGHTS = {"onnx": "onnx/model.onnx", "openvino": "openvino/openvino_model.bin"}


@pytest.fixture(scope="module", params=["onnx", "openvino"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def exported(kind: str, exports: Callable[[str], Path]) -> Path:
    return exports(kind)


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


@pytest.mark.parametrize("token_budget", [1, 60, 8192])
def test_rows_are_the_students_in_order_whatever_the_batches(
    token_budget: int, student: SentenceTransformer, odd_texts: list[str], exported: Path
) -> None:
    encoder = load_encoder(str(exported), token_budget=token_budget, threads=1)
    assert encoder.dimension == 4
    np.testing.assert_allclose(encoder.encode(odd_texts), student.encode(odd_texts), atol=1e-5)
    assert encoder.encode([]).shape == (0, 4)


def test_the_order_is_kept_over_many_windows_and_threads(
    exported: Path, student: SentenceTransformer, odd_texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "_WINDOW", 5)
    texts = [f"{text} {number}" for text in odd_texts for number in range(9)]
    encoder = load_encoder(str(exported), token_budget=40, threads=3)
    np.testing.assert_allclose(encoder.encode(texts), student.encode(texts), atol=1e-5)


def test_squares_of_tokens_count_where_attention_is_whole(
    exported: Path, student: SentenceTransformer, odd_texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "_SQUARE", 8)
    texts = [f"{text} {number}" for text in odd_texts for number in range(9)]
    encoder: Any = load_encoder(str(exported), token_budget=100, threads=3)
    assert encoder._cost(48) == 48  # in blocks
    encoder._squares = True
    shapes, running, run = [], [], encoder._run

    def noted(feed: dict[str, Any]) -> Any:
        shape = feed["input_ids"].shape
        shapes.append(shape)
        if large := shape[0] * shape[1] ** 2 // 8 > 100:
            assert not running
            running.append(shape)
        rows = run(feed)
        if large:
            running.pop()
        return rows

    monkeypatch.setattr(encoder, "_run", noted)
    np.testing.assert_allclose(encoder.encode(texts), student.encode(texts), atol=1e-5)
    assert all(rows == 1 or rows * max(length, length**2 // 8) <= 100 for rows, length in shapes)
    assert (1, 48) in shapes


def test_the_first_run_is_by_one_thread(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def run(encoder: object, feed: object) -> None:
        seen.append(threading.current_thread())

    monkeypatch.setattr(type(load_encoder(str(exported))), "_run", run)
    load_encoder(str(exported), threads=3)
    assert seen == [threading.main_thread()]


def test_what_fails_in_a_thread_is_raised(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(str(exported), threads=2)

    def fail(feed: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(encoder, "_run", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        encoder.encode(["a cat"])


def test_odd_texts_get_the_rows_of_what_is_left_of_them(exported: Path) -> None:
    encoder = load_encoder(str(exported))
    rows = encoder.encode(["\ud800 cat", "? cat", "word " * 100_000, "word " * 46])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)
    np.testing.assert_allclose(rows[2], rows[3], atol=1e-6)  # 48 tokens, two of them special
    with pytest.raises(TypeError, match="list of str, got str 'cat'"):
        encoder.encode("cat")
    with pytest.raises(TypeError, match="got NoneType"):
        encoder.encode(["cat", None])  # type: ignore[list-item]


def test_a_record_builds_it_again_and_a_copy_has_its_identity(exported: Path, folder: Path) -> None:
    encoder = load_encoder(str(exported), token_budget=100)
    again = build(spec_of(encoder), "encoder")
    assert (again.path, again.token_budget) == (encoder.path, 100)
    assert load_encoder(str(folder)).identity == encoder.identity


@pytest.mark.parametrize("file", ["weights", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_damaged_files_are_refused(file: str, damage: str, kind: str, folder: Path) -> None:
    file = WEIGHTS[kind] if file == "weights" else file
    content = bytearray((folder / file).read_bytes())
    if damage == "cut":
        (folder / file).write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        (folder / file).write_bytes(content)
    else:
        (folder / file).unlink()
    with pytest.raises(ValueError, match=rf"{file} is missing or altered.*export again"):
        load_encoder(str(folder))


def test_folders_that_are_no_export_of_the_kind_are_refused(kind: str, folder: Path) -> None:
    record = read_record(folder, "export", ())
    record.files.pop(WEIGHTS[kind])
    record.write(folder)
    with pytest.raises(ValueError, match="another kind of export"):
        load_encoder(str(folder))
    (folder / "export.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected .*export\.json.*projhead export"):
        load_encoder(str(folder))


@pytest.mark.parametrize(("setting", "value"), [("threads", 0), ("token_budget", 0)])
def test_numbers_that_are_not_positive_are_refused(setting: str, value: int, exported: Path) -> None:
    with pytest.raises(ValueError, match=f"{setting}: expected a positive number"):
        load_encoder(str(exported), **{setting: value})  # type: ignore[arg-type]
