"""Both sides of a teacher against stock sentence-transformers, through reducers, stores, tasks and students."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Router
from torch import nn

from projhead.codecs.integer import Integer
from projhead.collection import Collection
from projhead.corpora.batching import token_batches
from projhead.corpora.files import TextFiles
from projhead.corpora.queries import pseudo_queries
from projhead.data import Document
from projhead.encoders.coded import Coded
from projhead.encoders.load import load_encoder
from projhead.encoders.reduced import Reduced
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.by_format import export
from projhead.persistence.registry import build, spec_of
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.store.cached import Cached
from projhead.store.embed import embed
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.students.assemble import assemble
from projhead.students.teacher_vectors import teacher_vectors
from projhead.vectors import unit_rows

ASKED = ["a red boat.", "is the inn near the road", "owl"]
FOUND = ["the old farm is near the road.", "the tower is under a lamp", "a small drum.", "the inn", "a loud boat"]

#: Prompts, the default one, and whether pooling leaves prompts out.
KINDS: dict[str, tuple[dict[str, str], str | None, bool]] = {
    "e5": ({"query": "owl: ", "passage": "inn: ", "document": "inn: "}, None, False),
    "bge": ({"query": "the road near a tower is "}, None, False),
    "nomic": ({"query": "owl: ", "passage": "drum: "}, None, False),
    "qwen3": ({"query": "a loud owl is under\nthe boat:", "document": ""}, None, False),
    "gemma": ({"query": "the old boat | owl: ", "document": "the inn | drum: "}, None, False),
    "default": ({"query": "owl ", "document": "inn ", "other": "lamp "}, "other", False),
    "instructor": ({"query": "the old owl is near "}, "query", True),
}


@pytest.fixture(params=[*KINDS, "router"])
def stock(
    request: pytest.FixtureRequest, small: SentenceTransformerEncoder, tmp_path: Path
) -> Callable[[], SentenceTransformer]:
    """Return what loads a model of that kind as a user would; its folder is ``model``."""
    modules: list[Any] = list(small.model)
    if request.param == "router":
        prompts, default = {"query": "owl: "}, None
        other = copy.deepcopy(modules[:2])
        for tensor in other[0].parameters():
            tensor.data *= 1.5
        other[1] = Pooling(16, "cls")
        modules = [Router.for_query_document(modules[:2], other), Normalize()]
    else:
        prompts, default, left_out = KINDS[request.param]
        modules[1] = Pooling(16, include_prompt=not left_out)
        if request.param == "gemma":
            torch.manual_seed(0)
            modules[2:2] = [Dense(a, b, bias=False, activation_function=nn.Identity()) for a, b in ((16, 24), (24, 16))]
    model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts, default_prompt_name=default)
    model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    return lambda: SentenceTransformer(str(tmp_path / "model"), device="cpu")


@pytest.fixture
def ours(stock: Callable[[], SentenceTransformer], tmp_path: Path) -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(str(tmp_path / "model"), device="cpu")


def test_rows_are_those_of_the_stock_methods(
    stock: Callable[[], SentenceTransformer], ours: SentenceTransformerEncoder
) -> None:
    model = stock()
    assert ours.two_sided
    for name, texts in (("encode_query", ASKED), ("encode_document", FOUND), ("encode", FOUND)):
        expected = getattr(model, name)(texts, normalize_embeddings=True)
        np.testing.assert_allclose(getattr(ours, name)(texts), expected, atol=1e-6)
    assert np.abs(ours.encode_query(FOUND) - ours.encode_document(FOUND)).max() > 0.01


def test_everything_behind_a_teacher_keeps_its_sides(
    stock: Callable[[], SentenceTransformer], ours: SentenceTransformerEncoder, tmp_path: Path
) -> None:
    model = stock()
    asked, found = (unit_rows(rows) for rows in (model.encode_query(ASKED), model.encode_document(FOUND)))
    reducer = PCA(4, center=False).fit(found)
    student = assemble(ours.model, reducer)
    student.save_pretrained(str(tmp_path / "student"), create_model_card=False)
    for encoder in (
        Reduced(ours, reducer),
        Cached(Reduced(ours, reducer), tmp_path / "stores"),
        Coded(Reduced(ours, reducer), Integer(8)),
        student,
        SentenceTransformerEncoder(str(tmp_path / "student"), device="cpu"),
    ):
        atol = 1e-3 if isinstance(encoder, Cached) else 1e-5  # float16
        np.testing.assert_allclose(encoder.encode_query(ASKED), reducer.transform(asked), atol=atol)
        np.testing.assert_allclose(encoder.encode_document(FOUND), reducer.transform(found), atol=atol)


def test_each_side_is_the_stock_methods_from_training_to_search(
    stock: Callable[[], SentenceTransformer],
    ours: SentenceTransformerEncoder,
    few_words: Callable[[int, int, int], list[str]],
    tmp_path: Path,
) -> None:
    model, path, parts = stock(), tmp_path / "documents.txt", few_words(80, 4, 9)
    path.write_text("".join(f"{one} . {other} .\n" for one, other in zip(parts[::2], parts[1::2], strict=True)))
    vectors = teacher_vectors(ours, TextFiles(str(path)), pseudo_queries, stores=tmp_path / "stores", dtype="float32")
    documents, asked = list(vectors.texts.documents), list(vectors.texts.queries)
    np.testing.assert_allclose(vectors.train[:], unit_rows(model.encode_document(documents)), atol=1e-5)
    np.testing.assert_allclose(vectors.texts.query_rows[:], unit_rows(model.encode_query(asked)), atol=1e-5)
    head = LearnedReducer(4, max_steps=2).fit(vectors.train, queries=vectors.queries)
    student = assemble(ours, head)
    left_out = any(isinstance(one, Pooling) and not one.include_prompt for one in ours.model)
    export(student, tmp_path / "x", format="sentence_transformers" if left_out else "onnx", calibrate=documents)
    read = load_encoder(tmp_path / "x")
    expected = head.transform(model.encode_document(FOUND)), head.transform(model.encode_query(ASKED))
    np.testing.assert_allclose(read.encode_document(FOUND), expected[0], atol=1e-5)
    np.testing.assert_allclose(read.encode_query(ASKED), expected[1], atol=1e-5)
    collection = Collection.build(embed(read, FOUND, out=tmp_path / "s", dtype="float32", show_progress=False), "exact")
    for row, question in zip(expected[1], ASKED, strict=True):
        hits = collection.search(question, len(FOUND))
        scores = [hit.score for hit in hits]
        np.testing.assert_allclose(scores, np.sort(expected[0] @ row)[::-1], atol=1e-5)


def test_a_revision_is_of_both_sides(ours: SentenceTransformerEncoder, tmp_path: Path) -> None:
    path = str(tmp_path / "model")
    assert build(spec_of(ours), "encoder").identity == ours.identity
    others = [
        SentenceTransformerEncoder(path, device="cpu", query_prompt="the drum "),
        SentenceTransformerEncoder(path, device="cpu", document_prompt="the lamp "),
    ]
    assert len({ours.identity, *(other.identity for other in others)}) == 3
    assert build(spec_of(others[0]), "encoder").identity == others[0].identity
    rows = [other.encode_query(ASKED) for other in others]
    assert np.abs(rows[0] - ours.encode_query(ASKED)).max() > 0.01
    np.testing.assert_array_equal(rows[1], ours.encode_query(ASKED))


def test_lengths_count_the_prompt(teacher: SentenceTransformerEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        "projhead.encoders.sentence_transformer.token_batches",
        lambda lengths, budget: seen.extend(lengths) or token_batches(lengths, budget),
    )
    encoder = SentenceTransformerEncoder(teacher.path, device="cpu", query_prompt="the old owl ")
    encoder.encode_query(ASKED[2:])
    encoder.encode_document(ASKED[2:])
    assert seen == [6, 3]  # with the marks before and behind


def test_a_one_sided_model_has_one_way(teacher: SentenceTransformerEncoder, tmp_path: Path) -> None:
    assert not teacher.two_sided
    cached = Cached(teacher, tmp_path)
    for rows in (cached.encode_query(FOUND), cached.encode_document(FOUND), cached.encode(FOUND)):
        np.testing.assert_allclose(rows, teacher.encode(FOUND), atol=1e-3)
    assert len(list(tmp_path.iterdir())) == 1  # encoded once
    assert EmbeddingStore.open(next(tmp_path.iterdir())).manifest.side == "both"


def test_a_store_holds_one_side_and_goes_on_with_no_other(ours: SentenceTransformerEncoder, tmp_path: Path) -> None:
    documents = [Document(str(number), text) for number, text in enumerate(FOUND)]
    store = write_store(tmp_path / "s", ours, documents, dtype="float32", side="query")
    np.testing.assert_array_equal(store.rows, ours.encode_query(FOUND))
    assert EmbeddingStore.open(tmp_path / "s").manifest.side == "query"
    with pytest.raises(ValueError, match="begun with side 'query', got 'document'"):
        write_store(tmp_path / "s", ours, documents, dtype="float32")
    write_store(tmp_path / "d", ours, documents, dtype="float32")
    collection = Collection.build(EmbeddingStore.open(tmp_path / "d").by(ours), "exact")
    scores = [hit.score for hit in collection.search(ASKED[0], len(FOUND))]
    expected = np.sort(ours.encode_document(FOUND) @ ours.encode_query(ASKED[:1])[0])[::-1]
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"holds side query of .*, the index side document"):
        collection.add(store)
