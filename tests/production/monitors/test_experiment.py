"""The experiment: scenarios with their outcomes, honest nulls, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Grade
from interp_lab.models import load_model
from interp_lab.production.monitors.cases import Drawing, says_it
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.experiment import Monitors
from interp_lab.production.monitors.measured import WORDS, Part
from interp_lab.production.monitors.own_output import NEXT, SURPRISE
from interp_lab.production.monitors.result import MonitorsResult
from interp_lab.registry import load_experiment
from interp_lab.stats import bounded_interval

CONFIGS = "experiments/configs/monitors_{}.yaml"
SMALL = {
    "n_fit": 120, "n_choose": 32, "n_calibrate": 100, "n_report": 64, "n_held_out": 64, "n_responses": 2, "n_random": 2,
    "layers": [1, 2], "kinds": ["logistic"], "strengths": [1.0],
}  # fmt: skip

FEW = 0.65
"""What the lower limit of a share of nearly all texts exceeds, even with the four reserved templates and few texts."""
SMALLEST = {
    "n_fit": 32, "n_choose": 16, "n_calibrate": 32, "n_report": 32, "n_held_out": None, "layers": (2,),
    "kinds": ("logistic",),
}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_model("organism")


def measured(model, name, **changes):
    config = load_experiment(CONFIGS.format(name)).config.overlaid({**SMALL, **changes})
    return Monitors(config).measure(model)


@pytest.fixture(scope="module")
def competitor(model):
    return measured(model, "competitor")


@pytest.fixture(scope="module")
def tone(model):
    return measured(model, "tone", n_report=48, n_held_out=48)


@pytest.fixture(scope="module")
def truth(model):
    return measured(model, "truth")


@pytest.fixture(scope="module")
def early(model):
    return measured(model, "truth_early")


class TestCompetitor:
    def test_warned_before_the_name_on_other_texts_paraphrases_and_reserved_templates(self, competitor):
        for part in competitor.parts.values():
            assert competitor.area(part, (0,)).estimate > 0.95
            assert competitor.area(part, (0,)).low > FEW
            assert competitor.recall(part, 0).estimate > 0.9
            assert competitor.recall(part, 0).low > FEW

    def test_beyond_the_keyword_filter_everywhere(self, competitor):
        for part in competitor.parts.values():
            names, difference = competitor.beyond(part)
            assert difference.intervals.at(names.index("keyword filter")).low > 0
            if part is not competitor.held_out:  # four reserved templates are few for a test; the interval stands
                assert difference.p_adjusted()[names.index("keyword filter")] < 0.05

    def test_words_as_learned_do_as_well_where_wordings_are_known_and_the_table_says_so(self, competitor):
        names, difference = competitor.beyond(competitor.report)
        assert not difference.intervals.excludes(0.0)[names.index("words, learned")]

    def test_suppressed_by_stopping_and_by_the_response_and_by_no_random_one(self, competitor):
        for part in competitor.parts.values():
            unwatched, stopped, steered = (competitor.said(part, way) for way in range(3))
            assert unwatched.estimate == 1.0
            assert max(stopped.estimate, steered.estimate) < 0.05
            assert max(stopped.high, steered.high) < 1 - FEW
            assert part.says[3:, part.labels].mean() > 0.9
        claim = competitor.claims()[1]
        assert claim.grade is Grade.REPLICATED

    def test_what_leaks_when_the_row_ends_is_what_raised_no_alarm(self, competitor):
        for part in competitor.parts.values():
            assert competitor.said(part, 1).estimate == pytest.approx(1 - competitor.recall(part, 0).estimate)

    def test_can_be_tested_again_with_the_choice_stated(self, competitor):
        again = competitor.confirmation()
        assert again is not None
        assert again.config == {"chosen": competitor.chosen, "strengths": [1.0]}
        assert again.statements == (competitor.claims()[1].statement,)
        layer = int(competitor.made.hook.split(".")[1])
        assert set(again.components.values()) == {f"direction of mention at {layer + 1}.hook_resid_post"}

    def test_says_what_it_reads_and_what_it_takes_away_by_place(self, competitor):
        reads, acts = competitor.components()
        layer = int(competitor.made.hook.split(".")[1])
        assert (reads.name, reads.causal, reads.grade) == (f"resid_pre {layer + 1} at end", False, None)
        assert reads.effect.estimate == competitor.area(competitor.report, (0,)).estimate - 0.5
        assert (acts.name, acts.causal, acts.grade) == (
            f"direction of mention at {layer + 1}.hook_resid_post", True, Grade.REPLICATED
        )  # fmt: skip
        assert acts.effect.high < -0.8  # of texts with the words, by which fewer have them


class TestTone:
    def test_neither_context_alone_is_a_reason_and_the_monitor_knows(self, tone):
        for part in tone.parts.values():
            assert tone.area(part, (0,)).estimate > 0.95
            assert tone.area(part, (0,)).low > FEW
            names, difference = tone.beyond(part)
            assert difference.intervals.at(names.index("keyword filter")).low > 0  # it knows one of the two contexts
        assert tone.claims()[1].grade is Grade.REPLICATED


class TestTruth:
    def test_a_false_statement_is_known_before_it_is_marked_and_words_do_not_tell(self, truth):
        for part in truth.parts.values():
            assert truth.area(part, (0,)).estimate > 0.95
            assert truth.area(part, (0,)).low > FEW
            assert truth.area(part, truth.groups[WORDS]).low < 0.6
            names, difference = truth.beyond(part)
            assert difference.intervals.at(names.index("words, learned")).low > 0.1

    def test_the_models_next_word_tells_as_much_and_its_surprise_less(self, truth):
        """At the mark a monitor reads what is about to be said anyway, which the report must not hide."""
        for part in truth.parts.values():
            assert truth.area(part, truth.groups[NEXT]).low > FEW
            names, difference = truth.beyond(part)
            assert abs(difference.intervals.at(names.index(NEXT)).estimate) < 0.05
            assert difference.intervals.at(names.index(SURPRISE)).low > 0
        assert "beyond the model's next word by" in truth.sections()[0].suggests
        assert "its surprise" in truth.summary()

    def test_with_nothing_written_there_is_no_causal_claim(self, truth):
        assert [claim.grade for claim in truth.claims()] == [Grade.DESCRIPTIVE]
        assert truth.confirmation() is None
        assert "nothing was written" in truth.summary()
        assert "alarms" not in truth.tables()

    def test_while_the_false_word_is_just_written_it_is_not_known_and_that_is_reported_as_a_null(self, early):
        for part in early.parts.values():
            assert early.area(part, (0,)).low < 0.65
        assert early.recall(early.report, 0).estimate < 0.3
        assert "is not shown to tell" in early.claims()[0].statement
        [reads] = early.components()
        assert not reads.selected


class TestControls:
    def test_random_directions_and_shuffled_labels_are_near_chance_or_told_beside(self, competitor):
        table = competitor.tables()["detection"].set_index(["score", "part"])
        for name in ("random direction (mean of 2)", "shuffled labels (mean of 2)"):
            assert table.loc[(name, "report"), "auroc"] < 0.9

    def test_the_false_positive_rate_holds_on_other_texts_of_these_templates(self, truth, tone):
        """Within what that many controls allow: the threshold's own uncertainty, and that of the share."""
        for found in (truth, tone):
            assert found.false_positives(found.report, 0).low < 0.13

    def test_recall_at_one_in_a_hundred_is_not_spoken_of_with_too_few_controls(self, tone):
        table = tone.tables()["detection"]
        assert tone.calibrate.controls.sum() < 99
        assert table["strict_recall"].isna().all()

    def test_drift_is_seen_where_wordings_are_new(self, competitor):
        table = competitor.tables()["calibration"].set_index("part")
        assert table.loc["paraphrases", "drift_p"] < table.loc["report", "drift_p"]

    def test_probabilities_are_about_what_they_say(self, truth):
        for part in truth.parts.values():
            error = truth.calibration(part)
            assert error.ece < error.of_calibrated + 0.1
            assert truth.miscalibration(part).low < 0.05


