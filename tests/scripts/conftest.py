import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the scripts of a folder, named by the test module's ``FOLDER``, find each other as they do when run."""
    found = SCRIPTS / request.module.FOLDER
    monkeypatch.setattr(sys, "path", [str(found), *sys.path])
    before = set(sys.modules)
    yield found
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(SCRIPTS)):
            del sys.modules[name]
