import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Grade, Split
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.drawn import TRAIN, draw
from interp_lab.probes.experiment import Probes
from interp_lab.probes.features import read_features
from interp_lab.probes.judged import Verdict
from interp_lab.probes.known_answers import rows
from interp_lab.probes.measuring import choose, stated_site
from interp_lab.probes.result import ProbesResult
from interp_lab.probes.use import Direct, directions_used
from interp_lab.tasks.labels import LabelName

SMALL = {"sites": ("resid_post",), "n_controls": 3, "n_untrained": 1, "n_pairs": 48, "mlp": 16, "n_documents": 480}
TRUTH, NOISE = "grammar/truth/is_true", "grammar/truth/random"


@pytest.fixture(scope="module")
def model():
    from interp_lab import load_model

    return load_model("organism")


@pytest.fixture(scope="module")
def result(model):
    config = ProbesConfig(labels=(TRUTH, NOISE), positions=("stated", "end"), topic="relation", **SMALL)
    return Probes(config).measure(model)


def acted(result, means, *, among):
    """The result of truth alone, where acting has these mean effects (logits) and next to no spread."""
    rng, one = np.random.default_rng(0), result.of(TRUTH).probed
    use = {
        split: replace(part, **{
            name: means.get(name, 0.0) + among * rng.normal(size=getattr(part, name).shape)
            for name in ("changes", "random", "shuffled")
        }) for split, part in one.use.items()
    }  # fmt: skip
    return replace(result, probed=(replace(one, use=use),))


class TestTruthOnTheOrganism:
    def test_is_decodable_at_the_end_beyond_every_control(self, result):
        judged = result.of(TRUTH)
        assert judged.probed.sites[judged.probed.chosen].endswith("at end")
        assert judged.scores[Split.REPORT].at(judged.probed.chosen).low > 0.9
        for control in ("majority", "token", "words", "shuffled", "untrained"):
            assert judged.beyond(control, Split.REPORT).low > 0.15, control
        assert judged.is_selective

    def test_is_not_decodable_where_the_words_stand_that_it_is_about(self, result):
        part = result.of(TRUTH).probed.scores[Split.REPORT]
        stated = part.probe[::2] - part.majority
        assert stated.mean(-1).max() < 0.15

    def test_is_used_and_the_claim_rests_on_that(self, result):
        judged, claim = result.of(TRUTH), result.claims()[0]
        assert judged.verdict is Verdict.USED
        assert claim.grade >= Grade.CAUSAL
        assert claim.effect is not None
        assert claim.effect.split is Split.REPORT
        assert claim.effect.effect.high < -claim.effect.margin
        assert "uses" in claim.statement

    def test_a_probe_that_is_no_line_does_about_as_well_on_labels_and_on_controls(self, result):
        one = result.of(TRUTH).probed
        assert one.contrast is not None
        linear = one.scores[Split.REPORT]
        assert abs(one.contrast.probe.mean() - linear.probe[one.chosen].mean()) < 0.05
        assert abs(one.contrast.control.mean() - linear.control[:, one.chosen].mean()) < 0.1
        assert one.contrast.control.mean() > linear.control_majority.mean() + 0.1  # words are learnt by heart
        score, selectivity = result.of(TRUTH).hidden_layer
        assert score.estimate == pytest.approx(one.contrast.probe.mean())
        assert selectivity.estimate == pytest.approx(one.contrast.probe.mean() - one.contrast.control.mean())
        assert 0 < selectivity.low < selectivity.estimate < selectivity.high

    def test_says_how_much_of_it_was_stated_in_training(self, result):
        row = result.tables()["verdicts"].iloc[0]
        assert 0.5 < row["stated_in_training"] < 0.9  # of 24 true statements all, of 264 false ones few
        assert f"{row['stated_in_training']:.0%} of what is tested was stated in training" in result.summary()

    def test_carries_over_between_topics(self, result):
        table = result.tables()["topics"]
        table = table[table["label"] == TRUTH].set_index(["trained_on", "tested_on"])
        assert table.loc[("capital", "language"), "score"] > 0.7
        assert table.loc[("all others", "language"), "score"] == table.loc[("capital", "language"), "score"]  # of two
        assert len(table) == 6

    def test_the_direction_is_given_out_for_steering_and_points_to_true(self, result, model):
        from interp_lab.models import identity_of

        direction, one = result.direction(TRUTH), result.of(TRUTH).probed
        assert direction.hook == one.hook_of(one.chosen)
        assert direction.model == identity_of(model)
        assert np.array_equal(direction.vector.numpy(), one.weights[one.chosen])
        assert torch.cosine_similarity(*torch.as_tensor(one.directions), dim=0) > 0.2


