from dataclasses import replace

import numpy as np
import pytest

from interp_lab.models import load_model
from interp_lab.steering.costs import Costs
from interp_lab.steering.neutral import neutral_texts
from interp_lab.steering.prefixed import Prefix, prefixed_kl

NONE = np.zeros((3, 2))


@pytest.fixture
def costs():
    """Two capabilities of four questions, three settings; the third was not asked."""
    right = np.array([[[1, 1, 1, 0], [1, 0, 0, 0], [np.nan] * 4], [[1, 1, 1, 1], [1, 1, 1, 1], [np.nan] * 4]])
    clean = np.array([[1.0, 1, 1, 0], [1, 1, 0, 1]])
    return Costs(NONE, NONE, NONE, NONE, np.array(["a", "b"]), right, clean)


def test_loss_is_the_largest_fall_in_accuracy_on_any_capability(costs):
    assert costs.losses[:, :2].tolist() == [[0.0, 0.5], [-0.25, -0.25]]
    assert costs.worst_loss[:2].tolist() == [0.0, 0.5]


def test_loss_of_what_was_not_asked_is_not_zero(costs):
    assert np.isnan(costs.worst_loss[2])


def test_without_capabilities_nothing_is_lost(costs):
    assert replace(costs, right=np.zeros((0, 3, 4)), clean_right=np.zeros((0, 4))).worst_loss.tolist() == [0, 0, 0]


def test_costs_are_kept_by_name(costs):
    again = Costs.from_arrays("x", costs.arrays("x"))
    assert np.array_equal(again.right, costs.right, equal_nan=True)
    assert again.templates.tolist() == ["a", "b"]


def test_text_before_a_document_costs_nothing_if_there_is_none_and_nothing_is_said_where_it_has_no_room():
    model = load_model("organism", "cpu")
    neutral = neutral_texts(model, "sentiment", 4, seed=0, part="select")
    assert prefixed_kl(model, neutral, [Prefix("", (), "")]) == pytest.approx(np.zeros(4), abs=1e-6)
    assert (prefixed_kl(model, neutral, [Prefix("the film", (5, 6), "")]) > 1e-3).all()
    assert np.isnan(prefixed_kl(model, neutral, [Prefix("long", (5,) * 63, "")])).all()
