import numpy as np
import pytest

from interp_lab.stats import benjamini_hochberg


class TestBenjaminiHochberg:
    def test_by_hand(self):
        # sorted p * 5 / rank = .05, .10, .065 -> .065, .10 -> .075, .5; each is lowered to the least one after it
        p = np.array([0.5, 0.01, 0.039, 0.04, 0.06])
        assert benjamini_hochberg(p).tolist() == pytest.approx([0.5, 0.05, 0.2 / 3, 0.2 / 3, 0.075])

    def test_all_axes_are_one_family(self):
        p = np.random.default_rng(0).random((3, 4))
        assert (benjamini_hochberg(p).ravel() == benjamini_hochberg(p.ravel())).all()

    def test_one_test_needs_no_correction(self):
        assert benjamini_hochberg(np.array([0.03])).tolist() == [0.03]

    def test_keeps_the_false_discovery_rate(self):
        rng = np.random.default_rng(1)
        p = rng.random((400, 100))
        p[:, :20] = rng.beta(0.05, 10, size=(400, 20))  # true effects
        found = np.stack([benjamini_hochberg(family) < 0.1 for family in p])
        rate = (found[:, 20:].sum(1) / np.maximum(found.sum(1), 1)).mean()
        assert 0.06 < rate < 0.1  # 0.1 times the share of true nulls, 0.08
        uncorrected = p < 0.1
        assert (uncorrected[:, 20:].sum(1) / uncorrected.sum(1)).mean() > 0.2

    @pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
    def test_what_is_no_probability_is_named(self, bad):
        with pytest.raises(ValueError, match=rf"p\[1, 0\] = {bad} is no probability \(1 of 4\).*leave it out"):
            benjamini_hochberg(np.array([[0.1, 0.2], [bad, 0.3]]))

    def test_nothing_to_adjust(self):
        with pytest.raises(ValueError, match="no p-values"):
            benjamini_hochberg(np.zeros(0))
