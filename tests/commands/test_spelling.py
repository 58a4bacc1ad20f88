"""Shorthands, and what older versions called things."""

from __future__ import annotations

import pytest
from hydra._internal.utils import get_args_parser

from projhead.cli import _settings_last
from projhead.commands.spelling import spelled
from projhead.errors import UserError


@pytest.mark.parametrize(
    ("verb", "old", "new"),
    [
        ("train", "codec=pq_32", "codec=pq codec.n_bytes=32"),
        ("train", "codec=rotated_binary_256", "codec=binary codec.n_bits=256"),
        ("train", "codec=pq_16,pq_32", "codec=pq codec.n_bytes=16,32"),
        ("train", "codec.pq_16.n_bytes=4", "codec.n_bytes=4"),
        ("evaluate", "codec=[int8,pq_32]", "codecs=[int8,pq:32]"),
        ("evaluate", "codecs=[float32,rq_8]", "codecs=[float32,rq:8]"),
        ("train", "logger=default", "logger=tensorboard"),
        ("train", "experiment=in_domain_vectors", "experiment=in_domain queries=none"),
        ("train", "experiment=mpnet_128", "encoder=mpnet corpus=file n_components=128"),
        ("export", "export=onnx_int8_static", "export=onnx export.quantization=int8_static"),
        ("export", "export=sentence_transformers_fp16", "export=sentence_transformers export.quantization=float16"),
        ("export", "export=sentence_transformers_onnx", "export=onnx"),
        ("export", "export=sentence_transformers_onnx_int8", "export=onnx export.quantization=int8"),
        ("export", "export.dtype=int8", "export.quantization=int8"),
        ("evaluate", "task=fidelity", "task=neighbor_overlap"),
        ("evaluate", "task=[sts,fidelity]", "task=[sts,neighbor_overlap]"),
        ("evaluate", "task.fidelity.max_texts=9", "task.neighbor_overlap.max_texts=9"),
        ("train", "loss=neighbour_kl,info_nce", "loss=neighbor_kl,info_nce"),
        ("train", "reducer=pca_uncentred", "reducer=pca_uncentered"),
        ("train", "queries=labelled", "queries=labeled"),
        ("index", "index=two_stage", "index=rescore"),
        ("encode", "path=stores/docs", "out=stores/docs"),
        ("search", "path=indexes/docs", "index.path=indexes/docs"),
        ("train", "dtype=float32", "store_dtype=float32"),
        ("encode", "encoder.dtype=float16", "encoder.compute_dtype=float16"),
        ("train", "encoder.revision_pin=abc", "encoder.revision=abc"),
        ("train", "student.start.revision_pin=abc", "student.start.revision=abc"),
        ("train", "student.near=4", "student.neighbors_per_query=4"),
        ("train", "student.depth=8", "student.neighbor_pool=8"),
    ],
)
def test_old_names_work_and_are_told_of(verb: str, old: str, new: str) -> None:
    found, notes = spelled(verb, [old])
    assert found == new.split()
    assert len(notes) == 1
    assert notes[0].startswith(f"{old} is now ")
    again, told = spelled(verb, notes[0].partition(" is now ")[2].split())
    assert (again, told) == (found, []), "what the note says works without a note"


@pytest.mark.parametrize(
    ("verb", "given", "read"),
    [
        ("train", "codec=pq:32", "codec=pq codec.n_bytes=32"),
        ("train", "codec=binary,int8", "codec=binary,int8"),
        ("search", "index=a/b", "index.path=a/b"),
        ("plan", "queries=stores/q", "queries.path=stores/q"),
        ("export", "quantization=int8", "export.quantization=int8"),
        ("train", "+corpus.more=a,b=c", "+corpus.more=a,b=c"),
        ("train", "--multirun", "--multirun"),
        ("index", "index.factory=IVF4,Flat", "index.factory=IVF4,Flat"),
    ],
)
def test_shorthands_are_read_in_silence(verb: str, given: str, read: str) -> None:
    assert spelled(verb, [given]) == (read.split(), [])


def test_sizes_of_several_codecs_are_no_sweep() -> None:
    with pytest.raises(UserError, match=r"codec: got pq:16,int8, expected one, or sizes of one"):
        spelled("train", ["codec=pq:16,int8"])


def test_options_may_stand_among_settings() -> None:
    words = ["encoder=mpnet", "-m", "n_components=8,16", "--config-dir", "conf", "+experiment=mine", "~task"]
    given = get_args_parser().parse_args(_settings_last(words))
    assert given.overrides == ["encoder=mpnet", "n_components=8,16", "+experiment=mine", "~task"]
    assert (given.multirun, given.config_dir) == (True, "conf")
