"""Composition of heads: scores with known answers, TransformerLens as oracle, and keys with one writer exchanged."""

import pytest
import torch

from interp_lab.hooks import capture
from interp_lab.models import build_hooked
from interp_lab.training.composition import (
    HeadWeights,
    composing_weights,
    k_composition,
    keys_without,
    random_composition,
)
from interp_lab.training.config import AttentionOnlyConfig
from interp_lab.training.initial import attention_only_config, initial_weights

SHAPE = AttentionOnlyConfig(n_heads=3, d_head=4, d_model=12, n_ctx=10)
CONFIG = attention_only_config(SHAPE, n_symbols=20, name="small")


def small_model(processing="raw", **changed):
    weights = initial_weights(CONFIG, seed=0)
    generator = torch.Generator().manual_seed(1)
    # LayerNorms that do something, so that folding them matters.
    for name in ("blocks.0.ln1", "blocks.1.ln1"):
        weights[f"{name}.w"] = 1 + 0.5 * torch.randn(12, generator=generator)
        weights[f"{name}.b"] = torch.randn(12, generator=generator)
    return build_hooked(CONFIG, weights | changed, processing=processing)


def axes(*rows: int) -> torch.Tensor:
    """Read (or write) these coordinates of a residual stream of 6, in this order."""
    return torch.eye(6)[:, list(rows)][None]


class TestKComposition:
    @pytest.mark.parametrize(
        ("written", "read", "score"),
        [((2, 3), (2, 3), 2**-0.5), ((2, 3), (4, 5), 0.0), ((2, 3), (3, 4), 0.5)],
        ids=["the same plane", "another plane", "planes that share an axis"],
    )
    def test_by_hand(self, written, read, score):
        # |OV| = |QK| = sqrt(2); the product has 2, 0 and 1 unit entries.
        weights = HeadWeights(v=axes(0, 1), o=axes(*written).mT, q=axes(0, 1), k=axes(*read))
        assert k_composition(weights).item() == pytest.approx(score)

    def test_one_dimension_written_and_read_is_one(self):
        weights = HeadWeights(v=axes(0), o=axes(5).mT, q=axes(1), k=axes(5))
        assert k_composition(weights).item() == pytest.approx(1.0)

    def test_queries_do_not_count(self):
        weights = HeadWeights(v=axes(0), o=axes(5).mT, q=axes(5), k=axes(2))
        assert k_composition(weights).item() == 0.0

    def test_a_silent_head_is_zero(self):
        weights = HeadWeights(v=axes(0), o=torch.zeros(1, 1, 6), q=axes(1), k=axes(5))
        assert k_composition(weights).item() == 0.0

    @pytest.mark.parametrize("processing", ["raw", "folded"])
    def test_equals_transformer_lens_on_folded_weights(self, processing):
        # TransformerLens reads weights as they are, so its answer is right for the folded model; ours for both.
        oracle = small_model("folded").all_composition_scores("K")[0, :, 1]
        found = k_composition(composing_weights(small_model(processing), writer=0, reader=1))
        torch.testing.assert_close(found, oracle, atol=1e-5, rtol=0)

    def test_scale_of_the_weights_cancels(self):
        weights = composing_weights(small_model(), writer=0, reader=1)
        scaled = HeadWeights(*(3.0 * part for part in weights))
        torch.testing.assert_close(k_composition(scaled), k_composition(weights))


class TestRandomComposition:
    def test_is_about_one_over_the_root_of_the_width_for_full_rank(self):
        like = HeadWeights(*(torch.zeros(1, 40, 40) for _ in range(4)))
        drawn = random_composition(like, n_draws=50, seed=0)
        assert drawn.mean().item() == pytest.approx(40**-0.5, rel=0.02)

    def test_untrained_heads_score_like_it(self):
        weights = composing_weights(small_model(), writer=0, reader=1)
        drawn = random_composition(weights, n_draws=400, seed=0)
        low, high = torch.quantile(drawn, torch.tensor([0.001, 0.999]))
        assert ((k_composition(weights) > low) & (k_composition(weights) < high)).all()


class TestKeysWithout:
    tokens = torch.randint(1, 21, (4, 10), generator=torch.Generator().manual_seed(0))

    def own_keys(self, model, head=2):
        return capture(model, self.tokens, ["blocks.1.attn.hook_k"])["blocks.1.attn.hook_k"][:, :, head]

    def test_a_silent_writer_changes_nothing(self):
        w_o = initial_weights(CONFIG, seed=0)["blocks.0.attn.W_O"]
        w_o[1] = 0.0
        model = small_model(**{"blocks.0.attn.W_O": w_o})
        torch.testing.assert_close(
            keys_without(model, self.tokens, writer=(0, 1), reader=(1, 2)), self.own_keys(model), atol=1e-5, rtol=0
        )

    def test_sequences_that_are_all_alike_have_nothing_to_exchange(self):
        model, alike = small_model(), self.tokens[:1].expand(4, -1)
        found = keys_without(model, alike, writer=(0, 1), reader=(1, 2))
        own = capture(model, alike, ["blocks.1.attn.hook_k"])["blocks.1.attn.hook_k"][:, :, 2]
        torch.testing.assert_close(found, own, atol=1e-5, rtol=0)

    def test_equals_the_keys_of_a_run_with_the_head_exchanged(self):
        """With two layers a head's output reaches the second layer's keys only directly: hooks tell the same."""
        model = small_model()

        def exchange(z, hook):
            z = z.clone()
            z[:, :, 1] = z[:, :, 1].roll(1, 0)
            return z

        with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", exchange)]):
            expected = self.own_keys(model)
        found = keys_without(model, self.tokens, writer=(0, 1), reader=(1, 2))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        assert (found - self.own_keys(model)).abs().max() > 1e-3

    @pytest.mark.parametrize(
        ("n_sequences", "writer", "message"),
        [(1, (0, 1), "1 sequence has no other"), (4, (1, 0), "head 1.0 writes nothing that the keys of 1.2")],
    )
    def test_refuses_what_has_no_answer(self, n_sequences, writer, message):
        with pytest.raises(ValueError, match=message):
            keys_without(small_model(), self.tokens[:n_sequences], writer=writer, reader=(1, 2))
