import re
from dataclasses import replace

import pytest

from projhead.report import speed_picture
from projhead.report.page import write_report
from projhead.report.results import Result
from projhead.report.rows import frame_of

MEASURED = {
    "stock float32": (242.0, 1.0),
    "onnx_int8": (844.0, 0.95),
    "openvino_int8": (1064.0, 0.9),
    "limit of int8 products": (1700.0, None),
}


def rows(metric="teacher_overlap_at_10"):
    for name, values in MEASURED.items():
        for what, value in zip(("texts_per_second", metric), values, strict=True):
            if value is not None:
                yield Result(f"export/{name}", what, value, value, value, "learned", 64, 200, "MiniLM", "")


def drawn(svg, color):
    """Return the places of the marks of a color."""
    marks = re.findall(rf'<use xlink:href="[^"]*" x="(\S+)" y="(\S+)" style="fill: {color}', svg)
    return [tuple(map(float, mark)) for mark in marks]


@pytest.mark.parametrize("metric", ["teacher_overlap_at_10", "overlap_at_10"])
def test_speed_is_drawn_on_a_logarithm_against_what_is_kept(metric):
    frame = frame_of([*rows(metric)])
    looks = speed_picture.legend(frame)
    assert {name: look.color for name, look in looks.items()} == {
        "stock float32": "#0072b2", "onnx_int8": "#d55e00", "openvino_int8": "#d55e00",
    }  # fmt: skip
    assert looks["onnx_int8"].marker != looks["openvino_int8"].marker
    (picture,) = speed_picture.by_speed(frame, looks)
    assert "openvino_int8 1,064 texts/s, 90.0%" in picture.alt
    assert "limit of int8 products 1,700 texts/s" in picture.alt
    (stock,) = drawn(picture.svg, "#0072b2")
    onnx, openvino = drawn(picture.svg, "#d55e00")
    assert (onnx[1] - stock[1]) == pytest.approx(openvino[1] - onnx[1], rel=1e-3)  # 1, 0.95, 0.9
    assert (onnx[0] - stock[0]) / (openvino[0] - stock[0]) == pytest.approx(0.8435, rel=1e-3)  # ratio of logarithms
    assert ">limit of int8 products<" in picture.svg


def test_without_two_to_compare_nothing_is_drawn(results):
    assert not speed_picture.legend(frame_of(results))
    assert not [*speed_picture.by_speed(frame_of(list(rows())[:2]), {})]


def test_a_page_of_exports_alone_says_so(tmp_path):
    text = write_report([*rows()], {}, tmp_path).read_text()
    assert "<h1>MiniLM as exported: size, speed and parity</h1>" in text
    assert "fewer dimensions" not in text
    assert "Orange is projhead" in text


def test_one_export_at_two_widths_is_two_points_with_names_of_their_own():
    wide = [replace(row, n_components=128, value=0.5 * row.value) for row in rows() if row.task == "export/onnx_int8"]
    frame = frame_of([*rows(), *wide])
    looks = speed_picture.legend(frame)
    assert list(looks) == ["stock float32", "onnx_int8, 64 dimensions", "openvino_int8", "onnx_int8, 128 dimensions"]
    assert {look.color for name, look in looks.items() if "onnx" in name} == {"#d55e00"}
    (picture,) = speed_picture.by_speed(frame, looks)
    assert "onnx_int8, 64 dimensions 844 texts/s, 95.0%" in picture.alt
    assert "onnx_int8, 128 dimensions 422 texts/s, 47.5%" in picture.alt
