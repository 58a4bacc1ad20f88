"""A student that starts from another trained encoder."""

from __future__ import annotations

from collections.abc import Sequence

from sentence_transformers import SentenceTransformer

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.protocols import Encoder
from projhead.settings.ranges import Count


class Pretrained:
    """A smaller encoder that learns a teacher's reduced rows: a MiniLM under a teacher of width 768, for example.

    The teacher may be vectors made elsewhere, if their texts are known.

    Parameters
    ----------
    path : str
        A local folder, or a name on the hub.
    revision : str, optional
        The hub commit to load.
    max_seq_length : int, optional
        Tokens of a text that are read; the model's own limit where not given.
    local_files_only : bool, default=False
        Whether to use only what was downloaded before.
    """

    #: The network's rows have another width than the teacher's, or at least another meaning.
    aligned = False

    def __init__(
        self,
        path: str,
        *,
        revision: str | None = None,
        max_seq_length: Count | None = None,
        local_files_only: bool = False,
    ) -> None:
        self.path, self.revision = path, revision
        self.max_seq_length, self.local_files_only = max_seq_length, local_files_only

    def __call__(self, teacher: Encoder, texts: Sequence[str]) -> SentenceTransformer:
        """Return the encoder's model, whatever the teacher."""
        return SentenceTransformerEncoder(
            self.path,
            revision=self.revision,
            max_seq_length=self.max_seq_length,
            local_files_only=self.local_files_only,
        ).model
