"""Stores of codes: fitted once, resumable, decoded in blocks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import pytest

from projhead.codecs.base import BaseCodec, load_codec
from projhead.codecs.binary import Binary
from projhead.codecs.cast import Cast
from projhead.codecs.integer import Integer
from projhead.data import Document
from projhead.encoders.one_sided import OneSided
from projhead.indexes.exact import ExactIndex
from projhead.indexes.faiss import FaissIndex
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import CodedRows
from projhead.store.codec import new_or_fitted
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import Vectors, exact_top_k, unit_rows

WIDTH = 16


class Sums(OneSided):
    """Vectors from a text's number; can end the process after so many texts."""

    name, dimension = "sums", WIDTH
    identity = EncoderIdentity(name, "0123456789abcdef", dimension)

    def __init__(self, kill_after: float = np.inf) -> None:
        self.kill_after, self.done = kill_after, 0

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        self.done += len(texts)
        if self.done > self.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        numbers = [np.random.default_rng(int(text)).normal(size=WIDTH) * np.geomspace(1, 0.1, WIDTH) for text in texts]
        return unit_rows(np.array(numbers))


DOCUMENTS = [Document(f"id {i}", str(i)) for i in range(300)]
ROWS = Sums().encode([document.text for document in DOCUMENTS])


def write(path: Path, codec: BaseCodec | None, encoder: Sums | None = None, **options: object) -> EmbeddingStore:
    options = {"shard_rows": 80, "calibration_rows": 100, **options}
    return write_store(path, encoder or Sums(), iter(DOCUMENTS), codec=codec, **options)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("codec", [Integer(8), Integer(4), Binary(), Cast("bfloat16")], ids=lambda codec: codec.name)
def test_codes_are_those_of_the_codec_fitted_to_the_first_rows(codec: BaseCodec, tmp_path: Path) -> None:
    store = write(tmp_path / "s", codec)
    assert not hasattr(codec, "dimension")  # the one given is left as it was
    fitted = type(codec)(**{name: getattr(codec, name) for name in ("bits", "n_bits", "dtype") if hasattr(codec, name)})
    codes = fitted.fit(ROWS[:100]).encode(ROWS)
    np.testing.assert_array_equal(np.concatenate(list(store.codes())), codes)
    np.testing.assert_allclose(store.rows, fitted.decode(codes), atol=1e-6)
    np.testing.assert_allclose(store.take([299, 0, 90]), fitted.decode(codes)[[299, 0, 90]], atol=1e-6)
    assert [len(block) for block in store.blocks()] == [80, 80, 80, 60]
    assert isinstance(store, CodedRows)
    assert store.manifest.clipped == fitted.clipped
    assert (store.manifest.clipped > 0) == codec.name.startswith("int")
    assert store.manifest.codec is not None
    assert store.manifest.codec["fitted_to"] == "the first 100 rows"
    assert datasets.load_from_disk(tmp_path / "s")["id"][:] == [document.id for document in DOCUMENTS]


def test_a_short_corpus_is_all_that_the_codec_is_fitted_to(tmp_path: Path) -> None:
    store = write(tmp_path / "s", Integer(8), calibration_rows=16_384)
    assert store.manifest.codec is not None
    assert store.manifest.codec["fitted_to"] == "the first 300 rows"
    np.testing.assert_array_equal(next(store.codes()), Integer(8).fit(ROWS).encode(ROWS[:80]))


