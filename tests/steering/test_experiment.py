from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Grade, Split
from interp_lab.config import RunRef
from interp_lab.directions import Directions, load_directions
from interp_lab.effects import metric_values
from interp_lab.models import identity_of, load_model
from interp_lab.registry import load_result
from interp_lab.steering.controls import Comparing, complement_of, drawings
from interp_lab.steering.drawn import drawn
from interp_lab.steering.experiment import Steering
from interp_lab.steering.material import at_hooks, material_of
from interp_lab.steering.measured import target_of
from interp_lab.steering.prefixed import prefixes_of, with_prefixes
from tests.steering.small import small_config


@pytest.fixture(scope="module")
def model():
    return load_model("organism", "cpu")


@pytest.fixture(scope="module")
def texts(model):
    return drawn(model, small_config())


@pytest.fixture(scope="module")
def material(model, texts):
    return material_of(model, small_config(), texts.contrast, neutral=texts.neutral[Split.SELECT], directions={})


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steering") / "run"
    Steering(small_config()).run(run_dir=folder)
    return folder


@pytest.fixture(scope="module")
def result(run_dir):
    return load_result(run_dir)


@pytest.fixture(scope="module")
def beyond(model):
    """Nothing keeps to its budget."""
    return Steering(small_config(budget={"kl": 1e-9})).measure(model)


class TestTexts:
    def test_no_text_is_in_two_parts(self, texts):
        made = {*texts.contrast.positive, *texts.contrast.negative}
        sets = [made, *(set(one.texts) for one in texts.prompts.values())]
        sets += [set(one.texts) for one in texts.neutral.values()]
        assert sum(map(len, sets)) == len(set().union(*sets))

    def test_held_out_templates_are_in_no_other_part(self, texts):
        others = {name for split in (Split.SELECT, Split.REPORT) for name in texts.prompts[split].templates}
        assert not others & set(texts.prompts[Split.HELD_OUT].templates)
        assert not set(texts.contrast.positive_templates) & set(texts.prompts[Split.HELD_OUT].templates)

    def test_both_halves_have_as_many_texts_of_either_side_from_every_template(self, texts):
        cells = [
            sorted(zip(texts.prompts[split].templates, texts.prompts[split].sides, strict=True))
            for split in (Split.SELECT, Split.REPORT)
        ]
        assert cells[0] == cells[1]


class TestNumbers:
    def test_share_is_that_of_the_prompts_own_metric(self, model, texts, result):
        prompts = texts.prompts[Split.REPORT]
        share = metric_values(model, prompts.tokens, prompts.share(), mask=prompts.mask)
        assert np.tanh(result.report.baseline / 2) == pytest.approx(share, abs=1e-5)

    def test_steered_values_are_those_of_a_literal_hook(self, model, texts, material, result):
        prompts, (_, plan) = texts.prompts[Split.REPORT], material
        vector = material[0].directions["mean_difference"].at("blocks.2.hook_resid_post").vector
        rows = torch.arange(len(prompts))

        def push(activation, hook):
            activation[rows, prompts.last] += plan.settings[1].coefficient * vector
            return activation

        with torch.inference_mode(), model.hooks(fwd_hooks=[("blocks.2.hook_resid_post", push)]):
            logits = model(prompts.tokens, attention_mask=prompts.mask.long())
        expected = prompts.log_odds()(logits).double().numpy()
        assert result.report.values[result.at(1)] == pytest.approx(expected, abs=1e-4)

    def test_sentiment_moves_both_ways_and_beyond_every_random_direction(self, result):
        for sign in (1, -1):
            assert sign * result.effect(result.leading[sign]).estimate > 0.6
            assert result.random_p(sign) == 1 / 41
            assert result.grade(sign) >= Grade.CAUSAL

    def test_a_text_before_the_prompt_keeps_the_prompt_and_its_answer(self, model, texts):
        prompts = texts.prompts[Split.REPORT]
        prefixes = prefixes_of(model, small_config(), 1)
        longer = with_prefixes(model, prompts, prefixes)
        for row in range(len(prompts)):
            own = prompts.tokens[row][prompts.mask[row]].tolist()
            found = longer.tokens[row][longer.mask[row]].tolist()
            assert found[0] == own[0]
            assert found[-len(own) + 1 :] == own[1:]
            assert longer.last[row] == len(found) - 1
            assert found[1 : len(found) - len(own) + 1] in [
                list(one.ids) for one in prefixes if one.template != prompts.templates[row]
            ]


