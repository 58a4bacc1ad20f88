"""The mteb package measures what our own task measures, on a task that is defined here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from projhead.codecs.binary import Binary
from projhead.encoders.coded import Coded
from projhead.encoders.minilm import MiniLM
from projhead.encoders.reduced import Reduced
from projhead.evaluation.compare import compare
from projhead.exporters.export import write_export
from projhead.exporters.sentence_transformers import SentenceTransformersFolder
from projhead.reducers.pca import PCA
from projhead.students.assemble import assemble
from projhead.tasks.mteb import MTEB
from projhead.tasks.retrieval import Retrieval

THINGS = ("bicycle", "harbour", "violin", "garden", "library", "bakery", "glacier", "theatre", "compass", "orchard")
DOCUMENTS = [f"The {thing} near the {place} was {how}" for thing in THINGS for place in ("river", "market", "school")
             for how in ("repaired in spring", "sold to a doctor")]  # fmt: skip
#: Not the best answer alone, so that a ranking can be wrong.
JUDGED = {f"q{i}": {str(6 * i): 1, str(6 * i + 3): 1, str((6 * i + 20) % 60): 1} for i in range(10)}
QUERIES = {f"q{i}": f"who mended a {thing} by the water or the shop" for i, thing in enumerate(THINGS)}

mteb = pytest.importorskip("mteb")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same set as a BEIR folder and as an mteb task that its registry knows."""
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class Local(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Local", description="things", reference=None, type="Retrieval", category="t2t", modalities=["text"],
            eval_splits=["test"], eval_langs=["eng-Latn"], main_score="ndcg_at_10",
            dataset={"path": "nowhere/local", "revision": "1"}, date=None, domains=None, task_subtypes=None,
            license=None, annotations_creators=None, dialect=None, sample_creation=None, bibtex_citation="",
        )  # fmt: skip

        def load_data(self, **_: Any) -> None:
            corpus = Dataset.from_list([{"id": str(i), "title": "", "text": text} for i, text in enumerate(DOCUMENTS)])
            queries = Dataset.from_list([{"id": name, "text": text} for name, text in QUERIES.items()])
            split = {"corpus": corpus, "queries": queries, "relevant_docs": JUDGED, "top_ranked": None}
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    monkeypatch.setitem(sys.modules["mteb.get_tasks"]._TASKS_REGISTRY, "Local", Local)
    for name, texts in (("corpus", {str(i): text for i, text in enumerate(DOCUMENTS)}), ("queries", QUERIES)):
        lines = [json.dumps({"_id": key, "text": text}) for key, text in texts.items()]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    (tmp_path / "qrels").mkdir()
    judged = [f"{query}\t{document}\t1" for query, documents in JUDGED.items() for document in documents]
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judged))
    return tmp_path


def test_its_ndcg_is_our_own(minilm: MiniLM, folder: Path) -> None:
    narrow = Reduced(minilm, PCA(16).fit(minilm.encode(DOCUMENTS)))
    for encoder in (minilm, narrow, Coded(narrow, Binary())):
        (theirs,) = MTEB(["Local"]).run(encoder, minilm)
        ours = next(iter(Retrieval(folder).run(encoder, minilm)))
        assert (theirs.task, theirs.metric) == ("mteb/Local", "ndcg@10")
        assert theirs.items.tolist() == pytest.approx([ours.items.mean()], abs=1e-5)
        assert 0.05 < theirs.items[0] < 0.95


def test_an_artifact_and_an_exported_student_become_result_rows(minilm: MiniLM, folder: Path, tmp_path: Path) -> None:
    fitted, teacher = PCA(16).fit(minilm.encode(DOCUMENTS)), minilm.identity
    fitted.save(tmp_path / "run" / "artifact", teacher=teacher)
    fitted.save(tmp_path / "run" / "baselines" / "pca", teacher=teacher)
    student = assemble(minilm, fitted)
    narrow = fitted.transform(minilm.encode(DOCUMENTS))
    write_export(
        SentenceTransformersFolder(), student, tmp_path / "st", DOCUMENTS, narrow, teacher=teacher, reducer="pca"
    )
    rows = compare([tmp_path / "run" / "artifact", tmp_path / "st"], [MTEB(["Local"])], teacher=minilm).rows
    assert {(row.task, row.metric) for row in rows} == {("mteb/Local", "ndcg@10")}
    values = {(row.reducer, row.n_components): (row.value, row.low, row.high) for row in rows}
    assert set(values) == {("teacher", 384), ("pca", 16), ("export:st", 16)}
    assert values["export:st", 16] == pytest.approx(values["pca", 16], abs=1e-6)
    assert values["teacher", 384] != values["pca", 16]
    assert len(set(values["pca", 16])) == 1  # an interval without width


def test_what_it_cannot_measure_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        MTEB([])
    with pytest.raises(ValueError, match=r"expected tasks of mteb, got 'Locl'.*Local"):
        MTEB(["Locl"])

    def gone(self: Any, **_: Any) -> None:
        raise RuntimeError("no route to host")

    monkeypatch.setattr(sys.modules["mteb.get_tasks"]._TASKS_REGISTRY["Local"], "load_data", gone)
    with pytest.raises(FileNotFoundError, match=r"task Local are not here .*no route to host"):
        MTEB(["Local"])


def test_without_the_package_the_install_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(ModuleNotFoundError, match=r"projhead\[mteb\]"):
        MTEB(["SciFact"])