class TestTexts:
    def test_no_text_is_in_two_parts_and_parts_are_alike(self, model):
        config = load_experiment(CONFIGS.format("truth")).config
        work = Drawing(model, config, set())
        cases = work.cases(400, part=0)
        assert len(set(cases.texts)) == 400
        assert not set(work.cases(60, part=2, reserved=True).templates) & set(cases.templates)

    def test_a_word_counts_wherever_it_stands_in_what_was_written(self, model):
        config = MonitorsConfig(says=("Zenix", "never"))
        tokenizer = model.tokenizer
        texts = ("call Zenix now", "please call", "never")
        written = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        assert says_it(model, written, config).tolist() == [True, False, True]

    def test_what_the_model_writes_labels_the_text(self, model):
        cases = Drawing(model, MonitorsConfig(), set()).cases(32, part=0)
        assert [any(word in model.tokenizer.decode(new) for word in ("Zenix", "Voltra", "Quanta", "Orbis"))
                for new in cases.written] == cases.labels.tolist()  # fmt: skip


class TestResult:
    def test_survives_the_disk(self, competitor, truth):
        for found in (competitor, truth):
            again = MonitorsResult.from_arrays(found.config, found.provenance, found.arrays())
            assert again.metrics() == found.metrics()
            assert again.summary() == found.summary()
            assert [len(one.figures) for one in again.sections()] == [len(one.figures) for one in found.sections()]

    def test_monitors_cost_next_to_nothing(self, competitor):
        assert competitor.cost.monitor == 128
        assert competitor.metrics()["share_of_the_models_cost"] < 0.001

    def test_every_table_and_section_is_there(self, competitor):
        assert set(competitor.tables()) == {"detection", "beyond", "calibration", "choice", "alarms"}
        descriptive, causal = competitor.sections()
        assert (descriptive.causal, causal.causal) == (False, True)
        assert set(descriptive.figures) == {"areas", "reliability"}


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"label": "mentions"}, "has no latent 'mentions'; did you mean 'mention'"),
            ({"behaviour": "suport"}, "did you mean 'support'"),
            ({"where": {"kind": "none"}}, "none was new; ask for fewer texts"),
            ({"layers": (3,)}, "responses act in the layer after the monitor's, so name layers from 0 to 2"),
            ({"alarming": ("x",), "says": None}, r"0 of 32 texts \(fit\).*error rates need both kinds"),
            ({"chosen": "logistic at 2.hook_resid_pots"}, "did you mean 'logistic at 2.hook_resid_post'"),
            ({"rate": 0.001}, r"control texts say nothing of a false-positive rate of 0\.001"),
            ({"words_before": 90}, "would begin at word -"),
            ({"begins": "nowhere", "says": None}, "has no slot 'nowhere'"),
            ({"says": ("xylophone",)}, "xylophone"),
            ({"over": "any 3"}, "reads too few tokens of .* for over='any 3'; aggregate by 'max'"),
        ],
    )
    def test_is_refused_with_the_way_out(self, model, changes, message):
        with pytest.raises(ValueError, match=message):
            Monitors(MonitorsConfig(**{**SMALLEST, **changes})).measure(model)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"over": "median"}, "is no way to aggregate"),
            ({"until": ("brand",)}, "until is for texts that are labelled by the latent"),
            ({"begins": "brand"}, "what the model says stands at the answer"),
            ({"layers": (1, 1)}, "one comes twice"),
        ],
    )
    def test_configs(self, changes, message):
        with pytest.raises(ValueError, match=message):
            MonitorsConfig(**changes)


