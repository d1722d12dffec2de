"""Scores against TransformerLens's head detector, and padded prompts against the same prompts alone."""

import numpy as np
import pytest
import torch
from transformer_lens.head_detector import detect_head

from interp_lab.attention.attended import mean_distance
from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.head_types import head_types
from interp_lab.attention.heads import chance_scores, head_habits, head_scores
from interp_lab.attention.masks import (
    HEAD_TYPES,
    current_token_mask,
    duplicate_token_mask,
    induction_mask,
    previous_token_mask,
)
from interp_lab.attention.readings import read_attended, read_example, read_habits, read_scores
from interp_lab.attention.scores import attention_entropy, attention_to, chance_attention
from interp_lab.hooks import capture, edited
from interp_lab.interventions import Intervention, Op, applied
from interp_lab.types import Site
from tests.tiny import tiny_model

THEIR_TYPES = {
    "previous_token_head": previous_token_mask,
    "duplicate_token_head": duplicate_token_mask,
    "induction_head": induction_mask,
}
TOKENS = torch.randint(6, (3, 14), generator=torch.Generator().manual_seed(0))
PATTERNS = [f"blocks.{layer}.attn.hook_pattern" for layer in range(3)]


def patterns_of(model, tokens, mask=None):
    """Axes batch, layer, head, query, key."""
    kept = capture(model, tokens, PATTERNS, mask=mask)
    return torch.stack([kept[name] for name in PATTERNS], dim=1)


def share_of_all_attention(pattern, mask, *, without_bos, without_current):
    """Their `mul`: of all attention of all queries, the share that lands where a head of the type looks."""
    kept = pattern.clone()
    kept[..., 0] *= not without_bos
    if without_current:
        kept = kept * (1 - torch.eye(pattern.shape[-1]))
    return (kept * mask[:, None, None]).sum((-2, -1)) / kept.sum((-2, -1))


def one_minus_error(pattern, mask, *, without_bos, without_current):
    """Their `abs`: one minus the absolute difference to the mask, per query; they round it to three places."""
    off = (pattern - mask[:, None, None].float()).abs()
    off[..., 0] *= not without_bos
    if without_current:
        off = off * (1 - torch.eye(pattern.shape[-1]))
    return 1 - (off.mean((-2, -1)) * pattern.shape[-1]).double().round(decimals=3)


class TestHeadDetector:
    """It takes strings; the model here reads "0", "1" and "2" as the rows of `TOKENS`."""

    @pytest.fixture(scope="class")
    def model(self):
        model = tiny_model(n_ctx=32)
        model.to_tokens = lambda text, **_: TOKENS if isinstance(text, list) else TOKENS[int(text)][None]
        return model

    @pytest.mark.parametrize("exclude", [(False, False), (True, False), (False, True), (True, True)], ids=str)
    @pytest.mark.parametrize("kind", THEIR_TYPES)
    @pytest.mark.parametrize("measure", ["mul", "abs"])
    def test_parity(self, model, kind, measure, exclude):
        score = {"mul": share_of_all_attention, "abs": one_minus_error}[measure]
        found = score(
            patterns_of(model, TOKENS), THEIR_TYPES[kind](TOKENS), without_bos=exclude[0], without_current=exclude[1]
        )
        for row in range(len(TOKENS)):
            theirs = detect_head(
                model, str(row), kind, exclude_bos=exclude[0], exclude_current_token=exclude[1], error_measure=measure
            )
            torch.testing.assert_close(found[row].float(), theirs, atol=1e-6, rtol=0)

    @pytest.mark.parametrize("kind", THEIR_TYPES)
    def test_our_score_is_theirs_per_query_that_has_something_to_look_at(self, model, kind):
        mask = THEIR_TYPES[kind](TOKENS)
        asked = mask.any(-1).sum(-1)
        ours = attention_to(patterns_of(model, TOKENS), mask[None])[0] * (asked / TOKENS.shape[1])[:, None, None]
        theirs = detect_head(model, ["0", "1", "2"], kind)
        torch.testing.assert_close(ours.mean(0), theirs, atol=1e-6, rtol=0)


class TestGroupedQueries:
    def test_every_query_head_has_its_own_score(self):
        model = tiny_model(n_key_value_heads=2)
        scores = attention_to(patterns_of(model, TOKENS), torch.stack([mask(TOKENS) for mask in HEAD_TYPES.values()]))
        assert scores.shape == (4, 3, 3, 4)
        assert len(scores[0, 0, 0].unique()) == 4  # heads that share keys do not share queries


class TestPaddedPrompts:
    """A model reads a padded prompt as it reads the prompt alone, and so must every score of its patterns."""

    model = tiny_model(n_ctx=32)
    prompt = torch.randint(5, (1, 9), generator=torch.Generator().manual_seed(3))
    types = (*HEAD_TYPES.values(), current_token_mask)

    def both(self, side):
        """Patterns, tokens and real tokens of a padded prompt, and of the prompt alone."""
        width = (4, 0) if side == "left" else (0, 4)
        tokens = torch.nn.functional.pad(self.prompt, width, value=7)
        real = torch.nn.functional.pad(torch.ones(1, 9, dtype=torch.bool), width)
        padded, alone = patterns_of(self.model, tokens, mask=real), patterns_of(self.model, self.prompt)
        return (padded, tokens, real), (alone, self.prompt, None)

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_scores_and_chance(self, side):
        scores, chance = [], []
        for pattern, tokens, real in self.both(side):
            masks = torch.stack([mask(tokens, real) for mask in self.types])
            scores.append(attention_to(pattern, masks))
            chance.append(chance_attention(masks, real))
        torch.testing.assert_close(*scores, atol=1e-5, rtol=0)
        torch.testing.assert_close(*chance)
        assert not torch.isnan(scores[0]).any()

    @pytest.mark.parametrize("side", ["left", "right"])
    @pytest.mark.parametrize("score", [attention_entropy, mean_distance])
    def test_entropy_and_distance(self, score, side):
        padded, alone = (score(pattern, real) for pattern, _, real in self.both(side))
        torch.testing.assert_close(padded, alone, atol=1e-5, rtol=0)

    def test_without_being_told_the_scores_are_others(self):
        (pattern, _, _), (alone, _, _) = self.both("left")
        assert (attention_entropy(pattern) - attention_entropy(alone)).abs().max() > 0.05


