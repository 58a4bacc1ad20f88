"""Lay out a folder as all versions of sentence-transformers, and other servers, read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from sentence_transformers.util import import_from_string
from torch import nn

#: Pooling modes by the names they had, in the order in which several are joined.
_POOLING = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_TEXT_ONLY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}


def write_long_lived(student: SentenceTransformer, folder: Path) -> None:
    """Rewrite what `student.save_pretrained` wrote: the same modules, under names that every version knows.

    Modules moved between packages, and their settings were renamed; version 6 reads the old forms too. A module that
    has no old form stays as it is.
    """
    path = folder / "modules.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    for entry, module in zip(entries, student, strict=True):
        settings = folder / entry["path"] / ("sentence_bert_config.json" if entry["path"] == "" else "config.json")
        entry["type"] = _old_type(module) or entry["type"]
        if isinstance(module, Normalize) and module.module_input_name == module.module_output_name == _ROWS:
            settings.unlink()
        elif (old := _old_settings(module, settings)) is not None:
            _write(settings, old)
    _write(path, entries)


_ROWS = "sentence_embedding"


def _old_type(module: nn.Module) -> str | None:
    """Return ``sentence_transformers.models.<class>`` where that is still this very class."""
    name = f"sentence_transformers.models.{type(module).__name__}"
    try:
        return name if import_from_string(name) is type(module) else None
    except ImportError:
        return None


def _old_settings(module: nn.Module, settings: Path) -> dict[str, Any] | None:
    if isinstance(module, Transformer) and module.modality_config == _TEXT_ONLY:
        # Lower-casing is in the tokenizer by now.
        return {"max_seq_length": module.max_seq_length, "do_lower_case": False}
    if isinstance(module, Pooling):
        modes = [module.pooling_mode] if isinstance(module.pooling_mode, str) else list(module.pooling_mode)
        if modes != [mode for mode in _POOLING if mode in modes]:
            return None
        flags = {old: mode in modes for mode, old in _POOLING.items()}
        width = module.embedding_dimension
        return {"word_embedding_dimension": width, **flags, "include_prompt": module.include_prompt}
    if isinstance(module, Dense) and module.module_input_name == module.module_output_name == _ROWS:
        kept = json.loads(settings.read_text(encoding="utf-8"))
        return {key: value for key, value in kept.items() if not key.startswith("module_")}
    return None


def write_graph_layout(student: SentenceTransformer, folder: Path) -> None:
    """Write the files by which stock tools read texts for a graph, and its output.

    The graph gives finished rows at every token, so that pooling is the mean of equal rows, whatever the teacher's was.
    """
    width = student.get_embedding_dimension()
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    entries = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{name}"}
        for number, (path, name) in enumerate(modules)
    ]
    _write(folder / "modules.json", entries)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": student.max_seq_length, "do_lower_case": False})
    (folder / "1_Pooling").mkdir()
    flags = {old: mode == "mean" for mode, old in _POOLING.items()}
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **flags, "include_prompt": True})
    prompts = {"prompts": student.prompts, "default_prompt_name": student.default_prompt_name}
    similarity = {"similarity_fn_name": student.similarity_fn_name}
    _write(folder / "config_sentence_transformers.json", {**prompts, **similarity})


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
