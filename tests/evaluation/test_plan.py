from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from projhead.commands.in_process import run_verb
from projhead.data import Scores
from projhead.errors import UserError
from projhead.evaluation.bootstrap import Estimate, bootstrap
from projhead.evaluation.choices import Asked, Choice
from projhead.evaluation.plan import Plan, _proven, _rank, plan
from projhead.evaluation.sample import TeacherSample
from projhead.evaluation.target import Form, Held, Target
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.registry import build
from projhead.reducers.pca import PCA
from projhead.reducers.random_projection import RandomProjection
from projhead.settings.check import check
from projhead.settings.options import node_of, option, options_of
from projhead.vectors import Vectors, exact_top_k, unit_rows


def target(**forms: dict[str, object]) -> Target:
    return Target("here", {name: {"how": "", **form} for name, form in forms.items()}, {0: next(iter(forms))})


@pytest.fixture(scope="module")
def sample(rows: Vectors) -> TeacherSample:
    return TeacherSample("rows", EncoderIdentity("t", "0", 32), rows[:500], rows[500:])


def test_where_all_fits_nothing_is_changed_and_no_head_is_trained(sample: TeacherSample) -> None:
    found = plan(sample, target(float32={}, int8={}), rows=1000, memory="1MB", widths=[8])
    one = found.chosen
    assert (one.kind, one.width, one.memory, one.kept) == ("nothing", 32, 128_000, Estimate(1.0, 1.0, 1.0))
    assert found.best_of("head") is None
    assert "verdict: nothing" in str(found)
    assert "No head was trained" in str(found)


def test_codes_go_before_fewer_dimensions_and_keep_what_is_counted_by_hand(sample: TeacherSample) -> None:
    here = target(float32={}, binary={"rescored": 4})
    found = plan(sample, here, rows=1000, memory="20kB", recall=0.9, widths=[8])
    one = found.chosen
    assert (one.kind, one.form.codec, one.row_bytes) == ("bits", "binary", 4)
    order = np.random.default_rng(2).permutation(500)
    learn, held = sample.rows[order[250:]], sample.rows[order[:250]]
    median = np.median(learn, axis=0)
    means = [[learn[side[:, j], j].mean() for j in range(32)] for side in (learn <= median, learn > median)]
    decoded = unit_rows(np.where(held > median, means[1], means[0]))
    best = np.argsort(-sample.queries @ decoded.T, axis=1)[:, :40]
    truth = exact_top_k(sample.queries, held, 10)[1]
    hits = [
        len({*sorted(row, key=lambda i: -query @ held[i])[:10]} & {*true}) / 10
        for query, row, true in zip(sample.queries, best, truth, strict=True)
    ]
    assert one.kept.value == pytest.approx(np.mean(hits), abs=2e-3)
    assert not found.fits(found.choices[-1])


def test_where_codes_are_compared_with_codes_less_is_found(sample: TeacherSample) -> None:
    found = plan(sample, target(binary={}), rows=1000, recall=0.9, widths=[8])
    coded = plan(sample, target(binary={"coded_queries": True}), rows=1000, recall=0.9, widths=[8])
    kept, less = (next(one.kept.value for one in each.choices if one.width == 32) for each in (found, coded))
    assert less < kept - 0.05
    of_chance = 10 / 250
    assert less > 5 * of_chance


def test_with_a_price_the_cheapest_that_finds_enough_is_taken(sample: TeacherSample) -> None:
    noise = RandomProjection(8).fit(sample.rows)
    found = plan(sample, target(float32={}), rows=1000, recall=0.5, price_per_dimension=0.01, widths=[8, 16, 24],
                 reducers=[noise])  # fmt: skip
    enough = [one for one in found.choices if one.estimated >= 0.5 and one.kind != "head"]
    assert found.chosen.money == min(one.money or 0 for one in enough)
    assert found.chosen.money == pytest.approx(1000 * found.chosen.width * 0.01)
    assert found.chosen.kind == "PCA"


def choice(kind: str, shares: list[float], memory: int, codec: str = "float32") -> Choice:
    scores = Scores("plan", "recall@10", np.array(shares))
    kept = bootstrap(scores)
    return Choice(kind, kind, 8, Form("", codec=codec), 8, memory, None, scores, kept, kept.value)


def test_a_head_is_advised_only_where_it_is_beyond_doubt_better_than_all_that_costs_no_more() -> None:
    here, asked = target(float32={}), Asked(1, 1000, 0.5)
    head = choice("head", [0.7, 0.8, 0.6, 0.7] * 10, 100)
    worse, level = choice("PCA", [0.6, 0.7, 0.5, 0.6] * 10, 100), choice("PCA", [0.8, 0.6, 0.7, 0.7] * 10, 100)
    dear = choice("bits", [0.9] * 40, 200)
    assert _proven(head, [head, worse], asked, here)
    assert not _proven(head, [head, worse, level], asked, here)
    assert _proven(head, [head, worse, dear], asked, here)  # it costs more
    assert not _proven(head, [head, worse, replace(dear, memory=100)], asked, here)
    strict = replace(asked, recall=0.95)  # which nothing reaches: now what is found decides
    assert not _proven(head, [head, worse, dear], strict, here)
    assert _proven(head, [head, worse, replace(dear, memory=2000)], strict, here)  # it does not fit


