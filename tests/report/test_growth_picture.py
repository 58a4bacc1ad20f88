import dataclasses

from projhead.report import growth_picture, pictures
from projhead.report.page import write_report
from projhead.report.rows import frame_of, roles_of


def grown(results):
    """Return rows of scifact as of three sizes, at which a quarter less is kept each time."""
    rows = []
    for row in results:
        if row.task == "retrieval/scifact" and row.metric == "ndcg@10" and not row.baseline:
            for place, size in enumerate((1_000, 10_000, 100_000)):
                share = 1 if row.reducer == "teacher" else 0.75**place
                ends = {end: getattr(row, end) * share for end in ("value", "low", "high")}
                task = f"{row.task}, {size:,} documents"
                rows.append(dataclasses.replace(row, task=task, documents=size, **ends))
    return rows


def test_a_panel_for_each_width_shows_what_is_kept_at_every_size(results):
    frame = frame_of(grown(results))
    looks = pictures.styles(roles_of(frame[~frame["full"]], "series"))
    found = list(growth_picture.by_size(frame, looks))
    assert [one.title for one in found] == [
        f"retrieval/scifact, nDCG@10, {width} dimensions" for width in sorted(set(frame["n_components"]) - {384})
    ]
    assert "learned 84.7% at 1,000, 63.5% at 10,000, 47.6% at 100,000" in found[0].alt
    assert "<title>learned, 10000 documents: 63.5% [" in found[0].svg
    assert all(f">{size}</text>" in found[0].svg for size in ("1,000", "10,000", "100,000"))
    assert "$" not in found[0].svg


def test_a_corpus_of_one_size_is_no_growth(results):
    frame = frame_of([row for row in grown(results) if row.documents == 1_000])
    looks = pictures.styles(roles_of(frame[~frame["full"]], "series"))
    assert not list(growth_picture.by_size(frame, looks))


def test_the_report_shows_growth_by_itself(results, tmp_path):
    page = write_report([*results, *grown(results)], {}, tmp_path / "r").read_text()
    assert page.count("<h2>Retention as the corpus grows</h2>") == 1
    assert page.count("Retention against dimensions on retrieval/scifact, nDCG@10.") == 1
    assert "Retention against dimensions on retrieval/scifact, 1,000 documents" not in page
