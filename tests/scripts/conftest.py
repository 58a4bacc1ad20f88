import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from projhead.vectors import unit_rows

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


@pytest.fixture
def given(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder with a retrieval set, and vectors of it: each query is near the document that it is judged by.

    The test module's ``N`` says of how many documents, its ``D`` of what width.
    """
    n, d = request.module.N, request.module.D
    generator = np.random.default_rng(0)
    topics = generator.standard_normal((12, d))
    rows = topics[generator.integers(12, size=n)] + generator.standard_normal((n, d))
    ids = [str(number) for number in range(n)]
    folder, vectors = tmp_path / "tiny", tmp_path / "vectors"
    (folder / "qrels").mkdir(parents=True)
    vectors.mkdir()
    for name, lines in {"corpus": ids, "queries": ids[::8]}.items():
        content = "\n".join(json.dumps({"_id": one, "text": f"text {one}"}) for one in lines)
        (folder / f"{name}.jsonl").write_text(content)
    judged = "\n".join(f"{one}\t{one}\t1" for one in ids[::8])
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}\n")
    near = unit_rows(rows + 0.5 * generator.standard_normal((n, d)))
    for name, part in {"documents": rows, "sentences": near, "queries": near[::8]}.items():
        np.save(vectors / f"tiny_{name}.npy", unit_rows(part).astype(np.float16))
    pd.DataFrame({"text": ids, "document": range(n)}).to_parquet(vectors / "tiny_sentences.parquet")
    return tmp_path
