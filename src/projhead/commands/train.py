"""``projhead train``: corpus and teacher to store to artifact, and the head against PCA."""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

from projhead.codecs.base import BaseCodec
from projhead.commands.asked import asked, expect_own_corpus
from projhead.commands.run_folder import Run, run_folder
from projhead.console.fitted import fitted
from projhead.encoders.lifted import nearer
from projhead.encoders.precomputed import Precomputed
from projhead.evaluation.held_out import expect_held_out
from projhead.evaluation.train import expect_student, expect_trained, finished, train
from projhead.protocols import Encoder
from projhead.reducers.base import Reducer
from projhead.students.teacher_vectors import teacher_vectors
from projhead.training.checkpoints import checkpoint_at
from projhead.training.processes import expect_one_run, first_alone, rank


def run(cfg: DictConfig) -> float:
    """Train, compare, save; return the reducer's overlap of the 10 nearest (or 1) on held-out vectors."""
    folder = run_folder()
    smaller = bool(cfg.student)  # student=same is an empty choice
    sweep, placed = HydraConfig.get().mode == RunMode.MULTIRUN, asked("run_dir")
    expect_one_run(cfg.trainer.get("devices", 1), student=smaller, sweep=sweep, placed=placed)
    with first_alone():
        begun = Run(folder, "train")
        cfg = begun.settings(cfg)
        if (folder / "artifact").exists():
            print(f"{folder} is finished already; its results:\n\n{fitted(str(finished(folder)))}")
            return finished(folder).kept
        encoder: Encoder = instantiate(cfg.encoder)
        reducer: Reducer = instantiate(cfg.reducer, _convert_="all")
        codec: BaseCodec | None = instantiate(cfg.codec)
        resume = checkpoint_at(cfg.ckpt_path)
        expect_trained(reducer, codec, resume)  # before hours of encoding
        if smaller:
            expect_student(reducer, codec, encoder)
        expect_own_corpus(encoder)
        vectors = teacher_vectors(
            encoder,
            None if isinstance(encoder, Precomputed) else instantiate(cfg.corpus),
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
            resume=resume,
            teacher=encoder,
            codec=codec,
            max_test_rows=cfg.max_test_rows,
            seed=cfg.seed,
        )
    done = finished(folder)
    print(fitted(str(done)))
    return done.kept
