from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tests.conftest import edit

import projhead
from projhead.exporters.export import write_export
from projhead.exporters.head import HeadFaiss
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, unit_rows

KINDS = {"sentence_transformers": "SentenceTransformerEncoder", "onnx": "OnnxEncoder", "openvino": "OpenVinoEncoder"}
FLOATS = list(KINDS)
#: Forms in few bits, and how near their rows are to the student's on average, whatever the texts.
FEW_BITS = {
    "onnx_int8": 0.99,
    "onnx_int8_static": 0.98,
    "openvino_int8": 0.98,
    "onnx_int8_weights": 0.99,
    "onnx_int4_weights": 0.9,
}
ALL = [*FLOATS, *FEW_BITS]
#: What a fuzzer makes texts of: words, other scripts, emoji with joiners, control characters, lone surrogates, markup.
PIECES = [
    "the bank",
    "naïve",
    "ДОМ",
    "東京",
    "👩‍🔬",
    "\x00",
    "\x1b[31m",
    "\ud800",
    "\udfff",
    "\u202e",
    "[SEP]",
    "x" * 300,
    "\n\t",
]


@pytest.mark.parametrize("kind", FLOATS)
def test_every_kind_of_folder_gives_the_students_rows(
    kind: str, exports: Callable[[str], Path], student: SentenceTransformer, odd_texts: list[str]
) -> None:
    encoder = projhead.load_encoder(exports(kind))
    assert type(encoder).__name__ == KINDS[kind]
    np.testing.assert_allclose(encoder.encode(odd_texts), student.encode(odd_texts), atol=1e-5)


@pytest.fixture(scope="module")
def stream(student: SentenceTransformer) -> tuple[list[str], Vectors]:
    """Texts of all sorts and lengths, and the student's rows of what UTF-8 can hold of them."""
    generator = np.random.default_rng(0)
    lengths = np.rint(np.geomspace(1, 2000, 24)).astype(int)  # the student reads 48 tokens
    texts = ["", " ", "word " * 100_000, *PIECES]
    texts += [" ".join(generator.choice(PIECES, length)) for length in generator.permutation(lengths)]
    texts += ["".join(map(chr, generator.integers(0, 0x11_0000, size=30))) for _ in range(12)]
    return texts, student.encode([text.encode("utf-8", "replace").decode("utf-8") for text in texts])


@pytest.mark.parametrize("kind", ALL)
def test_whatever_is_in_a_stream_each_row_is_that_of_its_text_alone(
    kind: str, exports: Callable[[str], Path], stream: tuple[list[str], Vectors]
) -> None:
    texts, reference = stream
    encoder = projhead.load_encoder(exports(kind), token_budget=200)
    rows = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    near = 1e-3 if kind in FEW_BITS else 1e-5
    np.testing.assert_allclose(rows, alone, atol=near)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    if kind in FEW_BITS:
        assert (rows * reference).sum(1).mean() > FEW_BITS[kind]
    else:
        np.testing.assert_allclose(rows, reference, atol=near)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("damage", ["cut", "version", "stranger"])
def test_a_damaged_folder_or_one_of_another_version_is_refused(
    kind: str, damage: str, exports: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(exports(kind), tmp_path / "copy"))
    if damage == "cut":
        largest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
        largest.write_bytes(largest.read_bytes()[:-100])
        message = f"{largest.name} is missing or altered"
    elif damage == "version":
        record = json.loads((folder / "export.json").read_text())
        (folder / "export.json").write_text(json.dumps({**record, "version": 4}))
        message = "expected version 3, got 4"
    else:
        edit(folder, "export", encoder="os.system")
        message = "refused"
    with pytest.raises(ValueError, match=message):
        projhead.load_encoder(folder)


def test_a_setting_the_encoder_has_not_is_refused(exports: Callable[[str], Path]) -> None:
    with pytest.raises(ValueError, match=r"OpenVinoEncoder does not take.*device"):
        projhead.load_encoder(exports("openvino"), device="cuda")


def test_a_head_alone_is_no_student(tmp_path: Path) -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(40, 6)))
    reducer = PCA(3).fit(rows)
    write_export(HeadFaiss(), reducer, tmp_path / "head", rows, reducer.transform(rows), teacher=None, reducer="pca")
    with pytest.raises(ValueError, match="a head alone reads vectors, not texts"):
        projhead.load_encoder(tmp_path / "head")
    with pytest.raises(FileNotFoundError, match=r"no export in .*projhead export"):
        projhead.load_encoder(tmp_path)
