"""The experiment: where the organism's answers become readable, what it says of itself, and what it does not claim."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Grade, Split
from interp_lab.config import ConfigError
from interp_lab.lenses import Lenses, LensesConfig, LensesResult, TunedLens, TunedLensConfig
from interp_lab.lenses.experiment import CHECKPOINT, LENS
from interp_lab.lenses.points import depth_label, hook_labelled
from interp_lab.models.untrained import untrained_copies
from interp_lab.runs import read_run
from interp_lab.runs.formats import decode_arrays, encode_arrays
from tests.lenses.models import edited_organism, organism

FACTS = LensesConfig(task="grammar/facts", n_pairs=64, n_held_out=32, n_untrained=2, n_shown=1)
SMALL = LensesConfig(n_pairs=40, n_held_out=None, n_untrained=1, n_shown=1, patchscope=None, mid=False)
TUNED = SMALL.model_copy(
    update={
        "lens": "tuned",
        "n_windows": 64,
        "n_documents": 24,
        "training": TunedLensConfig(n_steps=20, n_tokens=256, learning_rate=5e-3),
    }
)


@pytest.fixture(scope="module")
def facts():
    return Lenses(FACTS).measure(organism())


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return Lenses(TUNED).measure(organism(), folder=folder), folder


@pytest.fixture(scope="module")
def broken():
    """The organism without the head that looks facts up, asked beside the whole one."""
    model = edited_organism(lambda m: m.blocks[0].attn.W_O[1].zero_())
    config = FACTS.model_copy(update={"n_pairs": 64, "patchscope": None, "mid": False, "n_untrained": 1})
    return Lenses(config).measure(model, donor=organism())


class TestFacts:
    def test_at_the_end_the_answer_is_readable_in_the_first_layer(self, facts):
        end = next(one for one in facts.appearances if one.place == "end")
        assert facts.points[end.point] in ("after attn 0", "after 0")
        assert end.holds
        assert end.holds_again
        assert end.before.high < 0.8
        assert not end.untrained.excludes(0.5)

    def test_at_the_country_it_never_is(self, facts):
        country = next(one for one in facts.appearances if one.place == "country")
        assert country.point is None

    def test_the_last_point_is_the_model(self, facts):
        assert np.abs(facts.report.kl[-1]).max() == 0.0
        assert facts.metrics()["final_probability"] > 0.99

    def test_all_claims_are_descriptive(self, facts):
        claims = facts.claims()
        assert len(claims) == 1
        assert claims[0].grade is Grade.DESCRIPTIVE
        assert claims[0].statement.startswith("The answer of grammar/facts is readable at end in organism, after")
        assert "0.5 by chance" in claims[0].observed

    def test_no_section_says_causal(self, facts):
        assert not any(section.causal for section in facts.sections())
        assert all(section.does_not_show for section in facts.sections())

    def test_patchscopes_carry_the_answer_and_those_of_other_prompts_do_not(self, facts):
        table = facts.tables()["patchscopes"].set_index(["from", "to"])
        assert table.loc[("after 3", "after 3"), "recovered"] == pytest.approx(1.0, abs=1e-4)
        assert table.loc[("embedded", "embedded"), "recovered"] == pytest.approx(0.0, abs=1e-3)
        assert table.loc[("after 3", "after 3"), "another_prompt_high"] < 0.8

    def test_nothing_goes_wrong_and_that_is_said(self, facts):
        assert facts.wrong.n_wrong == 0
        assert "0 of 64 completions are wrong" in facts.summary()

    def test_a_prompt_is_shown_token_by_token(self, facts):
        (shown,) = facts.shown
        n_points, n_pos = shown.probability.shape
        assert n_points == len(facts.points)
        assert len(shown.tokens) == n_pos
        assert shown.top[-1] == shown.right  # the model is right at the end
        assert f"the answer is {shown.right}" in facts.figures()["prompt 1"].layout.title.text


class TestTuned:
    def test_it_is_nearer_at_every_point_but_the_last(self, tuned):
        result, _ = tuned
        assert result.metrics()["n_nearer"] == 4
        assert result.metrics()["tuned_kl"] < result.metrics()["logit_kl"]
        assert any("at every point but the last" in claim.statement for claim in result.claims())

    def test_where_it_is_nearer_nowhere_no_claim_says_so(self, tuned):
        result, _ = tuned
        worse = replace(result.divergence, judged=result.divergence.reference + 0.1)
        assert not [claim for claim in replace(result, divergence=worse).claims() if "nearer" in claim.statement]
        half = result.divergence.judged.copy()
        half[2:] = result.divergence.reference[2:] + 0.1
        (told,) = [
            claim
            for claim in replace(result, divergence=replace(result.divergence, judged=half)).claims()
            if "nearer" in claim.statement
        ]
        assert told.statement.endswith("at some points")
        assert told.observed.startswith("at 2 of 4 points")

    def test_the_control_is_of_another_lens_and_that_is_said(self, tuned, facts):
        result, _ = tuned
        assert result.untrained_read == "in untrained models, which the logit lens reads"
        assert facts.untrained_read == "in untrained models"
        assert all(
            "which the logit lens reads" in one.observed for one in result.claims() if "readable" in one.statement
        )

    def test_a_given_lens_that_may_have_seen_what_judges_it_is_claimed_nothing_of(self, tuned):
        result, folder = tuned
        assert result.divergence.unseen
        lens = TunedLens.load(folder / LENS, organism())
        other = replace(lens, training={**lens.training, "windows": "of other text"})
        found = Lenses(TUNED).measure(organism(), lens=other)
        assert not found.divergence.unseen
        assert not [claim for claim in found.claims() if "nearer" in claim.statement]
        assert "it may have seen what it is judged on" in found.summary()

    def test_the_lens_is_kept_and_can_be_given(self, tuned):
        result, folder = tuned
        lens = TunedLens.load(folder / LENS, organism())
        assert (folder / CHECKPOINT).exists()
        again = Lenses(TUNED).measure(organism(), lens=lens)
        assert again.divergence.unseen
        assert [claim.statement for claim in again.claims()] == [claim.statement for claim in result.claims()]
        np.testing.assert_array_equal(again.report.outranked, result.report.outranked)
        np.testing.assert_array_equal(again.divergence.judged, result.divergence.judged)

    def test_there_are_no_patchscopes_unless_asked_for(self, tuned):
        assert tuned[0].scope is None
        assert "patchscopes" not in tuned[0].tables()


class TestBroken:
    def test_triage_and_follow_up(self, broken):
        assert broken.wrong.found.verdict == "missing knowledge"
        assert str(broken.wrong.follow_up.part) == "attention 0 at end"
        assert broken.metrics()["repaired"] > 0.9

    def test_only_the_follow_up_is_causal(self, broken):
        assert [section.causal for section in broken.sections()] == [False, False, False, True]
        graded = [claim for claim in broken.claims() if claim.grade >= Grade.CAUSAL]
        assert len(graded) == 1
        assert "attention 0 at end set to its value in a run that answers right" in graded[0].statement

    def test_numbers_come_back_from_disk(self, broken):
        back = LensesResult.from_arrays(broken.config, broken.provenance, decode_arrays(encode_arrays(broken.arrays())))
        assert back.summary() == broken.summary()
        assert back.claims() == broken.claims()
        assert set(back.figures()) == set(broken.figures())

    def test_without_good_runs_there_is_no_follow_up(self):
        model = edited_organism(lambda m: m.blocks[0].attn.W_O.zero_())
        found = Lenses(SMALL).measure(model)
        assert found.wrong.found is not None
        assert found.wrong.follow_up is None
        assert "give more prompts, or a model that answers these right" in found.wrong.why_not


class TestNothingToRead:
    def test_an_untrained_model_claims_nothing(self):
        model = next(untrained_copies(organism(), 1, seed=0))
        found = Lenses(SMALL).measure(model)
        assert found.claims() == []
        assert "the answer is not readable at any depth" in found.summary()


class TestRun:
    def test_a_run_is_kept_and_made_again_with_the_same_numbers(self, tmp_path):
        result = Lenses(SMALL).run(run_dir=tmp_path / "run")
        assert set(result.splits) == {Split.SELECT, Split.REPORT}
        read = read_run(tmp_path / "run")
        back = LensesResult.from_arrays(LensesConfig.from_mapping(read.config), result.provenance, read.arrays())
        assert back.summary() == result.summary()
        again = Lenses(SMALL).measure(organism()).arrays()
        for name, array in read.arrays().items():
            np.testing.assert_array_equal(array, again[name], err_msg=name)


class TestDepths:
    def test_only_those_asked_for_and_the_last(self):
        config = SMALL.model_copy(update={"depths": (2, 1)})
        assert Lenses(config).measure(organism()).points == ("after 0", "after 1", "after 3")

    def test_a_depth_that_is_not_there(self):
        with pytest.raises(ValueError, match="depth 5 is not in this model of 4 layers"):
            Lenses(SMALL.model_copy(update={"depths": (5,)})).measure(organism())


class TestBadInput:
    def test_a_role_that_prompts_have_not(self):
        with pytest.raises(ValueError, match="not every prompt has a place 'giver'; there are start, country"):
            Lenses(SMALL.model_copy(update={"patchscope": "giver"})).measure(organism())

    @pytest.mark.parametrize(
        "values", [{"at_least": 0.5}, {"lens": "jacobian"}, {"metric": "rank"}, {"n_documents": 2}, {"nshown": 1}]
    )
    def test_configs_that_mean_nothing(self, values):
        with pytest.raises(ConfigError):
            LensesConfig.from_mapping(values)


def test_the_points_at_which_answers_appear_are_listed_as_descriptive(facts):
    rows = [row for row in facts.components() if row.name.endswith(" at end")]
    end = next(one for one in facts.appearances if one.place == "end")
    assert [row.effect for row in rows] == [end.report]
    assert [row.selected for row in rows] == [end.holds]
    assert not any(row.causal for row in facts.components())
    names = {"after attn 0": "resid_mid 0", "after 0": "resid_pre 1"}  # which of the two depends on the last digits
    assert [row.name for row in rows] == [f"{names[facts.points[end.point]]} at end"]


@pytest.mark.parametrize("kind", ["pre", "mid", "post"])
def test_a_point_is_found_again_by_its_short_name(kind):
    for layer in (0, 3):
        point = f"blocks.{layer}.hook_resid_{kind}"
        assert hook_labelled(depth_label(point)) == point
