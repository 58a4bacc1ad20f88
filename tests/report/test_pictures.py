import re

import numpy as np
import pandas as pd
import pytest

from projhead.report import pictures
from projhead.report.rows import frame_of, is_export, roles_of


@pytest.fixture
def frame(results):
    return frame_of(results)


def drawn_lines(svg, color):
    """Return the points of the widest polyline of a color, in the drawing's units."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*style="fill: none; stroke: {color}', svg)
    points = [[tuple(map(float, pair)) for pair in re.findall(r"[ML] (\S+) (\S+)", path)] for path in paths]
    return np.array(max(points, key=lambda line: line[-1][0] - line[0][0]))


def test_retention_is_drawn_where_the_rows_say(frame):
    measured = frame[~is_export(frame)]
    looks = pictures.styles(roles_of(measured[~measured["full"]], "series"))
    found = list(pictures.retention(measured, looks))
    assert [picture.title for picture in found] == [
        "retrieval/scifact, nDCG@10", "sts/stsb, Spearman", "neighbor_overlap/docstrings, overlap@10",
    ]  # fmt: skip
    rows = measured[(measured["metric"] == "ndcg@10") & ~measured["paired"]].set_index("reducer")
    kept, heights = [], []
    for name in ("learned", "pca", "pca_whitened", "random_projection"):
        kept += list(rows.loc[name].sort_values("n_components")["kept_value"])
        heights += list(drawn_lines(found[0].svg, looks[name].color)[:, 1])
    slope, base = np.polyfit(kept, heights, 1)
    np.testing.assert_allclose(heights, slope * np.array(kept) + base, atol=1e-3)
    assert slope < 0  # SVG counts downwards
    assert "learned 84.7% at 32, 94.4% at 128" in found[0].alt


def test_points_say_their_values_where_they_are_pointed_at(frame):
    measured = frame[~is_export(frame) & ~frame["paired"] & ~frame["full"] & (frame["metric"] == "ndcg@10")]
    looks = pictures.styles(roles_of(measured, "series"))
    titles = re.findall(r"<title>(.*?)</title>", next(pictures.retention(measured, looks)).svg)
    assert len(titles) == measured.groupby(["series", "n_components"]).ngroups
    row = measured[measured["series"] == "learned"].sort_values("n_components").iloc[0]
    said = f"learned, 32 dimensions: {row.kept_value:.1%} [{row.kept_low:.1%}, {row.kept_high:.1%}]"
    assert said in titles


def test_seeds_are_averaged(frame):
    measured = frame[frame["metric"] == "spearman"]
    looks = pictures.styles({"learned": "subject"})
    one = measured[measured["reducer"].isin(["learned", "teacher"])]
    other = one[one["reducer"] == "learned"].assign(seed=1, kept_value=one["kept_value"] - 0.1)
    (picture,) = pictures.retention(pd.concat([one, other]), looks)
    assert "learned 79.4% at 32, 89.1% at 128" in picture.alt  # 84.4% and 74.4%, 94.1% and 84.1%


def test_the_same_rows_give_the_same_bytes(frame):
    looks = pictures.styles(roles_of(frame, "series"))
    for make in (lambda: pictures.retention(frame[~is_export(frame)], looks), lambda: pictures.exports(frame)):
        assert list(make()) == list(make())


def test_training_curves_skip_blanks_and_put_validation_first(curve):
    frame = pd.read_csv(curve)
    found = list(pictures.training({"run": frame}, pictures.styles({"run": "subject"})))
    assert [picture.title for picture in found] == ["val/overlap@10", "train/loss"]
    assert found[0].alt == "val/overlap@10 against training steps: run from 0.512 to 0.671."
    points = drawn_lines(found[0].svg, "#000000")
    assert len(points) == 3
    assert (points[2, 0] - points[0, 0]) == pytest.approx(2 * (points[1, 0] - points[0, 0]), rel=1e-4)
    assert (points[0, 1] - points[2, 1]) / (points[0, 1] - points[1, 1]) == pytest.approx(0.159 / 0.122, rel=1e-3)


def test_exports_are_bars_in_proportion_and_carry_their_numbers(frame):
    sizes, speeds, parity = pictures.exports(frame[is_export(frame)])
    widths = []
    for bar in re.findall(r'<path d="([^"]*)"[^>]*style="fill: #0072b2', sizes.svg):
        across = [float(x) for x in re.findall(r"[ML] (\S+) ", bar)]
        widths.append(max(across) - min(across))
    assert widths[0] / widths[1] == pytest.approx(91.4 / 23.1, rel=1e-4)
    assert ">641.0<" in speeds.svg
    assert parity.alt == "parity cosine of exports: onnx, 128-d 0.9999998, onnx_int8, 128-d 0.9911."


def test_known_reducers_always_look_the_same_and_no_two_alike():
    names = ["learned", "export:onnx", "something", "pca"]
    looks = pictures.styles(dict.fromkeys(names, "subject"))
    assert looks["pca"] == pictures.styles({"pca": "subject"})["pca"]
    assert len({style.color for style in looks.values()}) == len({style.marker for style in looks.values()}) == 4


def test_ticks_too_near_their_neighbor_have_no_label():
    assert pictures._sparse([16, 32, 64, 250, 256, 384], np.log2(384 / 16)) == ["16", "32", "64", "", "256", "384"]


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'projhead\[report\]'"):
        pictures.swatch(None)
