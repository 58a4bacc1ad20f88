"""The identity of an encoder, and the one rule of equality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

#: What older versions wrote behind a digest, where it was not what the files hold.
_DTYPES = ("float32", "float16", "bfloat16")
#: Width that a record may say: memory is taken for it.
_WIDEST = 2**20


@dataclass(frozen=True)
class EncoderIdentity:
    """An encoder as records know it.

    Two are equal if one's vectors may stand beside the other's: fingerprint, width and whether rows are of unit length
    decide. All else is there to be read.

    Attributes
    ----------
    name : str
        A model name, or that of a folder.
    fingerprint : str
        A digest of what decides the vectors: weights, pooling, tokens, the prompts of both sides. Of vectors whose
        encoder is not here, such as an API's, the model and revision that the user declares.
    dimension : int
        Width of the rows.
    unit : bool
        Whether rows are of unit length; where not, their lengths mean something.
    similarity : str
        What the model was trained for, as sentence-transformers calls it.
    compute_dtype : str
        What the network computes in, where that is not what its files hold.
    query_prompt, document_prompt : str
        What stands before a text of each side.
    pooling : str
        How tokens become a row.
    longest : float
        Of a model whose rows' lengths matter, the length that no document's row exceeds: rows are one coordinate wider,
        which keeps it (`projhead.encoders.lifted`); zero of all others.
    of_file : bool
        Whether nobody declared the model, and the fingerprint is that of one file of vectors.
    """

    name: str = field(compare=False)
    fingerprint: str
    dimension: int
    unit: bool = True
    similarity: str = field(default="cosine", compare=False)
    compute_dtype: str = field(default="", compare=False)
    query_prompt: str = field(default="", compare=False)
    document_prompt: str = field(default="", compare=False)
    pooling: str = field(default="", compare=False)
    longest: float = field(default=0.0, compare=False)
    of_file: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        facts = [f"fingerprint {self.fingerprint}", f"width {self.dimension}"]
        facts += [f"longest {self.longest:g}"] if self.longest else []
        facts += [f"{name} prompt {prompt!r}" for name, prompt in self._prompts.items() if prompt]
        return f"{self.name} ({', '.join(facts if self.unit else [*facts, 'rows of any length'])})"

    @property
    def _prompts(self) -> dict[str, str]:
        return {"query": self.query_prompt, "document": self.document_prompt}

    @property
    def key(self) -> str:
        """What tells these very rows from others of the same encoder, where they lie on disk."""
        return "-".join(filter(None, (self.fingerprint, self.compute_dtype)))

    @property
    def record(self) -> dict[str, Any]:
        """What a record holds: whatever is not as usual."""
        usual = {one.name: one.default for one in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    @classmethod
    def of_record(cls, record: Any) -> Self:
        """Read a record, of this version or one that called the fingerprint a revision.

        Raises
        ------
        ValueError
            If it is something else.
        """
        if not isinstance(record, Mapping):
            raise ValueError(f"expected an encoder with name, fingerprint and dimension, got {record!r:.200}")
        known = {one.name for one in fields(cls)}
        given = {name: value for name, value in record.items() if name in known}
        if "revision" in record and "fingerprint" not in record:
            given |= _of_revision(str(record["revision"]))
        missing = {"name", "fingerprint", "dimension"} - set(given)
        types = {"dimension": int, "unit": bool, "longest": float, "of_file": bool}
        sound = not missing and all(type(value) is types.get(name, str) for name, value in given.items())
        if not sound or not 0 < given["dimension"] <= _WIDEST:
            raise ValueError(f"expected an encoder with name, fingerprint and dimension, got {record!r:.200}")
        return cls(**given)


def expect_same(expected: EncoderIdentity, got: EncoderIdentity, what: str, advice: str) -> None:
    """Check that vectors are of the encoder that is needed.

    Raises
    ------
    ValueError
        If not; `what` says what needs it, `advice` what to do.
    """
    if expected == got:
        return
    declare = (
        "; a file of vectors is known by its bytes unless you declare their model, the same wherever they are used: "
        "encoder.name=<model> encoder.revision=<its version>"
    )
    hint = declare if expected.of_file or got.of_file else ""
    if expected.longest and expected.longest != got.longest:
        hint += f"; of the same model the longest length must be the same too: encoder.longest={expected.longest:g}"
    raise ValueError(f"{what}: expected vectors of {expected}, got those of {got}; {advice}{hint}")


def _of_revision(revision: str) -> dict[str, str]:
    """Divide what older versions wrote, such as ``"0123456789abcdef-float16"``."""
    front, _, last = revision.rpartition("-")
    return {"fingerprint": front, "compute_dtype": last} if front and last in _DTYPES else {"fingerprint": revision}
