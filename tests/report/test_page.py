import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from projhead.report.page import _findings, write_report
from projhead.report.rows import frame_of
from projhead.report.tables import markdown


class Page(HTMLParser):
    """The tags, attributes and cells of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.cells, self.inside = set(), [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        self.inside = self.inside if tag == "wbr" else tag
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data):
        if self.inside == "td":
            self.cells[-1] += data.replace("\u00a0", " ")  # which keep an interval on one line

    def handle_endtag(self, tag):
        self.inside = None


def write(results, folder, curves=None):
    return write_report(results, curves or {}, folder / "report").read_text(encoding="utf-8")


def test_the_page_and_the_tables_say_the_same(results, curve, tmp_path):
    page = Page(write(results, tmp_path, {"run 1": curve}))
    tables = (tmp_path / "report" / "tables.md").read_text(encoding="utf-8")
    assert tables == markdown(results) + "\n"
    lines = [line for line in tables.splitlines() if re.match(r"\| [^-]", line) and "dimensions" not in line]
    assert page.cells == [cell.strip() for line in lines for cell in line.strip("|").split("|")]


def test_every_number_in_the_tables_comes_from_the_rows(results, tmp_path):
    full = {(row.task, row.metric): row.value for row in results if row.reducer == "teacher"}
    expected = {str(row.n_components) for row in results} | {row.reducer for row in results}
    for row in results:
        ends = (row.value, row.low, row.high)
        whole = 1 if row.metric.startswith("overlap") else full.get((row.task, row.metric), 1)
        value, low, high = (f"{end / whole:.1%}" for end in ends)
        expected |= {"{:.3f} [{:.3f}, {:.3f}]".format(*ends), value, f"{value} [{low}, {high}]"}
        expected |= {"{:+.3f} [{:+.3f}, {:+.3f}]".format(*ends) + f" to {row.baseline}", row.task.split("/")[1]}
    expected |= {"91.4", "23.1", "374.0", "641.0", "0.9999998", "0.9911"}
    assert set(Page(write(results, tmp_path)).cells) <= expected


def test_another_number_in_a_row_is_another_number_on_the_page(results, tmp_path):
    pages = {write(results, tmp_path)}
    for which, field in ((0, "value"), (8, "low"), (14, "high"), (7, "value"), (-1, "value")):
        changed = [*results]
        changed[which] = replace(results[which], **{field: getattr(results[which], field) * 1.01})
        pages.add(write(changed, tmp_path))
    assert len(pages) == 6


def test_the_same_rows_give_the_same_page(results, curve, tmp_path):
    first, second = (write(results, tmp_path / name, {"run": curve}) for name in "ab")
    assert first == second


def test_findings_compare_with_the_best_pca_at_the_fewest_dimensions(results, tmp_path):
    text = " ".join(re.sub(r"<[^>]*>", " ", write(results, tmp_path).partition("<body>")[2]).split())
    # 0.93 ** 2 * 0.979 and 0.86 ** 2 * 0.979 of the teacher's 0.645 nDCG@10.
    assert "nDCG@10 at 32 dimensions 84.7% learned 72.4% pca_uncentered, the best PCA" in text
    assert "+0.079 [+0.059, +0.098], a clear gain" in text
    doubtful = [replace(row, low=-0.01) if row.baseline else row for row in results]
    assert {one.verdict for one in _findings(frame_of(doubtful))} == {"no clear difference"}
    worse = [replace(row, high=-0.01) if row.baseline else row for row in doubtful]
    assert {one.verdict for one in _findings(frame_of(worse))} == {"a clear loss"}


@pytest.mark.parametrize(
    "fields",
    [
        ("encoder", "revision", "commit"),
        ("task", "metric", "reducer", "encoder", "revision", "baseline", "codec", "index", "commit"),
    ],
)
def test_a_strangers_names_stay_text(results, curve, tmp_path, fields):
    name = "\"'><script>alert(1)</script>&amp;$x^{2$ {{ 123456789 * 7 }}"
    evil = [
        replace(row, **{field: getattr(row, field) and getattr(row, field) + name for field in fields})
        for row in results
    ]
    text = write(evil, tmp_path, {name: curve})
    page = Page(text)
    assert "{{ 123456789 * 7 }}" in text
    assert str(123456789 * 7) not in text
    assert "<script" not in text
    assert page.tags.isdisjoint({"script", "img", "iframe", "object"})
    assert not [key for key, _ in page.attributes if key.startswith("on") or "script" in key]


def test_the_page_asks_no_network(results, curve, tmp_path):
    page = Page(write(results, tmp_path / "report", {"run": curve}))
    assert page.tags.isdisjoint({"script", "img", "iframe"})
    for key, value in page.attributes:
        if key in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:"))
        if not key.startswith("xmlns"):
            assert "://" not in (value or "")


def test_parts_without_rows_are_left_out(results, tmp_path):
    exports = [row for row in results if row.task.startswith("export/")]
    text = write(exports, tmp_path / "exports")
    assert "Exports" in text
    assert "Retention against dimensions" not in text
    assert "Training" not in text
    tasks = write([row for row in results if not row.task.startswith("export/")], tmp_path / "tasks")
    assert "<h2>Exports" not in tasks


def test_where_it_comes_from_is_said(results, tmp_path):
    text = write([replace(row, seed=7) for row in results], tmp_path)
    assert "MiniLM, revision <code>0123456789abcdef</code>" in text
    assert "<code>0.1.0+abc1234</code>" in text
    assert "<dt>seed</dt><dd>7</dd>" in text


def test_no_rows_and_damaged_curves_are_refused_and_nothing_is_written(results, tmp_path):
    folder = tmp_path / "report"
    with pytest.raises(ValueError, match="expected at least one result row"):
        write_report([], {}, folder)
    bad = tmp_path / "metrics.csv"
    for content, message in (
        ("", "cannot be read"),
        ("step,loss\n1,x\n", "cannot be read"),
        ("a,b\n1,2\n", "column 'step'"),
    ):
        bad.write_text(content)
        with pytest.raises(ValueError, match=message):
            write_report(results, {"run": bad}, folder)
    with pytest.raises(ValueError, match="cannot be read as training curves"):
        write_report(results, {"run": tmp_path / "nowhere.csv"}, folder)
    assert not folder.exists()


def test_a_page_of_the_users_stays_and_an_older_report_goes(results, tmp_path):
    (tmp_path / "index.html").write_text("his")
    with pytest.raises(FileExistsError, match=r"is not empty \(index\.html\), and not a report: .*overwrite=true"):
        write_report(results, {}, tmp_path)
    assert (tmp_path / "index.html").read_text() == "his"
    assert not (tmp_path / "tables.md").exists()
    write_report(results, {}, tmp_path, overwrite=True)
    first = (tmp_path / "index.html").read_text()
    write_report(results, {}, tmp_path)  # ours by now
    assert (tmp_path / "index.html").read_text() == first != "his"
