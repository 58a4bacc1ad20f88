"""Sparse codes that are trained, beside codes of as many bytes, on retrieval sets as one corpus.

    python scripts/bytes/sparse_codes.py VECTORS SET... [--encoder minilm] [--bytes 32 64] [--seeds 0 1 2]

A code names the atoms of largest weight of a dictionary and those weights, as `codec=sparse` stores them: two bytes for
the place of each, two for its value. Encoder and dictionary are learned from documents and sentences of them (Wen et
al., "Beyond Matryoshka: revisiting sparse coding for adaptive representation", 2025, keep the largest activations of an
autoencoder; the cosine to the given row and the divergence of its neighbors are what is made small here), for each
number of bytes anew. Beside them bits after a rotation and plain product quantizers of the full width. Queries are
float32, and meet what codes say. SET and VECTORS are as in ``scripts/quality/retrieval.py``. Appends rows to
docs/results/sparse_codes.jsonl.

References: https://arxiv.org/abs/2503.01776
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize
from tqdm import trange

from projhead.codecs.base import fitted_copy
from projhead.codecs.binary import Binary
from projhead.codecs.pq import ProductQuantizer
from projhead.codecs.sparse import Sparse
from projhead.evaluation.measurements import Measurement, result_rows
from projhead.losses.neighbor_kl import NeighborKL
from projhead.report.results import read_results
from projhead.report.tables import markdown
from projhead.vectors import Vectors, unit_rows

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("", "quality"))  # where bench is, and the harness
from harness import Collection, collection, parsed, sets_parser, write

from bench import timed

_QUERIES, _DOCUMENTS = 384, 1536
#: Rows coded at once.
_BLOCK = 4096


class Dictionary(nn.Module):
    """Weights of atoms, the largest kept, and the rows that they say: no step of it is undifferentiable."""

    def __init__(self, rows: Tensor, atoms: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(rows.mean(0))
        start = normalize(rows[torch.randperm(len(rows))[:atoms]] - self.mean.detach(), dim=1)
        self.encoder, self.atoms = nn.Parameter(start), nn.Parameter(start.clone())

    def weights(self, rows: Tensor, kept: int) -> Tensor:
        """Return the weights (b, m) of all atoms, all but the largest of them 0."""
        weights = (rows - self.mean) @ self.encoder.T
        return weights * torch.zeros_like(weights).scatter_(1, weights.abs().topk(kept).indices, 1.0)

    def forward(self, rows: Tensor, kept: int) -> Tensor:
        """Return what is left of rows (b, d), of unit length."""
        return normalize(self.weights(rows, kept) @ self.atoms + self.mean, dim=1)


def train(given: Collection, atoms: int, kept: int, steps: int, seed: int) -> Dictionary:
    """Learn a dictionary for codes of so many atoms."""
    torch.manual_seed(seed)
    documents, sentences = (torch.from_numpy(unit_rows(one)) for one in (given.documents, given.sentences))
    own, model, loss = torch.from_numpy(given.of), Dictionary(documents, atoms), NeighborKL()
    groups = [{"params": model.parameters(), "lr": 2e-3}, {"params": loss.parameters(), "lr": 4e-2}]
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [group["lr"] for group in groups], total_steps=steps)
    for step in trange(steps, desc=f"{kept} atoms, seed {seed}", leave=False):
        asked = torch.randint(len(sentences), (_QUERIES,))
        chosen = torch.unique(torch.cat([own[asked], torch.randint(len(documents), (_DOCUMENTS,))]))
        queries, rows = sentences[asked], documents[chosen]
        teacher, found = queries @ rows.T, model(rows, kept)
        nothing = torch.zeros_like(teacher, dtype=torch.bool)
        if not step:
            loss.fit_temperature((queries @ found.T).detach(), teacher, nothing)
        optimizer.zero_grad()
        (loss(queries @ found.T, teacher, nothing) + 1 - (rows * found).sum(1).mean()).backward()
        optimizer.step()
        schedule.step()
    return model


@torch.no_grad()
def stored(model: Dictionary, documents: NDArray[np.float16], kept: int) -> Vectors:
    """Return documents (n, d) as their sparse codes say them: weights as float16, of unit length."""
    codec, rows = Sparse(4 * kept), []
    for start in range(0, len(documents), _BLOCK):
        weights = model.weights(torch.from_numpy(unit_rows(documents[start : start + _BLOCK])), kept).numpy()
        said = codec.matrix((codec if start else codec.fit(weights)).encode(weights))
        rows.append(unit_rows(said @ model.atoms.numpy() + model.mean.numpy()))
    return np.concatenate(rows)


def baselines(given: Collection, size: int) -> Iterator[Measurement]:
    """Yield codes of the full width of as many bytes, fitted to the documents."""
    for codec in (Binary(8 * size), ProductQuantizer(size)):
        made = fitted_copy(codec, given.documents)
        rows = made.decode(made.encode(given.documents))
        yield measurement(given, "teacher", rows, made.name, size, role="baseline")


def measurement(
    given: Collection, name: str, rows: Vectors, codec: str, size: int, seed: int = 0, role: str = "subject"
) -> Measurement:
    """Return what documents in a code keep."""
    found = given.scores_of(rows)
    return Measurement(name, rows.shape[1], seed, found, codec=codec, bytes_per_vector=size, role=role)


def main() -> None:
    made = sets_parser(__doc__, "sparse_codes.jsonl")
    made.add_argument("--bytes", type=int, nargs="+", default=[32, 64])
    made.add_argument("--atoms", type=int, default=2048)
    made.add_argument("--steps", type=int, default=300)
    args = parsed(made)
    given = collection(args.sets, args.vectors, args.encoder)
    full = Measurement("teacher", given.documents.shape[1], 0, given.scores(), role="reference")
    write(args.out, result_rows([full], given.teacher))
    for size in args.bytes:
        others = list(baselines(given, size))
        write(args.out, result_rows(others, given.teacher))
        for seed in args.seeds:
            model, took = timed(partial(train, given, args.atoms, size // 4, args.steps, seed))
            rows = stored(model, given.documents, size // 4)
            beside = [replace(one, reducer=one.codec) for one in others]
            one = measurement(given, "dictionary", rows, f"sparse_{size}", size, seed)
            write(args.out, result_rows([replace(one, baselines=beside)], given.teacher), took.processor / 60)
    print(markdown(read_results(args.out)))


if __name__ == "__main__":
    main()
