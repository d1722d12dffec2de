"""Codecs that tell their decoder's rows: the same numbers for less, and nothing at all where nothing changes."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from interp_lab.engine import sweep
from interp_lab.hooks import capture
from interp_lab.interventions import Intervention, Op, applied, decoder_rows, patches
from interp_lab.interventions.op import apply_to_latents
from interp_lab.metrics import logit_difference
from interp_lab.types import Site
from tests.engine.compare import require_literal
from tests.engine.models import hooked, prompts
from tests.engine.test_latents import LinearCodec
from tests.tiny import tiny_model, tokens

HOOK = "blocks.1.hook_resid_post"


class Telling(LinearCodec):
    """The same dictionary, which says that it decodes linearly."""

    @property
    def decoder_rows(self):
        return self.down


def codecs(d_in=16, n_latents=64):
    return LinearCodec(d_in, n_latents), Telling(d_in, n_latents)


class TestRows:
    @pytest.mark.parametrize("op", [Op.REPLACE, Op.ADD, Op.SCALE])
    @pytest.mark.parametrize("latents", [[5], [5, 9, 60], list(range(40)), None], ids=["one", "three", "many", "all"])
    def test_give_what_decoding_twice_gives(self, op, latents):
        plain, telling = codecs()
        activation = torch.randn(4, 6, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        index = None if latents is None else torch.tensor(latents)
        payload = torch.linspace(-1, 2, 64 if latents is None else len(latents), dtype=torch.float64)
        found, expected = (
            apply_to_latents(op, activation, payload, codec=codec, latents=index) for codec in (telling, plain)
        )
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
        assert (found - activation).abs().max() > 1e-3

    def test_cost_one_row_per_latent_in_place_of_two_dictionaries(self):
        plain, telling = codecs(d_in=16, n_latents=512)
        activation = torch.randn(10, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        counted, three = [], torch.tensor([3, 7, 9])
        silent = torch.zeros(3, dtype=torch.float64)
        for codec in (plain, telling):
            with FlopCounterMode(display=False) as flops:
                apply_to_latents(Op.REPLACE, activation, silent, codec=codec, latents=three)
            counted.append(flops.get_total_flops() // 2)
        encode = 10 * 16 * 512
        assert counted == [encode + 2 * encode, encode + 10 * 3 * 16]

    def test_are_not_told_by_a_codec_that_says_nothing(self):
        plain, telling = codecs()
        assert decoder_rows(plain) is None
        assert decoder_rows(telling) is telling.down

    def test_in_sweeps_and_hooks_alike(self):
        model, base, codec = hooked("llama"), prompts(hooked("llama")), Telling(16, 64)
        one, two = Site(HOOK, latent=2), Site(HOOK, latent=40, position=5)
        made = [
            Intervention((one,), Op.REPLACE, (torch.tensor(2.5),), "clamped", codec=codec),
            Intervention((one, two), Op.SCALE, (torch.zeros(()), torch.tensor(3.0)), "two", codec=codec),
        ]
        require_literal(model, base, made)


@pytest.mark.parametrize("codec", codecs(16, 7), ids=["decoded twice", "by rows"])
class TestNothing:
    """The error term is kept to the bit: whatever the codec cannot reconstruct comes back as it was."""

    def test_leaves_an_activation_bit_by_bit(self, codec):
        activation = torch.randn(4, 6, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        left = apply_to_latents(Op.SCALE, activation, torch.ones(7), codec=codec, latents=None)
        assert torch.equal(left, activation)
        assert (codec.decode(codec.encode(activation)) - activation).abs().max() > 1

    def test_leaves_logits_bit_by_bit(self, codec):
        model, base = hooked("gpt2 folded"), prompts(hooked("gpt2 folded"))
        silent = int((codec.encode(capture(model, base, [HOOK])[HOOK]) > 0).flatten(0, 1).sum(0).argmin())
        nothing = [
            Intervention((Site(HOOK, latent=2),), Op.SCALE, (torch.ones(()),), "same", codec=codec),
            Intervention((Site(HOOK),), Op.ADD, (torch.zeros(()),), "all of them, by nothing", codec=codec),
        ]
        with torch.no_grad():
            plain = model(base)
            for each in nothing:
                with applied(model, each):
                    assert torch.equal(model(base), plain), silent


class Largest(TorchDispatchMode):
    """Notes how many entries the largest tensor has that anything returns."""

    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            self.entries = max(self.entries, found.numel())
        return found


class TestMemory:
    def test_rows_prompt_by_prompt_never_outgrow_the_latents(self):
        """60 rows of 128 entries for each prompt would be 7680 of them, beside 1024 latents."""
        _, telling = codecs(d_in=128, n_latents=1024)
        activation = torch.randn(10, 128, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        every = torch.stack([torch.randperm(1024, generator=torch.Generator().manual_seed(n))[:60] for n in range(10)])
        with Largest() as seen:
            found = apply_to_latents(Op.REPLACE, activation, torch.zeros(60).double(), codec=telling, latents=every)
        assert seen.entries <= max(10 * 1024, telling.down.numel())
        rows = [
            apply_to_latents(Op.REPLACE, one[None], torch.zeros(60).double(), codec=telling, latents=own)
            for one, own in zip(activation, every, strict=True)
        ]
        torch.testing.assert_close(found, torch.cat(rows))


class TestHeadsSideBySide:
    """A dictionary of `hook_z` reads all heads of a token on one axis."""

    hook = "blocks.1.attn.hook_z"

    def test_equal_a_hook_written_by_hand(self):
        model, base = tiny_model(seed=1, dtype=torch.float64), tokens()
        codec = Telling(16, 7)
        made = Intervention((Site(self.hook, latent=2),), Op.REPLACE, (torch.tensor(1.5),), "z", codec=codec)

        def by_hand(z, hook):
            flat = z.reshape(*z.shape[:2], 16)
            latents = codec.encode(flat)
            error = flat - codec.decode(latents)
            latents[..., 2] = 1.5
            return (codec.decode(latents) + error).reshape(z.shape)

        with torch.no_grad():
            expected = model.run_with_hooks(base, fwd_hooks=[(self.hook, by_hand)])
            with applied(model, made):
                found = model(base)
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
        assert (found - model(base)).abs().max() > 1e-3

    @pytest.mark.parametrize("kind", ["gpt2 folded", "llama", "neox"])
    def test_in_sweeps(self, kind):
        model, base, codec = hooked(kind), prompts(hooked(kind)), Telling(16)
        everything, one = Site(self.hook), Site(self.hook, latent=3)
        made = [
            Intervention((one,), Op.ADD, (torch.tensor(2.0),), "one", codec=codec),
            Intervention((Site(self.hook, latent=3, position=4),), Op.REPLACE, (torch.tensor(2.0),), "at", codec=codec),
            Intervention((everything,), Op.SCALE, (torch.zeros(()),), "all latents", codec=codec),
            Intervention(
                (one,), Op.REPLACE, (torch.arange(4.0),), "by prompt, each at its place", codec=codec,
                per_example=True, positions=torch.tensor([4, 8, 5, 7]), gate=torch.tensor([True, False, True, True]),
            ),
        ]  # fmt: skip
        require_literal(model, base, made)

    def test_patched_from_another_run(self):
        """All latents patched: the heads' reconstruction of the other run with the error of this one."""
        model, base, source = hooked("llama"), prompts(hooked("llama")), prompts(hooked("llama"), seed=7)
        codec = Telling(16)
        (made,) = patches(model, [[Site(self.hook)]], source, base=base, codec=codec)
        there, here = (codec.encode(capture(model, run, [self.hook])[self.hook].flatten(2)) for run in (source, base))
        added = ((there - here) @ codec.down).unflatten(-1, (4, 4))
        by_hand = Intervention((Site(self.hook),), Op.ADD, (added,), "by hand", per_example=True, since=made.since)
        metric = logit_difference(torch.zeros(len(base)).long(), torch.ones(len(base)).long())
        found, expected = (sweep(model, base, [each], metric).values for each in (made, by_hand))
        assert found == pytest.approx(expected, abs=1e-9)

    def test_latents_beyond_those_of_all_heads_are_refused(self):
        model, base, codec = hooked("llama"), prompts(hooked("llama")), Telling(16)
        with pytest.raises(ValueError, match=r"entry 7 .* under its codec, outside the 7 there are"):
            sweep(
                model, base, [Intervention((Site(self.hook, latent=7),), Op.ADD, (torch.ones(()),), "x", codec=codec)],
                logit_difference(torch.zeros(len(base)).long(), torch.ones(len(base)).long()),
            )  # fmt: skip

    def test_patterns_have_nothing_to_encode(self):
        with pytest.raises(ValueError, match="no activation per token to encode"):
            Intervention((Site("blocks.0.attn.hook_pattern"),), Op.SCALE, (torch.ones(()),), "x", codec=Telling(9))