class TestControls:
    def test_are_as_long_as_the_direction(self, material):
        own, plan = material
        made = drawings(own, small_config(), plan.families[0])
        length = own.vectors(plan.families[0]).norm(dim=-1)
        for vectors in (made.random, made.orthogonal, made.shuffled, made.complement[None]):
            assert torch.allclose(vectors.norm(dim=-1), length.expand(len(vectors), -1), rtol=1e-4)

    def test_complement_and_orthogonal_ones_have_nothing_of_the_direction(self, material):
        own, plan = material
        vector = own.vectors(plan.families[0])[0]
        made = drawings(own, small_config(), plan.families[0])
        for one in (made.complement[0], *made.orthogonal[:, 0]):
            assert abs(float(torch.cosine_similarity(one, vector, dim=0))) < 1e-4

    def test_complement_is_the_leading_component_of_what_is_left(self, material):
        """Differences are twice as large along one axis as along another, beside the direction."""
        own, plan = material
        found = at_hooks(own.found, plan.families[0].place.hooks)
        n, width = found.positive.shape[1:]
        away = torch.zeros(n, width)
        away[:, 0], away[: n // 2, 1], away[n // 2 :, 1], away[::2, 2], away[1::2, 2] = 5.0, 2.0, -2.0, 1.0, -1.0
        planted = type(found)(
            positive=away[None], negative=torch.zeros_like(away)[None], hooks=found.hooks, model=found.model,
            name="planted", paired=True, positive_templates=found.positive_templates,
            negative_templates=found.negative_templates,
        )  # fmt: skip
        vectors = torch.zeros(1, width)
        vectors[0, 0] = 5.0
        direction = Directions(vectors, found.hooks, found.model, "planted", "planted")
        assert complement_of(planted, direction)[0].abs().tolist()[:3] == pytest.approx([0, 5, 0], abs=1e-4)

    def test_a_random_direction_in_the_place_of_the_direction_is_not_shown_to_move_anything(self, model, material):
        own, plan = material
        hook = plan.families[0].place.hooks[0]
        length = float(own.vectors(plan.families[0]).norm())
        vector = torch.randn(1, 128, generator=torch.Generator().manual_seed(3))
        random = Directions(length * vector / vector.norm(), (hook,), identity_of(model), "random", "random")
        found = Steering(small_config(methods=[], n_held_out=None, coefficients=[1.0])).measure(
            model, directions={"random": random}
        )
        for sign, claim in zip(found.leading, found.claims(), strict=True):
            assert claim.grade is Grade.DESCRIPTIVE
            assert "is not shown to move" in claim.statement
            assert found.random_p(sign) > 0.05

    def test_controls_measure_the_direction_itself_when_it_takes_their_place(self, model, texts, material, result):
        """The road of the controls and that of the settings give one number."""
        own, plan = material
        comparing = Comparing(model, small_config(), own, texts, target_of("share", None))
        family = plan.families[0]
        found = comparing._values(family, [(1.0, own.vectors(family))], Split.REPORT)
        assert found[0] == pytest.approx(result.report.values[result.at(1)], abs=1e-4)


class TestRun:
    def test_is_read_back_as_it_was(self, run_dir, result):
        again = Steering(small_config()).run(run_dir=run_dir, resume=True)
        assert again.metrics() == result.metrics()
        for name, array in result.arrays().items():
            assert np.array_equal(array, again.arrays()[name], equal_nan=array.dtype.kind == "f"), name
        assert [str(claim) for claim in again.claims()] == [str(claim) for claim in result.claims()]

    def test_same_seed_gives_the_same_bits(self, beyond, result):
        """The other run differs in its budget alone, and what leads is what moves most."""
        assert beyond.leading == result.leading
        assert np.array_equal(beyond.report.values, result.report.values)
        assert np.array_equal(beyond.controls[1].random, result.controls[1].random)

    def test_keeps_its_directions_for_others_to_steer_with(self, model, run_dir, result):
        kept = load_directions(run_dir / "directions" / "mean_difference.safetensors")
        assert kept.hooks == ("blocks.2.hook_resid_post",)
        lengths = result.lengths["mean_difference"]
        assert kept.norms.tolist() == pytest.approx([lengths[hook] for hook in kept.hooks])
        reference = RunRef(run=run_dir, artefact="mean_difference")
        only = small_config(methods=[], directions=[reference.as_dict()], n_held_out=None, capabilities=[])
        other = Steering(only).measure(model)
        assert other.plan.directions == ("run/mean_difference",)
        assert other.report.values == pytest.approx(result.report.values, abs=1e-4)

    def test_shows_every_section_table_and_card(self, result):
        titles = [(section.title, section.causal) for section in result.sections()]
        assert titles[0] == ("Steering sentiment in organism: effect and price", True)
        assert titles[-1] == ("Directions of sentiment in organism", False)
        tables = result.tables()
        assert set(tables) >= {"chosen", "reliability", "controls", "settings", "prompts", "dose-response", "card 1"}
        assert len(tables["settings"]) == 2
        assert len(tables["prompts"]) == 16
        assert set(result.figures()) >= {"pareto", "dose-response", "grid", "controls", "prompts"}

    def test_dose_response_passes_through_the_unsteered_model(self, result):
        doses, values = result.dose_response(0)
        assert doses.tolist() == [-1.0, 0.0, 1.0]
        assert values[1] == pytest.approx(np.tanh(result.report.baseline / 2))

    def test_descriptive_texts_speak_of_no_cause(self, result):
        for section in result.sections():
            if not section.causal:
                assert not {"moves", "causes", "because of", "drives"} & set(section.suggests.split())


class TestCard:
    def test_says_what_the_tables_say(self, result):
        card, chosen = result.tables()["card 1"].set_index("mean_difference"), result.tables()["chosen"]
        for side in ("positive", "negative"):
            own, row = card[f"{side} side"], chosen[chosen["side"] == side].iloc[0]
            assert own["change (share of the range)"].startswith(f"{row['effect']:.3f} [{row['effect_low']:.3f}")
            assert own["evidence"] == row["grade"]
            assert own["setting"] == f"add {row['coefficient']:+g} mean_difference at 2, last"


class TestParts:
    def test_what_is_written_and_what_else_moves_are_joined_in_and_read_back(self, model, tmp_path):
        config = small_config(
            generated={"n_prompts": 4, "max_new_tokens": 4}, capabilities=[], n_held_out=None,
            hows=["clamp"], gates=["similarity"],
            side_effects={"traits": ["sentiment", "register"], "n_pairs": 16, "n_calibration": 8, "n_prompts": 8,
                          "coefficients": [1.0], "n_random": 5, "n_partners": 2, "n_shuffled": 20, "n_resamples": 40,
                          "sizes": [], "n_draws": 2, "depth_pairs": 8, "layers": [2]},
        )  # fmt: skip
        found = Steering(config).run(run_dir=tmp_path / "run")
        again = load_result(tmp_path / "run")
        assert [again.dose_response(0)[0].tolist(), *again.dose_response(0)[1].shape] == [[-1.0, 1.0], 2, 16]
        assert again.generated.names == tuple(found.settings[nth].name for nth in dict.fromkeys(found.leading.values()))
        assert again.side_effects.metrics() == found.side_effects.metrics()
        assert {"generated", "side_effects", "gates"} <= set(again.tables())
        assert [gate.hook for gate in again.gates] == ["blocks.2.hook_resid_post"]
        assert sum("writes" in claim.statement for claim in again.claims()) >= 1


class TestTarget:
    def test_log_odds_and_a_users_own_of_the_same_give_the_same_effects(self, model, result):
        plain = small_config(target="log_odds", n_held_out=None, capabilities=[])
        own = Steering(plain).measure(model, target=lambda model, prompts: prompts.log_odds())
        assert own.unit == "nats"
        assert np.array_equal(own.report.values, result.report.values)
        assert own.changes(own.leading[1]) == pytest.approx(result.changes(result.leading[1], scale="log_odds"))


class TestEvidence:
    def test_what_random_directions_do_as_well_is_no_evidence_though_their_mean_is_nothing(self, result):
        """Half of them move the target farther to one side, half to the other."""
        own = replace(result, scale="log_odds", unit="nats")
        effect = own.report.changes("log_odds")[own.at(own.leading[1])]
        turned = np.resize([1.1, -1.1], 40)[:, None] * effect
        wild = {sign: replace(one, random=own.report.baseline + turned) for sign, one in own.controls.items()}
        found = replace(own, controls=wild)
        assert own.grade(1) >= Grade.CAUSAL
        assert found.random_p(1) == 1.0
        assert found.grade(1) is Grade.DESCRIPTIVE
        assert "is not shown to move" in found.claims()[0].statement

    def test_an_effect_the_other_way_on_the_report_split_is_said_to_be_that(self, result):
        turned = 2 * result.report.baseline - result.report.values
        report = replace(result.report, values=turned)
        claim = replace(result, scale="log_odds", unit="nats", report=report, held_out=None).claims()[0]
        assert claim.grade is Grade.CAUSAL
        assert "moves sentiment of organism to the negative side" in claim.statement

    def test_what_was_lost_from_selection_to_report_has_the_sign_of_its_side(self, result):
        for sign, setting in result.leading.items():
            lost = sign * (result.changes(setting, Split.SELECT).mean() - result.changes(setting).mean())
            assert result.shrinkage(sign).estimate == pytest.approx(lost, abs=1e-9)

    def test_affordable_is_the_effect_towards_a_side_where_both_splits_keep_to_the_budget(self, result):
        told = result.metrics()
        for sign, side in ((1, "positive"), (-1, "negative")):
            assert result.is_within(sign)
            effect = sign * told[f"effect_{side}"]
            assert told[f"affordable_{side}"] == (effect if result.stays_within(sign) else 0)
        assert told["affordable_positive"] > 0

    def test_beyond_the_budget_on_the_other_split_nothing_is_affordable(self, result):
        costs = result.report_costs
        dear = replace(result, report_costs=replace(costs, kl=costs.kl + 1.0))
        assert dear.metrics()["affordable_positive"] == 0
        assert dear.metrics()["effect_positive"] == result.metrics()["effect_positive"]


class TestBudget:
    @pytest.fixture
    def found(self, beyond):
        return beyond

    def test_that_nothing_satisfies_is_the_result(self, found):
        assert [choice.best for choice in found.choices.values()] == [None, None]
        assert found.metrics()["n_within_budget"] == 0
        assert (found.metrics()["affordable_positive"], found.metrics()["affordable_negative"]) == (0, 0)
        assert found.summary().count("none of the settings is within the budget (KL at most 1e-09 nats") == 2
        assert "no setting that keeps to the budget moves it: that is the result" in found.sections()[0].suggests

    def test_the_frontier_and_the_strongest_are_reported_all_the_same(self, found):
        assert set(found.reported) == {0, 1}
        assert all(claim.observed.startswith("at a price beyond the budget") for claim in found.claims())
        assert not found.tables()["chosen"]["within_budget"].any()

    def test_capabilities_of_what_cannot_be_chosen_are_not_asked_on_the_selection_split(self, found):
        assert np.isnan(found.select_costs.right).all()
        assert np.isfinite(found.report_costs.right).all()
