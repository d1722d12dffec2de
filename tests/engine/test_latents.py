"""Interventions on the latents of a codec: encoded once, all changed, the difference decoded and added."""

import pytest
import torch

from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.engine.compare import require_literal
from tests.engine.models import hooked, prompts


class LinearCodec:
    """A tiny transcoder-less dictionary: relu encoder, linear decoder, and an error of its own."""

    def __init__(self, d_in, n_latents=7, dtype=torch.float64):
        generator = torch.Generator().manual_seed(0)
        self.up, self.bias, self.down = (
            torch.randn(size, generator=generator).to(dtype)
            for size in ((d_in, n_latents), (n_latents,), (n_latents, d_in))
        )

    def encode(self, activation):
        return (activation @ self.up + self.bias).relu()

    def decode(self, latents):
        return latents @ self.down + 0.3


@pytest.mark.parametrize("kind", ["gpt2 folded", "llama", "neox"])
class TestLatents:
    hook = "blocks.1.hook_resid_post"

    def test_of_a_codec(self, kind):
        model, base, codec = hooked(kind), prompts(hooked(kind)), LinearCodec(16)
        one, two, at = (Site(self.hook, latent=2), Site(self.hook, latent=4), Site(self.hook, latent=2, position=6))
        value = torch.tensor(2.5)
        made = [
            Intervention((one,), Op.REPLACE, (value,), "clamped", codec=codec),
            Intervention((at,), Op.ADD, (value,), "added at one position", codec=codec),
            Intervention((one, two), Op.REPLACE, (torch.zeros(()), value), "two at once", codec=codec),
            Intervention((one, at), Op.REPLACE, (torch.zeros(()), value), "off, but on at one position", codec=codec),
            Intervention(
                (two,), Op.SCALE, (value,), "each at its own", codec=codec, positions=torch.tensor([4, 8, 5, 7])
            ),
            Intervention((one,), Op.ADD, (torch.arange(1.0, 5)[:, None],), "by prompt", codec=codec, per_example=True),
        ]
        require_literal(model, base, made)

    def test_of_one_heads_output(self, kind):
        model, base, codec = hooked(kind), prompts(hooked(kind)), LinearCodec(4)
        site = Site("blocks.0.attn.hook_z", head=3, latent=1)
        require_literal(model, base, [Intervention((site,), Op.ADD, (torch.tensor(2.0),), "up", codec=codec)])

    def test_left_alone_leave_the_activation_alone(self, kind):
        """The codec's error is kept: scaling a latent by one is no intervention, however bad the codec."""
        model, base, codec = hooked(kind), prompts(hooked(kind)), LinearCodec(16)
        same = Intervention((Site(self.hook, latent=2),), Op.SCALE, (torch.ones(()),), "same", codec=codec)
        found = require_literal(model, base, [same], moves=False)
        assert abs(found.changes).max() < 1e-12
