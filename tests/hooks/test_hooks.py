"""Hooks: what they read and write, what they leave behind, what they refuse."""

import pytest
import torch

from interp_lab.hooks import (
    HookNeverFiredError,
    NonFiniteActivationError,
    ablate,
    add,
    at_site,
    capture,
    n_heads_at,
    record,
    replace,
    require_site,
)
from interp_lab.types import Site
from tests.tiny import tiny_model, tokens

Z = "blocks.1.attn.hook_z"
RESID = "blocks.1.hook_resid_post"


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def grouped():
    return tiny_model(n_key_value_heads=2)


@pytest.fixture(scope="module")
def clean(model):
    with torch.inference_mode():
        return model.run_with_cache(tokens())


def n_hooks(model) -> int:
    return sum(len(point.fwd_hooks) + len(point.bwd_hooks) for point in model.hook_dict.values())


class TestRecord:
    def test_reads_what_transformer_lens_caches(self, model, clean):
        logits, cache = clean
        with torch.inference_mode(), record(model, [Z, RESID]) as kept:
            again = model(tokens())
        assert torch.equal(again, logits)
        assert all(torch.equal(kept[name], cache[name]) for name in (Z, RESID))

    def test_keeps_copies(self, model):
        with torch.inference_mode(), record(model, [RESID]) as kept:
            model(tokens())
            before = kept[RESID].clone()
            kept[RESID].zero_()
            model(tokens())
        assert torch.equal(kept[RESID], before)

    def test_keeps_the_graph_on_request(self, model):
        with record(model, [Z], graph=True) as kept:
            loss = model(tokens()).square().sum()
        (gradient,) = torch.autograd.grad(loss, [kept[Z]])
        assert gradient.shape == kept[Z].shape
        assert gradient.abs().sum() > 0

    def test_says_so_if_the_model_never_ran(self, model):
        with pytest.raises(HookNeverFiredError, match=Z), record(model, [Z]):
            pass


class TestCapture:
    def test_runs_no_layer_above_the_last_one_asked_for(self, model, clean):
        ran = []
        with model.hooks(
            [(f"blocks.{layer}.hook_resid_pre", lambda t, hook: ran.append(hook.layer())) for layer in range(3)]
        ):
            kept = capture(model, tokens(), [Z, "blocks.0.attn.hook_pattern"])
        assert ran == [0, 1]
        assert torch.equal(kept[Z], clean[1][Z])

    def test_runs_to_the_end_for_hook_points_after_the_blocks(self, model, clean):
        kept = capture(model, tokens(), ["ln_final.hook_normalized", "hook_embed"])
        assert torch.equal(kept["ln_final.hook_normalized"], clean[1]["ln_final.hook_normalized"])

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_names_the_layer_where_activations_stop_being_finite(self, bad):
        broken = tiny_model()
        broken.blocks[1].mlp.W_out.data[0, 0] = bad
        with pytest.raises(NonFiniteActivationError, match=r"from 'blocks\.1\.hook_mlp_out' \(in layer 1\) on"):
            capture(broken, tokens(), ["blocks.2.hook_resid_post"])

    def test_allows_the_minus_infinity_of_masked_scores(self, model):
        kept = capture(model, tokens(), ["blocks.0.attn.hook_attn_scores"])
        assert torch.isinf(kept["blocks.0.attn.hook_attn_scores"]).any()

    def test_refuses_no_prompts(self, model):
        with pytest.raises(ValueError, match="empty"):
            capture(model, tokens(0), [Z])


class TestEditing:
    def test_zero_ablating_a_head_is_the_model_without_its_output_weights(self, model):
        cut = tiny_model()
        cut.blocks[1].attn.W_O.data[2] = 0
        with torch.inference_mode():
            with ablate(model, Site.of_head(1, 2)):
                ablated = model(tokens())
            assert torch.allclose(ablated, cut(tokens()), atol=1e-6)

    def test_replacing_by_the_models_own_value_changes_nothing(self, model, clean):
        logits, cache = clean
        with torch.inference_mode(), replace(model, Site(RESID), cache[RESID]):
            assert torch.equal(model(tokens()), logits)

    def test_adding_and_replacing_agree(self, model, clean):
        _, cache = clean
        site, vector = Site(RESID, position=4), torch.linspace(-1, 1, 16)
        with torch.inference_mode():
            with add(model, site, vector):
                added = model(tokens())
            with replace(model, site, cache[RESID][:, 4] + vector):
                replaced = model(tokens())
        assert torch.equal(added, replaced)

    def test_a_position_changes_nothing_before_it(self, model, clean):
        with torch.inference_mode(), add(model, Site(RESID, position=4), torch.linspace(-1, 1, 16)):
            logits = model(tokens())
        changed = (logits != clean[0]).any(-1).any(0)
        assert changed.tolist() == [False] * 4 + [True] * 5

    def test_negative_positions_count_from_the_end(self, model):
        vector = torch.linspace(-1, 1, 16)
        results = []
        for position in (8, -1):
            with torch.inference_mode(), add(model, Site(RESID, position=position), vector):
                results.append(model(tokens()))
        assert torch.equal(*results)

    def test_does_not_write_into_other_activations(self, model, clean):
        """TransformerLens caches without copying, so an edit in place reaches back into the layer below."""
        with torch.inference_mode(), add(model, Site("blocks.2.hook_resid_pre"), torch.ones(16)):
            _, cache = model.run_with_cache(tokens())
        assert torch.equal(cache["blocks.1.hook_resid_post"], clean[1]["blocks.1.hook_resid_post"])

    def test_two_sites_of_one_hook_point_are_both_edited(self, model, clean):
        with torch.inference_mode(), ablate(model, Site.of_head(1, 0), Site.of_head(1, 3)), record(model, [Z]) as kept:
            model(tokens())
        norms = kept[Z].square().sum((0, 1, 3))
        assert (norms == 0).tolist() == [True, False, False, True]

    def test_counts_how_often_it_fired(self, model):
        with torch.inference_mode(), ablate(model, Site(RESID)) as fired:
            model(tokens())
            model(tokens())
        assert fired == {RESID: 2}


