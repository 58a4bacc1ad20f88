"""Database addresses without passwords or tokens."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from projhead.errors import UserError

_SECRET = re.compile(r"pass|token|secret|key", re.IGNORECASE)


def checked_address(address: str) -> str:
    """Return an address, refusing one with a secret in it without repeating it.

    Raises
    ------
    UserError
        If it has no scheme, or holds a password, a token or a key.
    """
    scheme, mark, _ = address.partition("://")
    if not mark or not scheme:
        raise UserError(f"address: expected one such as postgresql://user@host/db, got {address!r:.80}")
    parts = urlsplit(address)
    if parts.password or any(_SECRET.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise UserError(
            "address: it holds a password or a token, which would be printed and logged: leave it out, and set "
            "PGPASSWORD (or ~/.pgpass), MILVUS_TOKEN or QDRANT_API_KEY instead"
        )
    return address


def place(address: str) -> tuple[str | None, str]:
    """Return host with port and an empty path, or None and the path of a file or folder where no port is named.

    ``milvus://localhost:19530`` is a server, ``milvus://rows.db`` and ``milvus:///data/rows.db`` are files.
    """
    rest = checked_address(address).partition("://")[2]
    return (rest, "") if re.fullmatch(r"[\w.-]+:\d+/?", rest) else (None, rest)
