import pytest
import torch

from interp_lab.models import forward_from, load_model
from tests.models.fixtures import random_tokens

both_backends = pytest.mark.parametrize("backend", ["hooked", "bridge"])


@pytest.fixture(scope="module")
def models(directories):
    """A model with learned and one with rotary positions, on each backend."""
    return {
        (shape, backend): load_model(directories[shape], "cpu", backend=backend)
        for shape in ("gpt2", "llama")
        for backend in ("hooked", "bridge")
    }


@pytest.fixture
def without_gradients():
    with torch.no_grad():
        yield


def residual(model, tokens, layer):
    name = f"blocks.{layer}.hook_resid_pre" if layer < 2 else "blocks.1.hook_resid_post"
    return model.run_with_cache(tokens, names_filter=name)[1][name]


@both_backends
@pytest.mark.parametrize("shape", ["gpt2", "llama"])
@pytest.mark.usefixtures("without_gradients")
class TestForwardFrom:
    @pytest.mark.parametrize("layer", [0, 1, 2])
    def test_its_own_residual_is_the_full_run(self, models, shape, backend, layer):
        model, tokens = models[shape, backend], random_tokens()
        logits = forward_from(model, residual(model, tokens, layer), layer)
        torch.testing.assert_close(logits, model(tokens), atol=1e-5, rtol=0)

    @pytest.mark.parametrize("layer", [0, 1, 2])
    def test_of_a_foreign_residual_is_the_same_on_both_backends(self, models, shape, backend, layer):
        resid = torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(3))
        expected = models[shape, "hooked"](resid, start_at_layer=layer)
        for tokens in (None, random_tokens(batch=2, pos=7)):
            logits = forward_from(models[shape, backend], resid, layer, tokens=tokens)
            torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)

    @pytest.mark.parametrize(("layer", "stop"), [(0, 1), (0, 2), (1, 2), (1, 1), (2, 2)])
    def test_can_stop_at_a_residual(self, models, shape, backend, layer, stop):
        model, tokens = models[shape, backend], random_tokens()
        reached = forward_from(model, residual(model, tokens, layer), layer, stop_at_layer=stop)
        torch.testing.assert_close(reached, residual(model, tokens, stop), atol=1e-5, rtol=0)

    def test_hooks_take_part_also_where_it_starts(self, models, shape, backend):
        """Doubling what enters block 1, by a hook, is starting from the double."""
        model, tokens = models[shape, backend], random_tokens()
        resid = residual(model, tokens, 1)
        seen = []

        def double(activation, hook):
            seen.append(activation)
            return 2 * activation

        with model.hooks(fwd_hooks=[("blocks.1.hook_resid_pre", double)]):
            logits = forward_from(model, resid, 1)
        torch.testing.assert_close(logits, forward_from(model, 2 * resid, 1), atol=1e-5, rtol=0)
        assert torch.equal(seen[0], resid)

    def test_padding_is_masked(self, models, shape, backend):
        """Left padding, masked, leaves the real positions with what they are without it."""
        model, resid = models[shape, backend], torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(4))
        padded = torch.cat([torch.full((1, 2, 32), 7.0), resid], dim=1)
        mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1]])
        logits = forward_from(model, padded, 1, attention_mask=mask)
        torch.testing.assert_close(logits[:, 2:], forward_from(model, resid, 1), atol=1e-4, rtol=0)

    def test_leaves_no_hook_behind(self, models, shape, backend):
        model, tokens = models[shape, backend], random_tokens()
        before = model(tokens)
        for stop in (None, 2):
            forward_from(model, torch.zeros(1, 3, 32), 1, stop_at_layer=stop)
        with pytest.raises((RuntimeError, IndexError, ValueError)):
            forward_from(model, torch.zeros(1, 3, 31), 1)
        assert torch.equal(model(tokens), before)
        assert not any(point._forward_hooks for point in model.hook_dict.values())


class TestGradients:
    @both_backends
    def test_reach_the_residual(self, models, backend):
        model = models["llama", backend]
        resid = torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(5)).requires_grad_(True)
        (gradient,) = torch.autograd.grad(forward_from(model, resid, 1)[0, -1, 3], resid)
        reference = models["llama", "hooked"](resid, start_at_layer=1)[0, -1, 3]
        torch.testing.assert_close(gradient, torch.autograd.grad(reference, resid)[0], atol=1e-4, rtol=1e-4)


class TestWhatItRefuses:
    @both_backends
    @pytest.mark.parametrize(("layer", "stop"), [(-1, None), (3, None), (1, 0), (0, 3)])
    def test_layers_out_of_order_or_range(self, models, backend, layer, stop):
        with pytest.raises(ValueError, match="the model has 2 layers, so 0 <= layer <= stop_at_layer <= 2"):
            forward_from(models["gpt2", backend], torch.zeros(1, 3, 32), layer, stop_at_layer=stop)

    @both_backends
    def test_tokens_of_another_shape(self, models, backend):
        tokens = torch.zeros(1, 4, dtype=torch.long)
        with pytest.raises(ValueError, match=r"tokens have shape \(1, 4\), the residual \(1, 3\)"):
            forward_from(models["gpt2", backend], torch.zeros(1, 3, 32), 1, tokens=tokens)
