"""A reconstruction in place of an activation: equal to SAE Lens's splice, by the short way and the long one."""

import warnings

import pytest
import torch
from sae_lens import HookedSAETransformer

from interp_lab.hooks import capture
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.evaluation.splice import layer_entered, spliced
from tests.sae.evaluation.small import EMBED, RESID, Z, model, read

EVERY = [
    EMBED,
    "blocks.0.hook_resid_pre",
    "blocks.2.hook_resid_post",
    "blocks.3.hook_resid_post",
    Z,
    "blocks.0.hook_mlp_out",
]


def clean(hook):
    piece = read(hook)[0]
    tokens = piece.tokens.long()[:3]
    return tokens, piece.kept[:3], capture(model(), tokens, [hook])[hook]


@pytest.mark.parametrize("hook", EVERY)
def test_the_activation_itself_changes_nothing(hook):
    tokens, kept, activation = clean(hook)
    rows = activation.flatten(2)[kept]
    with torch.inference_mode():
        untouched = model()(tokens)
        found = spliced(model(), tokens, activation, hook=hook, kept=kept, rows=rows)
    torch.testing.assert_close(found, untouched, rtol=0, atol=0)


@pytest.mark.parametrize("hook", EVERY)
def test_equals_a_hook_that_does_it_in_a_whole_run(hook):
    tokens, kept, activation = clean(hook)
    rows = activation.flatten(2)[kept].flip(-1)

    def literally(value, hook):
        flat = value.flatten(2).clone()
        for row, (batch, pos) in enumerate(kept.nonzero().tolist()):
            flat[batch, pos] = rows[row]
        return flat.view_as(value)

    with torch.inference_mode():
        expected = model().run_with_hooks(tokens, fwd_hooks=[(hook, literally)])
        found = spliced(model(), tokens, activation, hook=hook, kept=kept, rows=rows)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    assert (found - model()(tokens)).abs().max() > 0.01


def test_equals_sae_lens_where_it_splices_every_token():
    sae = load_chosen(SaeChoice())
    tokens, _, activation = clean(sae.hook)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = HookedSAETransformer(model().cfg, tokenizer=model().tokenizer)
        theirs.load_state_dict(model().state_dict())
    everywhere = torch.ones_like(tokens, dtype=torch.bool)
    with torch.inference_mode():
        expected = theirs.run_with_saes(tokens, saes=[sae.sae])
        rows = sae.decode(sae.encode(activation.flatten(2)[everywhere]))
        found = spliced(model(), tokens, activation, hook=sae.hook, kept=everywhere, rows=rows)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_tokens_left_out_keep_their_activation_and_what_comes_before_does_not_change():
    tokens, kept, activation = clean(RESID)
    kept = kept & (torch.arange(kept.shape[1]) >= 5)
    rows = torch.zeros_like(activation[kept])
    with torch.inference_mode():
        untouched = model()(tokens)
        found = spliced(model(), tokens, activation, hook=RESID, kept=kept, rows=rows)
    torch.testing.assert_close(found[:, :5], untouched[:, :5])
    assert (found[:, 5:] - untouched[:, 5:]).abs().amax(-1)[kept[:, 5:]].min() > 0


@pytest.mark.parametrize(
    ("hook", "layer"),
    [("blocks.0.hook_resid_pre", 0), ("blocks.2.hook_resid_post", 3), ("blocks.2.hook_resid_mid", None), (Z, None)],
)
def test_only_where_blocks_meet_is_there_a_short_way(hook, layer):
    assert layer_entered(hook) == layer
