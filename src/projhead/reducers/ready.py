"""Trained heads that come with projhead."""

from __future__ import annotations

from pathlib import Path


def ready_heads() -> list[str]:
    """Return their names: the teacher and the width."""
    return sorted(path.parent.name for path in _room().glob("*/config.json"))


def ready_folder(name: str | Path) -> Path | None:
    """Return the artifact of a ready head; None where there is a folder of that name, or no such head."""
    if Path(name).exists() or str(name) not in ready_heads():
        return None
    return _room() / name


def _room() -> Path:
    """Return where they lie: inside an installed package, in ``checkpoints`` of a checkout otherwise."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "ready"
    return packaged if packaged.is_dir() else package.parents[1] / "checkpoints" / "ready"
