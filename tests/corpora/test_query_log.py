from __future__ import annotations

from pathlib import Path

from projhead.corpora.queries import no_queries, query_log


def test_queries_come_from_the_log_not_from_the_documents(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("q\nfirst query\nsecond query\n")
    found = query_log(["a document"], path=str(tmp_path / "log.csv"), column="q")
    assert list(found.texts) == ["first query", "second query"]
    assert no_queries(["a document"]).texts == []
