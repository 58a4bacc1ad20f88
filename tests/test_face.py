"""The face: the whole job in Python, as the README shows it, with the real MiniLM."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import projhead as ph
from projhead.corpora.docstrings import Docstrings, known_item

pytestmark = pytest.mark.slow


def test_the_face_is_small_and_costs_nothing_until_used() -> None:
    assert len(ph.__all__) <= 16
    assert dir(ph) == sorted(ph.__all__)
    for name in ph.__all__:
        assert getattr(ph, name).__doc__
    heavy = "torch, sklearn, transformers, pytorch_lightning, hydra, faiss, datasets, pandas"
    code = f"import sys, projhead; print([one for one in {heavy.split(', ')!r} if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ph.nothing
    with pytest.raises(AttributeError, match="no attribute 'comapre'; did you mean compare"):
        _ = ph.comapre


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of documents, and a retrieval set over some of them."""
    root = tmp_path_factory.mktemp("face")
    documents = list(islice(Docstrings().documents("all"), 240))
    (root / "docs.jsonl").write_text("\n".join(json.dumps({"text": one.text[:240]}) for one in documents))
    data = known_item()
    queries = data.queries[:30]
    wanted = {document for query in queries for document in data.qrels[query.id]}
    others = [one for one in data.corpus if one.id not in wanted][:90]
    corpus = [*(one for one in data.corpus if one.id in wanted), *others]
    (root / "set" / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        lines = (json.dumps({"_id": one.id, "text": one.text[:240]}) for one in rows)
        (root / "set" / f"{name}.jsonl").write_text("\n".join(lines))
    judged = (f"{query.id}\t{document}\t1" for query in queries for document in data.qrels[query.id])
    (root / "set" / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]))
    return root


def test_the_whole_job_as_the_readme_has_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    script = readme.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in script.splitlines() if line and not line.startswith("import")]) <= 12
    # As many lists as few documents fill, and their set in the place of SciFact.
    script = script.replace("IVF256,Flat", "IVF4,Flat").replace('"scifact"', '"set"')
    script = script.replace("LearnedReducer(64)", "LearnedReducer(64, max_steps=20)")
    script = script.replace("index.search", "hits = index.search").replace("ph.export", "told = ph.export")
    monkeypatch.chdir(root)
    done: dict[str, Any] = {}
    exec(script, done)
    docs, teacher, head, table = (done[name] for name in ("docs", "teacher", "head", "table"))
    student, told, hits = (done[name] for name in ("student", "told", "hits"))

    # The table: every form beside the teacher, in frame, text and page.
    frame = table.to_pandas()
    assert {"teacher", "learned", "pca", "pca_uncentered", "pca_whitened", "pca_power"} <= set(frame["reducer"])
    assert "nDCG@10" in repr(table)
    assert "<table" in table._repr_html_()
    assert "<svg" in table.plot()._repr_html_()
    # The student, and what was written of it.
    texts = [one.text for one in docs[:20]]
    expected = head.transform(teacher.encode(texts))
    np.testing.assert_allclose(student.encode(texts), expected, atol=1e-5)
    assert told["teacher"]["name"] == teacher.name
    assert told["reducer"] == "learned"
    student.save_pretrained(str(root / "stock"))
    stock = SentenceTransformer(str(root / "stock"), device="cpu")
    np.testing.assert_allclose(stock.encode(texts), expected, atol=1e-5)
    # The answers: those of exact search over what the int8 student says.
    assert len(hits) == 5
    assert all(hit.text for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert ph.Collection.open(root / "idx").search("how to read a file", top_k=5) == hits


def test_what_was_embedded_is_found_again(root: Path) -> None:
    teacher = ph.load_encoder("sentence-transformers/all-MiniLM-L6-v2")
    docs = ["one text", "another text"]
    first = ph.embed(teacher, docs, out=root / "again", show_progress=False)
    written = {file: file.stat().st_mtime_ns for file in first.folder.iterdir()}
    second = ph.embed(teacher, docs, out=root / "again", show_progress=False)
    assert {file: file.stat().st_mtime_ns for file in first.folder.iterdir()} == written
    assert second.ids == ["0", "1"]
    with pytest.raises(TypeError, match="expected texts, got one string"):
        ph.embed(teacher, "one text", out=root / "never")
    with pytest.raises(ValueError, match="expected documents of several sentences"):
        ph.pseudo_queries(second)


def test_a_student_in_one_call(root: Path) -> None:
    docs = ph.read_texts(str(root / "docs.jsonl"), max_documents=120)
    teacher = ph.load_encoder("all-MiniLM-L6-v2")
    student = ph.distill(teacher, docs, n_components=16, max_steps=4, show_progress=False)
    assert student.encode(["a text"]).shape == (1, 16)
    with pytest.raises(ValueError, match=r"got 'onx', expected .* did you mean onnx\?"):
        ph.export(student, root / "never", format="onx", calibrate=docs)
    with pytest.raises(ValueError, match="expected a reducer, got"):
        ph.export(student, root / "never", format="head_onnx", calibrate=docs)
    with pytest.raises(ValueError, match="quantization: got 'int7', expected float32"):
        ph.export(student, root / "never", format="onnx", quantization="int7", calibrate=docs)
