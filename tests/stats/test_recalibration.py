"""Scores turned into probabilities: known curves are found, and errors refused."""

import numpy as np
import pytest

from interp_lab.stats import probability_of
from interp_lab.stats.calibration import calibration_error


def sample(n, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 3, size=n)
    return scores, rng.random(n) < 1 / (1 + np.exp(-(1.5 * scores - 1)))


@pytest.mark.parametrize("how", ["platt", "isotonic"])
def test_finds_a_logistic_curve_and_is_calibrated_on_other_examples(how):
    to_probability = probability_of(*sample(4000, 0), how=how)
    points = np.array([-2.0, 0.0, 2.0 / 3, 2.0])
    np.testing.assert_allclose(to_probability(points), 1 / (1 + np.exp(-(1.5 * points - 1))), atol=0.1)
    scores, positive = sample(4000, 1)
    confidence = np.clip(to_probability(scores), 0, 1)
    assert calibration_error(confidence, positive.astype(float)).ece < 0.03


def test_isotonic_never_falls_and_ends_at_its_ends():
    to_probability = probability_of(
        np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]), how="isotonic"
    )
    np.testing.assert_allclose(to_probability(np.array([0.0, 1.0, 2.5, 4.0, 9.0])), [0, 0, 0.5, 1, 1])


def test_scores_on_another_scale_have_the_same_probabilities():
    scores, positive = sample(400, 8)
    points = np.array([-2.0, 0.0, 2.0])
    for how in ("platt", "isotonic"):
        own, moved = (probability_of(given, positive, how=how) for given in (scores, 50 + 0.1 * scores))
        np.testing.assert_allclose(moved(50 + 0.1 * points), own(points), rtol=1e-3)


def test_one_kind_alone():
    with pytest.raises(ValueError, match="3 of 3 examples are positive; fitting needs both kinds"):
        probability_of(np.zeros(3), np.ones(3, bool))


class TestTemperature:
    def test_is_what_log_odds_boast(self):
        rng = np.random.default_rng(2)
        odds = rng.normal(0, 2, size=6000)
        right = rng.random(6000) < 1 / (1 + np.exp(-odds))
        found = probability_of(2 * odds, right, how="temperature")
        assert found.temperature == pytest.approx(2, rel=0.08)
        np.testing.assert_allclose(found(2 * odds), 1 / (1 + np.exp(-2 * odds / found.temperature)), rtol=1e-9)

    def test_is_where_the_loss_has_no_slope(self):
        scores, positive = sample(500, 3)
        found = probability_of(scores, positive, how="temperature")
        assert np.mean(scores * (found(scores) - positive)) == pytest.approx(0, abs=1e-4)

    def test_keeps_what_is_as_likely_as_not(self):
        assert probability_of(*sample(400, 4), how="temperature")(np.zeros(1)).tolist() == [0.5]

    def test_is_that_of_scikit_learn(self):
        pytest.importorskip("sklearn", minversion="1.8")
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.frozen import FrozenEstimator
        from sklearn.linear_model import LogisticRegression

        scores, positive = sample(800, 7)
        states_odds = LogisticRegression().fit(scores[:, None], positive)
        states_odds.coef_[:], states_odds.intercept_[:] = 1.0, 0.0
        theirs = CalibratedClassifierCV(FrozenEstimator(states_odds), method="temperature")
        theirs.fit(scores[:, None], positive)
        own = probability_of(scores, positive, how="temperature")
        points = np.linspace(-4, 4, 9)
        np.testing.assert_allclose(own(points), theirs.predict_proba(points[:, None])[:, 1], rtol=1e-3)

    def test_another_curve_has_none(self):
        with pytest.raises(ValueError, match="a curve fitted by 'platt' has no temperature"):
            _ = probability_of(*sample(100, 5)).temperature


def test_isotonic_is_that_of_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    scores, positive = sample(300, 6)
    own = probability_of(scores, positive, how="isotonic")
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, positive.astype(float))
    points = np.linspace(-12, 12, 97)
    np.testing.assert_allclose(own(points), theirs.predict(points), rtol=1e-9, atol=1e-12)
