"""What every codec in conf/codec must do."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from safetensors.numpy import load_file, save_file

from projhead.codecs.base import BaseCodec, load_codec
from projhead.persistence.record import Record, read_record
from projhead.settings.options import node_of, options_of
from projhead.vectors import Vectors, unit_rows

#: Largest mean of |x - decoded|^2 of unit rows: from bits and range where values are rounded, else a share of what
#: the best single point (the mean row, made unit length) loses.
LOST = {"float32": 1e-12, "float16": 2.0**-22, "bfloat16": 2.0**-16, "float8": 2.0**-8, "int8": 1e-4, "int4": 0.03}
SHARE = {
    "binary": 0.6,
    "rotated_binary_256": 0.5,
    "pq_16": 0.35,
    "pq_32": 0.2,
    "pq_48": 0.15,
    "pq_64": 0.1,
    "opq_32": 0.2,
    "rabitq": 0.6,
    "sparse_128": 0.5,
    "rq_8": 0.1,
    "rq_16": 0.05,
    "prq_16": 0.1,
    "prq_32": 0.05,
    "itq_128": 0.6,
}
NAMES = [*LOST, *SHARE]


def spelled(name: str) -> str:
    """Return what the command line says for a codec's name."""
    return re.sub(r"_(\d+)$", r":\1", name.removeprefix("rotated_"))


def build(name: str) -> BaseCodec:
    codec = instantiate(node_of("codec", spelled(name)))
    assert isinstance(codec, BaseCodec)
    return codec


@pytest.fixture(scope="module")
def wide() -> Vectors:
    """700 unit rows of width 192, a multiple of every product quantizer's bytes, in clusters on a falling spectrum."""
    generator = np.random.default_rng(1)
    scale = np.geomspace(1, 0.1, 192)
    centers = generator.normal(size=(40, 192)) * scale
    return unit_rows(centers[generator.integers(40, size=700)] + 0.5 * generator.normal(size=(700, 192)) * scale + 0.05)


@pytest.fixture(scope="module")
def fitted(wide: Vectors) -> dict[str, BaseCodec]:
    return {name: build(name).fit(wide) for name in NAMES}


def test_every_yaml_is_here() -> None:
    assert {spelled(name).partition(":")[0] for name in NAMES} == set(options_of("codec"))


@pytest.mark.parametrize("name", NAMES)
def test_its_name_is_that_of_its_yaml(name: str, fitted: dict[str, BaseCodec]) -> None:
    assert fitted[name].name == name
    assert fitted[name].learns == bool(fitted[name].state)


