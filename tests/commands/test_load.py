"""The verb on a real LanceDB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from projhead.commands.in_process import run_verb
from projhead.data import Document
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.store.write import write_store
from projhead.vectors import unit_rows


def test_a_store_is_loaded_and_its_recall_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lancedb = pytest.importorskip("lancedb")
    rows = unit_rows(np.random.default_rng(0).normal(size=(50, 8)))

    class Encoder(OneSided):
        name, dimension = "rows", 8
        identity = EncoderIdentity(name, "0" * 16, dimension)

        def encode(self, texts: list[str], *, show_progress: bool = False) -> np.ndarray:
            return rows[[int(text) for text in texts]]

    write_store(tmp_path / "store", Encoder(), [Document(f"d{i}", str(i)) for i in range(50)])
    words = [f"store={tmp_path / 'store'}", f"to=lance://{tmp_path / 'tables'}", "database.table=docs", "columns=[]"]
    assert run_verb("load", words, tmp_path / "run") > 0.95
    said = capsys.readouterr().out
    assert "50 rows in docs of lance://" in said
    assert "rows/s" in said
    assert "recall@10 against exact search over float32 rows: " in said
    table = lancedb.connect(tmp_path / "tables").open_table("docs")
    assert table.to_arrow().column_names == ["id", "embedding"]
