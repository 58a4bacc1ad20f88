from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from projhead.commands import train as verb
from projhead.commands.in_process import run_verb
from projhead.vectors import Vectors


@pytest.mark.parametrize(("given", "said"), [("codec=binary", "codec"), ("ckpt_path=last.ckpt", "ckpt_path")])
def test_what_is_not_trained_is_refused_before_anything_is_encoded(
    given: str, said: str, rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "last.ckpt").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verb, "teacher_vectors", lambda *_, **__: pytest.fail("encoded"))
    with pytest.raises(ValueError, match=f"{said}: expected reducer=learned to .*, got pca"):
        run_verb("train", ["reducer=pca", given, "encoder=precomputed", "encoder.path=rows.npy"], tmp_path / "run")
