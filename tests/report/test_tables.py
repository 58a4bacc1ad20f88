from dataclasses import replace

import pytest

from projhead.report.results import Result
from projhead.report.rows import frame_of
from projhead.report.tables import markdown, number, tables


def row(reducer, width, value, low, high, **more):
    role = {"teacher": "reference", "learned": "subject"}.get(reducer, "baseline")
    return Result(
        "retrieval/x", "ndcg@10", value, low, high, reducer, width, 1200, "MiniLM", "0" * 16, role=role, **more
    )


FEW = [
    row("pca", 64, 0.45, 0.4, 0.5),
    row("learned", 64, 0.54, 0.5, 0.58),
    row("teacher", 384, 0.6, 0.55, 0.65),
    row("learned", 128, 0.57, 0.53, 0.61),
    row("learned", 64, 0.09, 0.05, 0.125, baseline="pca"),
]


def cells(text):
    """Return the cells of every table line of Markdown, the rulers left out."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_all_three_tables_of_a_task_worked_out_by_hand():
    text = markdown(FEW)
    assert "### MiniLM: retrieval/x (n = 1,200)" in text
    assert cells(text) == [
        ["reducer", "dimensions", "nDCG@10"],
        ["teacher", "384", "0.600 [0.550, 0.650]"],
        ["learned", "128", "0.570 [0.530, 0.610]"],
        ["learned", "64", "0.540 [0.500, 0.580]"],
        ["pca", "64", "0.450 [0.400, 0.500]"],
        ["reducer", "dimensions", "nDCG@10"],
        ["teacher", "384", "100.0% [91.7%, 108.3%]"],
        ["learned", "128", "95.0% [88.3%, 101.7%]"],
        ["learned", "64", "90.0% [83.3%, 96.7%]"],
        ["pca", "64", "75.0% [66.7%, 83.3%]"],
        ["reducer", "dimensions", "nDCG@10"],
        ["learned", "64", "+0.090 [+0.050, +0.125] to pca"],
    ]


def test_seeds_are_averaged_in_the_overview_and_apart_below():
    more = [row("learned", 64, 0.48, 0.44, 0.52, seed=1), row("pca", 64, 0.45, 0.4, 0.5, seed=1)]
    other = [replace(one, task="retrieval/y", value=one.value + 0.06) for one in [*FEW[:3], more[0]]]
    overview, *rest = tables(frame_of([*FEW, *more, *other]))
    assert "mean ± the standard deviation" in overview.title
    assert overview.header[2:] == ["retrieval/x nDCG@10", "retrieval/y nDCG@10", "mean"]
    # Of the teacher's 0.6 and 0.66 seed 0 keeps 90 and 90.9%, seed 1 keeps 80 and 81.8%.
    assert ["learned", "64", "85.0% ± 7.1", "86.4% ± 6.4", "85.7% ± 6.7"] in overview.rows
    assert ["pca", "64", "75.0%", "77.3%", "76.1%"] in overview.rows
    assert ["learned", "128", "95.0%", "", ""] in overview.rows  # not measured on all tasks
    values = next(table for table in rest if table.section.startswith("MiniLM: retrieval/x"))
    assert values.header == ["reducer", "dimensions", "seed", "nDCG@10"]
    assert ["learned", "64", "1", "0.480 [0.440, 0.520]"] in values.rows


def test_several_tasks_have_an_overview_of_their_leading_metrics(results):
    first = next(iter(tables(frame_of(results))))
    assert first.section == "MiniLM: all tasks"
    assert first.header == [
        "reducer", "dimensions", "retrieval/scifact nDCG@10", "sts/stsb Spearman",
        "neighbor_overlap/docstrings overlap@10",
    ]  # fmt: skip
    assert first.rows[0] == ["teacher", "384", "100.0%", "100.0%", "100.0%"]
    assert [line[:2] for line in first.rows[1:8]] == [
        ["learned", "128"], ["pca", "128"], ["pca_uncentered", "128"], ["pca_whitened", "128"],
        ["random_projection", "128"], ["truncation", "128"], ["learned", "32"],
    ]  # fmt: skip


def test_overlap_is_a_retention_without_the_teachers_row():
    overlaps = [
        replace(one, metric="overlap@10", task=task) for one in FEW[:2] for task in ("held-out", "neighbor_overlap/x")
    ]
    assert cells(markdown(overlaps))[:3] == [
        ["reducer", "dimensions", "held-out overlap@10", "neighbor_overlap/x overlap@10", "mean"],
        ["learned", "64", "54.0%", "54.0%", "54.0%"],
        ["pca", "64", "45.0%", "45.0%", "45.0%"],
    ]


def test_without_the_teacher_there_is_no_retention():
    assert "Retention" not in markdown(FEW[:2])


def test_seeds_and_codecs_are_columns_where_rows_differ_in_them_alone():
    others = [replace(FEW[1], seed=1, value=0.55), replace(FEW[1], codec="int8", value=0.53, bytes_per_vector=64)]
    header, *rows = cells(markdown([*(replace(one, bytes_per_vector=256) for one in (*FEW[:2], others[0])), others[1]]))
    assert header == ["reducer", "dimensions", "codec", "bytes", "seed", "nDCG@10"]
    assert [line[2:5] for line in rows] == [
        ["float32", "256", "0"], ["float32", "256", "1"], ["float32", "256", "0"], ["int8", "64", "0"],
    ]  # fmt: skip
    assert cells(markdown([FEW[0], replace(FEW[1], seed=1)]))[0] == ["reducer", "dimensions", "nDCG@10"]


def test_where_codecs_differ_rows_of_equal_bytes_stand_together_under_the_plain_teacher():
    def stored(one, codec, size):
        return replace(one, codec=codec, bytes_per_vector=size)

    teacher, wide = FEW[2], FEW[3]
    rows = [stored(FEW[1], "float32", 256), stored(wide, "float32", 512), stored(teacher, "pq_64", 64),
            stored(FEW[1], "int8", 64), stored(wide, "int4", 64), stored(teacher, "float32", 1536)]  # fmt: skip
    _, *lines = cells(markdown(rows))[:7]
    assert [line[:4] for line in lines] == [
        ["teacher", "384", "float32", "1536"], ["learned", "128", "float32", "512"],
        ["learned", "64", "float32", "256"], ["teacher", "384", "pq_64", "64"], ["learned", "128", "int4", "64"],
        ["learned", "64", "int8", "64"],
    ]  # fmt: skip


def test_the_last_of_two_measurements_of_one_thing_counts():
    again = replace(FEW[1], value=0.501, commit="newer")
    assert ["learned", "64", "0.501 [0.500, 0.580]"] in cells(markdown([FEW[1], FEW[0], again]))
    assert "0.540" not in markdown([FEW[1], FEW[0], again])


def test_revisions_of_one_teacher_are_not_mixed():
    other = [replace(one, fingerprint="1" * 16, value=one.value / 2) for one in FEW]
    text = markdown([*FEW, *other])
    assert f"### MiniLM ({'0' * 16}): retrieval/x" in text
    assert f"### MiniLM ({'1' * 16}): retrieval/x" in text
    assert cells(text).count(["learned", "64", "90.0% [83.3%, 96.7%]"]) == 1
    assert ["learned", "64", "90.0% [166.7%, 193.3%]"] in cells(text)  # over its own teacher's 0.3


def test_exports_have_their_own_table(results):
    lines = cells(markdown(results))
    start = lines.index(["export", "reducer", "dimensions", "size, MB", "texts per second", "parity cosine"])
    assert lines[start + 1 :] == [
        ["onnx", "learned", "128", "91.4", "374.0", "0.9999998"],
        ["onnx_int8", "learned", "128", "23.1", "641.0", "0.9911"],
    ]


def test_names_neither_break_tables_nor_are_html():
    text = markdown([replace(FEW[0], reducer="a|b\n<script>", task="<img src=x>&")])
    assert ["a\\", "b &lt;script>", "64", "0.450 [0.400, 0.500]"] in cells(text)
    assert "### MiniLM: &lt;img src=x>&amp; (n = 1,200)" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0.000"), (5.1e-7, "5.1e-07"), (0.25, "0.250"), (0.91, "0.910"), (0.9911, "0.9911"),
        (0.99999999, "1.0000000"),
        (1, "1.000"), (-3.14159, "-3.142"), (91.44, "91.4"), (1194.4, "1,194"),
    ],
)  # fmt: skip
def test_numbers_of_any_size_are_short(value, shown):
    assert number(value) == shown


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match=r"expected at least one result row, got none; run 'projhead evaluate'"):
        markdown([])
