from pathlib import Path

import pytest

from projhead.tasks.data_sets import data_sets


def test_names_come_from_folders_and_files(monkeypatch, tmp_path):
    assert data_sets("sets/scifact/") == {"scifact": Path("sets/scifact")}
    assert list(data_sets(["a/stsb", Path("b/sick.csv")])) == ["stsb", "sick"]
    monkeypatch.chdir(tmp_path)
    assert list(data_sets(".")) == [tmp_path.name]


def test_sets_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match=r"different names, got .*a/test.parquet.*b/test.parquet"):
        data_sets(["a/test.parquet", "b/test.parquet"])
    with pytest.raises(ValueError, match="expected at least one file or folder"):
        data_sets([])