def test_a_codec_fitted_before_is_used_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "one", Integer(8))
    given = load_codec(tmp_path / "one" / "codec")
    store = write(tmp_path / "two", given, shard_rows=300)
    assert store.manifest.codec is not None
    assert store.manifest.codec["fitted_to"] == "other rows, before"
    np.testing.assert_array_equal(next(store.codes()), given.encode(ROWS))
    narrow = Integer(8).fit(ROWS[:, :8])
    with pytest.raises(ValueError, match="int8 was fitted to rows of width 8, the encoder's have 16"):
        write(tmp_path / "three", narrow)


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_codec import Sums, write
from projhead.codecs.integer import Integer
write(Path({path!r}), Integer(8), Sums(kill_after={after}))
"""


@pytest.mark.parametrize("after", [170, 250])
def test_after_a_kill_the_same_call_goes_on_with_the_same_codec(after: int, tmp_path: Path) -> None:
    write(tmp_path / "whole", Integer(8))
    program = KILLED.format(folder=str(Path(__file__).parent), path=str(tmp_path / "s"), after=after)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len([name for name in files(tmp_path / "s") if name.endswith(".arrow")]) == after // 80
    before = files(tmp_path / "s")
    other = Integer(8).fit(ROWS[100:])
    for codec, message in (
        (Integer(4), "was begun with codec .*'bits': 8.*, got .*'bits': 4"),
        (None, "was begun with codec .* got None"),
        (other, "was begun with another fit of int8: give that"),
    ):
        with pytest.raises(ValueError, match=message):
            write(tmp_path / "s", codec)
        assert files(tmp_path / "s") == before
    encoder = Sums()
    write(tmp_path / "s", Integer(8), encoder, calibration_rows=5)  # it is not fitted again
    assert encoder.done == 300 - after // 80 * 80
    made, whole = files(tmp_path / "s"), files(tmp_path / "whole")
    records = [json.loads(one.pop("manifest.json")) for one in (made, whole)]
    for record in records:
        del record["sha256"], record["body"]["encoder"]["spec"]  # another process calls the same class otherwise
    assert records[0] == records[1]
    assert made == whole


def test_a_finished_store_takes_its_own_codec_only(tmp_path: Path) -> None:
    write(tmp_path / "s", Integer(8))
    assert len(write(tmp_path / "s", Integer(8))) == 300
    assert len(write(tmp_path / "s", load_codec(tmp_path / "s" / "codec"))) == 300
    with pytest.raises(ValueError, match="another fit of int8"):
        write(tmp_path / "s", Integer(8).fit(ROWS))
    write(tmp_path / "floats", None)
    with pytest.raises(ValueError, match="was begun with codec None, got"):
        write(tmp_path / "floats", Integer(8))


def test_a_codec_that_is_not_the_one_that_wrote_the_codes_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "s", Integer(8))
    Integer(8).fit(ROWS[:50]).save(tmp_path / "s" / "codec")
    with pytest.raises(ValueError, match=r"is not the codec that wrote the store: delete the store and encode again"):
        EmbeddingStore.open(tmp_path / "s")
    for file in (tmp_path / "s" / "codec").iterdir():
        file.unlink()
    (tmp_path / "s" / "codec").rmdir()
    with pytest.raises(ValueError, match="codec is missing, which the codes need"):
        EmbeddingStore.open(tmp_path / "s")


def test_a_codec_with_too_few_rows_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    from projhead.codecs.pq import ProductQuantizer

    with pytest.raises(ValueError, match="expected at least 256 rows to learn from, got 100"):
        write(tmp_path / "s", ProductQuantizer(8))
    assert not (tmp_path / "s").exists()


def test_an_exact_index_takes_the_codes_as_they_are(tmp_path: Path) -> None:
    store = write(tmp_path / "s", Integer(4))
    index = ExactIndex().build(store)
    np.testing.assert_array_equal(index.codes, np.concatenate(list(store.codes())))
    scores, found = index.search(ROWS[:20], 5)
    expected, numbers = exact_top_k(ROWS[:20], store.rows, 5)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    np.testing.assert_array_equal(found, numbers)
    both = FaissIndex("Flat").build(store).search(ROWS[:20], 5)
    np.testing.assert_allclose(both[0], expected, atol=1e-6)
    np.testing.assert_array_equal(both[1], numbers)
    with pytest.raises(ValueError, match="the store holds codes of int4 already, got codec int8: give none"):
        ExactIndex(Integer(8)).build(store)
    other = write(tmp_path / "other", Integer(4), calibration_rows=200)
    with pytest.raises(ValueError, match="expected codes of the index's own int4, got those of another"):
        index.add(other)
    assert len(index.add(store)) == 600


def test_a_codec_is_new_or_was_fitted_before_and_not_both(tmp_path: Path) -> None:
    fitted = Integer(4).fit(ROWS)
    fitted.save(tmp_path / "codec")
    assert new_or_fitted(None, None) is None
    assert new_or_fitted(fitted, None) is fitted
    again = new_or_fitted(None, tmp_path / "codec")
    np.testing.assert_array_equal(again.encode(ROWS), fitted.encode(ROWS))  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"expected codec or fitted_codec, got int8 and .*codec"):
        new_or_fitted(Integer(8), tmp_path / "codec")