class TestPaddedModels:
    """The same through the functions that run the model: padded prompts of two lengths, and each prompt alone."""

    model = tiny_model(n_ctx=32)
    lengths = (9, 6)
    prompts = torch.randint(3, (2, 9), generator=torch.Generator().manual_seed(3))

    def padded(self, side):
        """Tokens and mask; padding is a token that the prompts hold, too."""
        tokens, mask = torch.zeros(2, 13, dtype=torch.long), torch.zeros(2, 13, dtype=torch.bool)
        for row, length in enumerate(self.lengths):
            own = slice(13 - length, 13) if side == "left" else slice(0, length)
            tokens[row, own], mask[row, own] = self.prompts[row, :length], True
        return tokens, mask

    def alone(self):
        return [self.prompts[row : row + 1, :length] for row, length in enumerate(self.lengths)]

    @pytest.mark.parametrize("side", ["left", "right"])
    @pytest.mark.parametrize("compete", [True, False])
    def test_scores_and_their_null(self, side, compete):
        tokens, mask = self.padded(side)
        found = head_scores(self.model, tokens, compete=compete, mask=mask, batch_size=1)
        null = chance_scores(tokens, compete=compete, mask=mask)
        for row, prompt in enumerate(self.alone()):
            expected = head_scores(self.model, prompt, compete=compete)[..., 0]
            np.testing.assert_allclose(found[..., row], expected, atol=1e-5)
            np.testing.assert_allclose(null[:, row], chance_scores(prompt, compete=compete)[:, 0], atol=1e-6)

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_what_is_read(self, side):
        tokens, mask = self.padded(side)
        config, types = AttentionHeadsConfig(n_untrained=1), head_types(window=3)
        scores = read_scores(self.model, tokens, types, config, compete=True, mask=mask)
        habits = read_habits(self.model, tokens, config, mask=mask)
        for row, prompt in enumerate(self.alone()):
            own, own_habits = (
                read_scores(self.model, prompt, types, config, compete=True), read_habits(self.model, prompt, config),
            )  # fmt: skip
            np.testing.assert_allclose(scores.scores[..., row], own.scores[..., 0], atol=1e-5)
            np.testing.assert_allclose(habits.entropy[..., row], own_habits.entropy[..., 0], atol=1e-5)
            np.testing.assert_allclose(habits.distance[..., row], own_habits.distance[..., 0], atol=1e-4)

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_patterns_and_attended_pairs(self, side):
        tokens, mask = self.padded(side)
        example = read_example(self.model, tokens[1:], [(0, 0), (2, 1)], mask=mask[1:])
        expected = read_example(self.model, self.alone()[1], [(0, 0), (2, 1)])
        assert example.tokens == expected.tokens
        np.testing.assert_allclose(example.patterns, expected.patterns, atol=1e-5)
        one = tokens[:1].repeat(6, 1), mask[:1].repeat(6, 1)
        own = self.alone()[0].repeat(6, 1)
        found = read_attended(self.model, one[0], one[0], [(1, 1)], masks=(one[1], one[1]))
        alone = read_attended(self.model, own, own, [(1, 1)])
        assert (found.query, found.key) == (alone.query, alone.key)
        np.testing.assert_allclose(found.attention, alone.attention, atol=1e-5)
        np.testing.assert_allclose(found.chance, alone.chance, atol=1e-6)

    def test_edited_attention_is_refused_all_the_same(self):
        tokens, mask = self.padded("left")
        halved = Intervention((Site("blocks.2.attn.hook_pattern"),), Op.SCALE, (torch.tensor(0.5),), "halved")
        with (
            applied(self.model, halved),
            pytest.raises(ValueError, match=r"off by 0\.5.*remove other hooks, and of padded prompts give the mask"),
        ):
            head_scores(self.model, tokens, mask=mask)

    def test_attention_to_padding_is_refused(self):
        tokens, mask = self.padded("left")

        def on_padding(pattern: torch.Tensor) -> torch.Tensor:
            pattern[:, :, -1] = torch.eye(13)[0]
            return pattern

        with (
            edited(self.model, {"blocks.1.attn.hook_pattern": on_padding}),
            pytest.raises(ValueError, match=r"blocks\.1.*off by 1"),
        ):
            head_scores(self.model, tokens, mask=mask)

    def test_masks_that_do_not_fit(self):
        tokens, mask = self.padded("left")
        with pytest.raises(ValueError, match=r"mask has shape \(2, 12\), and the tokens \(2, 13\)"):
            head_scores(self.model, tokens, mask=mask[:, 1:])
        with pytest.raises(ValueError, match=r"prompt 1 is all padding by its mask \(1 of 2\); leave it out"):
            head_habits(self.model, tokens, mask=mask & torch.tensor([[True], [False]]))
