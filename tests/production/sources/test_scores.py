"""What sums of scores foretell: scipy as oracle."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import spearmanr

from interp_lab.production.sources.scores import _foretold

KEPT = list(product((True, False), repeat=3))[2:]


def test_is_the_rank_correlation_of_sums_with_what_is_there():
    scores, actual = np.array([[1.0, 2.0, 5.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), np.exp([3.0, 1, 5, 2, 0, 4])
    found = _foretold(scores, KEPT, actual)
    for row in (0, 1):
        assert found[row] == pytest.approx(spearmanr(scores[row] @ np.array(KEPT).T, actual).statistic)
    assert np.isnan(found[2])  # it foretells nothing


def test_is_1_where_the_order_is_right_whatever_the_sizes():
    sums = np.array(KEPT) @ np.array([1.0, 2.0, 4.0])
    assert _foretold(np.array([[1.0, 2.0, 4.0]]), KEPT, np.exp(sums)) == pytest.approx(np.ones(1))
    assert np.isnan(_foretold(np.array([[1.0, 2.0, 4.0]]), KEPT[:2], sums[:2])).all()
