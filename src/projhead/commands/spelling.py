"""Spellings of overrides: shorthands that Hydra lacks, and names of older versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from projhead.errors import UserError, nearest
from projhead.settings.address import checked_address
from projhead.settings.options import first_parameter, options_of

#: Keys of older versions, for one release: (verb or "", key).
_KEYS = {
    ("encode", "path"): "out",
    ("export", "path"): "out",
    ("index", "path"): "out",
    ("report", "path"): "out",
    ("search", "path"): "index",
    ("export", "export.dtype"): "quantization",
    ("encode", "dtype"): "store_dtype",
    ("train", "dtype"): "store_dtype",
}
#: Settings of older versions, of whichever verb.
_SETTINGS = {
    "encoder.dtype": "encoder.compute_dtype",
    "encoder.revision_pin": "encoder.revision",
    "student.start.revision_pin": "student.start.revision",
    "student.near": "student.neighbors_per_query",
    "student.depth": "student.neighbor_pool",
}
#: Options of older versions: (group, option).
_OPTIONS = {
    ("task", "fidelity"): "neighbor_overlap",
    ("loss", "neighbour_kl"): "neighbor_kl",
    ("reducer", "pca_uncentred"): "pca_uncentered",
    ("queries", "labelled"): "labeled",
    ("index", "two_stage"): "rescore",
    ("codec", "rotated_binary_256"): "binary:256",
    ("logger", "default"): "tensorboard",
}
#: Recipes of older versions, and what they were.
_RECIPES = {
    ("experiment", "in_domain_vectors"): (("experiment", "in_domain"), ("queries", "none")),
    ("experiment", "mpnet_128"): (("encoder", "mpnet"), ("corpus", "file"), ("n_components", "128")),
}
#: Verbs of older versions.
_VERBS = {"budget": "plan"}
#: Options of a verb that are settings.
_FLAGS = {("search", "--json"): "json=true"}
_FORMS = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
#: Shorthands: a name that is a group of another verb cannot be a setting in Hydra.
_SHORT = {
    ("search", "index"): "index.path",
    ("search", "queries"): "queries.path",
    ("plan", "queries"): "queries.path",
    ("export", "quantization"): "export.quantization",
}
#: Verbs that take a list of codecs.
_LISTS = {"evaluate"}
_OVERRIDE = re.compile(r"(?P<sign>\+\+|\+|~)?(?P<key>[\w./-]+)(?P<package>@[\w.]+)?=(?P<value>.*)", re.DOTALL)
_SIZED = re.compile(r"(pq|opq|rq|prq|itq|sparse)_(\d+)")


def verb_now(verb: str) -> str:
    """Return what a verb of an older version is called."""
    return _VERBS.get(verb, verb)


def spelled(verb: str, overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return overrides as Hydra is to read them, and notes on those that were spelled as in older versions.

    Raises
    ------
    UserError
        If a codec of a list is unknown, or a sweep has codecs of several sizes.
    """
    found: list[str] = []
    notes: list[str] = []
    for override in overrides:
        match = _OVERRIDE.fullmatch(override)
        if match is None or match["package"]:
            found.append(_FLAGS.get((verb, override), override))
            continue
        sign, key, value = match["sign"] or "", match["key"], match["value"]
        now = list(_renewed(verb, key, value))
        if now != [(key, value)]:
            notes.append(f"{override} is now {' '.join(f'{sign}{k}={v}' for k, v in now)}")
        found += [f"{sign}{_SHORT.get((verb, k), k)}={v}" for one in now for k, v in _expanded(verb, *one)]
    return found, notes


def _renewed(verb: str, key: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield what is said today for a key and a value of an older version."""
    key = _KEYS.get((verb, key), _SETTINGS.get(key, key))
    group, dot, rest = key.partition(".")
    option, _, parameter = rest.partition(".")
    if group == "codec" and parameter and verb not in _LISTS:  # codec.pq_32.n_bytes
        yield f"codec.{parameter}", value
    elif dot and (group, option) in _OPTIONS:  # task.fidelity.max_texts
        yield f"{group}.{_OPTIONS[group, option]}.{parameter}", value
    elif key == "codec" or (verb in _LISTS and key == "codecs"):
        value = re.sub(r"\w+", lambda word: _codec_name(word[0]), value)
        yield ("codecs", value if value.startswith("[") else f"[{value}]") if verb in _LISTS else ("codec", value)
    elif (key, value) in _RECIPES:
        yield from _RECIPES[key, value]
    elif key == "export" and value not in options_of("export"):
        yield from _export(value)
    else:
        yield key, re.sub(r"\w+", lambda word: _OPTIONS.get((key, word[0]), word[0]), value)


def _codec_name(name: str) -> str:
    sized = _SIZED.fullmatch(name)
    return f"{sized[1]}:{sized[2]}" if sized else _OPTIONS.get(("codec", name), name)


def _export(value: str) -> Iterator[tuple[str, str]]:
    """Yield ``export=onnx quantization=int8`` for ``export=onnx_int8``."""
    value = value.replace("sentence_transformers_onnx", "onnx")  # which stock backend="onnx" reads too
    if value in options_of("export"):
        yield "export", value
        return
    formats = [one for one in options_of("export") if value.startswith(f"{one}_")]
    if not formats:
        yield "export", value
        return
    name = max(formats, key=len)
    yield "export", name
    if form := value.removeprefix(name).lstrip("_"):
        yield "quantization", _FORMS.get(form, form)


def _expanded(verb: str, key: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield what Hydra can read for the shorthand ``codec=pq:32``."""
    if (verb, key) == ("load", "to"):
        yield from _database(value)
        return
    if key != "codec" or ":" not in value or verb in _LISTS:
        yield key, value
        return
    names = [one.strip(" '\"[]") for one in value.split(",")]
    options = {one.partition(":")[0] for one in names}
    sizes = [one.partition(":")[2] for one in names]
    if len(options) > 1 or not all(sizes):
        raise UserError(f"codec: got {value}, expected one, or sizes of one to sweep: codec=pq codec.n_bytes=16,32")
    option = options.pop()
    yield key, option
    yield f"codec.{first_parameter('codec', option)}", ",".join(sizes)


def _database(value: str) -> Iterator[tuple[str, str]]:
    """Yield the database that an address names, and the address as Hydra reads it."""
    address = checked_address(value.strip("'\""))
    kind, known = address.partition("://")[0], options_of("database")
    if kind not in known:
        raise UserError(f"to: expected one of {'://, '.join(known)}://, got {kind}://{nearest(kind, known)}")
    yield "database", kind
    yield "database.address", "'" + address.replace("'", "\\'") + "'"
