"""The whole, on the organism: what is drawn is kept apart, what is found comes back, and is shown as what it is."""

import numpy as np
import pandas as pd
import pytest
import torch

from interp_lab.config import ConfigError
from interp_lab.directions import Directions, contrast_activations
from interp_lab.hooks import capture
from interp_lab.interventions import applied
from interp_lab.models import identity_of, load_model
from interp_lab.steering.prompts import prompts_of
from interp_lab.steering.setting import How, Setting
from interp_lab.steering.side_effects import SideEffects, SideEffectsConfig, material, side_effects_of
from interp_lab.steering.side_effects.applied import Applying
from interp_lab.steering.side_effects.material import Source, distinct, prepared
from interp_lab.steering.side_effects.measuring import layer_hooks
from interp_lab.steering.side_effects.on_trait import share_of
from interp_lab.steering.traits import contrast_of
from interp_lab.tasks.contrast import Contrast

HOOK = "blocks.2.hook_resid_post"
SMALL = SideEffectsConfig.from_mapping({
    "traits": ["sentiment", "register"], "n_pairs": 32, "n_calibration": 16, "n_prompts": 24, "n_random": 5,
    "n_partners": 2, "n_shuffled": 20, "n_resamples": 40, "sizes": [4, 8], "n_draws": 2, "depth_pairs": 8,
    "layers": [1, 2], "coefficients": [0.5, 1.0],
})  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


@pytest.fixture(scope="module")
def row(model):
    """A direction from elsewhere: one of a decoder, say."""
    vector = torch.nn.functional.normalize(torch.randn(1, 128, generator=torch.Generator().manual_seed(0)), dim=-1)
    return Directions(vector, (HOOK,), identity_of(model), "decoder row", "latent 7")


@pytest.fixture(scope="module")
def found(model, row):
    return side_effects_of(model, Setting("any", (HOOK,), How.ADD, 1.0, "all"), config=SMALL, others=[row])


class TestMaterial:
    @pytest.fixture(scope="class")
    def one(self, model):
        return prepared(model, "sentiment", Source((HOOK,)), SMALL, again=True, seed=0, avoid=frozenset({"a text"}))

    def test_no_text_is_in_two_sets(self, model, one):
        assert not set(one.calibration.texts) & set(one.report.texts)
        assert len(set(one.report.texts)) == SMALL.n_prompts
        again = prepared(
            model, "sentiment", Source((HOOK,)), SMALL, again=True, seed=0, avoid=frozenset(one.report.texts)
        )
        assert not set(again.report.texts) & set(one.report.texts)

    def test_what_sets_a_coefficient_is_not_reported_on(self, model, monkeypatch):
        avoided = []

        def recorded(*args, avoid, **options):
            avoided.append(avoid)
            return prompts_of(*args, avoid=avoid, **options)

        monkeypatch.setattr(material, "prompts_of", recorded)
        one = prepared(model, "register", Source((HOOK,)), SMALL, again=False, seed=0)
        contrast = distinct(contrast_of("register", SMALL.n_pairs, seed=0, reserved=False))
        assert {*contrast.positive, *contrast.negative} <= avoided[0], "nor what makes a direction"
        assert set(one.calibration.texts) <= avoided[1]
        assert avoided[0] < avoided[1]

    def test_the_direction_is_not_made_again_from_its_own_texts(self, one):
        assert one.found.positive.shape[1] == SMALL.n_pairs
        assert one.pool.positive.shape[1] >= 2 * max(SMALL.sizes)
        own, further = one.found.positive[0], one.pool.positive[0]
        assert torch.cdist(own, further).min() > 0

    def test_shares_are_those_of_the_trait(self, model, one):
        logits = model(one.report.tokens)
        share, log_odds = one.report.share()(logits), one.report.log_odds()(logits)
        assert share_of(log_odds.detach().numpy()) == pytest.approx(share.detach().numpy(), abs=1e-6)

    def test_a_gate_opens_for_either_side(self, model):
        one = prepared(
            model, "register", Source((HOOK,), gate="projection", gate_hook=HOOK), SMALL, again=False, seed=0
        )
        shown = torch.cat([one.found.positive[0], one.found.negative[0]]).mean(0) - torch.tensor(one.gate.centre)
        assert torch.allclose(torch.tensor(one.gate.direction), shown / shown.norm(), atol=1e-5)

    def test_a_pair_that_comes_twice_counts_once(self):
        contrast = Contrast("x", ("a", "b", "a"), ("c", "d", "c"), ("t", "u", "t"), ("t", "u", "t"), paired=True)
        assert distinct(contrast).positive == ("a", "b")


