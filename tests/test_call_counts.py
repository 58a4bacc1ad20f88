"""Nothing is done twice: texts hashed, files read for their digest, data loaded, codes decoded, weights hashed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from projhead.codecs.cast import Cast
from projhead.codecs.integer import Integer
from projhead.data import Document
from projhead.encoders import fingerprint as digests
from projhead.encoders.load import load_encoder
from projhead.encoders.minilm import MiniLM
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.evaluation.compare import compare
from projhead.exporters.export import write_export
from projhead.exporters.onnx import Onnx
from projhead.exporters.openvino import OpenVino
from projhead.indexes.exact import ExactIndex
from projhead.persistence import files
from projhead.protocols import Exporter
from projhead.reducers.pca import PCA
from projhead.reducers.random_projection import RandomProjection
from projhead.reducers.spectrum import Spectrum, one_pass
from projhead.store import fingerprint
from projhead.store.write import write_store
from projhead.students.assemble import assemble
from projhead.tasks import retrieval
from projhead.tasks.retrieval import Retrieval
from projhead.vectors import Vectors

#: What a record does not hold: itself, and the card.
_OURS = ("export.json", "README.md")
Draw = Callable[[int, int, int], list[str]]


def counted(monkeypatch: pytest.MonkeyPatch, name: str, *rooms: Any, of: Callable[..., Any]) -> Counter[Any]:
    """Count the calls of a function in the modules that know it, by what `of` makes of its arguments."""
    counts: Counter[Any] = Counter()
    original = getattr(rooms[0], name)

    def call(*arguments: Any, **more: Any) -> Any:
        counts[of(*arguments)] += 1
        return original(*arguments, **more)

    for room in rooms:
        monkeypatch.setattr(room, name, call)
    return counts


def test_an_evaluation_hashes_each_text_once_and_loads_its_data_once(
    teacher: SentenceTransformerEncoder, few_words: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = list(dict.fromkeys(few_words(400, 4, 9)))
    documents, queries = texts[:100], texts[100:130]
    data = tmp_path / "set"
    (data / "qrels").mkdir(parents=True)
    for file, some in (("corpus", documents), ("queries", queries)):
        lines = [json.dumps({"_id": f"{file[0]}{number}", "text": text}) for number, text in enumerate(some)]
        (data / f"{file}.jsonl").write_text("\n".join(lines))
    judged = "".join(f"q{number}\tc{number}\t1\n" for number in range(len(queries)))
    (data / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")

    rows = teacher.encode(documents)
    reducers = [RandomProjection(8, random_state=seed).fit(rows) for seed in range(4)]
    forms = [PCA(8, center=center, whiten=whiten).fit(rows) for center in (False, True) for whiten in (False, True)]
    hashed = counted(monkeypatch, "add_text", fingerprint, of=lambda _, text: text)
    loaded = counted(monkeypatch, "load_beir", retrieval, of=lambda path, _: Path(path).name)
    for _ in range(2):  # the second finds the stores of the first
        found = compare(
            [*reducers, *forms], [Retrieval(str(data))], teacher=teacher, codecs=[Integer(8), Cast("float16")],
            stores=tmp_path / "stores",
        )  # fmt: skip
    assert len({(row.reducer, row.variant, row.seed, row.codec) for row in found.rows}) >= 9 * 3
    assert {text: hashed[text] for text in documents + queries} == dict.fromkeys(documents + queries, 2)
    assert loaded == {"set": 2}


@pytest.fixture(scope="module")
def student(
    teacher: SentenceTransformerEncoder, few_words: Draw, traced_once: None
) -> tuple[SentenceTransformer, list[str]]:
    """A student, and texts for it."""
    texts = few_words(80, 2, 12)
    return assemble(teacher, PCA(8).fit(teacher.encode(texts))), texts


@pytest.mark.parametrize("exporter", [Onnx(), OpenVino(), OpenVino("int8")], ids=["onnx", "openvino", "openvino_int8"])
def test_an_export_reads_each_file_once_for_its_digest(
    exporter: Exporter,
    student: tuple[SentenceTransformer, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("openvino" if isinstance(exporter, OpenVino) else "onnxruntime")
    model, texts = student
    read = counted(monkeypatch, "_digest", files, of=lambda path: path.stat().st_ino)
    reference = model.encode(texts)
    write_export(exporter, model, tmp_path / "out", texts, reference, teacher=None, reducer="pca", min_mean_cosine=0.5)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name not in _OURS]
    load_encoder(tmp_path / "out")
    assert read == {path.stat().st_ino: 1 for path in written}


def test_searches_over_codes_decode_them_once(rows: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    index = ExactIndex(Integer(8)).build(rows)
    decoded = counted(monkeypatch, "decode", Integer, of=lambda _, codes: len(codes))
    first = index.search(rows[:5], 3)
    for _ in range(3):
        np.testing.assert_array_equal(index.search(rows[:5], 3)[1], first[1])
    assert decoded == {len(rows): 1}
    among = index.search(rows[:1], 3, filter_ids=np.arange(len(rows))[::-1])
    np.testing.assert_array_equal(among[1], first[1][:1])
    index.add(rows[:5] * 0.5)
    assert set(index.search(rows[:1], 2)[1][0]) == {0, len(rows)}


def test_weights_of_a_published_model_are_hashed_once(minilm: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    read = counted(monkeypatch, "_digest", files, of=lambda path: path.name)
    tensors = counted(monkeypatch, "_digest", digests, of=lambda tensor: tensor.shape)
    assert MiniLM(device="cpu", max_seq_length=64).identity == minilm.identity
    assert not read
    assert not tensors


def test_a_streamed_encode_hashes_each_text_once(
    teacher: SentenceTransformerEncoder, few_words: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = list(dict.fromkeys(few_words(60, 4, 9)))
    hashed = counted(monkeypatch, "add_text", fingerprint, of=lambda _, text: text)
    for times in (1, 2):  # the second finds the store and compares
        write_store(tmp_path / "store", teacher, (Document(f"id-{text}", text) for text in texts), shard_rows=16)
        assert {text: hashed[text] for text in texts} == dict.fromkeys(texts, times)


def test_all_forms_of_pca_share_one_pass_over_the_rows(rows: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = counted(monkeypatch, "_blocks", Spectrum, of=lambda one: one.source.shape)
    with one_pass():
        for k in (4, 8):
            for form in (PCA(k), PCA(k, center=False), PCA(k, whiten=True)):
                form.fit(rows)
    assert passes == {rows.shape: 1}
