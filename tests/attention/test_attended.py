"""Which tokens heads look at, and how far back, by hand and against a literal loop."""

from collections import defaultdict

import pytest
import torch

from interp_lab.attention.attended import attended_pairs, mean_distance, merged, top_pairs
from interp_lab.attention.masks import first_token_mask
from interp_lab.attention.scores import uniform_pattern
from interp_lab.hooks import capture
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model
from interp_lab.organisms.repeats import repeated_twice

TOKENS = torch.tensor([[5, 6, 5]])
PATTERN = torch.tensor([[1.0, 0, 0], [0.25, 0.75, 0], [0.5, 0.25, 0.25]])[None]


def random_text(*, n=6, length=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, (n, length), generator=generator)
    pattern = torch.rand(n, 2, 3, length, length, generator=generator).tril()
    return pattern / pattern.sum(-1, keepdim=True), tokens


class TestMeanDistance:
    def test_by_hand(self):
        # Query 1: 0.25 one back. Query 2: 0.5 two back and 0.25 one back. The first query has no choice.
        assert float(mean_distance(PATTERN)) == pytest.approx((0.25 + 1.25) / 2)

    def test_of_even_attention_is_half_the_mean_position(self):
        pattern = uniform_pattern(torch.zeros(1, 9, dtype=torch.long))
        assert float(mean_distance(pattern)) == pytest.approx(sum(range(1, 9)) / 8 / 2)

    def test_of_compiled_heads_is_what_they_were_written_to_look_back(self):
        """In `compiled/linear` 1.0 and 1.2 look one back, and 1.1 two (from position 1 one: there is no more)."""
        tokens = torch.arange(1, 12)[None]
        pattern = capture(load_model("compiled/linear"), tokens, ["blocks.1.attn.hook_pattern"])
        distance = mean_distance(pattern["blocks.1.attn.hook_pattern"])[0]
        torch.testing.assert_close(distance[:3], torch.tensor([1.0, 19 / 10, 1.0]))


class TestAttendedPairs:
    def test_by_hand(self):
        found = attended_pairs(PATTERN, TOKENS)
        assert found.pairs.tolist() == [[5, 5], [5, 6], [6, 5], [6, 6]]
        assert found.counts.tolist() == [3, 1, 1, 1]
        assert found.attention.tolist() == [1 + 0.5 + 0.25, 0.25, 0.25, 0.75]
        torch.testing.assert_close(found.chance, torch.tensor([1 + 2 / 3, 1 / 3, 1 / 2, 1 / 2]))

    def test_equals_a_literal_loop(self):
        pattern, tokens = random_text()
        found = attended_pairs(pattern, tokens)
        counts, paid = defaultdict(int), defaultdict(float)
        for row in range(6):
            for query in range(10):
                for key in range(query + 1):
                    pair = (int(tokens[row, query]), int(tokens[row, key]))
                    counts[pair] += 1
                    paid[pair] += pattern[row, :, :, query, key]
        assert [tuple(pair) for pair in found.pairs.tolist()] == sorted(counts)
        assert found.counts.tolist() == [counts[pair] for pair in sorted(counts)]
        torch.testing.assert_close(found.attention, torch.stack([paid[pair] for pair in sorted(counts)], dim=-1))

    def test_all_attention_is_accounted_for(self):
        pattern, tokens = random_text()
        found = attended_pairs(pattern, tokens)
        torch.testing.assert_close(found.attention.sum(-1), torch.full((2, 3), 60.0))
        assert float(found.chance.sum()) == pytest.approx(60)
        assert int(found.counts.sum()) == 6 * 55

    def test_batches_merge_into_the_whole(self):
        pattern, tokens = random_text()
        tokens[:2] += 2  # the batches share some tokens, not all
        whole = attended_pairs(pattern, tokens)
        parts = merged([attended_pairs(pattern[rows], tokens[rows]) for rows in (slice(0, 2), slice(2, 6))])
        assert torch.equal(parts.pairs, whole.pairs)
        for nth in (1, 2, 3):
            torch.testing.assert_close(parts[nth], whole[nth])

    def test_padding_is_not_counted(self):
        pattern, tokens = random_text()
        real = torch.ones(6, 10, dtype=torch.bool)
        real[:, :4] = False
        alone = attended_pairs(pattern[..., 4:, 4:], tokens[:, 4:])
        for found, expected in zip(attended_pairs(pattern, tokens, real), alone, strict=True):
            torch.testing.assert_close(found, expected)

    def test_only_pairs_of_positions_that_count_are_counted(self):
        found = attended_pairs(PATTERN, TOKENS, among=~first_token_mask(TOKENS))
        assert found.counts.tolist() == [2, 1, 1]  # the two that stay where they are and one pair
        assert found.pairs.tolist() == [[5, 5], [5, 6], [6, 6]]

    def test_refuses_what_does_not_fit(self):
        with pytest.raises(ValueError, match="make them from the same tokens"):
            attended_pairs(PATTERN, torch.tensor([[5, 6, 5, 6]]))
        with pytest.raises(ValueError, match="no pair of positions is left"):
            attended_pairs(PATTERN, TOKENS, among=torch.zeros(1, 3, 3, dtype=torch.bool))
        with pytest.raises(ValueError, match="no batches to merge"):
            merged([])


class TestTopPairs:
    def test_rare_pairs_do_not_come_first(self):
        found = attended_pairs(PATTERN, TOKENS)
        everything = top_pairs(found, top=2, at_least=1)
        assert [everything.query.tolist(), everything.key.tolist()] == [[6, 5], [6, 5]]
        assert everything.attention.tolist() == pytest.approx([0.75, 1.75 / 3])
        common = top_pairs(found, top=2, at_least=2)
        assert (common.query.tolist(), common.counts.tolist()) == ([5], [3])
        assert common.chance.tolist() == pytest.approx([(1 + 2 / 3) / 3])

    def test_of_a_duplicate_token_head_are_all_of_a_token_with_itself(self):
        compiled = compile_model("compiled/duplicate-token")
        symbols = range(min(compiled.symbols), max(compiled.symbols) + 1)
        tokens = repeated_twice(40, 8, seed=0, symbols=symbols).tokens
        hook = "blocks.0.attn.hook_pattern"
        pattern = capture(load_model("compiled/duplicate-token"), tokens, [hook])[hook]
        head = next(head for head, kinds in compiled.truth.head_types.items() if "duplicate_token" in kinds)
        second_copy = (torch.arange(17) > 8)[None, :, None].expand(40, 17, 17)
        found = top_pairs(attended_pairs(pattern, tokens, among=second_copy), top=len(symbols))
        assert head[0] == 0
        assert torch.equal(found.query[head[1]], found.key[head[1]])
        assert sorted(found.query[head[1]].tolist()) == list(symbols)

    def test_refuses_what_has_no_answer(self):
        found = attended_pairs(PATTERN, TOKENS)
        with pytest.raises(ValueError, match="at_least=4 times, the commonest 3 times"):
            top_pairs(found, top=1, at_least=4)
        with pytest.raises(ValueError, match="top=0 asks for no pairs"):
            top_pairs(found, top=0)
