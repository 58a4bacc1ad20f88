"""Shards are functions of their number and documents: made in any order, anywhere, they are the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.engines.elsewhere import Elsewhere

from projhead.codecs.integer import Integer
from projhead.data import Document
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.persistence.identity import EncoderIdentity
from projhead.store.encode import Part, encode_shard
from projhead.store.manifest import Manifest
from projhead.store.place import Place
from projhead.store.write import write_store

Draw = Callable[[int, int, int], list[str]]


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def documents(few_words: Draw) -> list[Document]:
    return [Document(f"id {number}", text) for number, text in enumerate(few_words(70, 2, 12))]


@pytest.mark.parametrize("codec", [None, Integer(8)], ids=["floats", "codes"])
def test_an_engine_writes_the_same_bytes(
    codec: Integer | None, teacher: SentenceTransformerEncoder, documents: list[Document], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"shard_rows": 16, "codec": codec, "calibration_rows": 20}
    write_store(tmp_path / "here", teacher, documents, **options)
    store = write_store(tmp_path / "elsewhere", teacher, documents, engine=Elsewhere(), **options)
    assert _files(tmp_path / "elsewhere") == _files(tmp_path / "here")
    assert len(store) == 70


def test_what_one_engine_began_another_ends(
    teacher: SentenceTransformerEncoder, documents: list[Document], tmp_path: Path
) -> None:
    write_store(tmp_path / "undisturbed", teacher, documents, shard_rows=16)
    write_store(tmp_path / "s", teacher, documents, shard_rows=16, engine=Elsewhere())
    manifest = Manifest.read(tmp_path / "s")
    # Shards 0 and 1 are recorded; 2 never came, 3 and 4 did.
    (tmp_path / "s" / "data-00002.arrow").unlink()
    corpus = {**manifest.corpus, "fingerprint": ""}
    replace(manifest, shards=manifest.shards[:2], complete=False, corpus=corpus).write(tmp_path / "s")
    write_store(tmp_path / "s", teacher, documents, shard_rows=16)
    assert _files(tmp_path / "s") == _files(tmp_path / "undisturbed")


def test_a_worker_with_another_encoder_is_refused(
    teacher: SentenceTransformerEncoder, documents: list[Document], tmp_path: Path
) -> None:
    identity = EncoderIdentity("other", "0123456789abcdef", teacher.dimension)
    for wanted, message in (
        (identity, "expected vectors of other .*, got those of .*; every worker needs the same files and versions"),
        (replace(teacher.identity, compute_dtype="bfloat16"), "expected rows of .*-bfloat16, got those of "),
    ):
        manifest = Manifest(wanted, {"name": "docs", "fingerprint": ""}, "float16", 16, True)
        with pytest.raises(ValueError, match=message):
            encode_shard(Part(0, documents[:16]), place=Place(tmp_path), manifest=manifest, encoder=teacher)
    assert not list(tmp_path.iterdir())
