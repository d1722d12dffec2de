"""The training loss equals that of `HookedTransformer`, text by text, and so do its gradients."""

import pytest
import torch

from interp_lab.models import build_hooked
from interp_lab.organisms.grammar.corpus import encode, texts
from interp_lab.organisms.grammar.vocabulary import BOS_ID, END_ID, vocabulary
from interp_lab.training.forward import weighted_loss
from interp_lab.training.initial import initial_weights, transformer_config
from interp_lab.training.mixture import pack
from interp_lab.training.organism_config import TransformerConfig

SHAPE = TransformerConfig(n_layers=2, n_heads=3, d_head=5, d_model=12, d_mlp=20)


@pytest.fixture
def model():
    config = transformer_config(SHAPE, d_vocab=len(vocabulary()), name="small")
    weights = initial_weights(config, seed=0)
    generator = torch.Generator().manual_seed(1)
    # Biases and LayerNorms that do something, so that forgetting one shows.
    noisy = {name: value + 0.3 * torch.randn(value.shape, generator=generator) for name, value in weights.items()}
    return build_hooked(config, noisy)


def token_losses(model, tokens: list[int]) -> torch.Tensor:
    return model(torch.tensor([tokens]), return_type="loss", loss_per_token=True)[0]


class TestWeightedLoss:
    def test_equals_that_of_every_text_run_by_itself(self, model):
        examples = texts(12, seed=0)
        batch = pack(examples, [True] * 12, n_ctx=64, answer_weight=1.0)
        expected = torch.cat([token_losses(model, [BOS_ID, *encode(one), END_ID]) for one in examples]).mean()
        found = weighted_loss(dict(model.named_parameters()), batch, precision="float32")
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)

    def test_a_text_that_is_not_alone_sees_the_one_before(self, model):
        one, two = texts(2, seed=0, behaviours=["facts"])
        batch = pack([one, two], [True, False], n_ctx=64, answer_weight=1.0)
        expected = token_losses(model, [BOS_ID, *encode(one), END_ID, *encode(two), END_ID]).mean()
        parameters = dict(model.named_parameters())
        found = weighted_loss(parameters, batch, precision="float32")
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        apart = weighted_loss(
            parameters, pack([one, two], [True, True], n_ctx=64, answer_weight=1.0), precision="float32"
        )
        assert abs(apart.item() - found.item()) > 1e-3

    def test_weights_are_a_weighted_mean(self, model):
        (one,) = texts(1, seed=3)
        losses = token_losses(model, [BOS_ID, *encode(one), END_ID])
        weights = torch.ones(len(losses))
        weights[one.answer_at] = 7.0
        batch = pack([one], [True], n_ctx=64, answer_weight=7.0)
        found = weighted_loss(dict(model.named_parameters()), batch, precision="float32")
        torch.testing.assert_close(found, (losses * weights).sum() / weights.sum(), atol=1e-5, rtol=0)

    def test_gradients_equal(self, model):
        one = texts(1, seed=4)[0]
        parameters = dict(model.named_parameters())
        expected = torch.autograd.grad(
            token_losses(model, [BOS_ID, *encode(one), END_ID]).mean(), list(parameters.values()), allow_unused=True
        )
        batch = pack([one], [True], n_ctx=64, answer_weight=1.0)
        found = torch.autograd.grad(
            weighted_loss(parameters, batch, precision="float32"), list(parameters.values()), allow_unused=True
        )
        for name, ours, theirs in zip(parameters, found, expected, strict=True):
            torch.testing.assert_close(
                ours, theirs, atol=1e-5, rtol=1e-3, msg=lambda told, name=name: f"{name}: {told}"
            )

    def test_products_in_half_the_bits_are_close(self, model):
        batch = pack(texts(12, seed=0), [True] * 12, n_ctx=64, answer_weight=1.0)
        parameters = dict(model.named_parameters())
        whole, half = (weighted_loss(parameters, batch, precision=bits).item() for bits in ("float32", "bfloat16"))
        assert half == pytest.approx(whole, rel=0.01)
        assert half != whole
