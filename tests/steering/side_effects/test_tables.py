"""Tables and figures of a planted model: which way round they are, and what they say of two directions at once."""

import numpy as np
import pytest

from interp_lab.steering.side_effects import SideEffects
from interp_lab.steering.side_effects.cosines import cosines_of
from interp_lab.steering.side_effects.material import resampled, shuffled_labels, vectors_of
from interp_lab.steering.side_effects.steered import on_trait
from tests.steering.side_effects import planted
from tests.steering.side_effects.planted import HOOK, OVERLAPPING, WIDTH, axes

DOSES = np.array([1.0, 1.0])


@pytest.fixture(scope="module")
def found():
    """The first direction turns the second trait too (0.6 of it is read there); the second leaves the first alone."""
    made = planted.model(OVERLAPPING)
    noisy = [planted.gaussian(made, np.eye(WIDTH)[nth] * 2, n=40, noise=np.ones(WIDTH), seed=nth) for nth in range(2)]
    both = [
        planted.material(made, trait, axes(*vector), answers=answers, found=texts)
        for trait, vector, answers, texts in zip(("first", "second"), ((2.0,), (0.0, 3.0)), (1, 3), noisy, strict=True)
    ]
    applying, config = planted.applying(made), planted.config(n_random=39)
    return SideEffects(
        setting="add", method="mean_difference", level=0.95, seed=0, margin=0.05, odds_margin=0.1, aim=0.5,
        coefficients=DOSES, reached=np.array([True, False]), given=np.array([False, False]),
        measured=tuple(on_trait(applying, both, one, coefficients=DOSES, config=config, seed=0) for one in both),
        cosines=cosines_of(
            ["first", "second"], (HOOK,), (), shown=(HOOK,), own=np.stack([vectors_of(one) for one in both]),
            resampled=np.stack([resampled(one, n=40, seed=0) for one in both], axis=1),
            shuffled=np.stack([shuffled_labels(one, n=40, seed=0) for one in both], axis=1),
        ),
        stability=(),
    )  # fmt: skip


class TestMatrixFigure:
    def test_has_what_is_steered_in_rows(self, found):
        shown = np.array(found.figures()["side_effects"].data[0].z)
        first, across, own = np.tanh([1.0, 0.6, 1.2])
        assert shown == pytest.approx(np.array([[first, across], [0.0, own]]), abs=1e-6)

    def test_of_log_odds_has_ones_on_the_diagonal(self, found):
        shown = np.array(found.figures()["side_effects_odds_negative"].data[0].z)
        assert shown == pytest.approx(np.array([[1.0, 0.5], [0.0, 1.0]]), abs=1e-6)

    def test_frames_what_is_moved(self, found):
        figure = found.figures()["side_effects"]
        assert {(shape.y0 + 0.5, shape.x0 + 0.5) for shape in figure.layout.shapes} == {(0, 0), (0, 1), (1, 1)}


class TestInteractionsTable:
    def test_what_log_odds_add_up_to_is_what_both_do(self, found):
        table = found.tables()["interactions"].set_index("on")
        assert table["beyond"].to_numpy() == pytest.approx(0.0, abs=1e-6)
        assert table["both"].to_numpy() == pytest.approx(table["if_they_added_up"].to_numpy())
        # on the second trait: 1.2 and 2.4 nats, so tanh(0.6) and tanh(1.2); both are tanh(1.8)
        assert table.loc["second", "sum_of_shares"] == pytest.approx(0.5370496 + 0.8336546)
        assert table.loc["second", "both"] == pytest.approx(np.tanh(1.8))


def test_a_trait_that_does_not_reach_the_aim_is_told_so(found):
    own = found.tables()["coefficients"].set_index("trait")
    assert own["reached"].tolist() == [True, False]
    assert own.loc["second", "own+"] == pytest.approx(np.tanh(1.2))
    assert "(that of second never gets there)" in found.sections()[0].suggests


def test_effects_on_other_traits_are_counted_and_the_largest_named(found):
    """Either way the first moves the second, and the second leaves the first alone."""
    suggests = found.sections()[0].suggests
    assert "Of 4 effects on other traits 2 move answers (" in suggests
    assert "+ first on second 0.537 [0.537, 0.537]; - first on second -0.537 [-0.537, -0.537]" in suggests
    assert "2 leave the other trait alone, 0 leave its answers alone and may move" in suggests
    assert "What each does to its own trait here: first +: +0.76, -: -0.76; second +: +0.83, -: -0.83." in suggests
    assert found.metrics()["side_largest"] == pytest.approx(np.tanh(0.6))
