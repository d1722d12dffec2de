"""Monitors and their controls as they are fitted: by hand."""

import numpy as np
import pytest

from interp_lab.production.monitors.fitting import fitted, keyword_scores, random_line, word_scores

X = np.array([[2.0, 1.0], [4.0, 1.0], [0.0, 1.0], [-2.0, 1.0]], dtype=np.float32)
LABELS = np.array([True, True, False, False])


def test_a_mean_difference_is_the_way_and_zero_lies_half_way():
    weights, bias = fitted(X, LABELS, "mean difference")
    assert (weights.tolist(), bias) == ([4.0, 0.0], -4.0)  # from -1 to 3; half way is 1


def test_logistic_regression_knows_no_scale_and_no_place():
    weights, bias = fitted(X, LABELS, "logistic")
    moved, other = fitted(10 * X + 7, LABELS, "logistic")
    np.testing.assert_allclose(moved @ (10 * X + 7).T + other, weights @ X.T + bias, rtol=1e-3)
    assert ((weights @ X.T + bias > 0) == LABELS).all()


def test_of_one_kind_nothing_is_fitted():
    with pytest.raises(ValueError, match="4 of 4 texts are to be warned of; fitting needs both kinds"):
        fitted(X, np.ones(4, dtype=bool), "logistic")


def test_a_random_direction_is_as_long_as_the_other_and_elsewhere():
    like = np.array([3.0, 0.0, 4.0])
    one, bias = random_line(np.random.default_rng(0), like)
    assert (np.linalg.norm(one), bias) == (pytest.approx(5.0), 0.0)
    assert one.tolist() != random_line(np.random.default_rng(1), like)[0].tolist()


def test_a_keyword_is_a_whole_word():
    assert keyword_scores(["he leaves us", "leavesus", "us leaves"], ["leaves", "compares"]).tolist() == [1.0, 0.0, 1.0]


def test_words_are_learned_in_any_order_and_unknown_ones_say_nothing():
    texts = ["a b", "b a", "c b", "b c"]
    [found] = word_scores(texts, np.array([True, True, False, False]), [["a", "c", "b z"]])
    assert found[0] > found[2] > found[1]