class TestAnAbsentConcept:
    def test_is_not_found(self, result):
        judged = result.of(NOISE)
        part = judged.probed.scores[Split.REPORT]
        assert judged.verdict is Verdict.NOT_DECODABLE
        assert not judged.scores[Split.REPORT].at(judged.probed.chosen).excludes(float(part.majority.mean()))
        assert judged.selectivity[Split.REPORT].low[judged.probed.chosen] <= 0

    def test_nothing_is_claimed_of_it_and_nothing_done(self, result):
        claim = result.claims()[1]
        assert claim.grade is Grade.DESCRIPTIVE
        assert claim.statement == f"{NOISE} was not found in organism"
        assert result.of(NOISE).no_behaviour == "the label is in no text, so no behaviour depends on it"


class TestUse:
    def test_a_direction_that_says_nothing_changes_nothing_and_that_of_the_class_means_does(self, model):
        config = ProbesConfig(positions=("end",), **SMALL)
        label, train = LabelName("truth", "is_true"), draw(model, LabelName("truth", "is_true"), config).part(TRAIN)
        generator, hook = torch.Generator().manual_seed(9), "blocks.0.hook_resid_post"
        x, second = read_features(model, train, [hook])[0], torch.as_tensor(train.labels == 1)
        told = x[second].mean(0) - x[~second].mean(0)
        directions = torch.stack([torch.randn(128, generator=generator), told])
        given = Direct(label, 0, hook, directions, torch.randn(2, 3, 128, generator=generator))
        found, ways, why_not = directions_used(model, given, x, train, config)
        use = found[Split.REPORT]
        assert (len(ways), why_not) == (4, "")
        assert use.random.shape == (4, config.n_random, len(use.clean))
        total = (use.clean - use.corrupted).mean()
        assert np.abs(use.changes[:2].mean(-1)).max() < 0.05 * total
        assert use.changes[2:].mean(-1).max() < -0.15 * total

    def test_prompts_that_are_acted_upon_were_not_trained_on(self, model):
        from interp_lab.probes.prompts import unseen_pairs

        label = LabelName("truth", "is_true")
        train = draw(model, label, ProbesConfig(positions=("end",), **SMALL)).part(TRAIN)
        unseen = unseen_pairs(model, label, train, 48, reserved=False, seed=2)
        pairs = unseen.pairs
        assert unseen.changes_label.all()
        seen = {train.texts[row] for row in set(train.documents.tolist())}
        assert len(pairs) == 48
        assert not seen & set(pairs.clean_texts)

    def test_an_effect_that_every_direction_has_is_not_said_to_be_none(self, result):
        for families in (("random", "shuffled"), ("shuffled",)):
            costly = acted(result, {"changes": -5.0, **dict.fromkeys(families, -5.0)}, among=0.01)
            assert costly.of(TRUTH).verdict is Verdict.UNCLEAR
            assert "less than" not in costly.claims()[0].statement

    def test_what_is_small_beside_one_family_alone_is_unclear(self, result):
        margin = result.of(TRUTH).margin
        small = acted(result, {"changes": -0.7 * margin, "shuffled": 0.7 * margin}, among=0.01)
        effect = small.of(TRUTH).tested["without the probe's direction"][0]
        assert -margin < effect.effect.low
        assert -margin < effect.versus_control.low  # of the family that leaves less
        assert small.of(TRUTH).verdict is Verdict.UNCLEAR
        near = acted(result, {"changes": -0.7 * margin, "shuffled": 0.1 * margin}, among=0.01)
        assert near.of(TRUTH).verdict is Verdict.NOT_USED

    def test_not_used_needs_texts_that_change_the_label(self, result):
        quiet = acted(result, {}, among=0.01)
        assert quiet.of(TRUTH).verdict is Verdict.NOT_USED
        use = quiet.of(TRUTH).probed.use
        other = {split: replace(one, changes_label=one.changes_label & (one.clean > 8)) for split, one in use.items()}
        unlike = replace(quiet, probed=(replace(quiet.probed[0], use=other),))
        assert unlike.of(TRUTH).verdict is Verdict.UNCLEAR
        assert "never called not used" in " ".join(section.suggests for section in unlike.sections())

    def test_the_share_of_answers_that_flip_by_hand(self, result):
        judged = result.of(TRUTH)
        use = judged.probed.use[Split.REPORT]
        right = use.clean > 0
        down = np.where(np.arange(len(right)) % 2, -2 * np.abs(use.clean), 0.0)
        share = (np.arange(len(right)) % 2)[right].mean()
        assert judged.flipped(down).estimate == pytest.approx(share)
        assert judged.flipped(np.stack([down, 0 * down])).estimate == pytest.approx(share / 2)

    def test_decodable_and_not_used_is_said_where_acting_does_nothing(self, result):
        judged = result.of(TRUTH)
        still = {split: replace(use, changes=use.random[:, 0]) for split, use in judged.probed.use.items()}
        quiet = replace(result, probed=(replace(judged.probed, use=still),))
        assert quiet.of(TRUTH).verdict is Verdict.NOT_USED
        assert quiet.claims()[0].grade is Grade.DESCRIPTIVE
        assert "changes the answer by less than counts" in quiet.claims()[0].statement
        assert f"a change by {quiet.of(TRUTH).margin:.2f} logits" in quiet.claims()[0].observed

    def test_without_a_behaviour_nothing_is_asked(self, result):
        judged = result.of(TRUTH)
        none = {split: replace(use, clean=use.clean - use.clean.mean()) for split, use in judged.probed.use.items()}
        assert replace(result, probed=(replace(judged.probed, use=none),)).of(TRUTH).verdict is Verdict.NOT_ASKED


