import pytest
import torch

from interp_lab.models.untrained import generator_of_named, untrained_copies
from tests.tiny import tiny_model, tokens


class TestUntrainedCopies:
    def test_have_the_shape_and_nothing_of_the_weights(self):
        model = tiny_model(seed=3)
        before = {name: weight.clone() for name, weight in model.named_parameters()}
        (untrained,) = untrained_copies(model, 1, seed=0)
        assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters()), "the model's own"
        for name, weight in untrained.named_parameters():
            assert weight.shape == before[name].shape
            if weight.ndim > 1 and not name.split(".")[-1].startswith("b"):
                assert weight.std().item() == pytest.approx(0.8 / model.cfg.d_model**0.5, rel=0.35), name
                assert abs(torch.corrcoef(torch.stack([weight.flatten(), before[name].flatten()]))[0, 1].item()) < 0.4

    def test_biases_are_zero_and_norms_the_identity(self):
        (untrained,) = untrained_copies(tiny_model(normalization_type="LN"), 1, seed=0)
        assert (untrained.blocks[0].attn.b_Q == 0).all()
        assert (untrained.blocks[0].ln1.b == 0).all()
        assert (untrained.blocks[0].ln1.w == 1).all()

    def test_each_is_drawn_anew_and_the_same_seed_draws_the_same(self):
        model, text = tiny_model(), tokens(2, 6)

        def logits(seed):
            return [one(text).detach() for one in untrained_copies(model, 2, seed=seed)]

        first, second = logits(0)
        again, _ = logits(0)
        other, _ = logits(1)
        assert torch.equal(first, again)
        assert not torch.allclose(first, second)
        assert not torch.allclose(first, other)

    def test_one_by_name_is_none_of_the_copies_of_its_seed(self):
        """Else it would be its own control, and nothing that is claimed of it could be counted."""
        for seed in range(3):
            named, copy = generator_of_named(seed), torch.Generator().manual_seed(seed)
            assert not torch.equal(torch.randn(4, generator=named), torch.randn(4, generator=copy))
            assert torch.equal(*(torch.randn(4, generator=generator_of_named(seed)) for _ in range(2)))

    def test_attention_knows_nothing(self):
        """Close to uniform over what is visible: the best head of an untrained model scores a little above chance."""
        (untrained,) = untrained_copies(tiny_model(n_ctx=32), 1, seed=0)
        _, cache = untrained.run_with_cache(tokens(4, 12))
        pattern = cache["blocks.1.attn.hook_pattern"]
        uniform = torch.ones(12, 12).tril() / torch.arange(1, 13)[:, None]
        assert (pattern - uniform).abs().mean() < 0.05

    def test_none_is_no_control(self):
        with pytest.raises(ValueError, match="n=0 untrained models are no control"):
            next(untrained_copies(tiny_model(), 0, seed=0))


def test_a_model_that_norms_from_one_keeps_zeros():
    """Gemma's norms multiply by 1 + w: zero is their identity."""
    model = tiny_model(normalization_type="LN")
    model.cfg.rmsnorm_uses_offset = True
    (untrained,) = untrained_copies(model, 1, seed=0)
    assert (untrained.blocks[0].ln1.w == 0).all()
