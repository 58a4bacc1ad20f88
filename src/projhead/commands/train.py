"""``projhead train``: corpus and teacher to store to artifact, and the head against PCA."""

from __future__ import annotations

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.codecs.base import BaseCodec
from projhead.commands.run_folder import Run, asked, run_folder
from projhead.console.fitted import fitted
from projhead.encoders.lifted import nearer
from projhead.encoders.precomputed import Precomputed
from projhead.errors import UserError
from projhead.evaluation.held_out import expect_held_out
from projhead.evaluation.train import expect_student, expect_trained, finished, train
from projhead.protocols import Corpus, Encoder
from projhead.reducers.base import Reducer
from projhead.students.teacher_vectors import teacher_vectors
from projhead.training.processes import first_alone, rank, started_outside

#: What decides a run's result.
_DECIDING = ("encoder", "corpus", "queries", "reducer", "codec", "n_components", "seed", "store_dtype", "student")


def run(cfg: DictConfig) -> float:
    """Train, compare, save; return the reducer's overlap of the 10 nearest (or 1) on held-out vectors."""
    folder = run_folder()
    smaller = bool(cfg.student)  # student=same is an empty choice
    _check_processes(cfg, smaller)
    with first_alone():
        begun = Run(folder, "train", _DECIDING)
        cfg = begun.settings(cfg)
        if (folder / "artifact").exists():
            print(f"{folder} is finished already; its results:\n")
            return _conclude(folder)
        encoder: Encoder = instantiate(cfg.encoder)
        reducer: Reducer = instantiate(cfg.reducer, _convert_="all")
        codec: BaseCodec | None = instantiate(cfg.codec)
        expect_trained(reducer, codec, _checkpoint(cfg.ckpt_path))  # before hours of encoding
        if smaller:
            expect_student(reducer, codec, encoder)
        vectors = teacher_vectors(
            encoder,
            _corpus(cfg, encoder),
            instantiate(cfg.queries),
            stores=cfg.paths.stores,
            dtype=cfg.store_dtype,
            show_progress=not rank(),
        )
        expect_held_out(len(vectors.test), of_texts=not isinstance(encoder, Precomputed))
        if hint := nearer(encoder.identity, vectors.train):
            print(hint)
        begun.write_settings(cfg)
    with begun.proved():
        train(
            folder,
            reducer,
            vectors,
            {name: instantiate(baseline) for name, baseline in cfg.baselines.items()},
            student=instantiate(cfg.student, _convert_="all") if smaller else None,
            resume=_checkpoint(cfg.ckpt_path),
            teacher=encoder,
            codec=codec,
            max_test_rows=cfg.max_test_rows,
            seed=cfg.seed,
        )
    return _conclude(folder)


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


def _checkpoint(ckpt_path: str | None) -> Path | None:
    """Return the checkpoint that was asked for."""
    if ckpt_path is None:
        return None
    if not Path(ckpt_path).is_file():
        raise UserError(
            f"ckpt_path: no file {ckpt_path}; expected a checkpoint, such as checkpoints/last.ckpt of a run"
        )
    print(f"going on from {ckpt_path}")
    return Path(ckpt_path)


def _conclude(folder: Path) -> float:
    (table, kept), small = finished(folder), folder / "encoder"
    encoder = f"encoder=sentence_transformer encoder.path={small} " if small.exists() else ""
    print(fitted(f"\n{table}") + f"\n\nartifact: {folder / 'artifact'}\n")
    print(f"measure it on tasks: projhead evaluate {encoder}artifact={folder / 'artifact'}")
    return kept