class TestControlTasks:
    def test_that_do_not_match_give_no_selectivity_and_the_reason(self, result):
        one = result.of(TRUTH).probed
        part = one.scores[Split.REPORT]
        other = {**one.scores, Split.REPORT: replace(part, control_majority=0 * part.control_majority + 0.2)}
        found = replace(result, probed=(replace(one, scores=other),))
        row = found.tables()["verdicts"].iloc[0]
        assert np.isnan(row["selectivity"])
        assert row["selective"] is None
        assert "that of the control tasks 0.200" in row["no_selectivity_because"]
        assert "grammar/truth/is_true.selectivity" not in found.metrics()
        assert "no selectivity" in found.summary()
        assert result.tables()["verdicts"]["no_selectivity_because"].tolist() == ["", ""]


class TestResult:
    def test_outlives_the_model(self, result):
        again = ProbesResult.from_arrays(result.config, result.provenance, result.arrays())
        assert again.metrics() == result.metrics()
        assert again.summary() == result.summary()
        assert [str(claim) for claim in again.claims()] == [str(claim) for claim in result.claims()]

    def test_only_use_is_causal(self, result):
        sections = result.sections()
        assert [section.causal for section in sections] == [False, False, False, False, True]
        assert all(section.does_not_show for section in sections)
        assert {f"scores: {TRUTH}", f"reliability: {TRUTH}", f"use: {TRUTH}", "all labels"} <= set(result.figures())

    def test_tables_are_those_that_runs_can_keep(self, result):
        tables = result.tables()
        assert set(tables) == {"verdicts", "scores", "use", "templates", "topics", "calibration"}
        assert len(tables["scores"]) == 2 * 4 * 2
        assert tables["scores"].groupby("label")["chosen"].sum().tolist() == [1, 1]
        assert all(np.isfinite(value) for value in result.metrics().values())

    def test_the_summary_says_what_was_found(self, result):
        assert "truth/is_true: decodable and used" in result.summary()
        assert "truth/random: not decodable" in result.summary()

    def test_the_first_of_about_equal_sites_is_chosen(self):
        assert choose(np.array([0.5, 0.98, 0.99, 0.985]), tolerance=0.01) == 1
        assert choose(np.array([0.5, 0.98, 0.99, 0.985]), tolerance=0.0) == 2

    def test_same_seed_same_bits(self, model):
        config = ProbesConfig(labels=(NOISE,), **{**SMALL, "n_documents": 96, "mlp": None, "n_held_out": None})
        first, second = (Probes(config).measure(model).arrays() for _ in range(2))
        np.testing.assert_equal(first, second)  # NaN, where a family lacks a class, included

    def test_a_label_that_was_not_probed(self, result):
        with pytest.raises(ValueError, match="'grammar/truth/slip' was not probed; there are"):
            result.direction("grammar/truth/slip")


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.instrument)
def test_known_answers_read_true_and_their_sabotaged_twins_do_not(row):
    assert row.measure()[0], row.measure()[1]
    assert not row.sabotage()[0]


