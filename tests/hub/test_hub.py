"""To the hub and back, by the real client over HTTP: the same rows, nothing that no record names, no token anywhere."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from sentence_transformers import SentenceTransformer

from projhead.commands.compose import composed
from projhead.commands.push import run
from projhead.encoders.load import load_encoder
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.errors import UserError
from projhead.exporters.by_format import export
from projhead.hub.fetch import folder_of
from projhead.hub.send import push
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.reducers.truncation import Truncation
from projhead.report.results import Result, append_results
from projhead.students.assemble import assemble
from projhead.vectors import Vectors

from .conftest import TOKEN, Hub

# Of the client itself, where files go as they did before xet.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")
TEACHER = EncoderIdentity("someone/teacher", "feed", 32)


def front(hub: Hub, repository: str) -> dict[str, object]:
    said = yaml.safe_load(hub.commits[repository][-1]["README.md"].decode().split("---\n")[1])
    assert isinstance(said, dict)
    return said


def test_a_reducer_goes_there_and_comes_back_with_the_same_rows(hub: Hub, rows: Vectors, tmp_path: Path) -> None:
    reducer = PCA(8).fit(rows)
    reducer.teacher_ = TEACHER
    url = reducer.push_to_hub("me/head", private=True, license="apache-2.0", language=["en"])
    assert url == f"{hub.url}/me/head/commit/{0:040x}"
    assert hub.created[0].get("visibility") == "private" or hub.created[0].get("private")  # by version
    back = load_reducer("me/head")
    np.testing.assert_array_equal(back.transform(rows), reducer.transform(rows))
    assert back.teacher_ == TEACHER
    # Pinned: another commit later changes nothing for who names the first.
    Truncation(4).fit(rows).push_to_hub("me/head")
    assert isinstance(PCA.from_pretrained("me/head", revision=f"{0:040x}"), PCA)
    with pytest.raises(TypeError, match="me/head: expected PCA, got Truncation; use load_reducer"):
        PCA.from_pretrained("me/head")
    said = front(hub, "me/head")
    assert (said["library_name"], said.get("license")) == ("projhead", None)
    assert 'load_reducer("me/head")' in hub.commits["me/head"][0]["README.md"].decode()


def test_the_card_has_the_measured_rows(hub: Hub, rows: Vectors, tmp_path: Path) -> None:
    PCA(8).fit(rows).save(tmp_path / "run" / "artifact", teacher=TEACHER, card="# Mine\n\nWords.\n")
    given = {"n_components": 8, "n": 30, "encoder": "someone/teacher", "fingerprint": "feed"}
    kept = Result("retrieval/set", "ndcg@10", 0.61, 0.5, 0.7, "pca", **given)
    other = [
        Result("retrieval/set", "ndcg@10", 0.9, 0.9, 0.9, "teacher", **given, role="reference"),
        Result("retrieval/set", "ndcg@10", -0.1, -0.2, 0.0, "pca", **given, baseline="pca"),
        Result("export/x", "megabytes", 4.0, 4.0, 4.0, "pca", **given),
    ]
    append_results(tmp_path / "run" / "results.jsonl", [kept, *other])
    settings = [f"folder={tmp_path / 'run' / 'artifact'}", "repo=me/measured", "datasets=[a/b]", "create_pr=true"]
    run(composed("push", settings, tmp_path))
    said = front(hub, "me/measured")
    assert (said["base_model"], said["datasets"], said["metrics"]) == ("someone/teacher", ["a/b"], ["ndcg@10"])
    ((result,),) = [one["results"] for one in said["model-index"]]  # type: ignore[attr-defined]
    assert result["dataset"]["type"] == "retrieval/set"
    assert [one["value"] for one in result["metrics"]] == [0.61]
    assert "Words." in hub.commits["me/measured"][-1]["README.md"].decode()
    assert (tmp_path / "run" / "artifact" / "README.md").read_text() == "# Mine\n\nWords.\n"


def test_exports_go_as_they_are_and_load_by_name(
    hub: Hub, teacher: SentenceTransformerEncoder, few_words: Callable[[int, int, int], list[str]], tmp_path: Path
) -> None:
    texts = few_words(40, 1, 12)
    student = assemble(teacher, PCA(8).fit(teacher.encode(texts)))
    export(student, tmp_path / "st", format="sentence_transformers", calibrate=texts)
    (tmp_path / "st" / "diary.txt").write_text("mine")
    push(tmp_path / "st", "me/st")
    assert "diary.txt" not in hub.commits["me/st"][-1]
    encoder = load_encoder("me/st", revision=f"{0:040x}")
    np.testing.assert_allclose(encoder.encode(texts), student.encode(texts), atol=1e-5)
    stock = SentenceTransformer(str(folder_of("me/st", "export")), device="cpu")
    np.testing.assert_allclose(stock.encode(texts), student.encode(texts), atol=1e-5)


def test_what_no_record_names_is_not_even_fetched_and_what_is_altered_is_refused(hub: Hub, rows: Vectors) -> None:
    PCA(8).fit(rows).push_to_hub("me/head")
    bomb = pickle.dumps({"never": "loaded"})
    hub.commits["me/head"].append(hub.commits["me/head"][0] | {"model.pkl": bomb, "code.py": b"1/0"})
    load_reducer("me/head")
    assert not [path for path, _ in hub.seen if path.endswith((".pkl", ".py"))]
    record = hub.commits["me/head"][0]["config.json"]
    hub.commits["me/head"].append(hub.commits["me/head"][0] | {"config.json": record.replace(b"pca", b"pcb")})
    with pytest.raises(ValueError, match="is damaged: its sha256 is not that of its content"):
        load_reducer("me/head")
    hub.commits["me/head"].append(hub.commits["me/head"][0] | {"model.safetensors": b"other"})
    with pytest.raises(ValueError, match=r"model\.safetensors is missing or altered"):
        load_reducer("me/head")


def test_tokens_are_sent_and_never_told(
    hub: Hub, rows: Vectors, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("HF_TOKEN")
    caplog.set_level(logging.DEBUG)
    reducer = PCA(8).fit(rows)
    with pytest.raises(PermissionError, match=r"me/head: the hub does not take it: .*hf auth login") as refused:
        reducer.push_to_hub("me/head", token="hf_wrong")
    reducer.push_to_hub("me/head", token=TOKEN)
    load_reducer("me/head", token=TOKEN)
    assert f"Bearer {TOKEN}" in [sent for _, sent in hub.seen]
    told = "".join(map(str, (caplog.text, *capsys.readouterr(), refused.value, reducer.__dict__)))
    files = b"".join(content for one in hub.commits["me/head"] for content in one.values())
    assert "hf_wrong" not in told
    assert TOKEN not in told
    assert TOKEN.encode() not in files


def test_what_is_not_there_is_told_in_one_line(hub: Hub, rows: Vectors, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"me/nothing: no such path, and the hub .*hf auth login"):
        load_reducer("me/nothing")
    hub.commits["me/other"] = [{"README.md": b"text"}]
    with pytest.raises(FileNotFoundError, match=r"me/other on the hub is no artifact: it has no config\.json"):
        load_reducer("me/other")
    with pytest.raises(UserError, match="revision: got 'main' for a path"):
        load_reducer(tmp_path, revision="main")
    with pytest.raises(UserError, match="expected an artifact, an export or an encoder, got a folder"):
        push(tmp_path, "me/x")
    with pytest.raises(UserError, match="repo: expected owner/name, got 'x'"):
        push(tmp_path, "x")


def test_a_hub_that_cannot_be_reached_is_asked_once_and_what_was_downloaded_before_will_do(
    hub: Hub, rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reducer = PCA(8).fit(rows)
    reducer.push_to_hub("me/head")
    load_reducer("me/head")
    hub.seen.clear()
    hub.commits.clear()
    np.testing.assert_array_equal(load_reducer("me/head").transform(rows), reducer.transform(rows))
    monkeypatch.chdir(tmp_path)
    reducer.save(tmp_path / "run" / "artifact")
    hub.seen.clear()
    with pytest.raises(FileNotFoundError, match=r"run/artifcat: no such path \(did you mean artifact\?\), and the hub"):
        load_reducer("run/artifcat")
    with pytest.raises(FileNotFoundError, match=r"'run/artifcat' is no folder here \(did you mean artifact\?\), was "):
        load_encoder("run/artifcat")
    assert len(hub.seen) == 3  # each loader once; downloads would ask for every file, again and again
