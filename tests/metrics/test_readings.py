"""What each metric reads, by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from interp_lab.metrics import (
    kl_divergence,
    log_probability,
    logit_difference,
    next_token_loss,
    probability_difference,
    rank,
)


def random_logits(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TestLogitDifference:
    logits = torch.tensor([[[9.0, 9.0, 9.0, 9.0], [1.0, 2.0, 4.0, 8.0]]])

    def test_one_answer_against_another(self):
        assert logit_difference(torch.tensor([3]), torch.tensor([0]))(self.logits).tolist() == [7.0]

    def test_sets_are_averaged(self):
        assert logit_difference([[2, 3]], [[0]])(self.logits).tolist() == [5.0]  # (4 + 8) / 2 - 1
        assert logit_difference(torch.tensor([[2, 3]]), torch.tensor([[0, 1]]))(self.logits).tolist() == [4.5]

    def test_sets_may_differ_in_size_between_examples(self):
        both = self.logits.repeat(2, 1, 1)
        assert logit_difference([[3], [1, 2, 3]], [[0, 1], [0]])(both).tolist() == pytest.approx([6.5, 14 / 3 - 1])

    def test_swapping_the_sets_flips_the_sign(self):
        there, back = logit_difference([[2, 3]], [[0]]), logit_difference([[0]], [[2, 3]])
        assert there(self.logits) == -back(self.logits)

    @pytest.mark.parametrize(
        ("answers", "wrong", "message"),
        [
            ([[1], [2]], [[0], [3, 2]], "token 2 is both answer and wrong answer in example 1"),
            ([[1], []], [[0], [3]], r"answers of example 1 are \[\]; give at least one"),
            ([[1], [2]], [[0], [3, 3]], r"wrong of example 1 are \[3, 3\]; .*each once"),
            ([[1], [2]], [[0]], "answers for 2 examples and wrong answers for 1"),
        ],
        ids=["overlap", "empty", "repeated", "lengths"],
    )
    def test_sets_that_make_no_sense_are_refused(self, answers, wrong, message):
        for metric in (logit_difference, probability_difference):
            with pytest.raises(ValueError, match=message):
                metric(answers, wrong)


class TestProbabilityDifference:
    logits = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]]).log()

    def test_sets_are_summed(self):
        assert probability_difference([[2, 3]], [[0]])(self.logits).item() == pytest.approx(0.6)

    def test_the_whole_vocabulary_against_nothing_much(self):
        assert probability_difference([[1, 2, 3]], [[0]])(self.logits).item() == pytest.approx(0.8)

    def test_shifting_all_logits_changes_nothing(self):
        metric = probability_difference([[3]], [[1]])
        assert metric(self.logits + 50).item() == pytest.approx(metric(self.logits).item(), abs=1e-5)


class TestLogProbability:
    def test_of_a_known_distribution(self):
        logits = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]]).log() + 7
        assert log_probability(torch.tensor([2]))(logits).item() == pytest.approx(math.log(0.3))

    def test_of_several_tokens_is_the_chain_rule(self):
        logits = torch.tensor([[[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]]]).log()
        metric = log_probability(torch.tensor([[1, 1]]), positions=torch.tensor([[0, 1]]))
        assert metric(logits).item() == pytest.approx(math.log(0.5 * 0.75))

    def test_masked_tokens_do_not_count_and_may_hold_anything(self):
        logits = torch.tensor([[[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]]] * 2).log()
        metric = log_probability(
            torch.tensor([[1, 1], [0, -100]]),
            positions=torch.tensor([[0, 1], [2, 99]]),
            mask=torch.tensor([[True, True], [True, False]]),
        )
        assert metric(logits).tolist() == pytest.approx([math.log(0.375), math.log(0.9)])

    def test_several_tokens_need_a_position_each(self):
        with pytest.raises(ValueError, match=r"shape \(1, 2\) are read at positions of shape \(1, 1\)"):
            log_probability(torch.tensor([[1, 1]]), positions=-1)


class TestNextTokenLoss:
    tokens = torch.randint(0, 7, (3, 9), generator=torch.Generator().manual_seed(1))
    logits = random_logits(3, 9, 7)

    def test_equals_torch_cross_entropy(self):
        expected = F.cross_entropy(self.logits[:, :-1].mT, self.tokens[:, 1:], reduction="none")
        torch.testing.assert_close(next_token_loss(self.tokens)(self.logits), expected.mean(1))
        second_half = next_token_loss(self.tokens, first=5)(self.logits)
        torch.testing.assert_close(second_half, expected[:, 4:].mean(1))

    def test_spans_may_differ_between_examples(self):
        expected = F.cross_entropy(self.logits[:, :-1].mT, self.tokens[:, 1:], reduction="none")
        metric = next_token_loss(self.tokens, first=torch.tensor([1, 4, 8]), last=torch.tensor([3, -2, 8]))
        by_hand = torch.stack([expected[0, 0:3].mean(), expected[1, 3:7].mean(), expected[2, 7]])
        torch.testing.assert_close(metric(self.logits), by_hand)

    def test_a_model_that_knows_nothing_loses_ln_of_the_vocabulary(self):
        assert next_token_loss(self.tokens)(torch.zeros(3, 9, 7)).tolist() == pytest.approx([math.log(7)] * 3)

    def test_a_model_that_knows_the_future_loses_nothing(self):
        logits = 1e4 * F.one_hot(self.tokens.roll(-1, dims=1), 7).float()
        assert next_token_loss(self.tokens)(logits).tolist() == [0.0, 0.0, 0.0]

    def test_may_be_named_after_its_span(self):
        assert next_token_loss(self.tokens, name="second-copy loss").name == "second-copy loss"

    @pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 4), (2, 9), (-9, -1)], ids=str)
    def test_impossible_spans_are_refused(self, first, last):
        with pytest.raises(ValueError, match=r"example 0 has the span from token .* within 1 and 8"):
            next_token_loss(self.tokens, first=first, last=last)

    def test_no_tokens(self):
        with pytest.raises(ValueError, match="tokens is empty"):
            next_token_loss(self.tokens[:0])


class TestKlDivergence:
    def test_by_hand(self):
        reference = torch.tensor([[[0.5, 0.5]]]).log()
        model = torch.tensor([[[0.25, 0.75]]]).log()
        expected = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
        assert kl_divergence(reference)(model).item() == pytest.approx(expected)
        reverse = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
        assert kl_divergence(model)(reference).item() == pytest.approx(reverse)

    def test_of_a_model_from_itself_is_zero_and_from_any_other_is_more(self):
        reference = random_logits(3, 5, 7)
        metric = kl_divergence(reference)
        assert metric(reference).tolist() == pytest.approx([0.0] * 3, abs=1e-6)
        assert metric(reference + 100).tolist() == pytest.approx([0.0] * 3, abs=1e-4)
        assert (metric(random_logits(3, 5, 7, seed=1)) > 0.1).all()

    def test_equals_torch_distributions_where_it_is_asked(self):
        reference, model = random_logits(3, 5, 7), random_logits(3, 5, 7, seed=1)
        pairs = (torch.distributions.Categorical(logits=logits) for logits in (reference, model))
        expected = torch.distributions.kl_divergence(*pairs)
        torch.testing.assert_close(kl_divergence(reference)(model), expected.mean(1))
        some = torch.tensor([[0, 2], [1, -1], [3, 3]])
        by_hand = expected.gather(1, some % 5).mean(1)
        torch.testing.assert_close(kl_divergence(reference, positions=some)(model), by_hand)
        torch.testing.assert_close(kl_divergence(reference, positions=-2)(model), expected[:, -2])

    @pytest.mark.parametrize("shape", [(3, 4, 7), (3, 5, 8)], ids=["other positions", "other vocabulary"])
    def test_other_tokens_are_refused(self, shape):
        with pytest.raises(ValueError, match=r"a reference of \(3, 5, 7\); both must come from the same tokens"):
            kl_divergence(random_logits(3, 5, 7))(random_logits(*shape))


class TestRank:
    def test_counts_what_is_higher(self):
        logits = torch.tensor([[[3.0, 5.0, 1.0, 4.0]]] * 4)
        assert rank(torch.tensor([1, 3, 0, 2]))(logits).tolist() == [0.0, 1.0, 2.0, 3.0]

    def test_a_model_that_prefers_nothing_ranks_everything_in_the_middle(self):
        assert rank(torch.tensor([0, 4]))(torch.zeros(2, 3, 5)).tolist() == [2.0, 2.0]
