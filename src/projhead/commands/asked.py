"""What the command line asks for, apart from the defaults."""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig

from projhead.encoders.precomputed import Precomputed
from projhead.errors import UserError
from projhead.protocols import Encoder


def asked(group: str) -> bool:
    """Say whether the command line names a group, or a setting in it."""
    return any(one.lstrip("+~").split("=")[0].split(".")[0] == group for one in HydraConfig.get().overrides.task)


def own_corpus(encoder: Encoder) -> Precomputed | None:
    """Return vectors made elsewhere, which are their own corpus unless another is asked for; None of other encoders."""
    return encoder if isinstance(encoder, Precomputed) and not asked("corpus") else None


def expect_own_corpus(encoder: Encoder) -> None:
    """Refuse a corpus or queries beside vectors made elsewhere, which train on what they are.

    Raises
    ------
    UserError
        If the command line names one.
    """
    if not isinstance(encoder, Precomputed):
        return
    none = HydraConfig.get().runtime.choices.get("queries") == "none"  # as they have none
    for group in ("corpus", "queries"):
        if asked(group) and not (none and group == "queries"):
            raise UserError(
                f"{group}: got one beside encoder=precomputed, expected none: vectors made elsewhere are their own "
                "corpus, with the texts of the same file (encoder.text_column=...) or of another (encoder.texts=...)"
            )