class TestLeftOut:
    def test_a_star_leaves_out_what_cannot_be_probed_and_a_name_does_not(self, model):
        small = {**SMALL, "n_documents": 96, "n_held_out": None, "mlp": None, "causal": False, "positions": ("all",)}
        with pytest.raises(ValueError, match="1 word types for 2 classes make no control task"):
            Probes(ProbesConfig(labels=("grammar/urgency/label",), **small)).measure(model)
        found = Probes(ProbesConfig(labels=("grammar/urgency/*",), **small)).measure(model)
        left = dict(found.left_out)
        assert "grammar/urgency/label" in left
        assert found.of("grammar/urgency/has_marker").no_behaviour == "not asked for"
        assert set(found.tables()["left out"]["label"]) == set(left)
        again = ProbesResult.from_arrays(found.config, found.provenance, found.arrays())
        assert again.left_out == found.left_out


class TestConfirmation:
    def test_names_the_site_and_the_way_that_the_claim_rests_on(self, result):
        found, judged = result.confirmation(), result.of(TRUTH)
        assert found.statements == (result.claims()[0].statement,)
        site = judged.probed.sites[judged.probed.chosen]
        assert found.config == {"labels": [TRUTH], "chosen": {TRUTH: [site, judged.used_by[0]]}}
        assert not any(re.search(r"\d%|\d\.\d\d", claim.statement) for claim in result.claims())

    def test_stated_in_advance_its_numbers_are_those_of_the_search(self, result, model):
        config = result.config.overlaid({**result.confirmation().config, "topic": None})
        stated = Probes(config).measure(model)
        one, other = (found.of(TRUTH) for found in (stated, result))
        assert one.probed.chosen == other.probed.chosen
        assert one.used_by[0] == other.used_by[0]
        assert one.used_by[1][0].effect.estimate == pytest.approx(other.used_by[1][0].effect.estimate, abs=1e-4)
        assert stated.claims()[0].statement == result.claims()[0].statement
        assert "stated in advance" in stated.sections()[0].suggests

    def test_another_site_than_the_best_can_be_stated_and_an_unknown_one_not(self):
        hooks = ("blocks.0.hook_resid_post", "blocks.1.hook_resid_post")
        config = ProbesConfig(chosen={TRUTH: ("1.hook_resid_post", "without the mean difference")})
        assert stated_site(TRUTH, hooks, config) == 1
        assert stated_site(NOISE, hooks, config) is None
        with pytest.raises(ValueError, match="did you mean"):
            stated_site(TRUTH, hooks[:1], config)

    def test_what_is_read_and_what_is_used_are_listed_apart(self, result):
        read, used = [row for row in result.components() if TRUTH in row.method]
        assert read.name == used.name
        assert read.name.startswith(("resid_pre ", "resid_post "))
        assert read.name.endswith(" at end")
        assert (read.causal, used.causal) == (False, True)
        assert used.effect.low > 0
        assert used.grade
