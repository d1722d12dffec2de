"""Gates open for tokens that are like those of texts which show a trait."""

import json

import numpy as np
import pytest
import torch

from interp_lab.steering.gates import Gate, fit_gate

SHOWN = torch.tensor([[4.0, 1.0], [4.0, -1.0]])
NEUTRAL = torch.tensor([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])


def fitted(kind="projection", **more):
    return fit_gate(kind, SHOWN, NEUTRAL, hook="h", **more)


class TestProjection:
    def test_points_from_neutral_text_to_texts_that_show_the_trait(self):
        found = fitted()
        assert found.direction == (1.0, 0.0)
        assert found.centre == (0.0, 0.0)

    def test_midway_between_the_means(self):
        assert fitted(percentile=None).threshold == 2.0

    @pytest.mark.parametrize(("percentile", "threshold"), [(0.0, -1.0), (50.0, 0.0), (100.0, 1.0)])
    def test_at_a_percentile_of_neutral_text(self, percentile, threshold):
        assert fitted(percentile=percentile).threshold == threshold

    def test_says_how_often_it_opens_where_it_was_fitted(self):
        found = fitted(percentile=50.0)
        assert (found.opened_on_trait, found.opened_on_neutral) == (1.0, 0.25)

    def test_opens_above_the_threshold_only(self):
        found = fitted(percentile=None)
        tokens = torch.tensor([[[2.0, 0.0], [2.1, 9.0], [-5.0, 0.0]]])
        assert found.opened(tokens).tolist() == [[False, True, False]]


class TestSimilarity:
    def test_is_the_cosine_with_what_is_left_after_neutral_text(self):
        moved = torch.tensor([10.0, 20.0])
        found = fit_gate("similarity", SHOWN + moved, NEUTRAL + moved, hook="h")
        torch.testing.assert_close(
            found.scores(moved + torch.tensor([[3.0, 4.0], [0.3, 0.4], [-1.0, 0.0]])), torch.tensor([0.6, 0.6, -1.0])
        )

    def test_a_token_at_the_centre_is_like_nothing(self):
        assert fitted("similarity").scores(torch.zeros(1, 2)).tolist() == [0.0]


class TestKept:
    @pytest.mark.parametrize("kind", ["projection", "similarity"])
    def test_as_plain_numbers(self, kind):
        found = fitted(kind)
        assert Gate.from_dict(json.loads(json.dumps(found.as_dict()))) == found


class TestBadInput:
    @pytest.mark.parametrize(
        ("shown", "neutral", "more", "told"),
        [
            (SHOWN[:0], NEUTRAL, {}, "fit no gate"),
            (SHOWN, NEUTRAL[:0], {}, "fit no gate"),
            (SHOWN, torch.ones(2, 3), {}, "of the same width"),
            (SHOWN, NEUTRAL, {"percentile": 101.0}, "from 0 to 100"),
            (NEUTRAL, NEUTRAL, {}, "nothing to tell by"),
            (SHOWN * torch.nan, NEUTRAL, {}, "NaN or inf"),
        ],
    )
    def test_is_refused(self, shown, neutral, more, told):
        with pytest.raises(ValueError, match=told):
            fit_gate("projection", shown, neutral, hook="h", **more)


def test_a_percentile_of_many_tokens_is_kept():
    generator = torch.Generator().manual_seed(0)
    neutral = torch.randn(4000, 8, generator=generator)
    found = fit_gate("projection", neutral + 3, neutral, hook="h", percentile=95.0)
    np.testing.assert_allclose(found.opened_on_neutral, 0.05, atol=0.001)
