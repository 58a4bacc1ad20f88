"""``projhead train``: corpus and teacher to store to artifact, and the head against PCA."""

from __future__ import annotations

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.codecs.base import BaseCodec
from projhead.commands.run_folder import Run, asked, run_folder
from projhead.commands.student import check_student, train_student
from projhead.encoders.precomputed import Precomputed
from projhead.errors import UserError
from projhead.evaluation.held_out import expect_held_out
from projhead.evaluation.trained import compare_and_save
from projhead.persistence.record import read_record
from projhead.protocols import Corpus, Encoder
from projhead.reducers.base import Reducer, load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.spectrum import one_pass
from projhead.report.results import read_results
from projhead.report.tables import markdown
from projhead.students.teacher_vectors import TeacherVectors, teacher_vectors
from projhead.training.checkpoints import last_checkpoint
from projhead.training.processes import first_alone, rank, started_outside
from projhead.vectors import unit_rows

#: What decides a run's result.
_DECIDING = ("encoder", "corpus", "queries", "reducer", "codec", "n_components", "seed", "store_dtype", "student")


def run(cfg: DictConfig) -> float:
    """Train, compare, save; return the reducer's overlap of the 10 nearest (or 1) on held-out vectors."""
    folder = run_folder()
    artifact, results = folder / "artifact", folder / "results.jsonl"
    smaller = bool(cfg.student)  # student=same is an empty choice
    _check_processes(cfg, smaller)
    with first_alone():
        begun = Run(folder, "train", _DECIDING)
        cfg = begun.settings(cfg)
        if artifact.exists():
            print(f"{folder} is finished already; its results:\n")
            return _conclude(results, artifact)
        encoder: Encoder = instantiate(cfg.encoder)
        if smaller:
            check_student(cfg, encoder)
        corpus = _corpus(cfg, encoder)
        stores = {"stores": cfg.paths.stores, "dtype": cfg.store_dtype}
        vectors = teacher_vectors(encoder, corpus, instantiate(cfg.queries), **stores, show_progress=not rank())
        expect_held_out(len(vectors.test))
        begun.write_settings(cfg)
    if not smaller:
        _train_head(cfg, encoder, vectors, folder)
    else:
        own = folder / "teacher"  # the teacher's head comes first, and stays beside the student to be compared with
        made = own / "artifact"
        reducer = load_reducer(made) if made.exists() else _train_head(cfg, encoder, vectors, own)
        test = unit_rows(vectors.test[: cfg.max_test_rows])
        held_out = vectors.test_texts[: cfg.max_test_rows]
        assert isinstance(reducer, LearnedReducer)  # as was checked
        train_student(cfg, encoder, reducer, vectors.texts, held_out, test, folder)
    return _conclude(results, artifact)


def _train_head(cfg: DictConfig, encoder: Encoder, vectors: TeacherVectors, folder: Path) -> Reducer:
    train, queries = vectors.train, vectors.queries
    reducer: Reducer = instantiate(cfg.reducer, _convert_="all")
    codec = _one_codec(cfg, reducer)
    print(f"fit {reducer.kind}, {train.shape[1]} -> {cfg.n_components}, on {len(train):,} vectors", end="")
    print(f" and {len(queries):,} queries" if queries is not None else "", end="")
    print("" if codec is None else f", through {codec.name}: {codec.bytes_per_vector(cfg.n_components)} bytes a vector")
    with one_pass():  # for the start, what the head is judged against and all baselines
        _fit(reducer, vectors, run_folder(), cfg.ckpt_path)
        if rank():
            raise SystemExit(0)  # the first process goes on alone
        if isinstance(reducer, LearnedReducer):
            print(reducer.summary_)
        test = unit_rows(vectors.test[: cfg.max_test_rows])
        baselines = {name: instantiate(baseline) for name, baseline in cfg.baselines.items()}
        compare_and_save(folder, reducer, baselines, train, test, teacher=encoder.identity, codec=codec, seed=cfg.seed)
    return reducer


def _check_processes(cfg: DictConfig, smaller: bool) -> None:
    """Raise UserError where several processes could not train together."""
    devices = cfg.trainer.get("devices", 1)
    several = started_outside() or devices not in (1, "1", "auto")
    if smaller and several:
        raise UserError(
            f"trainer.devices: got {devices} with a smaller student, expected 1: a student is distilled by one process"
        )
    if several and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UserError(f"trainer.devices: got {devices} in a sweep, expected 1: give each process a run of its own")
    if started_outside() and not asked("run_dir"):
        raise UserError("run_dir: not given, expected the one folder of all processes that were started from outside")


def _corpus(cfg: DictConfig, encoder: Encoder) -> Corpus | None:
    """Return the corpus asked for; vectors made elsewhere are their own, and have none beside them."""
    if not isinstance(encoder, Precomputed):
        corpus: Corpus = instantiate(cfg.corpus)
        return corpus
    unwanted = [one for one in ("corpus", "queries") if asked(one)]
    if HydraConfig.get().runtime.choices.get("queries") == "none":  # as they have none
        unwanted = [one for one in unwanted if one != "queries"]
    if group := next(iter(unwanted), None):
        raise UserError(
            f"{group}: got one beside encoder=precomputed, expected none: vectors made elsewhere are their own "
            "corpus, with the texts of the same file (encoder.text_column=...) or of another (encoder.texts=...)"
        )
    return None


def _fit(reducer: Reducer, vectors: TeacherVectors, folder: Path, ckpt_path: str | None) -> None:
    if reducer.kind != "learned":
        if ckpt_path is not None:
            raise ValueError(f"ckpt_path: expected reducer=learned to go on with a checkpoint, got {reducer.kind}")
        reducer.fit(vectors.train)
        return
    resume = last_checkpoint(folder / "checkpoints") or (None if ckpt_path is None else Path(ckpt_path))
    reducer.fit(vectors.train, queries=vectors.queries, pairs=vectors.pairs, resume=resume)


def _one_codec(cfg: DictConfig, reducer: Reducer) -> BaseCodec | None:
    """Hand the codec that was asked for to the reducer, and return it."""
    if cfg.codec is None:
        return None
    codec: BaseCodec = instantiate(cfg.codec)
    if reducer.kind != "learned":
        raise ValueError(f"codec: expected reducer=learned to train through {codec.name}, got {reducer.kind}")
    reducer.set_params(codec=codec)
    return codec


def _conclude(results: Path, artifact: Path) -> float:
    rows = read_results(results)
    small = artifact.parent / "encoder"
    encoder = f"encoder=sentence_transformer encoder.path={small} " if small.exists() else ""
    print(f"\n{markdown(rows)}\n\nartifact: {artifact}\n")
    print(f"measure it on tasks: projhead evaluate {encoder}artifact={artifact}")
    record = read_record(artifact, "artifact", {"kind"})  # its weights are not needed
    own = (record.body["kind"], record.body["reducer"]["parameters"]["n_components"], "")
    # What the head was trained for stands first.
    found = {row.metric: row.value for row in rows[::-1] if (row.reducer, row.n_components, row.baseline) == own}
    return found.get("overlap@10", found["overlap@1"])  # fewer than 11 rows have no 10 neighbors
