import copy
import math
from dataclasses import replace

import pytest
import torch

from interp_lab.directions import width_at
from interp_lab.hooks import capture
from interp_lab.identity import WeightProcessing
from interp_lab.models import declare_identity, identity_of, load_model
from tests.directions.planted import HOOKS, MODEL, directions


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


def fitting(model, hook="blocks.1.hook_resid_post", **changes):
    made = directions([[1.0] * model.cfg.d_model], hooks=(hook,), model=identity_of(model))
    return replace(made, **changes)


class TestDirections:
    def test_one_at_each_hook_point(self):
        both = directions([[3.0, 0.0, 4.0], [0.0, 2.0, 0.0]])
        assert both.at(HOOKS[1]).vector.tolist() == [0.0, 2.0, 0.0]
        assert (both.at(HOOKS[1]).hook, both.at(HOOKS[1]).model, both.at(HOOKS[1]).method) == (
            HOOKS[1], MODEL, "by hand",
        )  # fmt: skip
        assert both.norms.tolist() == [5.0, 2.0]
        turned = both.only(HOOKS[::-1])
        assert (turned.hooks, turned.norms.tolist()) == (HOOKS[::-1], [2.0, 5.0])

    def test_their_scale_is_theirs_and_factors_are_kept_count_of(self):
        again = directions([[3.0, 0.0, 4.0]], about={"contrast": "x"}).times(2.0).times(-0.5)
        assert again.vectors.tolist() == [[-3.0, 0.0, -4.0]]
        assert again.about == {"contrast": "x", "times": -1.0}

    @pytest.mark.parametrize(
        ("vectors", "hooks", "message"),
        [
            ([[1.0, math.nan, 0.0]], HOOKS, "'written' at blocks.0.hook_resid_post holds NaN or inf"),
            ([[1.0, 0.0, 0.0], [math.inf, 0.0, 0.0]], HOOKS, "at blocks.2.hook_resid_post holds NaN"),
            ([[0.0, 0.0, 0.0]], HOOKS, "length zero.*leave that hook point out.*coefficient 0"),
            ([[1.0, 0.0, 0.0]] * 2, HOOKS[:1], "2 vectors for 1 hook points"),
            ([[1.0, 0.0, 0.0]] * 2, HOOKS[:1] * 2, "twice"),
        ],
        ids=["NaN", "inf", "no length", "too few hook points", "one hook point twice"],
    )
    def test_refuses_what_is_no_direction(self, vectors, hooks, message):
        with pytest.raises(ValueError, match=message):
            directions(vectors, hooks=hooks)

    @pytest.mark.parametrize("factor", [0.0, math.nan, math.inf])
    def test_refuses_factors_that_leave_none(self, factor):
        with pytest.raises(ValueError, match="are none; give a finite factor that is not zero"):
            directions([[1.0, 0.0, 0.0]]).times(factor)

    def test_names_the_nearest_hook_point(self):
        with pytest.raises(ValueError, match=r"did you mean 'blocks.2.hook_resid_post'"):
            directions([[1.0, 0.0, 0.0]] * 2).at("blocks.2.hook_resid_pos")


class TestFitting:
    def test_their_own_model_takes_them(self, model):
        fitting(model).require_fits(model)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"name": "organism-tuned"}, "name: organism-tuned, not the model's organism"),
            ({"d_vocab": 7}, "d_vocab: 7"),
        ],
        ids=["another model", "another vocabulary"],
    )
    def test_refuses_another_model(self, model, changes, message):
        own = fitting(model)
        with pytest.raises(ValueError, match=f"'written' does not belong to this model.*{message}"):
            replace(own, model=replace(own.model, **changes)).require_fits(model)

    def test_refuses_another_processing_and_says_how_to_load_it(self, model):
        own = fitting(model)
        raw = load_model("organism", device="cpu", processing="raw")
        own.require_fits(model)
        with pytest.raises(ValueError, match="load the model with processing='folded'"):
            own.require_fits(raw)

    @pytest.mark.parametrize(
        ("hook", "steps", "fits"),
        [
            ("blocks.1.hook_resid_post", "fold_value_biases+center_writing_weights", True),
            ("blocks.1.hook_resid_post", "center_writing_weights+fold_value_biases", True),
            ("blocks.1.hook_resid_post", "fold_ln+center_unembed+fold_value_biases", False),
            ("blocks.1.hook_mlp_out", "raw", False),
            ("blocks.1.ln1.hook_normalized", "center_writing_weights", False),
        ],
    )
    def test_only_steps_that_change_what_is_there_count(self, model, hook, steps, fits):
        """The model is folded. Found under other folds of norms and biases, what is in the stream is the same."""
        own = fitting(model, hook)
        own = replace(own, model=replace(own.model, processing=WeightProcessing.named(steps)))
        if fits:
            own.require_fits(model)
            return
        with pytest.raises(ValueError, match="does not belong to this model"):
            own.require_fits(model)

    def test_the_stream_is_indeed_the_same(self, model):
        """What the test above says, against the models themselves."""
        other = load_model("organism", device="cpu", processing=WeightProcessing(False, True, False, False))
        tokens, hooks = torch.tensor([[3, 50, 60, 70]]), ["blocks.1.hook_resid_post", "blocks.1.ln1.hook_normalized"]
        one, again = (capture(made, tokens, hooks) for made in (model, other))
        torch.testing.assert_close(one[hooks[0]], again[hooks[0]], atol=1e-4, rtol=1e-4)

    def test_two_names_of_one_model_are_one(self, model):
        own, alias = fitting(model), copy.deepcopy(model)
        declare_identity(alias, name="gpt2", processing="folded")
        replace(own, model=replace(own.model, name="gpt2-small")).require_fits(alias)
        for one, other in (("gpt2", "gpt2-medium"), ("made-here", "made-there")):
            declare_identity(alias, name=one, processing="folded")
            with pytest.raises(ValueError, match=f"name: {other}, not the model's {one}"):
                replace(own, model=replace(own.model, name=other)).require_fits(alias)

    def test_refuses_a_hook_point_that_is_not_there(self, model):
        with pytest.raises(ValueError, match=r"no hook point 'blocks.9.hook_resid_post'"):
            fitting(model, "blocks.9.hook_resid_post").require_fits(model)

    def test_refuses_another_width(self, model):
        with pytest.raises(ValueError, match=r"have 128 entries, and activations at blocks.1.mlp.hook_post have 512"):
            fitting(model, "blocks.1.mlp.hook_post").require_fits(model)


def test_widths_are_those_of_activations(model):
    hooks = [
        "blocks.0.hook_resid_pre",
        "blocks.1.mlp.hook_post",
        "blocks.2.hook_mlp_out",
        "blocks.3.ln1.hook_normalized",
    ]
    _, cache = model.run_with_cache(torch.zeros(1, 2, dtype=torch.long), names_filter=hooks)
    assert [width_at(model, hook) for hook in hooks] == [cache[hook].shape[-1] for hook in hooks]


@pytest.mark.parametrize("hook", ["blocks.0.attn.hook_z", "blocks.0.attn.hook_pattern", "blocks.0.ln1.hook_scale"])
def test_where_a_token_has_no_single_vector(model, hook):
    with pytest.raises(ValueError, match=r"no single vector at .*; take directions at hook_resid_pre"):
        width_at(model, hook)
