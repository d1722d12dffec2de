"""Directions taken out of the stream: at every write nothing is left, and half precision holds what is asked of it."""

import pytest
import torch

from interp_lab.hooks import capture
from interp_lab.interventions import Op, applied, apply_op, every_write, project_out, squared_length
from tests.tiny import tiny_model, tokens

DIRECTION = torch.randn(16, generator=torch.Generator().manual_seed(5))
KINDS = {
    "plain": {},
    "parallel": {"parallel_attn_mlp": True},
    "attention only": {"attn_only": True, "act_fn": None, "d_mlp": None},
    "rotary": {"positional_embedding_type": "rotary", "normalization_type": "LNPre"},
}


def largest_cosine(model, ablation):
    names = ("hook_resid_pre", "hook_resid_post")
    hooks = [f"blocks.{layer}.{name}" for layer in range(3) for name in names]
    with applied(model, ablation):
        kept = capture(model, tokens(), hooks)
    return max(float(torch.cosine_similarity(kept[hook], DIRECTION, dim=-1).abs().max()) for hook in hooks[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_projected_out_at_every_write_a_direction_is_nowhere_in_the_stream(kind):
    model = tiny_model(**KINDS[kind])
    assert largest_cosine(model, project_out(every_write(model), DIRECTION)) < 1e-5


def test_projected_out_of_one_layer_it_is_written_again():
    model = tiny_model()
    assert largest_cosine(model, project_out(every_write(model)[:1], DIRECTION)) > 0.1


def test_the_writes_are_those_of_the_model():
    assert [str(site) for site in every_write(tiny_model(n_layers=1))] == [
        "0.hook_resid_pre",
        "0.hook_attn_out",
        "0.hook_mlp_out",
    ]
    assert len(every_write(tiny_model(**KINDS["attention only"]))) == 1 + 3


class TestHalfPrecision:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
    @pytest.mark.parametrize("length", [1e-3, 1.0, 2000.0])
    @pytest.mark.parametrize("op", [Op.PROJECT_OUT, Op.CLAMP])
    def test_a_direction_of_any_length_is_taken_out_and_clamped(self, dtype, length, op):
        """Float16 holds nothing above 65,504: neither the square of a length above 255, nor 60 times 2,000."""
        generator = torch.Generator().manual_seed(0)
        unit = torch.nn.functional.normalize(torch.randn(64, generator=generator), dim=0)
        activation = 20 * torch.randn(3, 64, generator=generator) + 60 * unit
        changed = apply_op(op, activation.to(dtype), (length * unit).to(dtype))
        assert changed.dtype == dtype
        along = changed.double() @ unit.double()
        target = length if op is Op.CLAMP else 0.0
        before = float((activation @ unit).abs().max())
        assert float((along - target).abs().max()) < 0.01 * max(before, length)

    def test_squares_are_of_full_precision(self):
        assert squared_length(torch.full((4,), 1000.0, dtype=torch.float16)).tolist() == [4e6]
        assert squared_length(torch.ones(4, dtype=torch.float64)).dtype == torch.float64
