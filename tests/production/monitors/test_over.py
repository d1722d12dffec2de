"""Aggregates over tokens: worked by hand, equal to their definitions, in whatever chunks tokens come."""

import numpy as np
import pytest
import torch

from interp_lab.production.monitors import over_of
from tests.production.monitors.makers import literal_running

WAYS = ["max", "mean", "last", "any 2", "any 3", "ema 2", "ema 0.5"]


def running(over, chunks, reads=None):
    """Aggregates of one row and monitor whose scores come in chunks."""
    made = over_of(over)
    state, found = made.initial(1, 1), []
    for nth, chunk in enumerate(chunks):
        read = torch.ones(len(chunk), dtype=torch.bool) if reads is None else torch.tensor(reads[nth])
        values, state = made.update(torch.tensor(chunk)[None, :, None], read[None, :, None], state)
        found += values[0, :, 0].tolist()
    return found


class TestByHand:
    @pytest.mark.parametrize(
        ("over", "expected"),
        [
            ("max", [1, 4, 4, 4]),
            ("mean", [1, 2.5, 2, 2.25]),
            ("last", [1, 4, 1, 3]),
            ("any 2", [np.nan, 1, 1, 3]),
            ("any 3", [np.nan, np.nan, 1, 1]),
            ("ema 1", [1, 2.5, 1.75, 2.375]),
        ],
    )
    def test_four_scores(self, over, expected):
        np.testing.assert_allclose(running(over, [[1.0, 4.0, 1.0, 3.0]]), expected, rtol=1e-6)

    @pytest.mark.parametrize("over", WAYS)
    def test_a_token_that_is_not_read_changes_nothing(self, over):
        with_gaps = running(over, [[9.0, 1.0, 9.0, 4.0]], [[False, True, False, True]])
        assert np.isnan(with_gaps[0])
        np.testing.assert_allclose([with_gaps[1], with_gaps[3]], running(over, [[1.0, 4.0]]), rtol=1e-6)
        np.testing.assert_allclose(with_gaps[2], with_gaps[1])

    def test_any_k_is_above_a_threshold_once_k_tokens_are(self):
        scores = np.random.default_rng(0).normal(size=40).astype(np.float32)
        found = np.array(running("any 5", [scores.tolist()]))
        assert ((found > 0.5) == ((scores > 0.5).cumsum() >= 5)).all()


@pytest.mark.parametrize("over", WAYS)
@pytest.mark.parametrize("cuts", [[], [1], [7, 8, 9], list(range(1, 23))], ids=["at once", "1 + rest", "some", "each"])
def test_chunks_do_not_matter_and_the_definition_is_met(over, cuts):
    scores = np.random.default_rng(1).normal(size=23).astype(np.float32)
    chunks = [part.tolist() for part in np.split(scores, cuts)]
    np.testing.assert_allclose(running(over, chunks), literal_running(scores.tolist(), over), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["maximum", "any 0", "any", "ema", "ema -1", "max 3", "ema 0"])
def test_refuses_what_is_no_way(name):
    with pytest.raises(ValueError, match="is no way to aggregate scores; use one of max, mean"):
        over_of(name)
