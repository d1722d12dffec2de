"""Log odds of answers, worked by hand."""

import math

import pytest
import torch

from interp_lab.production.sources.answers import forced, log_odds
from tests.tiny import tiny_model

EVERY = torch.ones(1, 1, dtype=torch.bool)


class TestLogOdds:
    def test_of_one_token_are_its_logit_less_those_of_the_others_together(self):
        logits = torch.tensor([[[1.0, 2.0, 3.0]]])
        found = log_odds(logits, torch.tensor([[0]]), EVERY)
        assert found.item() == pytest.approx(1.0 - math.log(math.exp(2) + math.exp(3)))

    def test_of_two_tokens_are_those_of_the_product(self):
        """0.8 x 0.5 = 0.4."""
        logits = torch.tensor([[[0.8, 0.2], [0.5, 0.5]]]).log()
        found = log_odds(logits, torch.tensor([[0, 1]]), torch.ones(1, 2, dtype=torch.bool))
        assert found.item() == pytest.approx(math.log(0.4 / 0.6))

    def test_nothing_is_rounded_away_where_the_answer_is_all_but_certain(self):
        """1 - p is e^-60 here, and 0 in any float if it is taken from p."""
        found = log_odds(torch.tensor([[[60.0, 0.0]]]), torch.tensor([[0]]), EVERY)
        assert found.item() == pytest.approx(60.0)

    def test_padding_of_shorter_answers_counts_nothing(self):
        logits = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
        tokens, real = torch.tensor([[1, 2, 3], [4, 0, 0]]), torch.tensor([[True] * 3, [True, False, False]])
        together = log_odds(logits, tokens, real)
        alone = log_odds(logits[1:, :1], tokens[1:, :1], real[1:, :1])
        assert together[1].item() == pytest.approx(alone.item())

    def test_has_a_gradient(self):
        logits = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
        real = torch.tensor([[True, True], [True, False]])
        (slope,) = torch.autograd.grad(log_odds(logits, torch.tensor([[1, 2], [3, 0]]), real).sum(), logits)
        assert bool(slope.isfinite().all())
        assert not slope[1, 1].any()


def test_the_last_token_of_an_answer_is_not_run():
    batch = forced(tiny_model(), [((1, 2, 3), (4, 5)), ((6, 7), (8,))])
    assert batch.tokens[0].tolist() == [1, 2, 3, 4]
    assert batch.tokens[1, :2].tolist() == [6, 7]
    assert batch.positions[0].tolist() == [2, 3]
    assert batch.positions[1, 0] == 1
    assert batch.mask.sum().item() == 6
    assert batch.real.tolist() == [[True, True], [True, False]]
