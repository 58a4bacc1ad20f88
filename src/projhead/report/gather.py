"""Find all result rows and training curves below some folders."""

from __future__ import annotations

from pathlib import Path

from projhead.report.results import Result, read_results


def gather(paths: list[Path]) -> tuple[list[Result], dict[str, Path]]:
    """Collect result rows, each once, and the training curves of the runs they came from.

    Raises
    ------
    FileNotFoundError
        If a path holds no results.
    """
    files: dict[Path, str] = {}
    for path in paths:
        found = [path] if path.is_file() else sorted(path.rglob("results.jsonl"))
        if not found:
            raise FileNotFoundError(f"{path}: found no results.jsonl; 'train', 'evaluate' and 'export' write them")
        for file in found:
            # Runs of a sweep are called 0, 1, ...: the way to them tells them apart.
            inside = file.parent.relative_to(path) if path.is_dir() else Path()
            files[file] = inside.as_posix() if inside.parts else file.parent.name
    rows = dict.fromkeys(row for file in files for row in read_results(file))
    curves = {name: file.parent / "logs" / "csv" / "metrics.csv" for file, name in files.items()}
    return list(rows), {name: path for name, path in curves.items() if path.is_file()}