class TestCleaningUp:
    def test_hooks_are_gone_after_the_block_and_after_an_exception(self, model, clean):
        with torch.inference_mode(), ablate(model, Site(RESID)):
            model(tokens())
        with pytest.raises(ValueError, match="outside"), ablate(model, Site(RESID), Site(RESID, position=9)):
            model(tokens())
        assert n_hooks(model) == 0
        with torch.inference_mode():
            assert torch.equal(model(tokens()), clean[0])

    def test_hooks_of_others_stay(self, model):
        seen = []
        with torch.inference_mode(), model.hooks([(Z, lambda t, hook: seen.append(1))]):
            with ablate(model, Site(RESID)):
                model(tokens())
            model(tokens())
        assert len(seen) == 2

    def test_an_edit_that_never_fired_is_an_error(self, model):
        with pytest.raises(HookNeverFiredError, match=r"blocks\.2\.hook_resid_post never fired"):  # noqa: SIM117
            with torch.inference_mode(), ablate(model, Site("blocks.2.hook_resid_post")):
                model(tokens(), stop_at_layer=2)


class TestBadInput:
    def test_unknown_hook_point_names_the_nearest(self, model):
        with pytest.raises(ValueError, match=r"no hook point 'blocks\.1\.hook_resid_pst'; did you mean '.*resid_post'"):
            capture(model, tokens(), ["blocks.1.hook_resid_pst"])

    def test_layer_out_of_range(self, model):
        with pytest.raises(ValueError, match=r"layer 7 of .* is out of range: the model has layers 0 to 2"):
            require_site(model, Site.of_head(7, 0))

    def test_head_out_of_range(self, model):
        with pytest.raises(ValueError, match=r"head 4 is out of range .* use 0 to 3"):
            require_site(model, Site.of_head(0, 4))

    def test_a_query_head_index_on_grouped_keys_is_refused_and_explained(self, grouped):
        require_site(grouped, Site.of_head(0, 3))
        with pytest.raises(
            ValueError, match=r"head 3 .* use 0 to 1 \(keys and values are shared: 2 for 4 query heads\)"
        ):
            require_site(grouped, Site.of_head(0, 3, at="k"))

    def test_position_outside_the_prompt(self, model):
        with pytest.raises(ValueError, match=r"position of .* is 9, outside the 9 there are; use -9 to 8"):  # noqa: SIM117
            with torch.inference_mode(), ablate(model, Site(RESID, position=9)):
                model(tokens())

    def test_latent_outside_the_axis(self, model):
        with pytest.raises(ValueError, match="outside the 32 there are"):  # noqa: SIM117
            with torch.inference_mode(), ablate(model, Site("blocks.0.mlp.hook_post", latent=32)):
                model(tokens())

    @pytest.mark.parametrize("shape", [(15,), (3, 9, 16), (2, 5, 9, 16)])
    def test_a_value_that_does_not_fit(self, model, shape):
        with pytest.raises(ValueError, match=r"does not broadcast to \(5, 9, 16\) at 1\.hook_resid_post"):  # noqa: SIM117
            with torch.inference_mode(), replace(model, Site(RESID), torch.zeros(shape)):
                model(tokens())

    def test_a_silent_hook_point_names_its_switch(self, model):
        with pytest.raises(ValueError, match=r"never fires until model\.set_use_attn_result\(True\)"):
            capture(model, tokens(), ["blocks.0.attn.hook_result"])


class TestShapes:
    @pytest.mark.parametrize(
        ("site", "shape"),
        [
            (Site(Z), (5, 9, 4, 4)),
            (Site(Z, head=1), (5, 9, 4)),
            (Site(Z, head=1, position=3), (5, 4)),
            (Site("blocks.1.attn.hook_pattern", head=1), (5, 9, 9)),
            (Site("blocks.1.attn.hook_pattern", head=1, position=3), (5, 9)),
            (Site("blocks.1.attn.hook_pattern", position=3), (5, 4, 9)),
            (Site("blocks.1.mlp.hook_post", position=3, latent=5), (5,)),
        ],
        ids=str,
    )
    def test_a_site_keeps_the_batch_and_drops_what_it_indexes(self, clean, site, shape):
        assert at_site(clean[1][site.hook], site).shape == shape

    def test_grouped_models_have_fewer_key_heads(self, grouped):
        kept = capture(grouped, tokens(), ["blocks.0.attn.hook_k", "blocks.0.attn.hook_q"])
        assert [n_heads_at(grouped, name) for name in kept] == [value.shape[2] for value in kept.values()] == [2, 4]
