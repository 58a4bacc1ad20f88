import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from projhead.vectors import exact_top_k, neighbor_overlap, neighbors, unit_rows


def random_rows(n, d, seed=0):
    return unit_rows(np.random.default_rng(seed).standard_normal((n, d)))


def test_unit_rows_have_length_one_and_zero_rows_stay():
    rows = unit_rows([[3, 4], [0, 0], [-2, 0]])
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0], [-1, 0]])
    assert rows.dtype == np.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_unit_rows_name_the_row_that_is_not_finite(bad):
    with pytest.raises(ValueError, match=r"teacher: expected finite values.*first in row 1"):
        unit_rows([[1.0, 0.0], [bad, 1.0]], "teacher")


def test_unit_rows_refuse_one_dimension():
    with pytest.raises(ValueError, match=r"expected 2 dimensions \(n, d\), got shape \(3,\)"):
        unit_rows([1.0, 2.0, 3.0])


@pytest.mark.parametrize("block", [neighbors._BLOCK, 700])
def test_exact_top_k_agrees_with_scikit_learn(monkeypatch, block):
    monkeypatch.setattr(neighbors, "_BLOCK", block)  # 700 similarities: several blocks of 7 queries
    queries, rows = random_rows(50, 8, seed=1), random_rows(100, 8)
    scores, indices = exact_top_k(queries, rows, 5)
    distances, expected = NearestNeighbors(n_neighbors=5, metric="cosine").fit(rows).kneighbors(queries)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(scores, 1 - distances, atol=1e-6)


def test_exact_top_k_gives_no_more_than_there_is_and_reads_memory_that_cannot_be_written():
    rows = random_rows(3, 4)
    rows.flags.writeable = False
    scores, indices = exact_top_k(rows, rows, 10)
    assert scores.shape == indices.shape == (3, 3)
    np.testing.assert_array_equal(indices[:, 0], [0, 1, 2])


def test_exact_top_k_refuses_other_widths_and_no_neighbors():
    with pytest.raises(ValueError, match="expected width 4, that of the rows, got 5"):
        exact_top_k(random_rows(2, 5), random_rows(3, 4), 1)
    with pytest.raises(ValueError, match="top_k: expected a positive number, got 0"):
        exact_top_k(random_rows(2, 4), random_rows(3, 4), 0)


def naive_overlap(reference, reduced, k):
    def nearest(rows):
        similarity = rows @ rows.T
        np.fill_diagonal(similarity, -np.inf)
        return [set(order[:k]) for order in np.argsort(-similarity, axis=1)]

    return [len(a & b) / k for a, b in zip(nearest(reference), nearest(reduced), strict=True)]


@pytest.mark.parametrize("block", [neighbors._BLOCK, 900])
def test_overlap_without_ties_is_the_share_of_common_neighbors(monkeypatch, block):
    monkeypatch.setattr(neighbors, "_BLOCK", block)
    reference = random_rows(90, 16)
    reduced = unit_rows(reference[:, :5])
    overlap = neighbor_overlap(reference, reduced, [1, 10, 40])
    for column, k in enumerate([1, 10, 40]):
        np.testing.assert_allclose(overlap[:, column], naive_overlap(reference, reduced, k), atol=1e-6)


def test_overlap_counts_ties_by_expectation():
    # All reduced rows are one point: of 4 others a random 2 hold each true one half the time.
    reference = random_rows(5, 3)
    level = unit_rows(np.ones((5, 2)))
    np.testing.assert_allclose(neighbor_overlap(reference, level, [2]), np.full((5, 1), 0.5), atol=1e-6)


def test_overlap_lets_any_of_the_teachers_ties_count():
    # To the teacher rows 1 and 2 are equally near to row 0: either is a right answer.
    reference = unit_rows([[1, 0], [0.8, 0.6], [0.8, -0.6], [-1, 0]])
    for favorite in (1, 2):
        reduced = np.array([[1, 0], [0, 1], [0, 1], [-1, 0]], dtype=np.float32)
        reduced[favorite] = [1, 0]
        assert neighbor_overlap(reference, reduced, [1])[0, 0] == 1


def test_overlap_refuses_too_few_rows_and_unequal_ones():
    with pytest.raises(ValueError, match="overlap of the 10 nearest needs more rows than that, got 10"):
        neighbor_overlap(random_rows(10, 3), random_rows(10, 2), [1, 10])
    with pytest.raises(ValueError, match=r"expected as many reduced rows as reference rows \(4\), got 5"):
        neighbor_overlap(random_rows(4, 3), random_rows(5, 2), [1])
    with pytest.raises(ValueError, match=r"expected as many reduced rows as reference rows \(4\), got 5"):
        neighbor_overlap(random_rows(4, 3), random_rows(4, 2), [1], queries=random_rows(5, 2))
    with pytest.raises(ValueError, match="top_k: expected positive numbers"):
        neighbor_overlap(random_rows(4, 3), random_rows(4, 2), [0, 1])
