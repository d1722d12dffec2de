"""Scores of patterns, worked by hand."""

import math

import pytest
import torch

from interp_lab.attention.masks import HEAD_TYPES, induction_mask, local_window_mask
from interp_lab.attention.scores import attention_entropy, attention_to, chance_attention, uniform_pattern

BOS_X_X = torch.tensor([[0, 5, 6, 7, 5, 6, 7]])
"""`[BOS, x, x]` with period 3."""


def looking_back(lookback: int, queries: range, side: int = 7) -> torch.Tensor:
    """A pattern whose `queries` attend `lookback` positions back and all others to themselves."""
    pattern = torch.eye(side)
    for query in queries:
        pattern[query] = torch.eye(side)[query - lookback]
    return pattern[None, None]


def score(kind: str, pattern: torch.Tensor, tokens: torch.Tensor = BOS_X_X) -> float:
    return float(attention_to(pattern, HEAD_TYPES[kind](tokens)[None]))


class TestScore:
    @pytest.mark.parametrize(("lookback", "kind"), [(1, "previous_token"), (2, "induction"), (3, "duplicate_token")])
    def test_is_one_for_the_head_that_looks_there_and_zero_for_others(self, lookback, kind):
        pattern = looking_back(lookback, range(4, 7))
        scores = {name: score(name, pattern) for name in ("induction", "duplicate_token")}
        scores["previous_token"] = score("previous_token", looking_back(lookback, range(lookback, 7)))
        assert scores.pop(kind) == pytest.approx(1.0, abs=0.2 if kind == "previous_token" else 1e-6)
        assert set(scores.values()) == {0.0}

    def test_averages_over_the_queries_that_have_something_to_look_at(self):
        pattern = looking_back(2, range(5, 7))  # two of the three queries of the second copy
        assert score("induction", pattern) == pytest.approx(2 / 3)

    def test_adds_up_attention_to_several_earlier_occurrences(self):
        tokens = torch.tensor([[4, 4, 4]])
        pattern = torch.tensor([[1.0, 0, 0], [0.25, 0.75, 0], [0.25, 0.5, 0.25]])[None, None]
        assert score("duplicate_token", pattern, tokens) == pytest.approx((0.25 + 0.75) / 2)

    def test_is_nan_where_nothing_repeats(self):
        assert math.isnan(score("induction", torch.eye(3)[None, None], torch.tensor([[1, 2, 3]])))

    def test_equals_a_literal_loop(self):
        tokens = torch.randint(5, (4, 11), generator=torch.Generator().manual_seed(0))
        pattern = torch.rand(4, 3, 11, 11, generator=torch.Generator().manual_seed(1)).tril()
        masks = torch.stack([mask(tokens) for mask in HEAD_TYPES.values()])
        fast = attention_to(pattern, masks)
        for kind, mask in enumerate(masks):
            for row in range(4):
                for head in range(3):
                    queries = [q for q in range(11) if mask[row, q].any()]
                    paid = [sum(float(pattern[row, head, q, k]) for k in range(11) if mask[row, q, k]) for q in queries]
                    assert float(fast[kind, row, head]) == pytest.approx(sum(paid) / len(paid), abs=1e-6)

    def test_of_layers_and_heads_at_once_is_that_of_each(self):
        pattern = torch.rand(1, 2, 3, 7, 7, generator=torch.Generator().manual_seed(0)).tril()
        masks = torch.stack([mask(BOS_X_X) for mask in HEAD_TYPES.values()])
        together = attention_to(pattern, masks)
        assert together.shape == (4, 1, 2, 3)
        for layer in range(2):
            torch.testing.assert_close(together[:, :, layer], attention_to(pattern[:, layer], masks))

    def test_of_a_pattern_without_heads(self):
        assert attention_to(torch.eye(7)[None], induction_mask(BOS_X_X)[None]).shape == (1, 1)

    def test_a_local_head_splits_its_attention_by_the_window(self):
        """Half to the token before and half to the one three before: a window of 2 gets one half, of 3 all."""
        pattern = 0.5 * looking_back(1, range(3, 7)) + 0.5 * looking_back(3, range(3, 7))
        asked = torch.arange(7)[:, None] >= 3
        two, three = (
            float(attention_to(pattern, (local_window_mask(BOS_X_X, width=width) & asked)[None])) for width in (2, 3)
        )
        assert (two, three) == (0.5, 1.0)


