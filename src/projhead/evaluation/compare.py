"""Compare heads with every baseline on tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import clone

from projhead.codecs.cast import Cast
from projhead.encoders.coded import Calibration
from projhead.encoders.lifted import agree
from projhead.encoders.load import encoder_of, load_encoder
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.encoders.remembered import Remembered
from projhead.evaluation.growth import Growth
from projhead.evaluation.held_out import held_out_rows
from projhead.evaluation.measure import Candidate, measure
from projhead.evaluation.measurements import result_rows
from projhead.persistence.record import holds
from projhead.protocols import Codec, Encoder, Task
from projhead.reducers.base import Reducer, load_reducer
from projhead.report.comparison import Comparison
from projhead.store.cached import Cached
from projhead.store.store import EmbeddingStore


def compare(
    candidates: Sequence[Reducer | Encoder | str | Path],
    tasks: Task | Sequence[Task] | ArrayLike,
    *,
    teacher: Encoder | None = None,
    train: Any = None,
    codecs: Sequence[Codec] = (),
    calibration: Calibration | None = None,
    stores: str | Path | None = None,
    growth: Growth | None = None,
    show_progress: bool = False,
) -> Comparison:
    """Measure candidates on tasks, beside the teacher at full width, and every subject against its baselines.

    A subject's baselines are the candidates with ``role = "baseline"`` of its width. A folder stands for itself: an
    artifact is compared with the baselines that training left beside it, an export with none.

    Parameters
    ----------
    candidates : sequence of Reducer, Encoder or path
        Fitted reducers; unfitted ones, of which a clone is fitted to `train`; encoders; artifacts and exports.
    tasks : Task, sequence of Task, or array of shape (n, d)
        An array is the teacher's vectors that nothing was fitted to: how many of each row's neighbors are kept.
    teacher : Encoder, optional
        Whose rows the reducers take; where not given, the encoder of the store that they were fitted to.
    train : EmbeddingStore or array of shape (n, d), optional
        The teacher's vectors that unfitted reducers are fitted to; where not given, the store that the fitted ones
        saw.
    codecs : sequence of Codec
        How documents are stored, besides in float32; heads that were trained with a codec are stored in that too.
    calibration : Calibration, optional
        Texts that codecs are fitted to; each task's documents where not given.
    stores : path, optional
        Where the vectors of the teacher and of exports are kept, to be found again.
    growth : Growth, optional
        Measures retrieval tasks at several sizes of the corpus too.
    show_progress : bool

    Returns
    -------
    Comparison
        Every number with its bootstrap interval, every subject's difference to its best baseline with a paired one.

    Raises
    ------
    FileNotFoundError
        If a folder is neither an artifact nor an export, or an artifact's baselines are gone.
    ValueError
        If a reducer belongs to another teacher, or has no rows to be fitted to.
    TypeError
        If a candidate is none of those.

    Examples
    --------
    >>> import numpy as np
    >>> from projhead import PCA, compare
    >>> X = np.random.default_rng(0).normal(size=(300, 32))
    >>> table = compare([PCA(8).fit(X[:200]), PCA(16).fit(X[:200])], X[200:])
    >>> sorted(set(table.to_pandas()["n_components"]))
    [8, 16, 32]
    """
    flat = [one for one in candidates if not isinstance(one, str | Path)]
    teacher, asked = _asked(tasks, teacher, flat)
    store = _store_of([one for one in flat if isinstance(one, Reducer)])
    teacher, train = _teacher(teacher, store), store if train is None else train
    paths = [Path(one) for one in candidates if isinstance(one, str | Path)]
    runs = {path: load_run(path) for path in paths if not holds(path, "export")}
    for reducer in [*flat, *(run[0] for run in runs.values())]:
        agree(teacher, reducer.teacher_ if isinstance(reducer, Reducer) else None)
    source = Remembered(_kept(teacher, stores, show_progress))
    entered = [Candidate("teacher", "reference", source), *_entered([_fitted(one, train) for one in flat], source)]
    for path in paths:
        if path in runs:
            entered += _entered(runs[path], source)
        else:
            student = _kept(load_encoder(path), stores, show_progress)
            entered.append(Candidate(f"export:{path.name}", "subject", student))
    trained = [one.codec for one in entered if one.codec is not None]
    found = measure(
        entered,
        asked,
        source,
        [Cast("float32"), *codecs, *trained],
        calibration,
        growth=growth,
        show_progress=show_progress,
    )
    return Comparison(result_rows(found, teacher.identity))


def load_run(artifact: Path) -> list[Reducer]:
    """Load an artifact and the baselines that its training run left beside it.

    Raises
    ------
    FileNotFoundError
        If there is no artifact, or no baselines.
    """
    reducer = load_reducer(artifact)
    folders = sorted(
        folder for folder in (artifact.parent / "baselines").glob("*") if (folder / "config.json").is_file()
    )
    if not folders:
        raise FileNotFoundError(
            f"{artifact.parent / 'baselines'}: expected the baselines that 'train' writes beside its artifact; "
            "keep the run's folder together"
        )
    return [reducer, *(one for one in map(load_reducer, folders) if one.kind != reducer.kind)]


def _asked(tasks: Any, teacher: Encoder | None, reducers: Sequence[Any]) -> tuple[Encoder | None, Sequence[Task]]:
    if hasattr(tasks, "run"):
        return teacher, [tasks]
    if isinstance(tasks, list | tuple) and all(hasattr(one, "run") for one in tasks):
        return teacher, tasks
    return held_out_rows(tasks, reducers)


def _store_of(reducers: Sequence[Reducer]) -> EmbeddingStore | None:
    """Return the one store that fitted reducers saw, None where there is none, or more than one."""
    seen = {one.store_.folder: one.store_ for one in reducers if one.store_ is not None}
    return next(iter(seen.values())) if len(seen) == 1 else None


def _teacher(given: Encoder | None, store: EmbeddingStore | None) -> Encoder:
    if given is None and store is None:
        raise ValueError("teacher: expected the encoder whose rows the reducers take, got none; give teacher=")
    return given or encoder_of(store)  # type: ignore[arg-type]


def _fitted(one: Any, train: Any) -> Any:
    """Return a fitted candidate as it is, and a fitted clone of any other."""
    if not isinstance(one, Reducer) or one.is_fitted:
        return one
    if train is None:
        raise ValueError(
            f"{one.kind}: expected a fitted reducer, or one store that the fitted ones saw to fit it to; give train="
        )
    return clone(one).fit(train)


def _entered(group: Sequence[Reducer | Encoder], source: Encoder) -> list[Candidate]:
    """Return candidates, subjects first, each with the baselines of its width."""
    seed = next((one.seed for one in group[:1] if isinstance(one, Reducer)), None) or 0
    baselines = [_candidate(one, source, seed) for one in group if isinstance(one, Reducer) and one.role == "baseline"]
    others = [one for one in group if not (isinstance(one, Reducer) and one.role == "baseline")]
    return [*(_candidate(one, source, seed, baselines) for one in others), *baselines]


def _candidate(one: Any, source: Encoder, seed: int, baselines: Sequence[Candidate] = ()) -> Candidate:
    if not isinstance(one, Reducer | Encoder):
        raise TypeError(f"candidates: expected a reducer, an encoder, or a folder of one, got {type(one).__name__}")
    encoder = Reduced(source, one) if isinstance(one, Reducer) else one
    alike = [other for other in baselines if other.encoder.dimension == encoder.dimension]
    if isinstance(one, Reducer):
        own = seed if one.seed is None else one.seed
        return Candidate(one.kind, one.role, encoder, own, one.codec_, alike)
    return Candidate(one.name, "subject", encoder, seed, None, alike)


def _kept(encoder: Encoder, stores: str | Path | None, show_progress: bool) -> Encoder:
    """Return an encoder whose vectors are kept on disk, where that is wanted and they are not there already."""
    if stores is None or isinstance(encoder, Precomputed):
        return encoder
    return Cached(encoder, stores, show_progress=show_progress)
