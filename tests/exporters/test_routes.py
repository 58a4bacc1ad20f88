"""Students with a network for queries and another for documents, from export to search."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Router

from projhead.collection import Collection
from projhead.data import Document
from projhead.encoders.load import load_encoder
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.by_format import export
from projhead.persistence.registry import build, spec_of
from projhead.reducers.pca import PCA
from projhead.store.write import write_store
from projhead.students.assemble import assemble
from projhead.vectors import Vectors


@pytest.fixture(scope="module")
def words(few_words: Callable[[int, int, int], list[str]]) -> list[str]:
    return few_words(60, 2, 20)


@pytest.fixture(scope="module")
def routed(small: SentenceTransformerEncoder, words: list[str], traced_once: None) -> SentenceTransformer:
    """Queries by one network and the mean, documents by another and the first token, which reads fewer tokens."""
    other: list[Any] = copy.deepcopy(list(small.model)[:2])
    for tensor in other[0].parameters():
        tensor.data *= 1.5
    other[0].max_seq_length, other[1] = 12, Pooling(16, "cls")
    teacher = SentenceTransformer(
        modules=[Router.for_query_document(list(small.model)[:2], other), Normalize()],
        device="cpu",
        prompts={"query": "the owl is ", "document": "old ", "neither": "red "},
        default_prompt_name="neither",
    )
    return assemble(teacher, PCA(4, center=False).fit(teacher.encode_document(words)))


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_each_side_has_its_graph(
    format: str, routed: SentenceTransformer, words: list[str], tmp_path: Path, run_usage: Callable[..., Vectors]
) -> None:
    if find_spec(format) is None:
        pytest.skip(f"{format} is not installed")
    record = export(routed, tmp_path / "x", format=format, calibrate=words)
    assert record["prompts"] == {"query": "the owl is ", "document": "old "}
    assert record["routes"] == ["query", "document"]
    assert record["parity"]["worst_cosine"] > 0.99999
    encoder: Any = load_encoder(tmp_path / "x", threads=1)
    for side in ("encode_query", "encode_document", "encode"):
        np.testing.assert_allclose(getattr(encoder, side)(words), getattr(routed, side)(words), atol=1e-5)
    assert np.abs(encoder.encode_query(words) - encoder.encode_document(words)).max() > 0.1
    assert encoder.two_sided
    assert (encoder.identity.query_prompt, encoder.identity.document_prompt) == ("the owl is ", "old ")
    assert build(spec_of(encoder), "encoder").identity == encoder.identity
    rows = run_usage(tmp_path / "x", blocked=["torch", "transformers"], texts=repr(words))
    np.testing.assert_allclose(rows, routed.encode_document(words), atol=1e-5)
    assert "query/" in (tmp_path / "x" / "README.md").read_text()
    store = write_store(tmp_path / "s", encoder, [Document(str(n), word) for n, word in enumerate(words)])
    found = [hit.score for hit in Collection.build(store, "exact").search(words[0], 3)]
    expected = np.sort(routed.encode_document(words) @ routed.encode_query(words[:1])[0])[::-1][:3]
    np.testing.assert_allclose(found, expected, atol=2e-3)  # float16
    graph = next((tmp_path / "x" / "query" / format).iterdir())
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"query/{format}/.* is missing or altered"):
        load_encoder(tmp_path / "x")


def test_each_graph_is_quantized_by_itself(tiny: SentenceTransformer, words: list[str], tmp_path: Path) -> None:
    other: list[Any] = copy.deepcopy(list(tiny)[:2])
    other[1] = Pooling(32, "cls")
    teacher = SentenceTransformer(
        modules=[Router.for_query_document(list(tiny)[:2], other), Normalize()], device="cpu", prompts={"query": "owl "}
    )
    student = assemble(teacher, PCA(4, center=False).fit(teacher.encode_document(words)))
    record = export(student, tmp_path / "x", quantization="int8", calibrate=words, min_mean_cosine=0.98)
    assert record["routes"] == ["query", "document"]
    encoder: Any = load_encoder(tmp_path / "x", threads=1)
    for side in ("encode_query", "encode_document"):
        cosine = (getattr(encoder, side)(words) * getattr(student, side)(words)).sum(1)
        assert 0.98 < cosine.mean() < 0.9999999


def test_a_third_network_is_refused(small: SentenceTransformerEncoder, words: list[str], tmp_path: Path) -> None:
    first, second, third = (copy.deepcopy(list(small.model)[:2]) for _ in range(3))
    router = Router({"query": first, "document": second, "other": third}, default_route="other")
    model = SentenceTransformer(modules=[router, Normalize()], device="cpu")
    with pytest.raises(ValueError, match=r"neither queries nor documents.*default_route"):
        export(model, tmp_path / "x", calibrate=words)
    assert not (tmp_path / "x").exists()
