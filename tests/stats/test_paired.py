import numpy as np
import pytest
from scipy import stats

from interp_lab.stats import bootstrap_interval, difference_from_several, paired_difference, sign_flip_test


class TestPairedDifference:
    rng = np.random.default_rng(0)
    control = rng.normal(size=(3, 60)) * 5
    treated = control + np.array([0.0, 0.5, -2.0])[:, None] + rng.normal(size=(3, 60)) * 0.5
    templates = np.repeat(np.arange(15), 4)

    def test_is_the_interval_and_the_test_of_the_differences(self):
        got = paired_difference(self.treated, self.control, self.templates, seed=4)
        difference = self.treated - self.control
        assert (got.intervals.low == bootstrap_interval(difference, self.templates, seed=4).low).all()
        assert (got.p == sign_flip_test(difference, self.templates, seed=4).p).all()

    def test_finds_what_was_planted_and_nothing_else(self):
        got = paired_difference(self.treated, self.control, self.templates)
        assert got.intervals.excludes(0.0).tolist() == [False, True, True]
        assert (got.p_adjusted() < 0.05).tolist() == [False, True, True]

    def test_pairing_is_what_makes_it_visible(self):
        shuffled = self.control[:, np.random.default_rng(1).permutation(60)]
        assert not paired_difference(self.treated, shuffled, self.templates).intervals.excludes(0.0)[1]

    def test_swapping_the_conditions_flips_the_sign(self):
        there = paired_difference(self.treated, self.control, self.templates, method="t")
        back = paired_difference(self.control, self.treated, self.templates, method="t")
        np.testing.assert_allclose(there.intervals.low, -back.intervals.high)
        assert (there.p == back.p).all()

    def test_one_control_serves_all_sites(self):
        one = self.control[:1]
        stretched = paired_difference(self.treated, one, self.templates)
        repeated = paired_difference(self.treated, np.repeat(one, 3, axis=0), self.templates)
        assert (stretched.p == repeated.p).all()

    def test_says_when_so_few_templates_cannot_reach_significance(self):
        got = paired_difference(self.treated[:, :12], self.control[:, :12], self.templates[:12])
        assert (got.test, got.smallest_p) == ("sign-flip", 2 / 2**3)

    def test_other_examples_are_refused(self):
        with pytest.raises(ValueError, match="treated has 60 examples and control 59"):
            paired_difference(self.treated, self.control[:, :59])


class TestDifferenceFromSeveral:
    def test_of_controls_that_agree_is_the_paired_difference(self):
        rng = np.random.default_rng(0)
        treated, control = rng.normal(1, 1, size=(3, 20)), rng.normal(size=(3, 20))
        several = difference_from_several(treated, [np.stack([row, row, row]) for row in control])
        plain = paired_difference(treated, control)
        for name in ("estimate", "low", "high"):
            np.testing.assert_allclose(getattr(several.intervals, name), getattr(plain.intervals, name), atol=1e-12)
        np.testing.assert_array_equal(several.p, plain.p)

    def test_of_examples_that_agree_is_students_t_over_the_controls(self):
        """No spread over examples: effect 3 against controls 0, 1, 2 (mean 1, standard error 1 / sqrt 3)."""
        treated = np.full((1, 10), 3.0)
        found = difference_from_several(treated, [np.array([[0.0], [1.0], [2.0]]).repeat(10, 1)])
        expected = stats.ttest_1samp([0.0, 1.0, 2.0], 3.0)
        low, high = expected.confidence_interval(0.95)
        assert found.p[0] == pytest.approx(expected.pvalue)
        assert (found.intervals.low[0], found.intervals.high[0]) == pytest.approx((3 - high, 3 - low))

    def test_holds_the_true_difference_as_often_as_it_says_whatever_was_drawn(self):
        """Effects of controls differ by 1, examples by 1; the true difference is 0.5."""
        rng, held, naive = np.random.default_rng(1), 0, 0
        for _ in range(120):
            controls = rng.normal(0, 1, size=(6, 1)) + rng.normal(0, 1, size=(6, 16))
            treated = rng.normal(0.5, 1, size=(1, 16))
            found = difference_from_several(treated, [controls]).intervals
            plain = paired_difference(treated, controls.mean(0)[None]).intervals
            held += found.low[0] <= 0.5 <= found.high[0]
            naive += plain.low[0] <= 0.5 <= plain.high[0]
        assert 0.92 <= held / 120 <= 1.0
        assert naive / 120 < 0.85

    def test_each_site_has_its_own_controls(self):
        treated = np.array([[1.0, 1.1, 0.9, 1.0], [0.0, 0.1, 0.0, -0.1]])
        controls = [np.zeros((2, 4)), np.stack([np.full(4, -1.0), np.full(4, 1.0), np.zeros(4)])]
        found = difference_from_several(treated, controls)
        assert found.intervals.estimate == pytest.approx([1.0, 0.0])
        assert found.intervals.high[0] - found.intervals.low[0] < 0.5 < found.intervals.high[1]

    def test_one_control_has_no_spread(self):
        with pytest.raises(ValueError, match="1 controls of a site; give at least two controls for each site"):
            difference_from_several(np.zeros((1, 4)), [np.zeros((1, 4))])
        with pytest.raises(ValueError, match="1 sets of controls for 2 sites"):
            difference_from_several(np.zeros((2, 4)), [np.zeros((2, 4))])