class TestFound:
    def test_each_direction_moves_its_own_trait_both_ways(self, found):
        for trait in found.traits:
            assert found.cell(trait, trait).effect.low > 0.1
            assert found.cell(trait, trait, sign=-1).effect.high < -0.1
            assert found.cell(trait, trait).exceeded == SMALL.n_random

    def test_register_is_left_alone_by_sentiment(self, found):
        assert abs(found.cell("sentiment", "register").effect.estimate) < 0.05

    def test_names_that_were_not_measured_are_refused(self, found):
        with pytest.raises(ValueError, match="'truth' was not measured; there are: sentiment, register"):
            found.cell("truth", "register")

    def test_comes_back_from_arrays(self, found):
        again = SideEffects.from_arrays("side", found.arrays("side"))
        for name, table in found.tables().items():
            pd.testing.assert_frame_equal(again.tables()[name], table)
        assert again.metrics() == found.metrics()
        assert again.summary() == found.summary()

    def test_every_cell_has_its_row(self, found):
        tables = found.tables()
        assert len(tables["side_effects"]) == 2 * 2 * 2
        assert len(tables["interactions"]) == 1 * 2
        assert len(tables["cosines"]) == 2 * 1
        assert len(tables["cosines_elsewhere"]) == 2
        assert len(tables["from_fewer_pairs"]) == 2 * 2
        assert tables["side_effects"]["larger_than"].str.endswith("of 5").all()

    def test_effects_are_causal_and_cosines_are_not(self, found):
        sections = found.sections()
        assert [section.causal for section in sections] == [True, True, False, False, True]
        shown = {name for section in sections for name in section.figures}
        assert shown == set(found.figures())
        for section in sections:
            if not section.causal:
                assert not any(name.startswith(("effect", "side")) for name in section.figures)
                assert "change answers" not in section.suggests

    def test_verdicts_are_counted_once(self, found):
        told = found.metrics()
        counts = [told[f"side_{name}"] for name in ("moved", "odds_moved", "left_alone", "answers_stay", "not_told")]
        assert sum(counts) == 2 * 2  # two directions, either way, on the other trait