@pytest.mark.parametrize("name", NAMES)
def test_decoded_rows_are_near_and_of_unit_length(name: str, fitted: dict[str, BaseCodec], wide: Vectors) -> None:
    decoded = fitted[name].decode(fitted[name].encode(wide))
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(decoded, axis=1), 1, atol=1e-5)
    lost = ((wide - decoded) ** 2).sum(1).mean()
    bound = LOST[name] if name in LOST else SHARE[name] * ((wide - unit_rows(wide.mean(0)[None])) ** 2).sum(1).mean()
    assert lost <= bound


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_those_of_the_codes(name: str, fitted: dict[str, BaseCodec], wide: Vectors) -> None:
    codes = fitted[name].encode(wide[:11])
    assert codes.nbytes == 11 * fitted[name].bytes_per_vector(192)
    size = name.rpartition("_")[2]
    if size.isdigit():
        assert codes.nbytes == 11 * int(size) // (8 if "binary" in name or "itq" in name else 1)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_stored_one_by_one_and_again_alike(name: str, fitted: dict[str, BaseCodec], wide: Vectors) -> None:
    codec = fitted[name]
    codes = codec.encode(wide)
    np.testing.assert_array_equal(codec.encode(wide[[5]]), codes[[5]])
    np.testing.assert_array_equal(build(name).fit(wide).encode(wide), codes)
    # The order in which a product sums depends on the number of rows on some processors.
    np.testing.assert_allclose(codec.decode(codes[::2]), codec.decode(codes)[::2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_of_half_precision_give_the_same(
    name: str, fitted: dict[str, BaseCodec], wide: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, half = fitted[name], wide.astype(np.float16)
    codes = codec.encode(half.astype(np.float32))
    rows = codec.decode(codes)
    monkeypatch.setattr("projhead.codecs.base._BLOCK", 300)
    np.testing.assert_array_equal(codec.encode(half), codes)
    np.testing.assert_allclose(codec.decode(codes), rows, atol=1e-6)  # of products of matrices the last bit may differ
    half[650, 3] = np.nan
    with pytest.raises(ValueError, match="first in row 650"):
        codec.encode(half)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_similar_rows_is_kept(name: str, fitted: dict[str, BaseCodec], wide: Vectors) -> None:
    documents, queries = wide[:600], wide[600:]
    scores = queries @ fitted[name].decode(fitted[name].encode(documents)).T
    exact = queries.astype(np.float64) @ documents.astype(np.float64).T
    found, true = (np.argsort(-one, axis=1)[:, :10] for one in (scores, exact))
    overlap = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, true, strict=True)])
    least = {"float32": 1, "float16": 0.99, "bfloat16": 0.98, "float8": 0.95, "int8": 0.98, "int4": 0.85}
    assert overlap >= least.get(name, 0.5)
    assert np.corrcoef(scores.ravel(), exact.ravel())[0, 1] > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_values_outside_clip_are_counted_and_never_wrap(name: str, fitted: dict[str, BaseCodec], wide: Vectors) -> None:
    codec = fitted[name]
    before = codec.clipped
    far = wide[:20] + 0
    far[:, 3] = 40.0 * np.sign(far[:, 3])
    decoded = codec.decode(codec.encode(far))
    clips = name in ("float8", "int8", "int4")
    assert codec.clipped - before >= 20 if clips else codec.clipped == before
    if clips or "float" in name:  # a wrapped value would change sides
        assert (np.sign(decoded[:, 3]) == np.sign(far[:, 3])).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_and_loaded_gives_the_same(
    name: str, fitted: dict[str, BaseCodec], wide: Vectors, tmp_path: Path
) -> None:
    codec = fitted[name]
    codec.save(tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec")
    assert (type(loaded), loaded.name, loaded.dimension) == (type(codec), name, 192)
    np.testing.assert_array_equal(loaded.encode(wide), codec.encode(wide))
    np.testing.assert_array_equal(loaded.decode(codec.encode(wide)), codec.decode(codec.encode(wide)))


@pytest.mark.parametrize("name", NAMES)
def test_other_widths_and_codes_and_odd_rows_are_refused(
    name: str, fitted: dict[str, BaseCodec], wide: Vectors
) -> None:
    codec = fitted[name]
    with pytest.raises(ValueError, match="is not fitted"):
        build(name).encode(wide)
    with pytest.raises(ValueError, match=rf"{name} was fitted to rows of width 192, got 96"):
        codec.encode(wide[:, :96])
    codes = codec.encode(wide[:4])
    for other in (codes[:, 1:], codes[0], codes.astype(np.float64)):
        with pytest.raises(ValueError, match=r"expected codes \(n, \d+\) of"):
            codec.decode(other)
    for value in (np.nan, np.inf):
        broken = wide.copy()
        broken[7, 2] = value
        with pytest.raises(ValueError, match="first in row 7"):
            codec.encode(broken)
        with pytest.raises(ValueError, match="first in row 7"):
            build(name).fit(broken)
    with pytest.raises(ValueError, match="got none"):
        build(name).fit(wide[:0])
    assert codec.decode(codec.encode(wide[:0])).shape == (0, 192)


@pytest.mark.parametrize("name", NAMES)
def test_no_changed_byte_gives_another_answer_in_silence(
    name: str, fitted: dict[str, BaseCodec], wide: Vectors, tmp_path: Path
) -> None:
    codec, generator = fitted[name], np.random.default_rng(0)
    codec.save(tmp_path)
    expected = codec.decode(codec.encode(wide[:5]))
    for file in sorted(tmp_path.iterdir()):
        whole, refused = file.read_bytes(), 0
        for position in generator.integers(len(whole), size=60):
            changed = whole[position] ^ int(generator.integers(1, 256))
            file.write_bytes(whole[:position] + bytes([changed]) + whole[position + 1 :])
            try:
                loaded = load_codec(tmp_path)
            except ValueError:
                refused += 1
            else:  # a blank of the record, for another
                np.testing.assert_array_equal(loaded.decode(loaded.encode(wide[:5])), expected)
        assert refused > 40
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match="damaged"):
            load_codec(tmp_path)
        file.write_bytes(whole)


def test_strange_records_are_refused(fitted: dict[str, BaseCodec], tmp_path: Path) -> None:
    fitted["int8"].save(tmp_path)
    good = read_record(tmp_path, "codec", ()).body

    def refused(match: str, **changed: object) -> None:
        Record.of(tmp_path, "codec", good | changed).write(tmp_path)
        with pytest.raises(ValueError, match=match):
            load_codec(tmp_path)

    refused("expected one of projhead's codecs", codec={"class": "os.system", "parameters": {}})
    refused("expected one of projhead's codecs", codec={"class": "projhead.heads.linear.Linear", "parameters": {}})
    refused("does not take", codec=good["codec"] | {"parameters": {"bits": 8, "more": 1}})
    refused("bits: got 3, expected 4 or 8", codec=good["codec"] | {"parameters": {"bits": 3}})
    refused("Can't instantiate|does not take", codec={"class": "projhead.codecs.base.BaseCodec", "parameters": {}})
    refused("expected finite float32 arrays", dimension=191)
    for dimension in (0, -3, 1.5, "x", None, True):
        refused("cannot be a codec: dimension", dimension=dimension)
    other = load_file(tmp_path / "codec.safetensors")
    other["step"][0] = np.nan
    save_file(other, tmp_path / "codec.safetensors")
    refused("expected finite float32 arrays")
    (tmp_path / "codec.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        load_codec(tmp_path)
    with pytest.raises(FileNotFoundError, match="no codec in"):
        load_codec(tmp_path / "nowhere")


def test_codecs_of_more_bytes_lose_less(fitted: dict[str, BaseCodec], wide: Vectors) -> None:
    lost = {name: ((wide - codec.decode(codec.encode(wide))) ** 2).sum() for name, codec in fitted.items()}
    for more, fewer in (*product(["float16"], ["bfloat16", "float8"]), ("int8", "int4"), ("int4", "binary"),
                        ("pq_64", "pq_48"), ("pq_48", "pq_32"), ("pq_32", "pq_16")):  # fmt: skip
        assert lost[more] < lost[fewer], (more, fewer)
