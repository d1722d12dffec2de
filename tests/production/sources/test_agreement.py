"""Ranks and hits: scipy as oracle, ties by hand."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from interp_lab.production.sources.agreement import firsts, hits, kendall, same_first, top_k


class TestKendall:
    def test_is_that_of_scipy_ties_included(self):
        rng = np.random.default_rng(0)
        first, second = rng.integers(4, size=(2, 30, 5)).astype(float)
        found = kendall(first, second)
        oracle = [kendalltau(one, other).statistic for one, other in zip(first, second, strict=True)]
        assert found == pytest.approx(np.array(oracle), nan_ok=True)

    def test_sources_that_a_prompt_does_not_have_do_not_count(self):
        assert kendall(np.array([3.0, 1.0, np.nan]), np.array([2.0, 1.0, np.nan])) == pytest.approx(1.0)
        assert kendall(np.array([3.0, 1.0, np.nan]), np.array([2.0, 1.0, 0.0])) == pytest.approx(1.0)

    def test_what_ranks_nothing_agrees_with_nothing(self):
        assert np.isnan(kendall(np.zeros(3), np.arange(3.0)))


class TestFirsts:
    def test_a_tie_is_a_share_of_a_hit(self):
        scores = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 2.0, 1.0], [5.0, 1.0, np.nan]])
        assert hits(scores, np.array([0, 1, 2, -1])) == pytest.approx([0.5, 1.0, 0.0, np.nan], nan_ok=True)

    def test_of_several_methods_at_once(self):
        scores = np.stack([np.eye(3), np.eye(3)[::-1]])
        assert hits(scores, np.array([0, 1, 2])).tolist() == [[1, 1, 1], [0, 1, 0]]

    def test_the_same_first_where_ties_are_broken_by_lot(self):
        one, other = np.array([1.0, 1.0, 0.0]), np.array([0.0, 3.0, 1.0])
        assert same_first(one, other) == pytest.approx(0.5)
        assert same_first(one, one) == pytest.approx(0.5)
        assert firsts(one).tolist() == [True, True, False]

    def test_the_largest_are_left_out(self):
        assert top_k(np.array([0.1, -3.0, 2.0]), 1) == (True, True, False)
        assert top_k(np.array([0.1, -3.0, 2.0]), 2) == (False, True, False)
        assert top_k(np.array([0.1]), 5) == (False,)
