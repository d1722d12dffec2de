"""Probabilities that are true by construction, and twins that boast: what is found of them, and what may be said."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from interp_lab.claims import Grade
from interp_lab.production.confidence.assessing import _reasons
from interp_lab.production.confidence.combining import combined
from interp_lab.production.confidence.names import BASE_RATE, COMBINED, SHUFFLED
from interp_lab.stats.brier import brier_parts
from tests.production.confidence.made import part, result

TEMPERATURE = "probability, temperature"


@pytest.fixture(scope="module")
def honest():
    return result()


@pytest.fixture(scope="module")
def boasting():
    return result(boast=2.0, primary=TEMPERATURE)


class TestProbabilities:
    def test_a_model_that_states_true_odds_is_left_as_it_is(self, honest):
        error, inner = honest.calibration("probability", honest.report)
        assert error.ece < error.of_calibrated
        assert inner.low == 0
        assert honest.fits[TEMPERATURE].temperature == pytest.approx(1, rel=0.15)

    def test_one_that_boasts_by_two_has_a_temperature_of_two_and_is_calibrated_by_it(self, boasting):
        assert boasting.fits[TEMPERATURE].temperature == pytest.approx(2, rel=0.15)
        before, inner = boasting.calibration("probability", boasting.report)
        after, _ = boasting.calibration(TEMPERATURE, boasting.report)
        assert before.ece > before.of_calibrated
        assert inner.low > 0.05
        assert after.ece < after.of_calibrated

    def test_curves_that_never_fall_sort_answers_no_better(self, boasting):
        area = dict(zip(boasting.confidences, boasting.measured("auroc", boasting.report), strict=True))
        assert area[TEMPERATURE].estimate == area["probability"].estimate == area["probability, platt"].estimate
        names, gain = boasting.beyond("brier", boasting.report, against="probability")
        assert gain.intervals.at(names.index(TEMPERATURE)).high < 0
        assert gain.p[names.index(TEMPERATURE)] < 0.01

    def test_nothing_is_fitted_on_what_is_reported(self, honest):
        """With other answers there, and all of them wrong, probabilities are what they were."""
        other = part(300, 9, boast=3.0)
        other.right[:] = False
        turned = replace(honest, report=other, held_out=other)
        for name in honest.confidences:
            ours, theirs = (one.given(name, honest.report.signals) for one in (honest, turned))
            np.testing.assert_array_equal(ours, theirs, err_msg=name)

    def test_controls_know_nothing(self, honest):
        at = honest.confidences.index
        area, excess = honest.measured("auroc", honest.report), honest.measured("excess_aurc", honest.report)
        assert area[at(BASE_RATE)].estimate == 0.5
        whole = honest.measured("aurc", honest.report)[at(BASE_RATE)]
        assert whole.estimate == pytest.approx(1 - honest.report.right.mean())
        assert excess[at(BASE_RATE)].estimate > 2 * excess[at(COMBINED)].estimate
        brier = honest.measured("brier", honest.report)
        uncertainty = brier_parts(np.full(4, 0.5), np.array([1.0, 0, 1, 0])).uncertainty
        assert uncertainty == 0.25
        assert brier[at(SHUFFLED)].estimate == pytest.approx(brier[at(BASE_RATE)].estimate, abs=0.01)
        assert len(honest.given(SHUFFLED, honest.report.signals)) == 3

    def test_an_unknown_one(self, honest):
        with pytest.raises(ValueError, match="no probability is called 'combine'; did you mean 'combined'"):
            honest.given("combine", honest.report.signals)


class TestCombination:
    def test_is_that_of_scikit_learn(self, honest):
        own = honest.calibrate
        units = ((own.signals - own.signals.mean(1, keepdims=True)) / own.signals.std(1, keepdims=True)).T
        theirs = LogisticRegression(C=1.0, max_iter=2000).fit(units, own.right).predict_proba(units)[:, 1]
        np.testing.assert_allclose(combined(own.signals, own.right)(own.signals), theirs, rtol=1e-6)

    def test_needs_the_true_odds_and_neither_their_echo_nor_noise(self, honest):
        names, rise = honest.without(honest.report)
        low = dict(zip(names, rise.intervals.low.tolist(), strict=True))
        assert low["probability"] > 0.005
        assert max(abs(rise.intervals.estimate[1:])) < 0.003

    def test_one_kind_alone(self):
        with pytest.raises(ValueError, match="4 of 4 answers are right; combining signals needs both kinds"):
            combined(np.zeros((2, 4)), np.ones(4, dtype=bool))


class TestLevels:
    def test_hold_what_they_say_where_probabilities_are_true(self, honest):
        table = honest.tables()["levels"]
        own = table[(table["part"] == "report") & (table["answers"] > 20)]
        assert len(own) >= 5
        assert own["within_range"].astype(bool).all()
        assert not own["refused"].any()

    def test_are_refused_where_probabilities_are_not_shown_to_be_near(self):
        boasting = result(boast=2.0, primary="probability")
        assert "the calibration error of 'probability' on other prompts is" in boasting.refused(boasting.report)
        drifted = result(report_shift=1.5)
        assert "not shown to be at most 0.1" in drifted.refused(drifted.held_out)

    def test_a_small_error_of_few_answers_is_not_shown_to_be_small(self):
        few = result(n=100)
        _, inner = few.calibration(COMBINED, few.report)
        assert inner.estimate < 0.08 < 0.11 < inner.high
        assert "not shown to be at most 0.1" in few.refused(few.report)

    def test_are_refused_where_activations_are_not_as_usual(self):
        found = result(strange=12.0)
        assert found.refused(found.report) is None
        assert "activations are not like those of the prompts that calibrate" in found.refused(found.held_out)
        assert found.strange(found.held_out).low > 0.5 > 0.05 > found.strange(found.report).high

    def test_a_shift_that_activations_do_not_show_goes_unnoticed_and_the_table_says_so(self):
        found = result(shift=1.5)
        assert found.refused(found.held_out) is None
        table = found.tables()["levels"]
        own = table[(table["part"] != "report") & (table["answers"] > 20)]
        assert not own["within_range"].astype(bool).all()


def test_how_usual_an_activation_is_is_a_p_value(honest):
    own = honest.calibrate.strangeness
    assert honest.usual_share(np.array([own.max() + 1, own.max(), own.min() - 1])).tolist() == pytest.approx(
        [1 / (1 + len(own)), 2 / (1 + len(own)), 1.0]
    )


def test_a_probe_that_is_a_latent_is_read_as_its_value(honest):
    x = np.array([[1, 0, 0, 9], [2, 0, 0, 9], [3, 0, 0, 9]], dtype=np.float32)
    read = replace(honest.usual, weights=np.array([2.0, 0, 0, 0]), bias=-4.0, after="jumprelu", jump=0.5)
    assert read.probe(x).tolist() == [0.0, 0.0, 2.0]
    assert replace(read, after="identity").probe(x).tolist() == [-2.0, 0.0, 2.0]
    assert replace(read, after="sigmoid").probe(x)[1] == 0.5


def test_of_equal_signals_half_are_lower():
    """A fifth of the answers that calibrate have the value 1, the others 0: 1 is at 0.9, and 0 at 0.4."""
    found = result(n=200)
    found.calibrate.signals[1] = np.arange(200) % 5 == 0
    for telling, named in ((0.11, ["margin"]), (0.09, [])):
        given = replace(found, config=found.config.overlaid({"telling": telling}))
        reasons = _reasons(given, np.array([0.0, 1.0, 0.0]), 0.99, ("margin",))
        assert [one.signal for one in reasons] == named
        assert all(one.percentile == pytest.approx(0.9) for one in reasons)
    given = replace(found, config=found.config.overlaid({"telling": 0.41}))
    (low,) = _reasons(given, np.array([0.0, 0.0, 0.0]), 0.01, ("margin",))
    assert low.percentile == pytest.approx(0.4)
    assert "lower than 60% of the answers that calibrate" in str(low)


def test_only_signals_that_tell_are_reasons(honest):
    assert honest.informative() == ("probability", "margin")


def test_nothing_is_more_than_described(honest):
    (claim,) = honest.claims()
    assert claim.grade is Grade.DESCRIPTIVE
    assert "is what it says on other prompts of its templates and is what it says on held-out" in claim.statement
    (claim,) = result(shift=1.5).claims()
    assert "is what it says on other prompts of its templates and is not what it says on held-out" in claim.statement
    assert "held-out templates: calibration error" in claim.observed


class TestWhatIsShown:
    def test_metrics_tables_and_sections(self, honest):
        numbers = honest.metrics()
        assert numbers["combined/auroc_report"] == pytest.approx(numbers["probability/auroc_report"], abs=0.01)
        assert numbers["levels_held_out"] == 1
        shown = honest.tables()
        assert set(shown) == {"probabilities", "differences", "left_out", "levels", "parts", "probes"}
        rows = shown["probabilities"]
        whole = rows["reliability"] - rows["resolution"] + rows["uncertainty"] + rows["within"]
        single = rows["probability"] != SHUFFLED
        np.testing.assert_allclose(whole[single], rows["brier"][single], rtol=1e-9)
        assert (shown["differences"]["p_adjusted"] >= shown["differences"]["p"] - 1e-12).all()
        assert [one.causal for one in honest.sections()] == [False, False]
        assert "levels are said" in honest.summary()

    def test_a_part_without_wrong_answers_has_no_area(self):
        found = result(n=200)
        found.held_out.right[:] = True
        assert all(np.isnan(one.estimate) for one in found.measured("auroc", found.held_out))
        assert found.share_right(found.held_out).low < found.share_right(found.held_out).high == 1.0
        assert found.tables()["probabilities"]["brier"].notna().all()
