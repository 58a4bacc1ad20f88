"""Extract the prose of a docstring: sentences without code, tables, headings and markup."""

from __future__ import annotations

import re

_FENCE = re.compile(r"\s*(```|~~~)")
_DOCTEST = re.compile(r"\s*>>>")
#: Directives whose indented content is not prose, and literature references.
_BLOCK = re.compile(r"\s*\.\. *((code|code-block|math|plot|doctest|testcode|ipython|autosummary|figure|image)::|\[)")
#: Other directives, rulers of headings and tables, lone labels ("Args:"), emphasized labels (":Example:").
_LINE = re.compile(r"\s*(\.\. |[-=~^*+|#]{3,}|\||[A-Z][\w ]{0,20}:$|:\w+:$)")
_RULER = re.compile(r"\s*([-=~^])\1{2,}\s*$")
#: "name : type" above an indented description (numpydoc), and "name (type): description" (Google).
_NUMPY_FIELD = re.compile(r"\s*[*`]{0,3}\w[\w*`., ]* : ?\S")
_GOOGLE_FIELD = re.compile(r"^(\s*[*`]{0,3}[\w.]+[`*]{0,3}) \([^)]*\):")
_LIST_ITEM = re.compile(r"^\s*([-*+•]|\d+[.)]) ")
#: :func:`name` and :class:`~package.name` keep the name; other markup goes.
_ROLE = re.compile(r":[\w:]+:`~?([^`<]*)(?: <[^`]*>)?`")
_MARKUP = re.compile(r"`{1,2}|\*{1,2}(?=\S)|(?<=\S)\*{1,2}|\\\w+|^> ?| ?\[\d+\]_|%\(\w+\)s", re.MULTILINE)


def prose(docstring: str) -> str:
    """Return the sentences of a docstring in one line; a paragraph without an end gets a full stop.

    Understands reStructuredText, numpydoc, Google style and Markdown as far as real docstrings keep to them.
    """
    paragraphs: list[list[str]] = [[]]
    lines = docstring.expandtabs().splitlines()
    skipped_below: int | None = None  # inside a block: lines indented deeper than this are left out
    fenced = doctest = False
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        depth = _depth(line)
        if _FENCE.match(line):
            fenced = not fenced
        doctest = bool(line.strip()) and (doctest or bool(_DOCTEST.match(line)))
        if skipped_below is not None and line.strip() and depth <= skipped_below:
            skipped_below = None
        if fenced or doctest or skipped_below is not None or _FENCE.match(line):
            continue
        if _BLOCK.match(line):
            skipped_below = depth
        elif _RULER.match(following) or (_NUMPY_FIELD.match(line) and _depth(following) > depth):
            paragraphs.append([])  # a heading, or the name and type of a field
        elif not line.strip() or _LINE.match(line):
            paragraphs.append([])
        else:
            field = _GOOGLE_FIELD.match(line)
            if field or _LIST_ITEM.match(line):
                paragraphs.append([])
            paragraphs[-1].append(_LIST_ITEM.sub("", _GOOGLE_FIELD.sub(r"\1:", line)))
    texts = (" ".join(_MARKUP.sub("", _ROLE.sub(r"\1", "\n".join(part))).split()) for part in paragraphs)
    return " ".join(text if text[-1] in ".!?" else f"{text.rstrip(':;,')}." for text in texts if text)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
