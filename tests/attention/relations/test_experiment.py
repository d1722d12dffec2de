"""The whole experiment: on heads whose part is written into the weights, and on the bundled organism."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from interp_lab.attention.relations import AttentionRelationsResult, ContrastConfig, Relation
from interp_lab.attention.relations.places import relations_named
from interp_lab.attention.verdicts import Verdict
from interp_lab.claims import Grade, Split
from interp_lab.cli.result_tables import show_relations
from interp_lab.cli.show import console
from interp_lab.config import ConfigError
from interp_lab.experiment import Result
from interp_lab.interventions import Ablation
from interp_lab.models import load_model
from interp_lab.registry import load_result
from interp_lab.runs import keep
from tests.attention.relations.toy import Head, config_of, measured, model_of

(CAPITAL,) = relations_named(["country-capital"])
CERTAIN = replace(CAPITAL, metric="probability_difference")
NOTHING = [Head()] * 8


@pytest.fixture(scope="module")
def toy():
    """0.0 looks at the country and says its facts, 0.1 looks and says nothing, 0.2 says them without looking."""
    return model_of([Head(looks=True, says=4.0), Head(looks=True), Head(says=48.0), *NOTHING])


@pytest.fixture(scope="module")
def known(toy) -> AttentionRelationsResult:
    return measured(toy)


@pytest.fixture(scope="module")
def redundant() -> AttentionRelationsResult:
    """Either of two heads is enough to be certain."""
    return measured(model_of([Head(looks=True, says=30.0)] * 2 + NOTHING), relations=[CERTAIN])


@pytest.fixture(scope="module")
def organism() -> AttentionRelationsResult:
    asked = relations_named(["duplicate name", "indirect object", "country-capital", "pronoun-profession"])
    kinds = ["zero", "mean by template"]
    return measured(
        load_model("organism"), relations=asked, n_prompts=64, n_held_out=32, ablations=kinds,
        contrasts=[ContrastConfig().as_dict()],
    )  # fmt: skip


def zeroed(result: AttentionRelationsResult, *, what: str | tuple[str, ...]) -> AttentionRelationsResult:
    arrays = {
        name: np.zeros_like(array) if name.endswith(what) and array.dtype.kind == "f" else array
        for name, array in result.arrays().items()
    }
    return type(result).from_arrays(result.config, result.provenance, arrays)


def of_head(result, head, table="relations"):
    return result.tables()[table].set_index("head").loc[head]


class TestKnownHeads:
    def test_what_heads_look_like_and_act_like(self, known):
        told = {at[2]: verdict for at, verdict in known.verdicts.items()}
        assert told == {0: Verdict.LOOKS_AND_ACTS, 1: Verdict.LOOKS_ONLY, 2: Verdict.ACTS_ONLY}
        assert known.tables()["relations"]["verdict"].tolist()[3:] == ["neither"] * 8

    def test_the_effect_is_what_the_weights_say(self, known):
        assert of_head(known, "0.0")["change"] == pytest.approx(-4, abs=1e-3)
        assert of_head(known, "0.1")["change"] == pytest.approx(0, abs=1e-3)

    def test_the_control_is_the_mean_of_the_heads_that_do_not_look(self, known):
        """Of 0.2 and eight idle ones, for 0.0; of the idle ones alone, for 0.2."""
        acting = of_head(known, "0.2")["change"]
        assert of_head(known, "0.0")["versus_control"] == pytest.approx(-4 - acting / 9, abs=1e-3)
        assert of_head(known, "0.2")["versus_control"] == pytest.approx(acting, abs=1e-3)
        assert of_head(known, "0.0")["larger_than"] == "8 of 9"

    def test_claims_say_what_was_shown(self, known):
        told = {claim.statement: claim.grade for claim in known.claims()}
        assert told["0.0 of by hand attends along country-capital, and without it the model prefers the expected "
                    "answer less"] is Grade.REPLICATED  # fmt: skip
        assert told["0.1 of by hand attends along country-capital"] is Grade.DESCRIPTIVE
        assert told["Without 0.2 by hand prefers the expected answer of grammar/facts less, and it was not found to "
                    "attend along country-capital"] is Grade.REPLICATED  # fmt: skip

    def test_every_kind_of_ablation_stands_beside_the_first(self, known):
        assert of_head(known, "0.0")["also_under"] == "2 of 2"
        assert of_head(known, "0.1")["also_under"] == "0 of 2"
        assert sorted(of_head(known, "0.0", "effects")["ablation"]) == ["mean by template", "resample", "zero"]

    def test_a_head_that_works_against_the_answer_is_in_the_way(self):
        heads = [Head(looks=True, says=-2.0), *[Head(says=24.0)] * 4, *NOTHING]
        assert measured(model_of(heads), n_held_out=None).verdicts[0, 0, 0] is Verdict.IN_THE_WAY


class TestSets:
    def test_heads_that_back_each_other_up_are_missed_together(self, redundant):
        assert set(redundant.verdicts.values()) == {Verdict.BACKED_UP}
        row = redundant.tables()["sets"].set_index("ablation").loc["zero"]
        assert row["finding"] == "backup"
        assert row["together"] == pytest.approx(-0.5, abs=1e-3), "the capital and the language share the certainty"
        assert row["sum_of_members"] == pytest.approx(0, abs=1e-3)

    def test_and_the_claim_is_of_both(self, redundant):
        claim = redundant.claims()[-1]
        assert claim.statement.startswith("Without all heads that attend along country-capital (0.0+0.1)")
        assert claim.grade is Grade.REPLICATED
        assert all(not one.grade for one in redundant.claims()[:-1])

    def test_heads_that_add_up_are_no_backup(self, known):
        assert set(known.tables()["sets"]["finding"]) == {"adds up"}

    def test_a_lone_carrier_makes_no_set(self):
        found = measured(model_of([Head(looks=True, says=4.0), *NOTHING]), n_held_out=None)
        assert "sets" not in found.tables()


class TestClaimsFollowNumbers:
    def test_without_effects_nothing_is_causal(self, known):
        assert not any(claim.grade for claim in zeroed(known, what=("changes", "sets")).claims())

    def test_without_attention_no_head_looks(self, known):
        blind = zeroed(known, what="to_key")
        assert not blind.looks.any()
        assert all("was not found to attend" in claim.statement for claim in blind.claims())

    def test_held_out_templates_alone_replicate(self, known):
        arrays = {name: array for name, array in known.arrays().items() if "held_out" not in name}
        without = type(known).from_arrays(known.config, known.provenance, arrays)
        assert {claim.grade for claim in without.claims()} == {Grade.DESCRIPTIVE, Grade.CAUSAL}

    def test_a_head_that_no_longer_looks_on_held_out_templates_is_not_replicated(self, known):
        arrays = known.arrays() | {"0_held_out_to_key": np.zeros_like(known.arrays()["0_held_out_to_key"])}
        found = type(known).from_arrays(known.config, known.provenance, arrays)
        claim = next(one for one in found.claims() if one.statement.startswith("0.0 "))
        assert claim.grade is Grade.CAUSAL
        assert "not seen on held-out templates" in claim.observed

    def test_heads_are_chosen_on_the_select_half_alone(self, known):
        rest = {
            name: np.zeros_like(a) for name, a in known.arrays().items() if "report_to" in name or "held_out_to" in name
        }
        found = type(known).from_arrays(known.config, known.provenance, known.arrays() | rest)
        assert np.array_equal(found.carriers.found, known.carriers.found)
        assert not found.looks.any()

    def test_a_model_that_does_not_prefer_the_answer_is_not_asked(self):
        found = measured(model_of([Head(looks=True), *NOTHING]), n_held_out=None)
        assert found.verdicts == {(0, 0, 0): Verdict.NOT_ASKED}
        (claim,) = found.claims()
        assert claim.effect is None
        assert "does not clearly prefer the answer" in claim.observed
        assert "not asked" in found.sections()[1].suggests

    def test_without_heads_left_as_controls_nothing_is_asked(self):
        found = measured(model_of([Head(looks=True, says=4.0)] * 3 + [Head()]), n_held_out=None)
        assert found.why_not == ("1 heads do not carry it, and controls need 3",)
        assert not any(claim.grade for claim in found.claims())


class TestKept:
    def test_round_trip_is_bit_identical(self, known, tmp_path):
        keep(known, run_dir=tmp_path / "run")
        again = load_result(tmp_path / "run")
        assert isinstance(again, Result)
        for name, table in known.tables().items():
            pd.testing.assert_frame_equal(table, again.tables()[name], check_exact=True)
        assert [*map(str, again.claims())] == [*map(str, known.claims())]
        assert again.metrics() == known.metrics()
        assert again.summary() == known.summary()

    def test_same_config_same_bits(self, toy, known):
        again = measured(toy).arrays()
        assert all(
            np.array_equal(array, again[name], equal_nan=array.dtype.kind == "f")
            for name, array in known.arrays().items()
        )

    def test_another_seed_draws_other_prompts(self, toy, known):
        other = measured(toy, seed=1, n_held_out=None, ablations=["zero"]).arrays()
        assert not np.array_equal(other["0_report_baseline"][:16], known.arrays()["0_report_baseline"][:16])

    def test_descriptive_and_causal_are_set_apart(self, known):
        assert [section.causal for section in known.sections()] == [False, True]
        assert all(section.does_not_show and section.figures for section in known.sections())
        assert set(known.figures()) == {"looks: country-capital", "acts: country-capital", "effects (logits)"}


class TestOrganism:
    def test_the_capital_needs_the_head_that_looks_at_the_country(self, organism):
        row = organism.tables()["relations"].query("relation == 'country-capital'").set_index("head").loc["0.1"]
        assert (row["verdict"], row["acts"], row["looks_on_held_out"]) == ("looks and acts", "replicated", True)
        assert row["change_high"] < -6

    def test_the_pronoun_needs_the_head_that_looks_at_the_profession(self, organism):
        """The stereotype is planted: 0.85 against 0.15. Three held-out templates are too few to replicate anything."""
        nth = organism.relations.index("pronoun-profession")
        assert organism.baseline(nth).estimate == pytest.approx(0.7, abs=0.08)
        table = organism.tables()["relations"].query("relation == 'pronoun-profession'").set_index("head")
        assert table.index[table["looks"]].tolist() == ["0.2"]
        assert table.index[table["acts"] != "descriptive"].tolist() == ["0.2"]
        row = table.loc["0.2"]
        assert (row["verdict"], row["acts"], row["looks_on_held_out"]) == ("looks and acts", "causal", None)
        assert row["versus_control_high"] < -0.4

    def test_names_are_kept_by_heads_that_do_not_look_along_the_relation(self, organism):
        """Both relations are asked of the same prompts, and one effect is claimed once."""
        told = organism.verdicts
        for relation in ("duplicate name", "indirect object"):
            own = {told[at] for at in told if organism.relations[at[0]] == relation}
            assert own == {Verdict.ACTS_ONLY}
        both = [one for one in organism.claims() if "duplicate name or indirect object" in one.statement]
        assert len(both) == sum(organism.relations[at[0]] == "duplicate name" for at in told) > 0

    def test_rejected_applications_draw_a_head_to_their_finances(self, organism):
        table = organism.tables()["contrast 1 approved against rejected"].set_index(["role", "head"])
        for role in ("income", "savings"):
            assert table.loc[(role, "2.3")]["differs"]
            assert table.loc[(role, "2.3")]["hedges_g_high"] < -0.5
        claims = [claim for claim in organism.claims() if "where expected is approved" in claim.statement]
        assert claims
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in claims)

    def test_the_table_fits_eighty_columns(self, organism, monkeypatch):
        monkeypatch.setattr(console, "_width", 80)
        with console.capture() as captured:
            show_relations(organism)
        lines = captured.get().splitlines()
        (row,) = (line for line in lines if line.split()[:2] == ["country-capital", "0.1"])
        assert " ".join(row.split()).endswith("R looks and"), "the last word stands below"
        assert not any("…" in line for line in lines)
        assert max(map(len, lines[:-1])) <= 80

    def test_contrasts_survive_the_round_trip(self, organism, tmp_path):
        keep(organism, run_dir=tmp_path / "run")
        again = load_result(tmp_path / "run").tables()
        for name, table in organism.tables().items():
            pd.testing.assert_frame_equal(table, again[name], check_exact=True)

    def test_figures_mark_what_was_found(self, organism):
        shown = organism.figures()
        assert len(shown["looks: pronoun-profession"].layout.shapes) == 1
        assert len(shown["looks: duplicate name"].layout.shapes) == 0
        contrast = shown[f"contrast: {organism.config.contrasts[0].title}"]
        assert len(contrast.layout.shapes) == organism.metrics()["contrast0_differences"]


class TestRefuses:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [({"relations": ["country-capitol"]}, "no relation 'country-capitol'; did you mean 'country-capital'"),
         ({"relations": []}, "at least 1 item"),
         ({"ablations": ["median"]}, "ablations"),
         ({"ablations": ["mean"]}, "ablations"),
         ({"ablations": ["zero", "zero"]}, "'zero' comes twice"),
         ({"contrasts": [{"latent": "expected"}, {"latent": "expected"}]}, "comes twice"),
         ({"n_promts": 3}, "did you mean 'n_prompts'")],
    )  # fmt: skip
    def test_configs(self, changes, message):
        with pytest.raises(ConfigError, match=message):
            config_of(**changes)

    def test_no_relations(self, toy):
        with pytest.raises(ValueError, match="no relations to look for"):
            measured(toy, relations=[])

    @pytest.mark.parametrize(
        ("contrast", "message"),
        [({"first": "maybe"}, "expected is 'maybe' in no prompt"), ({"latent": "expect"}, "did you mean 'expected'"),
         ({"query": "ende"}, "no role 'ende'; did you mean 'end'"), ({"task": "grammar/loan"}, "did you mean 'loans'")],
    )  # fmt: skip
    def test_contrasts_that_prompts_have_not(self, toy, contrast, message):
        with pytest.raises(ValueError, match=message):
            measured(toy, n_prompts=16, n_held_out=None, contrasts=[{"n_prompts": 24, **contrast}])

    def test_places_that_prompts_have_not(self, toy):
        with pytest.raises(ValueError, match="no role 'contry'; did you mean 'country'"):
            measured(toy, relations=[Relation("mine", "grammar/facts", key="contry")])

    def test_labels_that_do_not_align_with_tokens(self, toy, monkeypatch):
        from interp_lab.attention.relations import prompts
        from interp_lab.tasks import pairs_for

        def shifted(*given, **named):
            pairs = pairs_for(*given, **named)
            return replace(pairs, roles={**pairs.roles, "end": pairs.roles["end"] + 40})

        monkeypatch.setattr(prompts, "pairs_for", shifted)
        with pytest.raises(ValueError, match="has no query among its tokens"):
            measured(toy)

    def test_no_reserved_templates(self, toy, monkeypatch):
        """Tasks of one's own may have none."""
        from interp_lab.attention.relations import prompts
        from interp_lab.tasks import pairs_for

        def none_reserved(*given, reserved, **named):
            if reserved:
                raise ValueError("mine holds 0 reserved pairs")
            return pairs_for(*given, reserved=reserved, **named)

        monkeypatch.setattr(prompts, "pairs_for", none_reserved)
        with pytest.raises(ValueError, match="0 reserved pairs; or set n_held_out to null"):
            measured(toy)


def test_relations_of_ones_own_are_kept_by_their_names(toy):
    mine = replace(CAPITAL, name="my relation")
    found = measured(toy, relations=[mine], n_held_out=None, ablations=[Ablation.ZERO])
    assert found.relations == ("my relation",)
    assert Split.HELD_OUT not in found.effects
    again = type(found).from_arrays(found.config, found.provenance, found.arrays())
    assert again.relations == ("my relation",)
