"""The front: what no other beats in everything at once."""

import numpy as np
import pytest

from interp_lab.sweeps.pareto import Objective, on_front, usual_objectives


def literally(gains):
    """The front by its definition, one pair at a time."""
    whole = [nth for nth, row in enumerate(gains) if np.isfinite(row).all()]
    front = np.zeros(len(gains), dtype=bool)
    for one in whole:
        beaten = any(
            all(gains[other] >= gains[one]) and any(gains[other] > gains[one]) for other in whole if other != one
        )
        front[one] = not beaten
    return front


class TestOnFront:
    def test_by_hand(self):
        gains = np.array([[3, 1], [2, 2], [1, 3], [2, 1], [1, 1], [3, 0]], dtype=float)
        assert on_front(gains).tolist() == [True, True, True, False, False, False]

    def test_equal_trials_stand_on_it_together(self):
        assert on_front(np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 2.0]])).tolist() == [True, True, False]

    def test_what_was_not_measured_is_neither_on_it_nor_beats(self):
        assert on_front(np.array([[np.nan, 9.0], [9.0, np.inf], [1.0, 1.0]])).tolist() == [False, False, True]

    @pytest.mark.parametrize("n_objectives", [1, 2, 3])
    @pytest.mark.parametrize("seed", range(3))
    def test_equals_the_definition(self, n_objectives, seed):
        rng = np.random.default_rng(seed)
        gains = rng.integers(0, 7, (60, n_objectives)).astype(float)  # few values: many ties
        gains[rng.random(gains.shape) < 0.05] = np.nan
        assert (on_front(gains) == literally(gains)).all()

    def test_many_trials_are_compared_in_parts_with_all(self):
        gains = np.random.default_rng(0).random((1300, 2))
        order = np.argsort(-gains[:, 0])
        best_so_far = np.maximum.accumulate(gains[order, 1])
        front = np.zeros(1300, dtype=bool)
        front[order] = gains[order, 1] >= best_so_far  # without ties: nobody before it is better in the second
        assert (on_front(gains) == front).all()

    def test_nobody(self):
        assert on_front(np.zeros((0, 2))).shape == (0,)


class TestObjective:
    @pytest.mark.parametrize(
        ("text", "name", "goal"),
        [("seconds", "seconds", "min"), ("sae.l0:min", "sae.l0", "min"), ("r2:max", "r2", "max")],
    )
    def test_names_a_metric_and_a_direction(self, text, name, goal):
        assert Objective.named(text) == Objective(name, goal)

    @pytest.mark.parametrize("text", ["", ":max", "r2:maximum", "r2:"])
    def test_refuses_what_names_none(self, text):
        with pytest.raises(ValueError, match="names no objective; write 'name', 'name:min' or 'name:max'"):
            Objective.named(text)

    def test_sparsity_of_the_same_autoencoder_is_weighed_if_there_is_one(self):
        names = ("a.l0", "a.r2", "b.l0", "b.r2")
        assert usual_objectives(names, metric="b.r2") == (Objective("b.l0"), Objective("seconds"))

    def test_else_time_alone(self):
        assert usual_objectives(("loss", "l0_of_nothing"), metric="loss") == (Objective("seconds"),)

    def test_a_metric_is_not_weighed_against_itself(self):
        assert usual_objectives(("l0",), metric="l0") == (Objective("seconds"),)
