"""A run's folder: recognize it, and compare its settings with those given now."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from projhead.commands.compose import composed
from projhead.errors import UserError
from projhead.persistence.ours import expect_ours
from projhead.persistence.record import Record, read_record
from projhead.training.processes import rank

#: What decides a run's result.
_DECIDING = ("encoder", "corpus", "queries", "reducer", "codec", "n_components", "seed", "store_dtype", "student")
#: How long, on what and how loudly a reducer or a student is trained may change when its run is gone on with.
_UNDECIDING = {"trainer", "callbacks", "logger"}
#: What a run writes beside its record.
_WRITTEN = (
    *("artifact", "baselines", "checkpoints", "codec", "encoder", "logs", "nested", "results.jsonl", "teacher"),
)


def run_folder() -> Path:
    """Return the folder of the current run (or of the current job of a sweep)."""
    return Path(HydraConfig.get().runtime.output_dir)


class Run:
    """A folder to train in, and what it holds already.

    ``settings.json`` says that it is a run's, and what the run's settings are. It is written when all settings have
    proved good, so that a first try that fails leaves nothing in the way of the second.

    Parameters
    ----------
    folder : Path
    verb : str
    """

    def __init__(self, folder: Path, verb: str) -> None:
        self.folder, self.verb = folder, verb
        self.file = folder / "settings.json"
        self.record, self.damage = _read(folder)

    def settings(self, cfg: DictConfig) -> DictConfig:
        """Return the settings of this run: those of a run gone on with, and what was given now.

        Raises
        ------
        FileExistsError
            If the folder holds something else than a run, and `overwrite` does not say that it may go.
        UserError
            If it holds a run with other settings, or what its settings were cannot be read and none are given.
        """
        ours = self.record is not None or bool(self.damage)
        expect_ours(self.folder, "a run", ours=ours, overwrite=cfg.overwrite)
        if cfg.overwrite and not rank():  # the first process has done so
            self._clear()
        given = [one for one in HydraConfig.get().overrides.task if not one.startswith("run_dir=")]
        if self.damage:
            if not given:
                raise UserError(
                    f"{self.file} is damaged ({self.damage}): give the run's settings again to go on with it"
                )
            logging.getLogger(__name__).warning("%s is damaged (%s): taking the settings given", self.file, self.damage)
        if self.record is not None:
            old = [one for one in self.record["overrides"] if one not in given]
            if old:
                cfg = composed(self.verb, [*old, *given], self.folder)
            self._compare(cfg)
        return cfg

    def write_settings(self, cfg: DictConfig) -> None:
        """Record the settings, before anything is written that they decide; of several processes the first does."""
        if rank():
            return
        given = [one for one in HydraConfig.get().overrides.task if not one.startswith(("run_dir=", "overwrite="))]
        old = [] if self.record is None else [one for one in self.record["overrides"] if one not in given]
        settings: Any = OmegaConf.to_container(cfg, resolve=True)
        body = {"verb": self.verb, "overrides": [*old, *given], "settings": settings}
        Record("run", json.loads(json.dumps(body)), {}).write(self.folder)

    @contextmanager
    def proved(self) -> Iterator[None]:
        """Take the settings away again where they are refused before anything is written, as a width no teacher has."""
        try:
            yield
        except (ValueError, TypeError):
            if self.record is None and not rank() and not any((self.folder / name).exists() for name in _WRITTEN):
                self.file.unlink(missing_ok=True)
            raise

    def _compare(self, cfg: DictConfig) -> None:
        assert self.record is not None
        old, new = (self._deciding(one) for one in (self.record["settings"], OmegaConf.to_container(cfg, resolve=True)))
        different = [f"{name} was {before!r}, now {now!r}" for name, before, now in _differences(old, new)]
        if different:
            raise UserError(
                f"{self.folder} holds a run with other settings ({'; '.join(different[:4])}); give the same settings "
                "to go on with it, another run_dir, or overwrite=true to train anew"
            )

    def _deciding(self, settings: Any) -> dict[str, Any]:
        found = {key: settings.get(key) for key in _DECIDING}
        for part in ("reducer", "student"):
            if isinstance(found.get(part), dict):
                found[part] = {name: value for name, value in found[part].items() if name not in _UNDECIDING}
        return found

    def _clear(self) -> None:
        self.record, self.damage = None, ""
        for name in ("settings.json", *_WRITTEN):
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _read(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """Return a run's record, None where there is none, and why it cannot be read."""
    file = folder / "settings.json"
    if not file.is_file():
        return None, ""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        return None, str(error)
    if not isinstance(said, dict) or said.get("format") != "projhead-run":
        return None, ""
    try:
        return read_record(folder, "run", {"verb", "overrides", "settings"}).body, ""
    except ValueError as error:
        return None, str(error)


def _differences(old: Any, new: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(set(old) | set(new))
        return [row for key in keys for row in _differences(old.get(key), new.get(key), f"{name}.{key}".lstrip("."))]
    return [] if old == new else [(name, old, new)]
