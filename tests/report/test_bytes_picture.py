import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from projhead.report import bytes_picture
from projhead.report.page import write_report
from projhead.report.pictures import GREY
from projhead.report.rows import family, frame_of, is_export

#: Codec: bytes per dimension (or of the whole vector), share kept.
CODECS = {"float32": (4, 1), "int8": (1, 0.99), "pq_16": (None, 0.8), "pq_32": (None, 0.9)}


def stored(results):
    """The rows of 'evaluate' again for each codec."""
    rows = []
    for row in results:
        for codec, (per_dimension, share) in CODECS.items():
            size = per_dimension * row.n_components if per_dimension else int(codec[3:])
            ends = {end: getattr(row, end) * share for end in ("value", "low", "high")}
            if not row.task.startswith("export/"):
                rows.append(replace(row, codec=codec, bytes_per_vector=size, **ends))
    return rows


@pytest.fixture
def frame(results):
    return frame_of(stored(results))


def test_lines_are_reducers_and_kinds_of_codecs_in_numbers_worked_out_by_hand(frame):
    pictures = list(bytes_picture.by_bytes(frame, bytes_picture.legend(frame)))
    assert [picture.title for picture in pictures] == [
        "retrieval/scifact, nDCG@10", "sts/stsb, Spearman", "neighbor_overlap/docstrings, overlap@10",
        "retrieval/scifact, recall@10",
    ]  # fmt: skip
    words = pictures[0].alt.removeprefix("Retention against bytes per vector on retrieval/scifact, nDCG@10. ")
    learned = [0.93**2 * 0.979, 0.93**0.5 * 0.979]  # at 32 and at 128 dimensions
    assert words.rstrip(".").split("; ")[:7] == [
        "teacher, float32 100.0% at 1536",
        "teacher, int8 99.0% at 384",
        "teacher, pq 80.0% at 16, 90.0% at 32",
        f"learned, float32 {learned[0]:.1%} at 128, {learned[1]:.1%} at 512",
        f"learned, int8 {0.99 * learned[0]:.1%} at 32, {0.99 * learned[1]:.1%} at 128",
        f"learned 32-d, pq {0.8 * learned[0]:.1%} at 16, {0.9 * learned[0]:.1%} at 32",
        f"learned 128-d, pq {0.8 * learned[1]:.1%} at 16, {0.9 * learned[1]:.1%} at 32",
    ]
    assert "pca_uncentered, float32" in words  # the best PCA form, and no other baseline
    assert not re.search("pca_whitened|pca,|random|truncation", words)


def test_points_are_drawn_where_the_rows_say(frame):
    looks = bytes_picture.legend(frame)
    svg = next(bytes_picture.by_bytes(frame, looks)).svg
    paths = re.findall(rf'<path d="([^"]*)"[^>]*style="fill: none; stroke: {looks.colors["learned"].color}', svg)
    points = [[tuple(map(float, pair)) for pair in re.findall(r"[ML] (\S+) (\S+)", path)] for path in paths]
    lines = sorted((line for line in points if len(line) == 2 and line[0][0] != line[1][0]), key=lambda line: line[0])
    across = [line[1][0] - line[0][0] for line in lines]
    np.testing.assert_allclose(across, np.array([1, 1, 2, 2]) * across[0], rtol=1e-4)  # 16 to 32, and fourfold
    kept = [0.93**2 * 0.979, 0.93**0.5 * 0.979]
    rises = {round(line[0][1] - line[1][1], 3) for line in lines}
    scale = (lines[3][0][1] - lines[3][1][1]) / (kept[1] - kept[0])
    expected = [0.1 * kept[0], 0.1 * kept[1], 0.99 * (kept[1] - kept[0]), kept[1] - kept[0]]
    np.testing.assert_allclose(sorted(rises), np.sort(expected) * scale, rtol=1e-3)


def test_codecs_of_the_teachers_own_rows_have_a_color_each(frame):
    looks = bytes_picture.legend(frame)
    own = {looks.markers["int8"].color, looks.markers["pq"].color}
    assert len(own) == 2
    assert not own & {GREY, *(look.color for look in looks.colors.values())}
    svg = next(bytes_picture.by_bytes(frame, looks)).svg
    assert all(f"stroke: {color}" in svg for color in own)
    without = bytes_picture.legend(frame[(frame["reducer"] != "teacher") | (frame["codec"] == "float32")])
    assert without.markers["int8"].color == GREY


def test_what_keeps_far_less_is_out_of_the_picture(frame):
    def ends(rows):
        svg = next(bytes_picture.by_bytes(rows, bytes_picture.legend(rows))).svg
        return [float(share) for share in re.findall(r">(\d+)%<", svg)]

    rows = frame[frame["metric"] == "ndcg@10"]
    low = rows.assign(kept_value=rows["kept_value"].where(rows["reducer"] != "pca_uncentered", 0.02))
    assert min(ends(low)) > 40


def test_seeds_are_averaged(frame):
    rows = frame[(frame["metric"] == "spearman") & frame["reducer"].isin(["teacher", "learned"])]
    other = rows[rows["reducer"] == "learned"].assign(seed=1, kept_value=rows["kept_value"] - 0.1)
    both = pd.concat([rows, other])
    (one,), (mean,) = (list(bytes_picture.by_bytes(part, bytes_picture.legend(part))) for part in (rows, both))
    first, second = (float(re.search(r"learned, float32 (\S+)% at 128", one.alt)[1]) for one in (one, mean))
    assert second == pytest.approx(first - 5, abs=0.11)


def test_the_page_always_has_it_and_says_where_no_codes_were_measured(results, tmp_path):
    without = write_report(results, {}, tmp_path / "one").read_text()
    exports = [row for row in results if row.task.startswith("export/")]
    text = write_report([*stored(results), *exports], {}, tmp_path / "two").read_text()
    for page, said in ((without, True), (text, False)):
        assert page.count('aria-label="Retention against bytes per vector') > 2
        assert ("No codes were" in page) is said
    assert "Retention against bytes" not in write_report(exports, {}, tmp_path / "three").read_text()
    # Dimensions are compared in float32, as without codecs.
    of = [re.findall(r'aria-label="(Retention against dimensions [^"]*)"', one) for one in (without, text)]
    assert of[0] == of[1]
    assert len(of[0]) == 3


def test_the_same_rows_give_the_same_bytes(frame):
    assert list(bytes_picture.by_bytes(frame, bytes_picture.legend(frame))) == list(
        bytes_picture.by_bytes(frame, bytes_picture.legend(frame))
    )
    assert not is_export(frame).any()


def test_a_codecs_kind_is_its_name_without_its_size():
    names = ["pq_32", "rotated_binary_256", "int8", "float16", "binary", "pq_32 (my_docs_7)"]
    assert [family(name) for name in names] == [
        "pq", "rotated_binary", "int8", "float16", "binary", "pq (my_docs_7)",
    ]  # fmt: skip


def test_where_no_baseline_was_measured_in_float32_the_best_stored_one_is_drawn(frame):
    rows = frame[(frame["role"] != "baseline") | (frame["codec"] != "float32")]
    words = next(bytes_picture.by_bytes(rows, bytes_picture.legend(rows))).alt
    assert "pca_uncentered, int8" in words
    assert "pca_whitened" not in words
