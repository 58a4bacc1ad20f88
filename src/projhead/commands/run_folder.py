"""The folder of a run: what its settings were, and whether they still are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from projhead.persistence.files import write_json

#: How long, on what and how loudly a reducer or a student is trained may change when its run is gone on with.
_UNDECIDING = {"trainer", "callbacks", "logger"}


def run_folder() -> Path:
    """Return the folder of the current run (or of the current job of a sweep)."""
    return Path(HydraConfig.get().runtime.output_dir)


def check_settings(folder: Path, cfg: DictConfig, keys: Sequence[str]) -> None:
    """Record the settings that decide a run's result, or check that a run gone on with has the same.

    Raises
    ------
    ValueError
        If the folder holds a run with other settings; the first that differ are named.
    """
    record = folder / "settings.json"
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    wanted = {key: settings[key] for key in keys}
    for part in ("reducer", "student"):
        for name in _UNDECIDING & set(wanted.get(part) or {}):
            del wanted[part][name]
    if not record.exists():
        write_json(record, wanted)
        return
    found = json.loads(record.read_text(encoding="utf-8"))
    different = [f"{name} was {old!r}, now {new!r}" for name, old, new in _differences(found, wanted)]
    if different:
        raise ValueError(
            f"{folder} holds a run with other settings ({'; '.join(different[:4])}); "
            "give the same settings to go on with it, or another run_dir"
        )


def _differences(old: Any, new: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(set(old) | set(new))
        return [row for key in keys for row in _differences(old.get(key), new.get(key), f"{name}.{key}".lstrip("."))]
    return [] if old == new else [(name, old, new)]
