"""Where the Hydra configs are, and what they say of themselves."""

from __future__ import annotations

from pathlib import Path


def conf_dir() -> Path:
    """Return the folder of Hydra configs: inside an installed package, at the top of a checkout otherwise."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parents[1] / "conf"


def options_of(group: str) -> list[str]:
    """Return the options of a group, none where it is no group."""
    return sorted(path.stem for path in (conf_dir() / group).glob("[!_]*.yaml"))
