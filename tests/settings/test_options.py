"""Options by name, in Python as on the command line."""

from __future__ import annotations

import pytest

from projhead.errors import UserError
from projhead.indexes.rescore import RescoreIndex
from projhead.persistence.registry import build
from projhead.settings.options import node_of, option


def test_a_codec_by_name_and_size() -> None:
    assert build(option("codec", "int8"), "codec").name == "int8"
    node = node_of("codec", "pq:16")
    assert (node["n_bytes"], node["rotate"]) == (16, False)
    assert build(option("codec", "pq:16"), "codec").bytes_per_vector(32) == 16
    with pytest.raises(UserError, match=r"got 'binry:16', expected one of .*; did you mean binary\?"):
        node_of("codec", "binry:16")


def test_an_option_with_an_option_inside_and_one_that_lacks_its_parameter() -> None:
    index = build(option("index", "rescore", n_candidates=7), "index")
    assert isinstance(index, RescoreIndex)
    assert index.n_candidates == 7
    with pytest.raises(UserError, match=r"index faiss: no parameter 'factry'; did you mean factory\?"):
        option("index", "faiss", factry="Flat")
    with pytest.raises(UserError, match="index trained_faiss: expected its parameter 'path', got none"):
        option("index", "trained_faiss")
