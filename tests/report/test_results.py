import json

import pytest

from projhead.report.results import Result, append_results, read_results

ROW = Result("retrieval/x", "ndcg@10", 0.5, 0.4, 0.6, "learned", 64, 300, "MiniLM", "0123456789abcdef")


def test_rows_come_back_in_order_and_are_appended(tmp_path):
    path = tmp_path / "deep" / "results.jsonl"
    other = Result(**{**vars(ROW), "encoder": "Füße\u2028<b>", "value": -0.25})
    append_results(path, [ROW])
    append_results(path, [other, ROW])
    assert read_results(path) == [ROW, other, ROW]


def test_numbers_that_are_none_are_not_written(tmp_path):
    path = tmp_path / "results.jsonl"
    with pytest.raises(ValueError, match="Out of range float"):
        append_results(path, [ROW, Result(**{**vars(ROW), "low": float("nan")})])
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"value": "0.5"}, {"value": True}, {"value": 1e999}, {"low": [1]}, {"n": 2.5}, {"task": None},
        {"color": "red"}, {"role": "rival"},
    ],
)  # fmt: skip
def test_rows_of_another_kind_are_refused_and_their_line_named(tmp_path, change):
    path = tmp_path / "results.jsonl"
    append_results(path, [ROW])
    with path.open("a") as file:
        file.write(json.dumps({**vars(ROW), **change}) + "\n")
    with pytest.raises(ValueError, match="line 2: expected a result row"):
        read_results(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"reducer": "teacher"}, {"role": "reference"}),
        ({"reducer": "learned", "codec": "pq_32 (trained)"}, {"codec": "pq_32", "fitted_to": "trained"}),
        ({"reducer": "pca #2"}, {"reducer": "pca", "variant": 2, "role": "baseline"}),
        ({"reducer": "export:x"}, {"role": "subject"}),
    ],
)
def test_rows_of_older_versions_are_given_their_roles(tmp_path, old, new):
    path = tmp_path / "results.jsonl"
    written = {**vars(ROW), **old}
    for name in ("role", "fitted_to", "variant"):
        del written[name]
    written["revision"] = written.pop("fingerprint")
    path.write_text(json.dumps(written) + "\n")
    assert read_results(path) == [Result(**{**vars(ROW), **old, **new})]


@pytest.mark.parametrize("line", [b"{", b"[1]", b"7", b"null", b'"x"', b"\xff\xfe", b"{}"])
def test_lines_that_are_no_rows_are_refused(tmp_path, line):
    path = tmp_path / "results.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(ValueError, match="line 1: expected a result row"):
        read_results(path)


def test_a_row_after_an_unfinished_line_is_whole(tmp_path):
    path = tmp_path / "results.jsonl"
    append_results(path, [ROW])
    path.write_bytes(path.read_bytes() + b'{"task": "sts')
    append_results(path, [ROW])
    with pytest.raises(ValueError, match=r"line 2: .*remove that line"):
        read_results(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2]]))
    assert read_results(path) == [ROW, ROW]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"results\.jsonl: no such file; expected result rows"):
        read_results(tmp_path / "results.jsonl")


def test_rows_that_are_there_are_not_appended_again_where_that_is_asked(tmp_path):
    path = tmp_path / "results.jsonl"
    append_results(path, [ROW], once=True)
    append_results(path, [ROW, Result(**{**vars(ROW), "metric": "other"})], once=True)
    assert [row.metric for row in read_results(path)] == [ROW.metric, "other"]
    assert [one.name for one in tmp_path.iterdir()] == ["results.jsonl"]