def test_beside_a_head_is_what_it_had_to_beat(sample: TeacherSample) -> None:
    head, cheap = choice("head", [0.7, 0.8, 0.6, 0.7] * 10, 100), choice("PCA", [0.5, 0.7, 0.5, 0.6] * 10, 100)
    dear = choice("PCA", [0.9] * 40, 200)
    found = Plan([head, dear, cheap], head, target(float32={}), Asked(1, 1000, 0.5), sample, 250)
    assert found.rival is cheap
    less = found.difference(cheap)
    assert (
        f"70.0% estimated; +12.5 [{100 * less.low:+.1f}, {100 * less.high:+.1f}] points over the best" in found.verdict
    )
    assert found.table.count("| PCA (PCA)") == 2
    assert replace(found, choices=[head, dear]).rival is None


def test_least_is_changed_first_and_what_fits_goes_before_what_does_not() -> None:
    here, asked = target(float32={}), Asked(1, 1000, 0.5)
    sound = [0.8] * 20
    order = [choice("nothing", sound, 900), choice("bits", sound, 500), choice("head", sound, 50),
             choice("PCA", sound, 90), choice("PCA", [0.7] * 20, 90),
             choice("bits", [0.4] * 20, 20), choice("nothing", sound, 1001)]  # fmt: skip
    assert sorted(order[::-1], key=lambda one: _rank(one, asked, here)) == order
    priced = [replace(one, money=2.0) for one in (choice("PCA", [0.8] * 20, 90), choice("PCA", [0.7] * 20, 90))]
    assert sorted(priced[::-1], key=lambda one: _rank(one, asked, here)) == priced


@pytest.mark.parametrize("name", options_of("target"))
def test_every_target_takes_a_common_width_when_left_alone(name: str) -> None:
    node = node_of("target", name)
    one = Target(**{key: value for key, value in node.items() if key != "_target_"})
    for width in (128, 384, 768, 1536):
        assert one.alone(width) in [form.codec for form in one.forms if form.takes(width)]
    known = options_of("codec")
    assert {form.codec.partition(":")[0] for form in one.forms} <= set(known)


def test_an_engine_may_hold_fewer_dimensions_in_more_bytes() -> None:
    node = node_of("target", "elasticsearch")
    one = Target(**{key: value for key, value in node.items() if key != "_target_"})
    assert (one.alone(128), one.alone(383), one.alone(384)) == ("int8", "int8", "rabitq")
    assert Target("t", {"float32": Held("", to_width=2000)}, {0: "float32"}).widest == 2000


def test_a_target_says_what_it_does_not_know() -> None:
    sound = {"name": "t", "default": {0: "int8"}}
    for held, said in [
        ({"how": "", "bytes": 2}, r"forms.int8.bytes: no such setting"),
        ({"how": "", "to_width": -7}, r"forms.int8.to_width: got -7, expected a whole number of at least 1, or null"),
        ({}, r"forms.int8.how: not given, expected text"),
        (3, r"forms.int8: got 3, expected settings"),
    ]:
        with pytest.raises(UserError, match=rf"target.{said}"):
            check({**sound, "forms": {"int8": held}}, Target, "target")
    with pytest.raises(UserError, match=r"target.default: expected of int8, got float32"):
        Target("t", {"int8": Held("")}, {0: "float32"})


def test_the_verb_writes_every_way(rows: Vectors, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "rows.npy", rows)
    given = ["encoder=precomputed", f"encoder.path={tmp_path / 'rows.npy'}", "rows=1000", "memory=1MB"]
    assert run_verb("plan", [*given, "target=elasticsearch", "recall=0.9"], tmp_path / "run") > 0.9
    said = capsys.readouterr().out
    assert "verdict: nothing. Elasticsearch holds all 32 dimensions as int8" in said
    written = (tmp_path / "run" / "plan.md").read_text()
    assert written.count("\n| ") > said.count("\n| ")


def test_a_row_takes_what_its_code_is_filled_up_to_and_what_lies_beside_it() -> None:
    forms = {
        "float32": Held(""),
        "int8": Held("", overhead=36, multiple_of=64),
        "binary": Held("", overhead=0, multiple_of=64, at_least=256),
    }
    here = {form.codec: form for form in Target("t", forms, {0: "float32"}, overhead=20).forms}
    taken = {
        (name, width): here[name].row_bytes(build(option("codec", name), "codec"), width)
        for name in here
        for width in (32, 320)
    }
    assert taken == {
        ("float32", 32): 148, ("float32", 320): 1300, ("int8", 32): 100, ("int8", 320): 356,
        ("binary", 32): 32, ("binary", 320): 40,
    }  # fmt: skip


def test_a_head_of_another_teacher_is_refused(rows: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows)
    pca = PCA(n_components=16).fit(rows)
    pca.teacher_ = EncoderIdentity("other", "0" * 16, 32)
    pca.save(tmp_path / "pca")
    given = ["encoder=precomputed", f"encoder.path={tmp_path / 'rows.npy'}", f"artifact={tmp_path / 'pca'}"]
    with pytest.raises(
        ValueError, match=r"pca: expected vectors of other \(.*got those of rows .* choose that teacher"
    ):
        run_verb("plan", given, tmp_path / "run")
