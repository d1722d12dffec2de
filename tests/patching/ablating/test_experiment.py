"""Nothing leaks between splits, claims follow numbers, refusals, directions, and the organism's facts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from interp_lab.claims import Grade, Split
from interp_lab.cli.result_tables import show_ablation
from interp_lab.cli.show import console
from interp_lab.config import ConfigError
from interp_lab.effects.parts import parts_of
from interp_lab.identity import Direction
from interp_lab.models import identity_of
from interp_lab.organisms.compiled import compile_model
from interp_lab.patching.ablating import Ablating
from interp_lab.patching.ablating.claimed import Subject, Verdict
from interp_lab.patching.ablating.measured import Measuring
from interp_lab.registry import load_result
from interp_lab.runs.keep import keep
from tests.patching.ablating.results import (
    compiled,
    config_of,
    measure,
    measure_compiled,
    same_bits,
)
from tests.patching.results import grammar_drawn_once, grammar_model, only, organism

LINEAR = "compiled/linear"


@pytest.fixture(scope="module")
def linear():
    return measure_compiled(LINEAR, n_top=2)


@pytest.fixture(scope="module")
def facts():
    """The organism on facts: what do capitals and languages need?"""
    with pytest.MonkeyPatch.context() as patch:
        only(patch, grammar_drawn_once)
        return measure(organism(), n_pairs=32, n_held_out=16, ablations=("mean by template",), n_cumulative=3)


def direction(model, hook="blocks.0.hook_resid_post", *, seed=0):
    vector = torch.randn(int(model.cfg.d_model), generator=torch.Generator().manual_seed(seed))
    return Direction(vector, hook, identity_of(model), "drawn at random")


class TestSplits:
    def test_the_plan_does_not_see_what_is_reported(self, linear, monkeypatch):
        """Other numbers on every split but the first that is measured: the same plan."""
        original, seen = Measuring.alone, []

        def spoilt(self, part, direct):
            found, seen_before = original(self, part, direct), len(seen)
            seen.append(part)
            rng = np.random.default_rng(seen_before)
            return found if seen_before == 0 else replace(found, changes=rng.standard_normal(found.changes.shape))

        monkeypatch.setattr(Measuring, "alone", spoilt)
        again = measure_compiled("compiled/linear", n_top=2)
        for name in ("chosen", "orders", "backups"):
            assert np.array_equal(getattr(again.plan, name), getattr(linear.plan, name))
        assert again.summary() != linear.summary()

    def test_until_the_plan_is_made_only_the_selection_split_is_ablated(self, monkeypatch):
        ablated, planned = [], []
        original, planning = Measuring._ablated, Ablating._planned
        monkeypatch.setattr(
            Measuring, "_ablated", lambda self, part, *rest: (ablated.append(part), original(self, part, *rest))[1]
        )
        monkeypatch.setattr(
            Ablating,
            "_planned",
            lambda self, m, part, direct: (planned.append((part, list(ablated))), planning(self, m, part, direct))[1],
        )
        result = measure_compiled("compiled/linear")
        ((select, before),) = planned
        assert before == []
        sizes = {id(part): len(part.pairs) for part in ablated}
        assert ablated[0] is select
        assert set(sizes.values()) == {8}
        assert len(sizes) == 3
        assert set(result.report.templates) == set(result.select.templates)
        assert not set(result.held_out.templates) & set(result.select.templates)

    def test_without_held_out_templates_nothing_is_replicated(self):
        found = measure_compiled("compiled/linear", n_held_out=None)
        assert found.held_out is None
        assert {claim.grade for claim in found.claims()} == {Grade.CAUSAL}
        assert "not testable on held-out templates: there are none" in found.summary()


class TestHonesty:
    def test_claims_follow_the_numbers(self, linear):
        assert {claim.grade for claim in linear.claims()} == {Grade.REPLICATED}
        nothing = replace(linear.report, changes=linear.report.changes * 0, sets=linear.report.sets * 0)
        fallen = replace(linear, report=nothing)
        assert {claim.grade for claim in fallen.claims()} == {Grade.DESCRIPTIVE}
        assert fallen.metrics()["n_causal_claims"] == 0
        assert set(fallen.verdicts) == {Verdict.NEITHER, Verdict.WRITES}

    def test_controls_that_do_as_much_leave_nothing_of_a_claim(self, linear):
        """All other heads lose what the head does: it is nothing special."""
        at = linear.names.index("1.0")
        changes = np.broadcast_to(linear.report.changes[:, at : at + 1], linear.report.changes.shape)
        alike = replace(linear, report=replace(linear.report, changes=changes.copy()))
        evidence = alike.evidence[Split.REPORT][Subject.SITE, "1.0"]
        assert evidence.effect.estimate == pytest.approx(4, abs=1e-3)
        assert not evidence.is_clear(alpha=0.05)

    def test_a_turned_effect_turns_the_claim(self, linear):
        turned = replace(linear, report=replace(linear.report, changes=-linear.report.changes))
        statements = {claim.statement: claim.grade for claim in turned.claims()}
        assert statements["1.0 works against the answer in compiled/linear"] is Grade.CAUSAL  # not what was replicated

    def test_a_model_without_the_behaviour_gets_no_claim(self):
        with pytest.MonkeyPatch.context() as patch:
            only(patch, grammar_drawn_once)
            found = measure(grammar_model(n_layers=2), ablations=("zero",))
        assert found.claims() == []
        assert set(found.verdicts) == {Verdict.NEITHER}
        assert found.summary().splitlines()[-1].startswith("not asked: the corruption costs ")
        assert "Nothing is claimed" in found.sections()[1].suggests

    def test_a_part_that_is_open_is_not_called_unneeded(self, linear):
        """Writes 4; without it between 0 and 0.4 is lost, and 0.2 would be of interest."""
        at, changes = linear.names.index("1.0"), linear.report.changes.copy()
        n = changes.shape[-1]
        for spread, verdict in ((0.2, Verdict.UNCLEAR), (0.001, Verdict.WRITES)):
            changes[0, at] = -0.1 - spread * (-1.0) ** np.arange(n)
            found = replace(linear, report=replace(linear.report, changes=changes.copy()))
            assert found.verdicts[at] is verdict

    def test_a_metric_that_cannot_be_taken_apart_leaves_out_what_parts_write_and_says_so(self):
        costly = measure(compiled(LINEAR), task=LINEAR, sites=("z",), ablations=("zero",), by="loss")
        assert "direct" not in costly.figures()
        assert costly.tables()["sites"]["direct"].isna().all()
        assert "agreement" not in costly.tables()
        assert [section.causal for section in costly.sections()] == [True, True]
        assert "is not a fixed combination of logits" in costly.summary()
        assert "is not a fixed combination of logits" in costly.sections()[0].suggests
        lost = costly.tables()["sites"].set_index("site")["ablated"]
        assert lost["1.0"] > 0.5  # the loss rises without it
        assert costly.moves == "rise of loss"

    def test_a_metric_of_ones_own(self):
        found = measure_compiled("compiled/linear", metric=lambda model, pairs: pairs.logit_difference())
        assert found.metric == "own metric 'logit difference'"
        assert found.claims()


class TestDirections:
    @pytest.fixture(scope="class")
    def found(self):
        model = compiled("compiled/linear")
        return measure_compiled("compiled/linear", directions={"any": direction(model)})

    def test_projects_out_at_every_position(self, found):
        model, one = compiled("compiled/linear"), direction(compiled("compiled/linear"))
        unit = one.vector / one.vector.norm()
        part = parts_of(model, found.config, partners="any").by_split[Split.REPORT]
        logits = model.run_with_hooks(
            part.pairs.clean, fwd_hooks=[(one.hook, lambda x, hook: x - (x @ unit)[..., None] * unit)]
        )
        rows = torch.arange(len(part.pairs))
        right, wrong = (torch.tensor([s[0][0] for s in sets]) for sets in (part.pairs.answers, part.pairs.wrong))
        literal = (logits[rows, -1, right] - logits[rows, -1, wrong]).detach().numpy()
        assert np.allclose(found.report.clean + found.report.directions[0, 0], literal, atol=1e-4)

    def test_random_directions_are_the_control(self, found):
        evidence = found.evidence[Split.REPORT][Subject.DIRECTION, "any"]
        assert evidence.control.startswith("mean of the random directions at the same place (larger than ")
        assert evidence.effect.estimate == pytest.approx(-found.report.directions[0, 0].mean())
        assert found.tables()["directions"]["direction"].tolist() == ["any"]
        assert found.sections()[-1].causal

    def test_what_it_says_follows_the_numbers(self, found):
        drawn = np.zeros_like(found.report.directions)
        drawn[0, 0] = -3 + 0.1 * np.random.default_rng(0).standard_normal(drawn.shape[-1])
        needed = replace(
            found, report=replace(found.report, directions=drawn), held_out=replace(found.held_out, directions=drawn)
        )
        claims = {claim.statement: claim.grade for claim in needed.claims()}
        assert claims["The answer needs the direction any in compiled/linear"] is Grade.REPLICATED
        assert "needs 1 of 1 directions" in needed.sections()[-1].suggests

    def test_refuses_a_direction_of_another_model(self):
        one = direction(organism())
        with pytest.raises(ValueError, match="direction 'theirs' does not belong to this model"):
            measure_compiled("compiled/linear", directions={"theirs": one})

    def test_refuses_a_place_that_is_not_there(self):
        one = replace(direction(compiled("compiled/linear")), hook="blocks.0.hook_resid_past")
        with pytest.raises(ValueError, match="resid_past"):
            measure_compiled("compiled/linear", directions={"lost": one})


class TestOrganism:
    def test_facts_are_looked_up_by_one_head_and_the_mlp_of_its_layer(self, facts):
        verdicts = dict(zip(facts.names, facts.verdicts, strict=True))
        assert verdicts["0.1"] is Verdict.NEEDED
        assert verdicts["0.hook_mlp_out"] is Verdict.BOTH
        for name in ("0.1", "0.hook_mlp_out"):
            assert facts.grade(Subject.SITE, name) is Grade.REPLICATED
            assert facts.ablated[0].at(facts.names.index(name)).low > 5

    def test_a_map_with_few_parts_is_compared_with_parts_of_all_maps_and_says_so(self, facts):
        tested = facts.evidence[Split.REPORT]
        assert (
            tested[Subject.SITE, "0.hook_mlp_out"]
            .control.split(" (")[0]
            .endswith("parts of all maps that were not chosen")
        )
        assert tested[Subject.SITE, "0.1"].control.split(" (")[0].endswith(" parts that were not chosen")

    def test_parts_and_embeddings_write_what_the_model_says(self, facts):
        shown = facts.report.direct.sum(0)
        assert shown.mean() == pytest.approx(facts.report.clean.mean(), abs=0.2)

    def test_descriptive_and_causal_evidence_stand_apart(self, facts):
        direct, *rest = facts.sections()
        assert not direct.causal
        assert all(section.causal for section in rest)
        assert set(direct.tables["what each part writes"]) == {"map", "site", "direct", "direct_low", "direct_high"}
        assert {"ablated", "compared"} <= set(rest[0].figures)
        assert "cumulative" in rest[1].figures
        assert all(section.suggests and section.does_not_show for section in facts.sections())

    def test_round_trip(self, facts, tmp_path):
        keep(facts, run_dir=tmp_path / "run")
        again = load_result(tmp_path / "run")
        assert again.claims() == facts.claims()
        assert again.summary() == facts.summary()
        for name, table in facts.tables().items():
            pd.testing.assert_frame_equal(table, again.tables()[name], check_exact=True)
        assert again.metrics() == facts.metrics()

    def test_the_table_fits_eighty_columns(self, facts, monkeypatch):
        monkeypatch.setattr(console, "_width", 80)
        with console.capture() as captured:
            show_ablation(facts)
        lines = captured.get().splitlines()
        (row,) = (line for line in lines if line.startswith("0.mlp_out"))
        assert row.split()[-5:] == ["writes", "and", "is", "needed", "R"]
        assert not any("…" in line for line in lines)
        assert max(len(line.rstrip()) for line in lines[:-1]) <= 80


class TestSeed:
    def test_same_seed_same_bits_and_another_seed_others(self, linear):
        assert same_bits(measure_compiled("compiled/linear", n_top=2), linear)
        assert not same_bits(measure_compiled("compiled/linear", n_top=2, seed=1), linear)

    def test_progress_goes_up_to_the_end(self):
        told = []
        config = config_of(task=LINEAR, sites=("z",), ablations=("zero",))
        Ablating(config).measure(
            compiled("compiled/linear"), progress=lambda done, total, what: told.append((done / total, what))
        )
        shares = [share for share, _ in told]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


class TestRefuses:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"ablations": ["median"]}, "ablations"),
            ({"ablations": ["zero", "zero"]}, "one comes twice"),
            ({"ablations": []}, "ablations"),
            ({"sites": ["z", "z"]}, "one comes twice"),
            ({"sites": ["resid_pre"]}, "sites"),
            ({"prescreen": "guess"}, "prescreen"),
            ({"smallest_effect": 0.0}, "smallest_effect"),
        ],
    )
    def test_a_config(self, changes, message):
        with pytest.raises(ConfigError, match=message):
            config_of(**changes)

    def test_mlps_of_a_model_without_any(self):
        with pytest.raises(ValueError, match=r"the model has no MLPs.*leave 'mlp_out' out of sites"):
            measure_compiled("compiled/linear", sites=("z", "mlp_out"))

    def test_a_task_that_does_not_suit_the_model(self):
        with pytest.raises(ValueError, match="the model has no tokenizer"):
            Ablating(config_of(sites=("z",))).measure(compiled("compiled/linear"))

    def test_an_unknown_task(self):
        with pytest.raises(ValueError, match="did you mean"):
            Ablating(config_of(task="grammar/fact")).measure(organism())


def test_the_pairs_are_the_models_own():
    """The pairs that these tests stand on have the logit difference that the truth says."""
    truth = compile_model("compiled/linear").truth
    found = measure_compiled("compiled/linear", n_top=2, n_held_out=None)
    assert found.report.clean == pytest.approx(np.full(8, truth.logit_difference), abs=1e-4)
