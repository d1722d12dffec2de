"""Which codecs tell their decoder's rows, which are refused, and how attribution reads through them."""

import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig

from interp_lab.gradients import gradients_of, run_with_graph
from interp_lab.hooks import capture
from interp_lab.identity import WeightProcessing
from interp_lab.interventions import Intervention, Op
from interp_lab.metrics import logit_difference
from interp_lab.patching.attribution import attribution
from interp_lab.sae.training.loading import LoadedSae
from interp_lab.types import Site
from tests.engine.models import hooked, prompts
from tests.engine.test_latents import LinearCodec

HOOK = "blocks.1.hook_resid_post"


class OfNorms(LinearCodec):
    rescales_tokens = True
    where = "an SAE of norms"


class TestCodecsWithANormOfEachToken:
    """They decode with what they encoded last: not the activation that is changed, or its donor."""

    def test_are_refused_in_interventions(self):
        with pytest.raises(ValueError, match="an SAE of norms divides each token by its own norm"):
            Intervention((Site(HOOK, latent=2),), Op.ADD, (torch.ones(()),), "x", codec=OfNorms(16))

    def test_are_refused_in_attribution(self):
        model, base = hooked("llama"), prompts(hooked("llama"))
        metric = logit_difference(torch.zeros(len(base)).long(), torch.ones(len(base)).long())
        groups, codecs = [[Site(HOOK, latent=2)]], {HOOK: OfNorms(16)}
        with pytest.raises(ValueError, match="divides each token by its own norm"):
            attribution(model, base, corrupted=base.flip(0), groups=groups, metric=metric, codecs=codecs)


def test_attribution_reads_the_heads_side_by_side():
    """Equal to the gradient at the flattened heads times each row, times the change of the latent."""
    hook, model = "blocks.1.attn.hook_z", hooked("llama")
    base, source = prompts(model), prompts(model, seed=7)
    codec, metric = LinearCodec(16), logit_difference(torch.zeros(len(base)).long(), torch.ones(len(base)).long())
    groups = [[Site(hook, latent=nth)] for nth in range(7)]
    found = attribution(model, source, corrupted=base, groups=groups, metric=metric, codecs={hook: codec}).estimates
    kept, values, _ = run_with_graph(model, base, [hook], metric)
    gradient = gradients_of(values, kept)[hook].flatten(2)
    there, here = (codec.encode(capture(model, run, [hook])[hook].flatten(2)) for run in (source, base))
    expected = ((there - here) * (gradient @ codec.down.T)).sum(1).T
    assert found == pytest.approx(expected.numpy(), abs=1e-9)
    assert expected.abs().max() > 1e-3
    with pytest.raises(ValueError, match="reads all heads of a token side by side; name no head"):
        attribution(
            model, source, corrupted=base, groups=[[Site(hook, head=1, latent=2)]], metric=metric, codecs={hook: codec}
        )


def small_sae(dtype="float32", normalize="none"):
    sae = StandardSAE(StandardSAEConfig(d_in=16, d_sae=64, dtype=dtype, device="cpu", normalize_activations=normalize))
    generator = torch.Generator().manual_seed(0)
    sae.W_dec.data = torch.randn(64, 16, generator=generator).to(sae.W_dec)
    sae.b_dec.data = 5 * torch.randn(16, generator=generator).to(sae.b_dec)
    return LoadedSae(sae, "an SAE", HOOK, "m", WeightProcessing(), None)


class TestRowsOfLoadedSaes:
    @pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
    def test_are_told_in_any_precision(self, dtype):
        loaded = small_sae(dtype)
        assert torch.equal(loaded.decoder_rows, loaded.sae.W_dec)

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    @pytest.mark.parametrize("size", [1.0, 1e-6])
    @pytest.mark.parametrize(
        "decode", [lambda x, own: own(3 * x.relu()), lambda x, own: own(3 * x), lambda x, own: own(x.abs())]
    )
    def test_are_not_told_where_decoding_is_something_else(self, decode, size, dtype):
        """However little the rows write beside the constant."""
        loaded = small_sae(dtype)
        loaded.sae.W_dec.data *= size
        own = loaded.sae.decode
        loaded.sae.decode = lambda latents: decode(latents, own)
        assert loaded.decoder_rows is None

    @pytest.mark.parametrize("normalize", ["layer_norm", "constant_norm_rescale"])
    def test_are_none_where_each_token_is_divided_by_its_norm(self, normalize):
        loaded = small_sae(normalize=normalize)
        assert loaded.decoder_rows is None
        assert loaded.rescales_tokens
        assert not small_sae().rescales_tokens