class TestOtherSettings:
    def test_a_direction_that_is_given_is_the_one_that_is_steered(self, model, row):
        """A random direction of length 1 does next to nothing, whatever the trait is called."""
        config = SMALL.overlaid({"sizes": []})
        setting = Setting("any", (HOOK,), How.ADD, 1.0, "last")
        elsewhere = prepared(model, "register", Source((HOOK,)), config, again=False, seed=0).report
        found = side_effects_of(
            model, setting, config=config, trait="register", directions={"register": row}, chosen={"register": -0.01},
            avoid=frozenset(elsewhere.texts),
        )  # fmt: skip
        before = elsewhere.log_odds()(model(elsewhere.tokens)).detach().numpy()
        assert not np.isclose(found.measured[0].clean[:, None], before).any(), "prompts that are used elsewhere"
        assert found.traits == ("register", "sentiment")
        assert found.coefficients[0] == 0.01
        assert found.given.tolist() == [True, False]
        assert abs(found.cell("register", "register").log_odds.estimate) < 0.1
        assert found.stability == ()
        assert "from_fewer_pairs" not in found.tables()
        assert len(found.sections()) == 3

    def test_a_gate_is_fitted_for_each_trait(self, model, found):
        """At the same coefficients it leaves a trait's own texts steered, and those of another less."""
        config, chosen = (
            SMALL.overlaid({"sizes": []}),
            dict(zip(found.traits, found.coefficients.tolist(), strict=True)),
        )
        gated = side_effects_of(
            model, Setting("any", (HOOK,), How.ADD, 1.0, "all", "projection"), config=config, chosen=chosen
        )
        assert "projection gate" in gated.setting
        assert gated.cell("register", "register").effect.low > 0.1
        across = [abs(one.cell("sentiment", "register").log_odds.estimate) for one in (gated, found)]
        assert across[0] < across[1] / 2

    def test_everything_that_writes_is_steered_behind_a_gate_at_the_first(self, model):
        """At the embedding the last tokens of partners are the same, and no direction can be made there."""
        hooks = ("blocks.0.hook_resid_pre", "blocks.0.hook_attn_out", "blocks.0.hook_mlp_out")
        config = SMALL.overlaid({"sizes": []})
        found = side_effects_of(
            model, Setting("any", hooks, How.ABLATE, 1.0, "all", "projection"), config=config, read_at=(HOOK,) * 3
        )
        assert found.cosines.hooks == ("blocks.1.hook_resid_post", HOOK)
        assert np.isfinite(found.measured[0].alone).all()

    def test_a_clamp_sets_the_middle_where_it_acts_not_where_the_direction_was_made(self, model):
        steered = "blocks.1.hook_attn_out"
        one = prepared(model, "sentiment", Source((HOOK,), only_read=(steered,)), SMALL, again=False, seed=0)
        assert one.directions.hooks == (HOOK,)
        vectors = one.directions.vectors
        contrast = distinct(contrast_of("sentiment", SMALL.n_pairs, seed=0, reserved=False))
        read = contrast_activations(model, contrast, (steered,))
        middle = (read.positive[0].mean(0) + read.negative[0].mean(0)) / 2
        unit = vectors[0] / vectors[0].norm()
        assert float(material.midpoint(one, vectors, (steered,))) == pytest.approx(float(middle @ unit), abs=1e-4)

        applying = Applying(model, Setting("any", (steered,), How.CLAMP, 0.0, "all"), (HOOK,), {})
        made = applying.made(one.report, one, vectors, coefficient=0.0)
        with torch.no_grad(), applied(model, made):
            after = capture(model, one.report.tokens, [steered], mask=one.report.mask)[steered]
        along = after[torch.arange(len(one.report)), one.report.last] @ unit
        assert along.tolist() == pytest.approx([float(middle @ unit)] * len(one.report), abs=1e-3)

    def test_hook_points_stand_for_layers(self):
        assert layer_hooks("blocks.2.hook_mlp_out", None, n_layers=2) == (
            "blocks.0.hook_mlp_out",
            "blocks.1.hook_mlp_out",
        )
        assert layer_hooks("hook_embed", (0,), n_layers=2) == ("hook_embed",)
        with pytest.raises(ValueError, match="layers 0 to 1; leave 2 out"):
            layer_hooks(HOOK, (0, 2), n_layers=2)

    def test_hook_points_without_a_direction_are_refused(self, model):
        with pytest.raises(ValueError, match="2 hook points for 1 that are steered"):
            side_effects_of(model, Setting("any", (HOOK,), How.ADD, 1.0), config=SMALL, read_at=(HOOK, HOOK))

    def test_directions_of_another_model_are_refused(self, model, row):
        stranger = Directions(row.vectors, row.hooks, identity_of(load_model("organism", processing="raw")), "x", "x")
        with pytest.raises(ValueError, match="does not belong to this model"):
            side_effects_of(model, Setting("any", (HOOK,), How.ADD, 1.0), config=SMALL, others=[stranger])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"traits": ["sentiment"]}, "at least 2 items"),
        ({"traits": ["sentiment", "sentiment"]}, "one comes twice"),
        ({"sizes": [16, 8]}, "do not rise"),
        ({"coefficients": [2.0, 1.0]}, "do not rise"),
        ({"stable": ["truth"]}, "'truth', which is not among traits"),
    ],
)
def test_configs_that_cannot_be_meant_are_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        SideEffectsConfig.from_mapping(wrong)


def test_the_same_seed_gives_the_same_numbers(model, found):
    """Whatever is measured beside: here nothing is made again, and nothing compared from elsewhere."""
    config, setting = SMALL.overlaid({"sizes": [], "stable": []}), Setting("any", (HOOK,), How.ADD, 1.0, "all")
    once, again = found.arrays(), side_effects_of(model, setting, config=config).arrays()
    shared = [name for name in again if name.startswith("side_on0") or name == "side_coefficients"]
    assert len(shared) == 8
    for name in shared:
        assert np.array_equal(once[name], again[name]), name
