"""The drift test: false alarms as often as it says, and drift that is there is seen."""

import numpy as np
import pytest
from scipy import stats

from interp_lab.stats import drift


def test_false_alarms_come_as_often_as_stated():
    rng = np.random.default_rng(0)
    p = drift(rng.normal(size=(1500, 60)), rng.normal(size=(1500, 80))).p
    for alpha in (0.01, 0.05, 0.1):
        assert (p <= alpha).mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 1500)
    assert (p <= 0.1).mean() > 0.05  # and it is not idle


def test_after_correction_a_family_of_scores_rarely_alarms_at_all():
    rng = np.random.default_rng(1)
    families = [drift(rng.normal(size=(8, 50)), rng.normal(size=(8, 50))).p_adjusted.min() <= 0.05 for _ in range(100)]
    assert np.mean(families) <= 0.09


@pytest.mark.parametrize("shift", [{"loc": 1.0}, {"scale": 2.5}], ids=["moved", "wider"])
def test_sees_a_change_of_place_and_one_of_width(shift):
    rng = np.random.default_rng(2)
    assert drift(rng.normal(size=(1, 100), **shift), rng.normal(size=(1, 100))).p[0] < 0.01


def test_is_kolmogorov_and_smirnovs():
    rng = np.random.default_rng(3)
    live, control = rng.normal(size=(1, 12)), rng.normal(size=(1, 9))
    found, expected = drift(live, control), stats.ks_2samp(live[0], control[0])
    assert (found.distance[0], found.p[0]) == (expected.statistic, expected.pvalue)
    assert found.n == (12, 9)


def test_too_few_texts():
    with pytest.raises(ValueError, match="4 live and 9 control texts are too few"):
        drift(np.zeros((1, 4)), np.zeros((1, 9)))
