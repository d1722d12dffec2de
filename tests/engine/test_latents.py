"""Interventions on the latents of a codec: encoded once, all changed, the difference decoded and added."""

import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.hooks import capture
from interp_lab.interventions import Intervention, Op, patches
from interp_lab.metrics import logit_difference
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

    def test_patched_from_another_run(self, kind):
        """One latent adds its decoder row times the difference of its values, all of them the difference decoded."""
        model, base, codec = hooked(kind), prompts(hooked(kind)), LinearCodec(16)
        source = prompts(hooked(kind), seed=7)
        made = patches(
            model, [[Site(self.hook, latent=2)], [Site(self.hook)], [Site(self.hook, latent=3, position=6)]],
            source, base=base, codec=codec,
        )  # fmt: skip
        there, here = (codec.encode(capture(model, run, [self.hook])[self.hook]) for run in (source, base))
        change = there - here
        added = [change[..., 2:3] * codec.down[2], change @ codec.down]
        at_six = torch.zeros_like(added[0])
        at_six[:, 6] = change[:, 6, 3:4] * codec.down[3]
        by_hand = [
            Intervention((Site(self.hook),), Op.ADD, (value,), "by hand", per_example=True, since=made[0].since)
            for value in (*added, at_six)
        ]
        metric = logit_difference(torch.zeros(len(base)).long(), torch.ones(len(base)).long())
        found, expected = (sweep(model, base, each, metric).values for each in (made, by_hand))
        assert found == pytest.approx(expected, abs=1e-9)
        assert abs(found - sweep(model, base, made, metric).baseline).max() > 1e-3


@pytest.mark.parametrize("latent", [7, -1])
def test_that_the_codec_has_not_are_refused(latent):
    model, base, codec = hooked("llama"), prompts(hooked("llama")), LinearCodec(16)
    site = Site("blocks.0.hook_resid_post", latent=latent)
    with pytest.raises(ValueError, match=rf"{latent} of .*codec, outside the 7 .* 0 to 6"):
        require_literal(model, base, [Intervention((site,), Op.ADD, (torch.ones(()),), "up", codec=codec)])
