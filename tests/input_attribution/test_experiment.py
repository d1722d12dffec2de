"""The experiment on the organism: what it finds of facts, what it claims, and what it keeps to itself."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from markupsafe import Markup

from interp_lab.claims import Grade
from interp_lab.input_attribution import InputAttribution, InputAttributionConfig, InputAttributionResult
from interp_lab.input_attribution.measured import CHOOSING
from interp_lab.models import load_model
from interp_lab.registry import entry
from interp_lab.reports.figures import require_inert

QUICK = {
    "task": "grammar/facts", "n_pairs": 24, "n_held_out": 8, "n_random": 5, "n_sets": 8, "n_disturbed": 4,
    "n_disturbances": 1, "n_stages": 2, "tolerance": 0.05, "steps": 8, "n_strips": 2,
    "methods": ["saliency", "integrated_gradients", "occlusion", "attention_rollout"],
}  # fmt: skip


@cache
def organism():
    return load_model("organism")


def measure(**changes):
    return InputAttribution(InputAttributionConfig.from_mapping({**QUICK, **changes})).measure(organism())


@pytest.fixture(scope="module")
def found():
    return measure()


class TestFindings:
    def test_the_country_is_needed_and_the_map_from_another_prompt_says_so(self, found):
        assert found.names == (
            "saliency", "integrated gradients (mean)", "integrated gradients (prompt)", "occlusion",
            "attention rollout",
        )  # fmt: skip
        table = found.tables()["removal"].set_index(["removal", "map"])
        best = table.loc[("prompt", "integrated gradients (prompt)")]
        assert best["comprehensiveness"] > 7
        assert best["comprehensiveness"] > table.loc[("prompt", "random orders"), "comprehensiveness"]
        assert best["sufficiency"] < 0.5

    def test_rollout_is_no_better_than_random_orders_by_masking_and_says_so(self, found):
        assert found.grade("mask", "attention rollout") is Grade.DESCRIPTIVE

    def test_what_beats_random_orders_by_masking_is_causal(self, found):
        assert found.grade("mask", "occlusion") >= Grade.CAUSAL
        assert found.grade("mask", "integrated gradients (mean)") >= Grade.CAUSAL

    def test_a_map_from_another_prompt_keeps_its_ranks_without_training_and_so_do_its_values_dealt_out(self, found):
        """What is alike is where the prompts differ: the control without which that would look like a finding."""
        checks = found.tables()["checks"].set_index("map")
        own = checks.loc["integrated gradients (prompt)"]
        assert own["kept"] > 0.8
        assert own["kept_by_lot"] > 0.8
        assert abs(checks.loc["saliency", "kept_by_lot"]) < 0.3

    def test_completeness_is_printed_and_holds(self, found):
        table = found.tables()["completeness"].set_index("map")
        assert set(table.index) == {"integrated gradients (mean)", "integrated gradients (prompt)"}
        assert (table["largest_residual"] < 0.06 * np.abs(found.report.values).sum(-1).max()).all()
        assert (table["another_prompts"] > 3 * table["residual"]).all()
        assert "completeness residual (logits): integrated gradients (mean)" in found.summary()


class TestClaims:
    def test_rest_on_removal_beside_random_orders(self, found):
        claims = found.claims()
        assert len(claims) == len(found.names) * 2
        for claim in claims:
            assert "random orders of the tokens that are changed" in claim.effect.control
            nth = 0 if "another prompt's" in claim.statement else 1
            assert claim.effect.margin == pytest.approx(found.margin(found.report, nth))

    def test_a_map_that_loses_no_more_than_random_orders_stays_descriptive(self, found):
        """The sabotaged twin: the best map's curves are put in the place of a random order's."""
        n, nth = len(found.names), found.names.index("occlusion")
        deletion = found.report.deletion.copy()
        deletion[:, nth] = deletion[:, n:].mean(1)
        broken = replace(found, report=replace(found.report, deletion=deletion))
        assert found.grade("mask", "occlusion") >= Grade.CAUSAL
        assert broken.grade("mask", "occlusion") is Grade.DESCRIPTIVE

    def test_nothing_is_claimed_where_the_corruption_costs_nothing(self, found):
        lost = replace(found, report=replace(found.report, corrupted=found.report.clean))
        assert not lost.claims()
        assert "not asked: the corruption costs" in lost.summary()
        assert "Nothing is claimed. Not asked" in lost.sections()[1].suggests

    def test_the_choice_is_made_by_masking_on_the_other_half(self, found):
        assert found.select.deletion.shape[0] == 1
        assert found.config.removals[0] != CHOOSING == "mask"
        n = len(found.names)
        deletion = found.select.deletion.copy()
        deletion[0, :n] = deletion[0, :1]
        deletion[0, 4, 1:-1] -= 100
        assert replace(found, select=replace(found.select, deletion=deletion)).chosen == "attention rollout"
        assert found.chosen != "attention rollout"

    def test_without_held_out_templates_nothing_is_replicated(self):
        alone = measure(n_held_out=None, n_disturbed=0, methods=["occlusion"], removals=["mask"])
        assert alone.not_replicable == "there are none"
        assert max(claim.grade for claim in alone.claims()) <= Grade.CAUSAL
        assert alone.sanity is None
        assert "cascade" not in alone.tables()


class TestResult:
    def test_outlives_the_model(self, found):
        again = InputAttributionResult.from_arrays(found.config, found.provenance, found.arrays())
        assert again.summary() == found.summary()
        assert [claim.grade for claim in again.claims()] == [claim.grade for claim in found.claims()]
        assert all(np.array_equal(own, again.arrays()[name], equal_nan=own.dtype.kind == "f")
                   for name, own in found.arrays().items())  # fmt: skip

    def test_the_same_config_gives_the_same_bits(self):
        small = {
            "n_pairs": 16,
            "n_held_out": None,
            "n_disturbed": 2,
            "methods": ["saliency"],
            "removals": ["mask"],
        }
        first, again = (measure(**small).arrays() for _ in range(2))
        assert all(np.array_equal(own, again[name], equal_nan=own.dtype.kind == "f") for name, own in first.items())

    def test_descriptive_and_causal_are_set_apart(self, found):
        sections = found.sections()
        assert [one.causal for one in sections] == [False, True, True, False]
        assert all(len(one.does_not_show) > 100 for one in sections)
        assert "strips" in sections[0].figures
        assert {"deletion (prompt)", "insertion (mask)"} <= set(sections[1].figures)

    def test_strips_are_inert_and_show_every_map(self, found):
        strips = found.figures()["strips"]
        assert isinstance(strips, Markup)
        require_inert(strips, what="strips")
        assert all(strips.count(name) == 2 for name in (*found.names, "exact patching"))

    def test_hostile_tokens_stay_text(self, found):
        texts = np.where(found.report.texts != "", "<script>alert(1)</script>", "")
        shown = replace(found, report=replace(found.report, texts=texts)).figures()["strips"]
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown

    def test_metrics_are_flat_numbers(self, found):
        metrics = found.metrics()
        assert all(isinstance(value, float) and np.isfinite(value) for value in metrics.values())

    def test_agreement_with_patching_is_of_tokens_that_differ_so_that_random_orders_have_none(self, found):
        """A random order that put these first would agree by half for that alone."""
        report, metrics = found.report, found.metrics()
        assert not report.patched[~report.changed].any()
        assert (np.isnan(report.kendall[-1]) == (report.changed.sum(-1) < 2)).all()
        checks = found.tables()["checks"].set_index("map")
        lot = checks.loc["random orders"]
        assert lot["tau_low"] < 0 < lot["tau_high"]
        assert metrics["integrated_gradients_prompt/tau"] > metrics["random/tau"] + 0.5
        assert checks["ranked"].iloc[0] == (report.changed.sum(-1) > 1).sum()
        assert "among tokens that differ" in found.summary()

    def test_by_another_prompts_tokens_only_those_that_differ_are_ordered_by_maps_and_at_random(self, found):
        """Once all that differ are gone nothing more can be lost: half of them is reached at half, by every order."""
        deletion = found.report.deletion[0]
        one = found.report.changed.sum(-1) == 1
        assert one.any()
        assert np.allclose(deletion[:, 1:, one], deletion[:1, -1:, one], atol=1e-4)
        assert (found.report.deletion[1][:, 1:, one].std(axis=0) > 0.01).any()

    def test_no_tokens_to_rank_is_said(self, found):
        report = found.report
        bare = replace(report, kendall=np.full_like(report.kendall, np.nan), by_lot=np.full_like(report.by_lot, np.nan))
        none = replace(found, report=bare)
        assert "cannot be told, as prompts have no two tokens that differ" in none.summary()
        assert not [name for name in none.metrics() if name.endswith("/tau")]

    def test_what_is_known_to_be_wrong_with_a_map_reaches_the_reader(self, found):
        checks = found.tables()["checks"].set_index("map")["warning"]
        assert checks["attention rollout"].startswith("unfaithful")
        assert not checks["occlusion"]
        assert found.figures()["strips"].count("unfaithful") == found.config.n_strips

    def test_agreement_is_symmetric_and_one_with_itself_where_there_is_anything_to_rank(self, found):
        n = len(found.names)
        own = found.report.kendall[:n]
        assert np.allclose(own, own.transpose(1, 0, 2), equal_nan=True)
        ranked = found.report.counted.sum(-1) > 1
        assert np.allclose(own[range(n), range(n)][ranked], 1)
        assert np.isnan(own[range(n), range(n)][~ranked]).all()
        assert 0 < (~ranked).sum() < ranked.sum()

    def test_is_registered(self):
        assert entry("input_attribution").experiment.endswith(":InputAttribution")


class TestTargets:
    def test_a_whole_continuation(self):
        spoken = measure(
            target="continuation", n_held_out=None, n_disturbed=0, methods=["occlusion"], removals=["mask"]
        )
        assert spoken.unit == "nats"
        assert (spoken.report.clean <= 0).all()
        assert spoken.grade("mask", "occlusion") >= Grade.CAUSAL


class TestBadInput:
    @pytest.mark.parametrize("key", ["methods", "baselines", "removals"])
    def test_a_name_that_comes_twice(self, key):
        twice = {"methods": ["occlusion"] * 2, "baselines": ["mean"] * 2, "removals": ["mask"] * 2}[key]
        with pytest.raises(ValueError, match="one comes twice; name each once"):
            InputAttributionConfig.from_mapping({key: twice})

    def test_an_unknown_method(self):
        with pytest.raises(ValueError, match="methods"):
            InputAttributionConfig(methods=("gradcam",))

    def test_a_limit_of_steps_that_is_reached(self):
        with pytest.raises(ValueError, match=r"after 4 steps the attributions of .* still miss their sum"):
            measure(methods=["integrated_gradients"], steps=4, max_steps=4, tolerance=0.0001)


class TestConfirmation:
    def test_puts_up_what_the_chosen_map_ranks_first(self, found):
        stated = found.confirmation()
        assert stated.config == {}
        assert stated.statements
        assert all(found.chosen in statement for statement in stated.statements)

    def test_places_are_listed_by_what_the_map_gives_them_and_by_what_patching_takes(self, found):
        rows = {(row.name, row.causal): row for row in found.components()}
        assert rows["role changed", True].selected
        assert rows["role changed", True].effect.low > 0
        assert not rows["role changed", False].causal
