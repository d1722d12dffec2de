from dataclasses import replace

import pytest
import torch

from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.types import Interval, Site, nearest, require_tokens

IDENTITY = ModelIdentity("organism-attn", WeightProcessing(), n_layers=2, d_model=128, d_vocab=181)


class TestSite:
    @pytest.mark.parametrize(
        ("site", "name"),
        [
            (Site.of_head(1, 3), "1.3"),
            (Site.of_head(1, 3, position=-1), "1.3@-1"),
            (Site.of_head(0, 2, at="q"), "0.attn.hook_q[2]"),
            (Site("blocks.4.hook_resid_post", position=7), "4.hook_resid_post@7"),
            (Site("blocks.0.mlp.hook_post", latent=12), "0.mlp.hook_post#12"),
            (Site("hook_embed"), "hook_embed"),
        ],
    )
    def test_short_name(self, site, name):
        assert str(site) == name

    def test_layer_is_read_from_the_hook_name(self):
        assert Site("blocks.11.hook_resid_pre").layer == 11
        assert Site("hook_embed").layer is None

    @pytest.mark.parametrize("hook", ["blocks.0.hook_resid_pre", "blocks.0.hook_mlp_out", "blocks.0.mlp.hook_post"])
    def test_no_head_where_there_is_no_head_axis(self, hook):
        with pytest.raises(ValueError, match=r"has none; use e\.g\. 'blocks\.0\.attn\.hook_z'"):
            Site(hook, head=0)


class TestWeightProcessing:
    @pytest.mark.parametrize("name", ["folded", "raw"])
    def test_presets_know_their_names(self, name):
        assert str(WeightProcessing.named(name)) == name

    def test_a_mixture_lists_its_steps(self):
        assert str(WeightProcessing(True, False, True, False)) == "fold_ln+center_unembed"


class TestModelIdentity:
    def test_survives_json(self):
        assert ModelIdentity.from_dict(IDENTITY.as_dict()) == IDENTITY

    def test_refuses_another_processing_and_says_how_to_load(self):
        raw = replace(IDENTITY, processing=WeightProcessing.named("raw"))
        with pytest.raises(
            ValueError, match=r"the direction .*processing: raw, not the model's folded.*processing='raw'"
        ):
            IDENTITY.require_same(raw, what="the direction")

    def test_refuses_another_model_and_names_what_differs(self):
        other = replace(IDENTITY, name="gpt2", d_model=768)
        with pytest.raises(ValueError, match=r"name: gpt2, .*d_model: 768, not the model's 128"):
            IDENTITY.require_same(other, what="the probe")

    def test_accepts_itself(self):
        IDENTITY.require_same(replace(IDENTITY), what="the probe")


@pytest.mark.parametrize(("value", "outside"), [(0.1, True), (0.2, False), (0.5, False), (0.8, False), (0.9, True)])
def test_an_interval_is_closed(value, outside):
    assert Interval(0.5, 0.2, 0.8).excludes(value) is outside


def test_nearest_keeps_quiet_when_nothing_is_close():
    assert nearest("gpt2-smal", ["gpt2-small", "pythia"]) == "; did you mean 'gpt2-small'?"
    assert nearest("xyz", ["gpt2-small"]) == ""


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match=r"tokens is empty \(shape \(0, 9\)\)"):
        require_tokens(torch.zeros(0, 9, dtype=torch.long))
