"""Measure candidates on tasks; read each task's data once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tqdm import tqdm

from projhead.codecs.base import BaseCodec
from projhead.data import Scores
from projhead.encoders.coded import Calibration, Coded
from projhead.encoders.remembered import Remembered
from projhead.evaluation.growth import Growth
from projhead.evaluation.measurements import Measurement
from projhead.protocols import Codec, Encoder, Task
from projhead.tasks.retrieval import Retrieval


@dataclass(frozen=True, eq=False)
class Candidate:
    """Something to be measured.

    Attributes
    ----------
    name, role : str
        As in a result row.
    encoder : Encoder
        What gives its vectors.
    seed : int
        Of its training.
    codec : BaseCodec, optional
        The one that it was trained with: it is stored in that, not in a fresh one of its kind.
    baselines : sequence of Candidate
        What it is compared with: fitted to the same vectors, of the same width.
    """

    name: str
    role: str
    encoder: Encoder
    seed: int = 0
    codec: BaseCodec | None = None
    baselines: Sequence[Candidate] = field(default=())


#: What the same candidates have in common: name, vectors, and whether there is a trained codec.
_Key = tuple[str, str, bool]


class _Entry(NamedTuple):
    """A candidate in one codec, and what was measured of it."""

    candidate: Candidate
    coded: Coded
    scores: list[Scores]


def measure(
    candidates: Sequence[Candidate],
    tasks: Sequence[Task],
    teacher: Remembered,
    codecs: Sequence[Codec],
    calibration: Calibration | None = None,
    *,
    growth: Growth | None = None,
    show_progress: bool = False,
) -> list[Measurement]:
    """Return what tasks say of every candidate in every codec that can store rows of its width.

    Parameters
    ----------
    candidates : sequence of Candidate
        Of those of one name with the same vectors the first is measured.
    tasks : sequence of Task
    teacher : Remembered
        The full-width reference.
    codecs : sequence of Codec
        Those that candidates were trained with are used for them besides.
    calibration : Calibration, optional
        Texts that codecs are fitted to; each task's documents where not given.
    growth : Growth, optional
        Measures retrieval tasks at several sizes of the corpus too.
    show_progress : bool
    """
    first: dict[_Key, Candidate] = {}
    for one in candidates:
        first.setdefault(_key(one), one)
    own = {key: Remembered(one.encoder) for key, one in first.items()}
    entries = [
        _Entry(one, coded, []) for key, one in first.items() for coded in _coded(one, own[key], codecs, calibration)
    ]
    with tqdm(total=len(tasks) * len(entries), desc="evaluate", unit="candidate", disable=not show_progress) as bar:
        for task in tasks:
            for entry in entries:
                bar.set_postfix_str(f"{entry.candidate.name[-30:]} {entry.coded.codec.name}")
                entry.scores.extend(task.run(entry.coded, teacher))
                bar.update()
            for encoder in (teacher, *own.values()):
                encoder.forget()
    if growth is not None:
        retrieval = [task for task in tasks if isinstance(task, Retrieval)]
        grown = growth.run([entry.coded for entry in entries], retrieval, teacher.identity)
        for entry, scores in zip(entries, grown, strict=True):
            entry.scores.extend(scores)
    return _measurements(entries)


def _key(candidate: Candidate) -> _Key:
    return candidate.name, candidate.encoder.identity.key, candidate.codec is None


def _coded(
    candidate: Candidate, encoder: Encoder, codecs: Sequence[Codec], calibration: Calibration | None
) -> Iterator[Coded]:
    """Yield a candidate in every codec that can store its rows; the others are left out, and said."""
    trained = candidate.codec
    fresh = {codec.name: codec for codec in codecs if trained is None or codec.name != trained.name}
    for codec, is_trained in [*((one, False) for one in fresh.values()), *([(trained, True)] if trained else [])]:
        try:
            yield Coded(encoder, codec, calibration, trained=is_trained)
        except ValueError as error:
            tqdm.write(f"left out: {candidate.name} at {encoder.dimension} dimensions, as {error}")


def _measurements(entries: Sequence[_Entry]) -> list[Measurement]:
    """Put each candidate beside its baselines in the same codec, and number what only looks alike."""
    found: dict[tuple[_Key, str], Measurement] = {}
    for role in ("reference", "baseline", "subject"):  # what others are compared with comes before them
        for candidate, coded, scores in entries:
            if candidate.role != role:
                continue
            keys = ((_key(one), coded.codec.name) for one in candidate.baselines)
            made = Measurement(
                candidate.name, coded.dimension, candidate.seed, scores, [found[key] for key in keys if key in found],
                coded.codec.name, coded.bytes_per_vector, role, coded.fitted_to,
            )  # fmt: skip
            found[_key(candidate), coded.codec.name] = made.numbered(found.values())
    return [found[_key(candidate), coded.codec.name] for candidate, coded, _ in entries]
