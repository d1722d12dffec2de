"""A line through two classes: scikit-learn's fit, told in the coordinates of the activations."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from interp_lab.linear import logistic_line


def drawn(n=200, d=4):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2 == 0
    return rng.normal(size=(n, d)) + labels[:, None] * [1.0, 0.0, -0.5, 0.0], labels


@pytest.mark.parametrize("penalty", [0.1, 1.0, 10.0])
def test_scores_are_the_log_odds_of_the_fit_to_scaled_activations(penalty):
    x, labels = drawn()
    weights, bias = logistic_line(x, labels, penalty=penalty)
    scaled = (x - x.mean(0)) / x.std()
    expected = LogisticRegression(C=1 / penalty).fit(scaled, labels).decision_function(scaled)
    np.testing.assert_allclose(x @ weights + bias, expected, rtol=1e-6)


def test_scores_do_not_turn_on_units_or_origin():
    x, labels = drawn()
    weights, bias = logistic_line(x, labels)
    moved = 1000 * x + np.arange(4.0)
    other, its_bias = logistic_line(moved, labels)
    np.testing.assert_allclose(moved @ other + its_bias, x @ weights + bias, rtol=1e-3)  # the solver's own


def test_activations_without_spread_tell_nothing():
    weights, bias = logistic_line(np.ones((6, 2)), np.array([True, False, False] * 2))
    assert (weights == 0).all()
    assert bias == pytest.approx(np.log(1 / 2), rel=1e-3)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="every label is 1"):
        logistic_line(np.eye(3), np.ones(3, dtype=bool))
