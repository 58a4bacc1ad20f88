"""Every loss, head, codec and quantizer links the paper that it is from."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "projhead"
LINK = re.compile(r"References\n-+\n(- https://(arxiv\.org/abs/\d{4}\.\d{4,5}|doi\.org/10\.\S+|proceedings\.\S+)\n?)+$")


def _papers() -> list[tuple[str, str]]:
    """Return names and docstrings: of classes where one is an idea, of modules where the idea is a function."""
    found = []
    for path in sorted(
        path for room in ("losses", "heads", "codecs", "quantization") for path in (SOURCE / room).glob("*.py")
    ):
        tree, name = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(SOURCE).as_posix()
        if path.parent.name == "quantization":
            made = [one.name for one in tree.body if isinstance(one, ast.FunctionDef)]
            if any(one.startswith("quantize") for one in made):
                found.append((name, ast.get_docstring(tree) or ""))
            continue
        classes = [one for one in tree.body if isinstance(one, ast.ClassDef) and not one.name.startswith(("_", "Base"))]
        found += [(f"{name}:{one.name}", ast.get_docstring(one) or "") for one in classes]
    return found


@pytest.mark.parametrize(("name", "said"), _papers(), ids=[name for name, _ in _papers()])
def test_what_is_of_a_paper_links_it(name: str, said: str) -> None:
    assert LINK.search(said.strip()), (
        f"{name} links no paper: end its docstring with References and - https://arxiv.org/..."
    )
