import json
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = "encode_speed"
pytestmark = pytest.mark.usefixtures("folder")

STUBS = {
    "sentence_transformers/__init__.py": "raise ImportError('not here')",
    "fastembed/__init__.py": "raise ImportError('nor this')",
    "model2vec/distill.py": (
        "from pathlib import Path\n"
        "import numpy as np\n"
        "print('a library that prints')\n"
        "class Table:\n"
        "    def __init__(self, width): self.width = width\n"
        "    def save_pretrained(self, path): path.mkdir(parents=True); (path / 'w').write_text(str(self.width))\n"
        "    def encode(self, texts, **_): return [np.arange(1, self.width + 1) * float(len(text)) for text in texts]\n"
        "def distill(model_name): assert Path(model_name).name == 'stock'; return Table(3)\n"
    ),
    "model2vec/__init__.py": "",
}


@pytest.fixture
def stubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in STUBS.items():
        (tmp_path / "stubs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stubs" / name).write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stubs"))


def test_what_loads_there_answers_passes_and_what_does_not_is_named(
    stubs: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from peers import Peers, build_peers

    folder = tmp_path / "top"
    folder.mkdir()
    peers = build_peers(sys.executable, folder, 3, ["one text", "another"])
    assert list(peers.megabytes) == ["model2vec table"]
    wall, processor, rows = peers("model2vec table", ["a", "lone \ud800 surrogate", ""])
    np.testing.assert_allclose(rows, [*2 * [np.arange(1, 4) / np.sqrt(14)], np.zeros(3)], rtol=1e-6)
    assert wall > 0
    assert processor > 0
    held = bytearray(300_000_000)  # by this process, and no part of the other's peak
    held[::4096] = b"x" * len(held[::4096])
    alone = Peers(sys.executable, folder, ["model2vec table"])
    alone("model2vec table", ["a"])
    alone.close()
    assert 5 < alone.peak_megabytes < 200
    assert not peers.peaks(["a"])  # of the table there is none
    peers.close()
    told = capfd.readouterr().err
    assert "left out: stock onnx: ImportError: not here" in told
    assert "left out: fastembed, our onnx_int8: FileNotFoundError" in told  # which is not asked for here
    assert [json.loads(line) for line in (folder / "calibration" / "train.jsonl").read_text().splitlines()] == [
        {"text": "one text"}, {"text": "another"},
    ]  # fmt: skip


def test_an_interpreter_that_ends_is_said(tmp_path: Path) -> None:
    from peers import Peers

    with pytest.raises(SystemExit, match="its interpreter ended"):
        Peers("false", tmp_path)
