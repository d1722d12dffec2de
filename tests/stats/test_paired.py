import numpy as np
import pytest

from interp_lab.stats import bootstrap_interval, paired_difference, sign_flip_test


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
