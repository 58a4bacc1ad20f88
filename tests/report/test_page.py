import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from projhead.report.findings import findings
from projhead.report.page import write_report
from projhead.report.rows import frame_of
from projhead.report.tables import markdown


class Page(HTMLParser):
    """The tags and attributes of a page, and the cells of its large tables."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.cells, self.inside, self.large = set(), [], [], None, False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        self.inside = self.inside if tag == "wbr" else tag
        if tag == "table":
            self.large = ("class", "data") in attributes
        if tag == "td" and self.large:
            self.cells.append("")

    def handle_data(self, data):
        if self.inside == "td" and self.large:
            self.cells[-1] += data.replace("\u00a0", " ")  # which keep an interval on one line

    def handle_endtag(self, tag):
        self.inside = None


def write(results, folder, curves=None):
    return write_report(results, curves or {}, folder / "report").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(results, curve, tmp_path_factory):
    """The report of the results and a curve; drawing takes a second."""
    return write_report(results, {"run": curve}, tmp_path_factory.mktemp("page") / "report")


@pytest.fixture(scope="module")
def page(report):
    return report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def few(results):
    """One task's results and the exports', quickly drawn."""
    return [row for row in results if row.task.startswith(("retrieval/", "export/"))]


def test_the_page_and_the_tables_say_the_same(results, report, page):
    page = Page(page)
    tables = (report.parent / "tables.md").read_text(encoding="utf-8")
    assert tables == markdown(results) + "\n"
    lines = [line for line in tables.splitlines() if re.match(r"\| [^-]", line) and "dimensions" not in line]
    assert page.cells == [cell.strip() for line in lines for cell in line.strip("|").split("|")]


def test_every_number_in_the_tables_comes_from_the_rows(results, page):
    full = {(row.task, row.metric): row.value for row in results if row.reducer == "teacher"}
    expected = {str(row.n_components) for row in results} | {row.reducer for row in results}
    for row in results:
        ends = (row.value, row.low, row.high)
        whole = 1 if row.metric.startswith("overlap") else full.get((row.task, row.metric), 1)
        value, low, high = (f"{end / whole:.1%}" for end in ends)
        expected |= {"{:.3f} [{:.3f}, {:.3f}]".format(*ends), value, f"{value} [{low}, {high}]"}
        expected |= {"{:+.3f} [{:+.3f}, {:+.3f}]".format(*ends) + f" to {row.baseline}", row.task.split("/")[1]}
    expected |= {"91.4", "23.1", "374.0", "641.0", "0.9999998", "0.9911"}
    assert set(Page(page).cells) <= expected


def test_another_number_in_a_row_is_another_number_on_the_page(few, tmp_path):
    pages = {write(few, tmp_path)}
    for which, field in ((0, "value"), (8, "low"), (14, "high"), (7, "value"), (-1, "value")):
        changed = [*few]
        changed[which] = replace(few[which], **{field: getattr(few[which], field) * 1.01})
        pages.add(write(changed, tmp_path))
    assert len(pages) == 6


def test_the_same_rows_give_the_same_page(results, curve, page, tmp_path):
    assert write(results, tmp_path, {"run": curve}) == page


def test_cards_show_every_width_in_one_unit_and_losses_like_gains(results, few, page, tmp_path):
    first = findings(frame_of(results))[0]
    assert (first.task, first.metric, [row.width for row in first.rows]) == ("retrieval/scifact", "nDCG@10", [32, 128])
    # 0.93 ** 2 * 0.979 and 0.86 ** 2 * 0.979 of the teacher's; the interval is -.0203 and +.0191 over its 0.645.
    assert first.rows[0] == (32, "learned", "84.7%", "pca_uncentered", "72.4%", "+12.3 [+9.1, +15.2]", "gain")
    body = page.partition("<body>")[2].replace("<wbr>", "")
    text = " ".join(re.sub(r"<[^>]*>", " ", body).split())
    assert "32 84.7% learned 72.4% pca_uncentered +12.3 [+9.1, +15.2] a clear gain" in text
    worse = [replace(row, high=-0.01, low=-0.02, value=-0.015) if row.baseline else row for row in few]
    assert {row.verdict for one in findings(frame_of(worse)) for row in one.rows} == {"loss"}
    assert write(worse, tmp_path).count("a clear loss") == sum(len(one.rows) for one in findings(frame_of(worse)))


def test_seeds_are_averaged_and_one_measurement_is_one_card(results):
    again = [replace(row, seed=1, value=row.value + 0.0129) for row in results if row.role == "subject"]
    first = findings(frame_of([*results, *again]))[0].rows[0]
    # 1.29 points of the metric are 2 of retention: the mean is one more, the deviation the root of two.
    assert (first.kept, first.difference) == ("85.7% ± 1.4", "+13.3 [+9.1, +15.2]")
    mixed = [replace(row, low=-0.01) if row.baseline else row for row in again]
    assert findings(frame_of([*results, *mixed]))[0].rows[0].verdict == "level"
    twice = [replace(row, task="neighbor_overlap/held-out") for row in results if row.task.startswith("neighbor")]
    names = [one.task for one in findings(frame_of([*results, *twice]))]
    assert names == ["retrieval/scifact", "sts/stsb", "neighbor_overlap/docstrings, neighbor_overlap/held-out"]


def test_bold_is_the_best_of_its_size_whoever_that_is(few, tmp_path):
    def bold(rows):
        return re.findall(r'<td class="best">([^<\u00a0]*)', write(rows, tmp_path))

    better = [
        replace(row, value=2 * row.value)
        if row.reducer == "truncation" and row.metric == "ndcg@10" and row.n_components == 32
        else row
        for row in few
    ]
    first, second = bold(few), bold(better)
    assert "137.1%" not in first
    assert len(first) == len(second) == 16
    assert "95.9%" in second  # 2 * 0.7 ** 2 * 0.979


def test_the_best_of_several_seeds_is_best_by_their_mean_and_no_seed_is_bold(results, tmp_path):
    task = [row for row in results if row.task == "sts/stsb" and row.n_components == 32 and not row.baseline]
    lucky = [
        replace(row, seed=seed, value=value)
        for row in task
        if row.reducer == "truncation"
        for seed, value in ((1, 0.81), (2, 0.1))
    ]
    page = write([*task, *lucky], tmp_path)
    bold = re.findall(r'<td class="best">([^<\u00a0]*)', page)
    best = next(row.value for row in task if row.reducer == "learned")
    assert bold == [f"{best:.3f}"]
    assert page.count("0.810") > 0


@pytest.mark.parametrize(
    "fields",
    [
        ("encoder", "fingerprint", "commit"),
        ("task", "metric", "reducer", "encoder", "fingerprint", "baseline", "codec", "index", "commit"),
    ],
)
def test_a_strangers_names_stay_text(few, curve, tmp_path, fields):
    name = "\"'><script>alert(1)</script>&amp;$x^{2$ {{ 123456789 * 7 }}"
    evil = [
        replace(row, **{field: getattr(row, field) and getattr(row, field) + name for field in fields}) for row in few
    ]
    text = write(evil, tmp_path, {name: curve})
    page = Page(text)
    assert "{{ 123456789 * 7 }}" in text
    assert str(123456789 * 7) not in text
    assert text.count("<script") == 1
    assert re.search(r"script-src 'sha256-[\w+/]{43}='", text)
    assert page.tags.isdisjoint({"img", "iframe", "object"})
    assert not [key for key, _ in page.attributes if key.startswith("on") or "script" in key]


def test_the_page_asks_no_network(page):
    script, page = page.partition("<script>")[2], Page(page)
    assert page.tags.isdisjoint({"img", "iframe"})
    assert not re.search(r"fetch|import|XMLHttp|src=", script)
    for key, value in page.attributes:
        if key in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:"))
        if not key.startswith("xmlns"):
            assert "://" not in (value or "")


def test_parts_without_rows_are_left_out(few, tmp_path):
    exports = [row for row in few if row.task.startswith("export/")]
    text = write(exports, tmp_path / "exports")
    assert "Exports" in text
    assert "Retention against dimensions" not in text
    assert "Training" not in text
    tasks = write([row for row in few if not row.task.startswith("export/")], tmp_path / "tasks")
    assert "<h2>Exports" not in tasks


def test_where_it_comes_from_is_said(few, tmp_path):
    text = write([replace(row, seed=7) for row in few], tmp_path)
    assert "MiniLM, fingerprint <code>0123456789abcdef</code>" in text
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


def test_a_page_of_the_users_stays_and_an_older_report_goes(few, tmp_path):
    (tmp_path / "index.html").write_text("his")
    with pytest.raises(FileExistsError, match=r"is not empty \(index\.html\), and not a report: .*overwrite=true"):
        write_report(few, {}, tmp_path)
    assert (tmp_path / "index.html").read_text() == "his"
    assert not (tmp_path / "tables.md").exists()
    write_report(few, {}, tmp_path, overwrite=True)
    first = (tmp_path / "index.html").read_text()
    write_report(few, {}, tmp_path)  # ours by now
    assert (tmp_path / "index.html").read_text() == first != "his"
