"""Say which consumers give a folder's exact rows: as it is, with a setting, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Router, StaticEmbedding

from projhead.encoders.lift import Lift
from projhead.encoders.sides import SIDES, prompt_of
from projhead.errors import UserError, nearest
from projhead.exporters.consumers import CONSUMERS, Reads
from projhead.exporters.folding import foldable

#: Activations through which a positive factor passes.
_POSITIVELY_HOMOGENEOUS = {"Identity", "ReLU"}


class Facts(NamedTuple):
    """What a consumer's rule asks of a folder.

    Attributes
    ----------
    form : str
        What it holds, see `projhead.exporters.consumers`.
    network, pooling : str
        Kind of network, as its ``config.json`` calls it; how tokens become a row.
    activations : frozenset of str
        Of its Dense modules.
    homogeneous : bool
        Whether what follows a Normalize passes a positive factor on, so that the last Normalize does its work too.
    prompted : bool
        Whether something stands before queries or documents.
    """

    form: str
    network: str = ""
    pooling: str = ""
    activations: frozenset[str] = frozenset()
    homogeneous: bool = True
    prompted: bool = False


class Claim(NamedTuple):
    """What is claimed of a consumer.

    Attributes
    ----------
    name, title : str
        As ``serve=`` takes it; as people know it.
    verdict : {"exact", "setting", "refused"}
        Whether it gives the rows of the folder's own parity.
    said : str
        The setting; or why not, and what to do.
    """

    name: str
    title: str
    verdict: Literal["exact", "setting", "refused"]
    said: str


def facts_of(student: Any, form: str) -> Facts | None:
    """Return what consumers ask of a student as a form of folder; None of a head alone, which has no consumers."""
    if not isinstance(student, SentenceTransformer):
        return None
    first: Any = student[0]
    if isinstance(first, StaticEmbedding):
        form = "table" if form == "modules" and foldable(student) else f"table_{form}"
    if isinstance(first, Router):
        form = "routes" if form == "modules" else f"routes_{form}"
    if any(isinstance(module, Lift) for module in student):
        form = f"lifted_{form}"
    denses = [module for module in student if isinstance(module, Dense)]
    pooling = next((str(module.pooling_mode) for module in student if isinstance(module, Pooling)), "")
    return Facts(
        form,
        str(getattr(getattr(getattr(first, "auto_model", None), "config", None), "model_type", "")),
        pooling,
        frozenset(type(module.activation_function).__name__ for module in denses),
        is_homogeneous(student),
        any(prompt_of(student, side) for side in (None, *SIDES)),
    )


def is_homogeneous(student: SentenceTransformer) -> bool:
    """Say whether every Normalize before the last is without effect, by the modules behind it."""
    modules: list[Any] = list(student)
    first = next((at for at, module in enumerate(modules) if isinstance(module, Normalize)), len(modules))
    return all(
        isinstance(module, Normalize)
        or (
            isinstance(module, Dense)
            and "linear.bias" not in module.state_dict()
            and type(module.activation_function).__name__ in _POSITIVELY_HOMOGENEOUS
        )
        for module in modules[first:]
    )


def without_inner_normalize(folder: Path) -> SentenceTransformer:
    """Load a written folder without every `Normalize` but the last, as some servers run it."""
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    *inner, last = model
    kept = [module for module in inner if not isinstance(module, Normalize)]
    prompts: Any = model.prompts
    return SentenceTransformer(
        modules=[*kept, last], device="cpu", prompts=prompts, default_prompt_name=model.default_prompt_name
    )


def claims(facts: Facts) -> list[Claim]:
    """Return what is claimed of each consumer."""
    return [_claim(name, facts) for name in CONSUMERS]


def _claim(name: str, facts: Facts) -> Claim:
    consumer = CONSUMERS[name]
    reads = consumer.reads.get(facts.form)
    why = _why_not(reads, facts)
    if reads is None or why:
        return Claim(name, consumer.title, "refused", "; ".join(filter(None, [why, consumer.instead])))
    settings = "; ".join(filter(None, [reads.setting, consumer.prompts if facts.prompted else ""]))
    return Claim(name, consumer.title, "setting" if settings else "exact", settings)


def _why_not(reads: Reads | None, facts: Facts) -> str:
    if reads is None:
        return ""
    for what, known, got in (
        ("it knows the networks", reads.networks, {facts.network}),
        ("it pools by", reads.poolings, {facts.pooling}),
        ("its Dense knows", reads.activations, facts.activations),
    ):
        if known is not None and (strange := sorted(got - known)):
            return f"{what} {', '.join(sorted(known))}, got {', '.join(strange)}"
    if not reads.inner_normalize and not facts.homogeneous:
        return "it skips the Normalize before the head, which a head with biases or GELU needs"
    return ""


def expect_served(serve: Sequence[str], facts: Facts | None) -> None:
    """Refuse what a consumer that was asked for would not give exactly.

    Raises
    ------
    UserError
        If there is no such consumer, or it is refused.
    """
    for name in serve:
        if name not in CONSUMERS:
            raise UserError(f"serve: got {name!r}, expected some of {', '.join(CONSUMERS)}{nearest(name, CONSUMERS)}")
        if facts is None:
            raise UserError(f"serve: {name} loads students, got a head alone; choose export=sentence_transformers")
        claim = _claim(name, facts)
        if claim.verdict == "refused":
            raise UserError(f"serve: {claim.title} cannot serve this folder exactly: {claim.said}")


def told(made: Sequence[Claim]) -> str:
    """Return claims as three lines of text: exact, with a setting, refused."""
    exact = ", ".join(claim.title for claim in made if claim.verdict == "exact")
    setting = "; ".join(f"{claim.title} ({claim.said})" for claim in made if claim.verdict == "setting")
    refused = ", ".join(claim.title for claim in made if claim.verdict == "refused")
    lines = {"exact in": exact, "exact with a setting in": setting, "not for": refused}
    return "\n".join(f"{what}: {names}" for what, names in lines.items() if names)


def table(made: Sequence[Claim]) -> list[str]:
    """Return claims as the lines of a table in Markdown."""
    marks = {"exact": "exact", "setting": "exact with", "refused": "no"}
    lines = [f"| {claim.title} | {marks[claim.verdict]} | {_cell(claim)} |" for claim in made]
    return ["| consumer | rows | |", "|---|---|---|", *lines]


def _cell(claim: Claim) -> str:
    said = claim.said.replace("|", "\\|")
    return f"`{said}`" if claim.verdict == "setting" and "; " not in said else said
