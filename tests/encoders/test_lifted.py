"""Teachers for inner products: exact search with lengths is the oracle."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize

from projhead.codecs.integer import Integer
from projhead.collection import Collection
from projhead.data import Document
from projhead.encoders.lifted import asking, lifted, longest_for, nearer
from projhead.encoders.load import load_encoder
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.errors import UserError
from projhead.exporters.by_format import export
from projhead.indexes.exact import ExactIndex
from projhead.persistence.record import read_record
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.students.assemble import assemble
from projhead.vectors import Vectors, exact_top_k

VERBS, THINGS = ("read", "write", "sort", "index"), ("a file", "rows", "words")
TEXTS = [f"{verb} {what} {verb}" for verb in VERBS for what in THINGS]


@pytest.fixture(scope="module")
def folder(teacher: SentenceTransformerEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for inner products, whose rows have lengths."""
    path = tmp_path_factory.mktemp("lifted") / "dot"
    modules = [module for module in teacher.model if not isinstance(module, Normalize)]
    SentenceTransformer(modules=modules, similarity_fn_name="dot", device="cpu").save_pretrained(str(path))
    return path


def _store(encoder: SentenceTransformerEncoder, path: Path) -> EmbeddingStore:
    return write_store(path, encoder, (Document(text, text) for text in TEXTS), dtype="float32")


def _rows_with_lengths(n: int, seed: int) -> Vectors:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(n, 16)) * generator.uniform(0.2, 3, size=(n, 1))
    return rows.astype(np.float32)


def test_each_query_ranks_as_with_lengths() -> None:
    documents, queries = _rows_with_lengths(300, 0), _rows_with_lengths(40, 1)
    longest = 1.2 * float(np.linalg.norm(documents, axis=1).max())
    rows, asked = lifted(documents, longest, documents=True), lifted(queries, longest, documents=False)
    for one in (rows, asked):
        np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)
    scores, found = exact_top_k(asked, rows, 10)
    exact, expected = exact_top_k(queries, documents, 10)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(scores * longest * np.linalg.norm(queries, axis=1)[:, None], exact, rtol=1e-4)
    cosine = exact_top_k(queries, documents / np.linalg.norm(documents, axis=1, keepdims=True), 10)[1]
    assert (cosine != expected).mean() > 0.5  # lengths matter here
    with pytest.raises(ValueError, match=r"a document's row of length .*; set a length that none exceeds"):
        lifted(documents, longest / 2, documents=True)


@pytest.mark.parametrize(("found", "longest"), [(1.0, 1.5), (5.73, 8.6), (0.0123, 0.019), (812, 1300)])
def test_the_longest_length_has_two_digits_and_a_margin(found: float, longest: float) -> None:
    assert longest_for(found) == longest


def test_lengths_are_found_and_never_dropped(folder: Path) -> None:
    encoder = SentenceTransformerEncoder(str(folder), device="cpu")
    lengths = np.linalg.norm(encoder.model.encode(TEXTS), axis=1)
    assert encoder.longest is not None
    assert encoder.longest_found
    assert lengths.max() < encoder.longest < 3 * lengths.max()
    assert encoder.identity.longest == encoder.longest
    assert encoder.dimension == encoder.width + 1
    assert "longest=" not in nearer(encoder.identity, encoder.encode_document(["near"] * 3))
    far = SentenceTransformerEncoder(str(folder), device="cpu", longest=1000.0)
    assert "encoder.longest=" in nearer(far.identity, far.encode_document(TEXTS))
    for longest, expected in ((0.0, "a positive number"), (float("nan"), "none|a positive")):
        with pytest.raises(ValueError, match=expected):
            SentenceTransformerEncoder(str(folder), device="cpu", longest=longest)


def test_store_index_codec_and_heads_keep_lengths(folder: Path, tmp_path: Path) -> None:
    encoder = SentenceTransformerEncoder(str(folder), device="cpu", longest=20.0)
    assert encoder.two_sided
    other = SentenceTransformerEncoder(str(folder), device="cpu", longest=21.0)
    assert encoder.identity != other.identity
    rows = encoder.model.encode(TEXTS, normalize_embeddings=False)
    exact = exact_top_k(rows[:3], rows, 5)[0] / 20 / np.linalg.norm(rows[:3], axis=1)[:, None]
    store = _store(encoder, tmp_path / "store")
    for index, tolerance in (("exact", 1e-5), ("Flat", 1e-5), (ExactIndex(Integer(8)), 0.01)):
        collection = Collection.build(store, index)
        for queries in (TEXTS[:3], rows[:3], encoder.encode_document(TEXTS[:3])):
            found = [[hit.score for hit in hits] for hits in collection.search(queries, 5)]
            np.testing.assert_allclose(found, exact, atol=tolerance)
    PCA(4).fit(store).save(tmp_path / "artifact")
    with pytest.raises(ValueError, match=r"of the same model the longest .* encoder\.longest=20"):
        load_reducer(tmp_path / "artifact").check_fits(other.identity)
    agreeing = SentenceTransformerEncoder(str(folder), device="cpu")
    Reduced(agreeing, str(tmp_path / "artifact"))
    assert agreeing.identity == encoder.identity


