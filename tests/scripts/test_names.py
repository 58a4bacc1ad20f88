"""Scripts are not run by every change: what they import has to be there all the same."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
FILES = sorted(SCRIPTS.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(SCRIPTS)) for file in FILES])
def test_what_a_script_imports_of_projhead_is_there(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "projhead":
            module = importlib.import_module(str(node.module))
            for name in (alias.name for alias in node.names):
                if not hasattr(module, name):  # a module of a package becomes its attribute once it is imported
                    importlib.import_module(f"{node.module}.{name}")
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "projhead":
                    importlib.import_module(alias.name)
