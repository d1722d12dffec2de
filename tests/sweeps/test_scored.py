import math

import pytest

from interp_lab.sweeps.scored import scored
from interp_lab.sweeps.space import SweepError


class TestScored:
    def test_a_finite_metric_completes_a_trial(self):
        closed = scored(3, 2.5, {"loss": 0.25, "l0": 8}, metric="loss")
        assert (closed.trial, closed.state, closed.metric, closed.metrics["l0"]) == (3, "complete", 0.25, 8)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_another_fails_it(self, value):
        closed = scored(0, 1.0, {"loss": value}, metric="loss")
        assert (closed.state, closed.reason) == ("failed", f"its metric loss is {value}")

    def test_a_metric_that_no_trial_had_is_misspelt(self):
        with pytest.raises(SweepError, match=r"without the sweep's metric 'los'; did you mean 'loss'\?"):
            scored(0, 1.0, {"loss": 0.5}, metric="los")

    def test_one_that_others_had_is_missing_where_there_is_nothing_to_measure(self):
        closed = scored(4, 1.0, {"n_chosen": 0}, metric="z_chosen_together", may_lack=True)
        assert (closed.state, closed.metric) == ("failed", None)
        assert closed.reason == "it ended without the metric z_chosen_together"
