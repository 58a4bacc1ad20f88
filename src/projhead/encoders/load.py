"""Open the encoder that a folder, a name, a file of vectors or a store stands for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from projhead.hub.fetch import folder_of, is_repository
from projhead.persistence.identity import expect_same
from projhead.persistence.names import class_named, name_of
from projhead.persistence.record import file_name, read_record
from projhead.persistence.registry import build
from projhead.protocols import Encoder
from projhead.settings.options import options_of, target_of
from projhead.store.store import EmbeddingStore

#: What holds the weights of a model that sentence-transformers runs.
_WEIGHTS = (".safetensors", "pytorch_model.bin")
_VECTORS = {".npy", ".safetensors", ".parquet"}


def encoder_of(store: EmbeddingStore) -> Encoder:
    """Return the encoder that wrote a store: the one at hand, or built again from what the store records.

    Raises
    ------
    ValueError
        If it cannot be built, or is not what it was.
    """
    if store.encoder is None:
        if store.manifest.spec is None:
            raise ValueError(f"{store.folder}: its encoder cannot be built from a record ({store.identity.name})")
        encoder: Encoder = build(store.manifest.spec, "encoder")
        expect_same(store.identity, encoder.identity, str(store.folder), "its encoder has changed since: encode again")
        store.encoder = encoder
    return store.encoder


def load_encoder(
    path: str | Path,
    *,
    revision: str | None = None,
    token_budget: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    compute_dtype: str | None = None,
    **options: Any,
) -> Encoder:
    """Load anything that gives vectors of texts: a teacher, a student that was exported, vectors on disk.

    Parameters
    ----------
    path : str or Path
        A folder that ``projhead export`` wrote (every file is checked against its record); the name of a published
        model that needs no hub, ``"all-MiniLM-L6-v2"`` or ``"all-mpnet-base-v2"``; any other sentence-transformers
        model, a folder or a name on the hub; a repository there that holds an export; a file
        of vectors made elsewhere (.npy, .safetensors, .parquet).
    revision : str, optional
        A commit, tag or branch of what comes from the hub; which version of the model made vectors elsewhere.
    token_budget : int, optional
        Padded tokens of a batch: bounds memory. The encoder's own where not given.
    threads : int, optional
        Batches that ONNX Runtime or OpenVINO runs at once.
    device : str, optional
        Of sentence-transformers, such as ``"cuda"``; of ONNX Runtime ``"cuda"``, ``"tensorrt"`` or
        ``"tensorrt_fp16"``, see `projhead.encoders.onnx.OnnxEncoder`.
    compute_dtype : str, optional
        What sentence-transformers computes in, such as ``"float16"`` on a GPU; what the files hold where not given.
    **options
        More, as the encoder of that kind takes them: `SentenceTransformerEncoder` or `Precomputed`.

    Returns
    -------
    Encoder
        ``load_encoder(path).encode(texts)`` gives unit rows (n, k), float32.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, file or model.
    ModuleNotFoundError
        If what runs it is not installed.
    ValueError
        If a file is damaged, altered or of another version, the export is a head alone, or the encoder has no such
        setting.

    Examples
    --------
    >>> from projhead import load_encoder
    >>> teacher = load_encoder("all-MiniLM-L6-v2", max_seq_length=64)
    >>> teacher.encode(["a text", "another"]).shape
    (2, 384)
    """
    settings: dict[str, Any] = {
        "token_budget": token_budget,
        "threads": threads,
        "device": device,
        "compute_dtype": compute_dtype,
    }
    path = _exported(path, revision)
    kind, given = _kind(Path(path), str(path))
    if revision is not None and not Path(path).is_dir():
        given["revision"] = revision
    spec = {"class": kind, "parameters": given | options | {k: v for k, v in settings.items() if v is not None}}
    encoder: Encoder = build(spec, "encoder")
    return encoder


def _exported(path: str | Path, revision: str | None) -> str | Path:
    """Return the folder of an export on the hub; the path as it is where that is something else."""
    if not is_repository(path) or next(_published(str(path)), None) is not None:
        return path
    try:
        return folder_of(path, "export", revision)
    except FileNotFoundError:  # no export: a model, which its own loader takes or tells of
        return path


def _kind(place: Path, path: str) -> tuple[str, dict[str, Any]]:
    """Return the class that reads a path, by its name in records, and what it is to be given."""
    if place.suffix in _VECTORS:
        return "encoder/Precomputed", {"path": path}
    if not place.is_dir():
        return next(((kind, {}) for kind in _published(path)), ("encoder/SentenceTransformerEncoder", {"path": path}))
    if not (place / file_name("export")).is_file():
        if not any(file.name.endswith(_WEIGHTS) for file in (*place.glob("*"), *place.glob("*/*"))):
            raise FileNotFoundError(
                f"no export in {path}: expected {place / file_name('export')}; write one with 'projhead export', "
                "or give a sentence-transformers model"
            )
        return "encoder/SentenceTransformerEncoder", {"path": path}
    kind = read_record(place, "export", ()).body.get("encoder")
    if kind is None:
        raise ValueError(
            f"{path} names no encoder: a head alone reads vectors, not texts (its README.md shows how); "
            "export a student, with export=sentence_transformers, onnx_int8, ... "
            "(once more, if an older projhead wrote it)"
        )
    return kind, {"path": path}


def _published(name: str) -> Iterator[str]:
    """Yield the class of the published model of a name: one of the options that ``conf/encoder`` has."""
    for target in (target_of("encoder", one) for one in options_of("encoder")):
        if not target.rpartition(".")[2][0].isupper():  # a function: of folders
            continue
        release = getattr(cls := class_named(target, "encoder"), "release", None)
        if release is not None and name in (release.name, release.repository):
            yield name_of(cls)
