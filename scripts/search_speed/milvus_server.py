"""Run the tests of Milvus, which take milvus-lite by themselves, against a real server in a temporary folder.

    pip install milvus==2.3.5
    python scripts/search_speed/milvus_server.py [ARGUMENTS OF PYTEST]

The package brings the server itself, for Linux; it listens on free ports of this machine and is gone afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TESTS = [f"tests/{name}.py" for name in ("databases/test_load", "databases/test_milvus_import", "indexes/test_milvus")]
#: Below a server's folder: what it may import.
FILES = "data/imports"


@contextmanager
def milvus_server(root: Path) -> Iterator[str]:
    """Yield host and port of a server whose files are under a folder.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    """
    from milvus import MilvusServer

    server = MilvusServer()
    server.set_base_dir(str(root))
    server.start()
    try:
        yield f"127.0.0.1:{server.listen_port}"
    finally:
        server.stop()


def main() -> None:
    if sys.argv[1:] in (["--help"], ["-h"]):
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as folder, milvus_server(Path(folder)) as server:
        asked = [sys.executable, "-m", "pytest", *_TESTS, "-k", "milvus", *sys.argv[1:]]
        given = {**os.environ, "PROJHEAD_MILVUS_SERVER": server, "PROJHEAD_MILVUS_FILES": f"{folder}/{FILES}"}
        done = subprocess.run(asked, cwd=Path(__file__).parents[2], env=given, check=False)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