class TestChance:
    def test_is_what_uniform_attention_scores(self):
        uniform = torch.ones(7, 7).tril()
        uniform = (uniform / uniform.sum(-1, keepdim=True))[None, None]
        for kind, mask in HEAD_TYPES.items():
            assert float(chance_attention(mask(BOS_X_X))) == pytest.approx(score(kind, uniform))

    def test_is_the_average_over_shuffled_keys_whatever_the_pattern(self):
        generator = torch.Generator().manual_seed(0)
        pattern = torch.rand(7, 7, generator=generator).tril()
        pattern = pattern / pattern.sum(-1, keepdim=True)
        shuffled = torch.zeros(4000, 1, 7, 7)
        for query in range(7):
            order = torch.rand(4000, query + 1, generator=generator).argsort(-1)
            shuffled[:, 0, query, : query + 1] = pattern[query, : query + 1][order]
        mask = induction_mask(BOS_X_X).expand(4000, -1, -1)
        mean = attention_to(shuffled, mask[None]).mean()
        assert float(mean) == pytest.approx(float(chance_attention(induction_mask(BOS_X_X))), abs=0.01)

    def test_by_hand(self):
        """Induction on `[BOS, x, x]`, period 3: one target for the queries at 4, 5, 6, out of 5, 6, 7 keys."""
        assert float(chance_attention(induction_mask(BOS_X_X))) == pytest.approx((1 / 5 + 1 / 6 + 1 / 7) / 3)


class TestEntropy:
    def test_bounds(self):
        side = 6
        uniform = torch.ones(side, side).tril() / torch.arange(1, side + 1)[:, None]
        assert float(attention_entropy(uniform)) == pytest.approx(1.0)
        assert float(attention_entropy(torch.eye(side))) == 0.0

    def test_half_and_half_by_hand(self):
        pattern = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]])
        assert float(attention_entropy(pattern)) == pytest.approx((1 + math.log(2) / math.log(3)) / 2)

    def test_the_first_query_has_no_choice_and_does_not_count(self):
        pattern = torch.tensor([[0.5, 0.0], [0.5, 0.5]])  # the first row is no distribution, and not looked at
        assert float(attention_entropy(pattern)) == pytest.approx(1.0)

    def test_of_a_single_token_is_nan(self):
        assert math.isnan(float(attention_entropy(torch.ones(1, 1))))


class TestUniform:
    def test_is_even_over_what_a_query_can_see(self):
        rows = uniform_pattern(torch.tensor([[3, 3, 3]]))[0].tolist()
        assert rows == [[1, 0, 0], [0.5, 0.5, 0], pytest.approx([1 / 3] * 3)]

    def test_of_padding_is_zero(self):
        rows = uniform_pattern(torch.tensor([[9, 3, 3]]), torch.tensor([[False, True, True]]))[0].tolist()
        assert rows == [[0, 0, 0], [0, 1, 0], [0, 0.5, 0.5]]


class TestBadInput:
    def test_a_pattern_that_is_not_square(self):
        with pytest.raises(ValueError, match=r"1 queries by 7 keys is not square; .*whole pattern"):
            attention_to(torch.ones(1, 1, 1, 7), torch.ones(1, 1, 7, 7, dtype=torch.bool))

    def test_masks_of_other_tokens(self):
        with pytest.raises(ValueError, match=r"\(1, 1, 7, 7\) do not fit patterns of shape \(1, 1, 6, 6\)"):
            attention_to(torch.eye(6)[None, None], induction_mask(BOS_X_X)[None])

    def test_padding_of_other_prompts(self):
        with pytest.raises(ValueError, match=r"real of shape \(2, 6\) does not fit patterns of shape \(1, 1, 6, 6\)"):
            attention_entropy(torch.eye(6)[None, None], torch.ones(2, 6, dtype=torch.bool))

    def test_padding_needs_to_know_the_batch(self):
        with pytest.raises(ValueError, match="the first and the last axis"):
            attention_entropy(torch.eye(6), torch.ones(6, 6, dtype=torch.bool))