@pytest.fixture(scope="module")
def kept(
    folder: Path, traced_once: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Reduced, SentenceTransformer]:
    """A teacher that keeps lengths with a head behind it, and the student of both."""
    encoder = SentenceTransformerEncoder(str(folder), device="cpu")
    head = PCA(4).fit(_store(encoder, tmp_path_factory.mktemp("kept") / "store"))
    return Reduced(encoder, head), assemble(encoder, head)


@pytest.mark.parametrize("format", ["sentence_transformers", "onnx int8", "openvino"])
def test_exported_students_keep_lengths(kept: tuple[Reduced, SentenceTransformer], tmp_path: Path, format: str) -> None:
    if format == "openvino" and find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    reduced, assembled = kept
    name, *quantization = format.split()
    options = {"quantization": quantization[0], "min_mean_cosine": 0.97} if quantization else {}
    texts = [f"{one} {other}" for one in TEXTS for other in TEXTS[:3]]
    export(assembled, tmp_path / "out", format=name, calibrate=texts, **options)
    student = load_encoder(tmp_path / "out")
    assert student.two_sided
    least = 0.97 if quantization else 1 - 1e-5
    for side in ("encode_query", "encode_document", "encode"):
        found, expected = getattr(student, side)(TEXTS), getattr(reduced, side)(TEXTS)
        assert (found * expected).sum(1).min() > least
    assert np.abs(student.encode_query(TEXTS) - student.encode_document(TEXTS)).max() > 0.1
    card = (tmp_path / "out" / "README.md").read_text()
    told = read_record(tmp_path / "out", "export", ()).body["serves"]
    served = {claim["name"] for claim in told if claim["verdict"] != "refused"}
    assert served == {"onnx": {"onnxruntime"}, "openvino": {"openvino"}}.get(name, set())
    assert ("is_query" in card) == (name != "sentence_transformers")
    assert ("pip install projhead" in card) == (name == "sentence_transformers")


def test_heads_alone_and_bare_models_are_refused(folder: Path, tmp_path: Path) -> None:
    encoder = SentenceTransformerEncoder(str(folder), device="cpu")
    head = PCA(4).fit(_store(encoder, tmp_path / "store"))
    for format in ("head_onnx", "head_dense", "head_faiss", "faiss_codes"):
        with pytest.raises(UserError, match="head alone, got one for rows that keep their lengths"):
            export(head, tmp_path / "out", format=format)
    bare = PCA(4).fit(encoder.encode_document(TEXTS))
    with pytest.raises(ValueError, match="expected a reducer that knows how long rows may be"):
        assemble(encoder.model, bare)
    too_long = SentenceTransformerEncoder(str(folder), device="cpu", longest=0.01)
    student = assemble(too_long, PCA(4).fit(encoder.encode_document(TEXTS)))
    with pytest.raises(ValueError, match=r"expected documents' rows no longer than 0\.01, got one of"):
        student.encode_document(TEXTS)


def test_vectors_made_elsewhere_say_what_their_lengths_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, queries = _rows_with_lengths(300, 0), _rows_with_lengths(40, 1) / 10
    for name, made in (("documents", rows), ("queries", queries)):
        np.save(tmp_path / f"{name}.npy", made)
        (tmp_path / f"{name}.txt").write_text("\n".join(f"{name} {number}" for number in range(len(made))))
    unsaid = Precomputed(str(tmp_path / "documents.npy"))
    assert re.search(r"lengths of rows from .* are left out.*similarity=dot", capsys.readouterr().err)
    assert unsaid.identity == Precomputed(str(tmp_path / "documents.npy"), similarity="cosine").identity
    assert not capsys.readouterr().err

    def opened(name: str, **settings: object) -> Precomputed:
        declared = {"name": "api", "revision": "1", **settings}
        return Precomputed(str(tmp_path / f"{name}.npy"), texts=str(tmp_path / f"{name}.txt"), **declared)

    documents = opened("documents", similarity="dot")
    store = write_store(tmp_path / "store", documents, documents.documents("all"), dtype="float32")
    collection = Collection.build(store, "exact")
    expected = [[f"{number}" for number in row] for row in exact_top_k(queries, rows, 10)[1]]
    asked = opened("queries", similarity="dot", longest=documents.longest)
    assert asked.identity == documents.identity
    for given in (queries, asked.encode_query(asked.texts_or_rows())):
        assert [[hit.id for hit in hits] for hits in collection.search(given, 10)] == expected
    again = asking(asked.rows, asked.identity)
    np.testing.assert_allclose(again, asked.encode_query(asked.texts_or_rows()), atol=1e-6)
    tomorrow = opened("queries", similarity="dot")
    assert tomorrow.identity != documents.identity
    assert Reduced(tomorrow, PCA(4).fit(store)).identity.longest == 0
    assert tomorrow.identity == documents.identity  # it took what the head knows
    assert opened("documents", similarity="cosine").identity.longest == 0
    with pytest.raises(ValueError, match=r"longest: got 9, expected none without similarity=dot"):
        opened("documents", similarity="cosine", longest=9)
    with pytest.raises(ValueError, match=r"longest: got 0\.1, expected at least"):
        opened("documents", similarity="dot", longest=0.1)
    nearly = lifted(rows, 99, documents=False)[:, :-1] * np.linspace(0.999, 1.001, 300)[:, None]
    np.save(tmp_path / "documents.npy", nearly.astype(np.float32))
    assert opened("documents").dimension == 16  # rounded unit rows