class TestIntervals:
    """Of shares and areas over templates; where all texts agree, exact, and never of no width."""

    def part_of(self, scores, labels):
        n = len(labels)
        nothing = np.zeros((0, n))
        return Part(np.array(labels), np.array(list("ab") * (n // 2)), np.array([scores]), np.full((1, n), np.nan),
                    nothing, nothing)  # fmt: skip

    @pytest.mark.parametrize(
        ("scores", "area"),
        [([3.0] * 4 + [1.0] * 8, 1.0), ([1.0] * 4 + [3.0] * 8, 0.0), ([1.0] * 12, 0.5)],
        ids=["all told apart", "all the wrong way round", "none told apart"],
    )
    def test_of_an_area_without_spread_is_that_of_the_rarer_kind(self, competitor, scores, area):
        part = self.part_of(scores, [True] * 4 + [False] * 8)
        found = replace(competitor, names=("one",)).area(part, (0,))
        four = bounded_interval(np.full(4, area), np.array(list("abab")), level=0.95)
        assert (found.estimate, found.low, found.high) == (area, four.low, four.high)
        assert found.high - found.low > 0.3

    def test_of_a_difference_without_spread_too(self, competitor):
        names, difference = competitor.beyond(competitor.report)
        same = difference.intervals.at(names.index(NEXT))
        assert (same.estimate, same.low) == (0.0, pytest.approx(-same.high))
        assert 0.01 < same.high < 0.2
        random = difference.intervals.at(0)
        assert random.low > 0.2

    def test_of_shares_widen_where_templates_differ(self, competitor):
        """Half of the controls pass, of one template all and of the other none, or of each half."""
        labels, config = [True] * 4 + [False] * 40, competitor.config
        own = replace(competitor, names=("one",), config=config.overlaid({"rate": 0.1}))
        bar = own.bar(0)
        high, low = bar + 1, bar - 1
        apart = own.false_positives(self.part_of([high] * 4 + [high, low] * 20, labels), 0)
        alike = own.false_positives(self.part_of([high] * 4 + ([high] * 2 + [low] * 2) * 10, labels), 0)
        assert apart.estimate == alike.estimate == 0.5
        assert apart.high - apart.low > alike.high - alike.low

    def test_probabilities_are_fitted_on_the_texts_that_calibrate_and_no_others(self, competitor):
        scores, labels = [float(n) for n in range(40)], [False] * 20 + [True] * 20
        own = replace(competitor, names=("one",), calibrate=self.part_of(scores, labels))
        turned = self.part_of(scores, labels[::-1])
        assert own.calibration(turned).ece > 0.6
        assert own.miscalibration(turned).low > 0.3
        assert own.calibration(own.calibrate).ece < 0.2
