"""Keys with the output of one writing head exchanged."""

import pytest
import torch

from interp_lab.hooks import capture
from interp_lab.models import build_hooked
from interp_lab.training.composition import keys_without
from interp_lab.training.config import AttentionOnlyConfig
from interp_lab.training.initial import attention_only_config, initial_weights

SHAPE = AttentionOnlyConfig(n_heads=3, d_head=4, d_model=12, n_ctx=10)
CONFIG = attention_only_config(SHAPE, n_symbols=20, name="small")


def small_model(**changed):
    weights = initial_weights(CONFIG, seed=0)
    generator = torch.Generator().manual_seed(1)
    # LayerNorms that do something.
    for name in ("blocks.0.ln1", "blocks.1.ln1"):
        weights[f"{name}.w"] = 1 + 0.5 * torch.randn(12, generator=generator)
        weights[f"{name}.b"] = torch.randn(12, generator=generator)
    return build_hooked(CONFIG, weights | changed, processing="raw")


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
