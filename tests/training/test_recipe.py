from __future__ import annotations

from functools import partial

import pytest
import torch

from projhead.heads.residual_mlp import ResidualMLP
from projhead.training.recipe import filled, make_recipe


def test_queries_mean_an_index_and_vectors_alone_rows_to_come() -> None:
    assert make_recipe(None, 1000, 0, 0.1).purpose == "unseen"
    assert make_recipe(None, 1000, 50, 0.1).purpose == "index"
    assert make_recipe("unseen", 1000, 50, 0.1).purpose == "unseen"
    assert make_recipe("index", 1000, 0, 0.1).purpose == "index"
    with pytest.raises(ValueError, match=r"purpose: expected one of unseen, index, or None .*, got 'all'"):
        make_recipe("all", 1000, 0, 0.1)


def test_more_rows_are_trained_on_longer_and_kept_more_of() -> None:
    few, many = make_recipe("unseen", 1000, 0, 0.1), make_recipe("unseen", 100_000, 0, 0.1)
    assert (few.max_steps, few.blend) == (63, 0.5)
    assert many.max_steps == 400
    assert few.hidden_features < many.hidden_features
    assert few.lr < many.lr
    assert many.blend > 0.98
    assert make_recipe("index", 1000, 0, 0.1).blend == 1
    assert "for the rows that are searched: 800 steps at 3.8e-03, hidden width 4096" in str(
        make_recipe(None, 7500, 28000, 0.1)
    )


def test_the_more_dimensions_are_kept_the_smaller_the_steps() -> None:
    recipes = [make_recipe("index", 18_000, 27_000, share) for share in (1 / 24, 1 / 6, 1 / 3, 3 / 4)]
    assert [one.lr for one in recipes] == pytest.approx([4e-3, 4e-3, 2e-3, 4e-3 / 3])
    assert [one.n_documents for one in recipes] == [2048, 2048, 1024, 1024]


def test_a_step_of_a_large_corpus_chooses_its_documents_and_there_are_fewer() -> None:
    small, large = (make_recipe("index", n, 2 * n, 1 / 12) for n in (24_000, 40_000))
    assert (small.document_pool, small.max_steps) == (0, 800)
    assert (large.document_pool, large.max_steps) == (12_288, 500)
    assert small.n_documents == large.n_documents == 2048
    wide = make_recipe("index", 40_000, 80_000, 1 / 3)
    assert (wide.document_pool, wide.max_steps) == (12_288, 600)
    alone = make_recipe("index", 40_000, 0, 1 / 12)  # compared with documents as they come
    assert (alone.document_pool, alone.max_steps) == (0, 800)


def test_what_is_left_none_follows_and_what_is_given_stays() -> None:
    make = filled(ResidualMLP, hidden_features=7, in_features=5)
    assert make(in_features=3, out_features=2).hidden_features == 7
    assert filled(partial(ResidualMLP, hidden_features=4), hidden_features=7)(3, 2).hidden_features == 4
    assert filled(partial(ResidualMLP, hidden_features=None), hidden_features=7)(3, 2).hidden_features == 7
    weight = [torch.nn.Parameter(torch.zeros(1))]
    assert filled(torch.optim.AdamW, lr=0.5)(weight).param_groups[0]["lr"] == 1e-3
    assert filled(partial(torch.optim.AdamW, lr=None), lr=0.5)(weight).param_groups[0]["lr"] == 0.5
