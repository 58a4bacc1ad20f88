"""The encoder of any export folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from projhead.persistence.record import read_record
from projhead.persistence.registry import build
from projhead.protocols import Encoder
from projhead.store.store import EmbeddingStore


def encoder_of(store: EmbeddingStore) -> Encoder:
    """Return the encoder that wrote a store: the one at hand, or built again from what the store records.

    Raises
    ------
    ValueError
        If it cannot be built, or is not what it was.
    """
    if store.encoder is None:
        record = store.manifest.encoder
        if record["spec"] is None:
            raise ValueError(f"{store.folder}: its encoder cannot be built from a record ({record['name']})")
        encoder: Encoder = build(record["spec"], "encoder")
        if encoder.revision != record["revision"]:
            raise ValueError(
                f"{store.folder} was encoded by {record['name']} at revision {record['revision']}, "
                f"which is now {encoder.revision}: encode again"
            )
        store.encoder = encoder
    return store.encoder


def load_encoder(
    path: str | Path,
    *,
    token_budget: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> Encoder:
    """Load what ``projhead export`` wrote: a sentence-transformers folder, ONNX or OpenVINO.

    Parameters
    ----------
    path : str or Path
        The folder. Every file is checked against its record.
    token_budget : int, optional
        Padded tokens of a batch: bounds memory. The encoder's own where not given.
    threads : int, optional
        Batches that ONNX Runtime or OpenVINO runs at once.
    device : str, optional
        Of sentence-transformers, such as ``"cuda"``; of ONNX Runtime ``"cuda"``, ``"tensorrt"`` or
        ``"tensorrt_fp16"``, see `projhead.encoders.onnx.OnnxEncoder`.
    dtype : str, optional
        What sentence-transformers computes in, such as ``"float16"`` on a GPU; what the files hold where not given.

    Returns
    -------
    Encoder
        ``load_encoder(path).encode(texts)`` gives unit rows (n, k), float32.

    Raises
    ------
    FileNotFoundError
        If there is no export in the folder.
    ModuleNotFoundError
        If what runs it is not installed.
    ValueError
        If a file is damaged, altered or of another version, the export is a head alone, or the encoder has no such
        setting.
    """
    encoder = read_record(Path(path), "export", ()).body.get("encoder")
    if encoder is None:
        raise ValueError(
            f"{path} names no encoder: a head alone reads vectors, not texts (its README.md shows how); "
            "export a student, with export=sentence_transformers, onnx_int8, ... "
            "(once more, if an older projhead wrote it)"
        )
    settings: dict[str, Any] = {"token_budget": token_budget, "threads": threads, "device": device, "dtype": dtype}
    given = {name: value for name, value in settings.items() if value is not None}
    student: Encoder = build({"class": encoder, "parameters": {"path": str(path), **given}}, "encoder")
    return student
