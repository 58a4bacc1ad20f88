"""Corpora of several sizes in one pass, against each of them measured by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.engines.elsewhere import Elsewhere

from projhead.corpora.split import order_of
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.evaluation.block_search import merged
from projhead.evaluation.compare import compare
from projhead.evaluation.growth import Growth, growth_of
from projhead.reducers.pca import PCA
from projhead.reducers.random_projection import RandomProjection
from projhead.store.embed import embed
from projhead.tasks.retrieval import Retrieval

Draw = Callable[[int, int, int], list[str]]
SIZES = (40, 90, 160)


def _set(folder: Path, documents: Sequence[str], queries: Sequence[str]) -> Path:
    (folder / "qrels").mkdir(parents=True)
    for file, some in (("corpus", documents), ("queries", queries)):
        lines = [json.dumps({"_id": f"{file[0]}{number}", "text": text}) for number, text in enumerate(some)]
        (folder / f"{file}.jsonl").write_text("\n".join(lines))
    judged = "".join(f"q{number}\tc{number}\t1\n" for number in range(len(queries)))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return folder


def test_every_size_is_measured_as_a_corpus_of_its_own_would_be(
    teacher: SentenceTransformerEncoder, few_words: Draw, tmp_path: Path
) -> None:
    texts = list(dict.fromkeys(few_words(300, 5, 9)))
    documents, queries, others = texts[:35], [f"{text} ." for text in texts[:20]], texts[35:180]
    given = [*others[:50], *others[:20], *documents, *others[50:]]  # some stand there twice, some are the set's own
    store = embed(teacher, given, out=tmp_path / "others", shard_rows=32, dtype="float32", show_progress=False)
    train = teacher.encode(texts[180:])
    heads = [PCA(8).fit(train), RandomProjection(8, random_state=0).fit(train)]
    task = Retrieval(str(_set(tmp_path / "small", documents, queries)), top_k=[5, 30])
    found = compare(heads, [task], teacher=teacher, growth=Growth(store, SIZES)).rows
    elsewhere = compare(heads, [task], teacher=teacher, growth=Growth(store, SIZES, engine=Elsewhere())).rows
    assert [(row.task, row.reducer, row.value) for row in elsewhere] == [
        (row.task, row.reducer, row.value) for row in found
    ]
    ordered = sorted(others, key=order_of)
    for size in SIZES:
        alone = Retrieval(str(_set(tmp_path / f"s{size}", documents + ordered[: size - 35], queries)), top_k=[5, 30])
        name = f"retrieval/small, {size:,} documents"
        grown = {(row.reducer, row.metric, row.baseline): row for row in found if row.task == name}
        for row in compare(heads, [alone], teacher=teacher).rows:
            same = grown[row.reducer, row.metric, row.baseline]
            assert (same.value, same.low, same.high) == pytest.approx((row.value, row.low, row.high), abs=1e-6)
            assert (same.documents, row.documents) == (size, 0)
        assert len(grown) == 3 * 4


def test_what_cannot_be_measured_is_told(teacher: SentenceTransformerEncoder, few_words: Draw, tmp_path: Path) -> None:
    texts = list(dict.fromkeys(few_words(300, 5, 9)))
    store = embed(teacher, texts[35:100], out=tmp_path / "others", show_progress=False)
    task = Retrieval(str(_set(tmp_path / "small", texts[:35], texts[:20])))
    for sizes, message in (
        ([20, 50], "small alone has 35 documents, got 20"),
        ([50, 101], "got 101, and small with all different texts of .*others has 100"),
    ):
        with pytest.raises(ValueError, match=message):
            compare([PCA(8).fit(teacher.encode(texts))], [task], teacher=teacher, growth=Growth(store, sizes))
    with pytest.raises(ValueError, match=r"others=<store> together, with or without an engine, got sizes=\[\]"):
        growth_of(None, [], engine=Elsewhere())
    bare = embed(teacher, texts[35:100], out=tmp_path / "bare", keep_texts=False, show_progress=False)
    with pytest.raises(ValueError, match="holds no texts, which decide their order"):
        Growth(bare, [50])


def test_searches_are_merged_by_score_and_then_by_number() -> None:
    first = np.array([[0.9, 0.5, 0.2]], np.float32), np.array([[4, 9, 2]])
    second = np.array([[0.9, 0.5]], np.float32), np.array([[3, 11]])
    scores, numbers = merged(first, second, 4)
    assert numbers.tolist() == [[3, 4, 9, 11]]
    np.testing.assert_array_equal(scores, np.array([[0.9, 0.9, 0.5, 0.5]], np.float32))
