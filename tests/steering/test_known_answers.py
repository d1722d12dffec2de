import numpy as np
import pytest

from interp_lab.claims import Split
from interp_lab.steering.config import Budget
from interp_lab.steering.known_answers import choices_of, chooses_planted, measured, measures_by_hand


def test_chooses_the_layer_tokens_and_sign_that_were_planted():
    assert chooses_planted()[0]
    assert not chooses_planted(factor=-1.0)[0]


def test_effects_are_those_worked_by_hand():
    assert measures_by_hand()[0]
    assert not measures_by_hand(constant=True)[0]


def test_within_a_budget_that_only_the_last_token_keeps_to_it_is_that():
    """Behind the last token of these texts nothing is predicted, so that it costs nothing to steer there."""
    measuring = measured(budget=Budget(kl=100.0))
    _, costs = measuring.both(Split.SELECT, range(8))
    kl, settings = costs.kl.mean(-1), measuring.plan.settings
    is_last = np.array([one.where == "last" for one in settings])
    assert kl[is_last].max() == 0.0
    found = choices_of(measured(budget=Budget(kl=float(kl[~is_last].min()) / 2)))
    assert [settings[one.best].where for one in found] == ["last", "last"]
    assert [settings[one.best].coefficient for one in found] == [1.0, -1.0]
    assert [settings[one.strongest].where for one in found] == ["all", "all"]


@pytest.mark.parametrize("constant", [False, True], ids=["direction", "constant vector"])
def test_a_constant_vector_tells_no_two_answers_apart(constant):
    measuring = measured(constant=constant)
    changes = measuring.steered(Split.SELECT, range(8)).changes("log_odds")
    assert bool(np.abs(changes).max() < 1e-4) is constant
