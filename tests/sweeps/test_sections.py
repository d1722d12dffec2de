"""What the page says of a sweep: description throughout, the winner never without how many it was chosen among."""

import re
from dataclasses import replace

import numpy as np
import pytest

from interp_lab.sweeps import marks
from interp_lab.sweeps.result import SweepResult
from interp_lab.sweeps.shrinkage import expected_maximum
from tests.sweeps.made import ACTIVE_AND_INERT, again, definition, ended, failed, quadratic, stopped

CAUSAL_WORDS = re.compile(r"\b(causes?|caused|effects?|drives?|leads? to|improves?|because of|thanks to|responsible)\b")
GRID = {"layer": {"values": [0, 1]}, "strength": {"values": [1, 2, 4]}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Everything there can be: 12 trials that ended, one that failed, one stopped, three seeds again."""
    trials = [
        *quadratic(12),
        failed(12, {"active": 0.1, "inert": 0.2}),
        stopped(13, {"active": 0.9, "inert": 0.2}, -0.5),
    ]
    runs = again([-0.03, -0.02, -0.04], [-0.2, -0.3, -0.25], -0.2)
    asked = definition(tmp_path_factory.mktemp("sweep"), ACTIVE_AND_INERT)
    return SweepResult.of(asked, trials, runs, n_shuffles=99)


def on_grid(tmp_path, goal="maximize"):
    """Two layers by three strengths: one failed, one was stopped early, one was tried twice."""
    settings = [{"layer": layer, "strength": strength} for layer in (0, 1) for strength in (1, 2, 4)]
    trials = [ended(nth, values, nth) for nth, values in enumerate(settings[:4])]
    trials += [failed(4, settings[4]), stopped(5, settings[5], 9.0), ended(6, settings[0], 4.0)]
    return SweepResult.of(definition(tmp_path, GRID, goal=goal), trials)


class TestWords:
    def test_no_section_is_causal_and_each_says_what_it_does_not_show(self, whole):
        assert len(whole.sections()) == 5
        assert not any(section.causal for section in whole.sections())
        assert all(len(section.does_not_show) > 80 for section in whole.sections())

    def test_no_word_of_causes(self, whole):
        said = [whole.summary(), *(f"{one.title} {one.suggests}" for one in whole.sections())]
        said += [f"{claim.statement} {claim.observed}" for claim in whole.claims()]
        assert not [CAUSAL_WORDS.findall(text) for text in said if CAUSAL_WORDS.search(text)]

    def test_the_best_value_stands_beside_how_many_it_was_chosen_among(self, whole):
        value = f"{whole.metrics()['best']:.4g}"
        lines = [*whole.summary().splitlines(), *(section.suggests for section in whole.sections())]
        beside = [line for line in lines if value in line and "runs from" not in line]
        assert len(beside) >= 2
        assert all("best of 12" in line or "chosen among 12" in line for line in beside)

    def test_what_selection_alone_would_take_is_said(self, whole):
        luck = expected_maximum(12) * whole.remeasured.spread
        assert f"by {luck:.4g} on average (1.63 standard deviations between seeds)" in whole.sections()[-1].suggests

    def test_few_trials_say_little_of_what_matters_and_that_is_said(self, tmp_path):
        rng = np.random.default_rng(0)
        trials = [ended(nth, {"active": float(a), "inert": float(b)}, rng.random()) for nth, (a, b) in
                  enumerate(rng.random((10, 2)))]  # fmt: skip
        found = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), trials, n_shuffles=99)
        said = "For active, inert 10 trials say little: a shuffled metric often gives as much."
        assert said in found.summary()
        learned = replace(found, config=found.config.model_copy(update={"method": "bayes"}))
        assert f"{said} The search learned from its trials, and p supposes that it did not." in learned.summary()

    def test_early_termination_that_never_acted_is_told(self, tmp_path, whole):
        """Trials may log their metric only at their end, and then nothing can be stopped."""
        none = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), quadratic(3))
        for found, told in ((whole, False), (none, True)):
            asked = {**found.config.definition, "early_terminate": {"type": "hyperband", "min_iter": 2}}
            early = replace(found, config=found.config.model_copy(update={"definition": asked}))
            said = "Early termination, which goes by what trials log as score while they run, stopped none."
            assert (said in early.sections()[0].suggests) == told
            assert said not in found.sections()[0].suggests

    def test_a_winner_that_was_not_measured_again_says_so(self, tmp_path):
        asked = definition(tmp_path, ACTIVE_AND_INERT)
        found = SweepResult.of(asked, quadratic(3), no_held_out="the folds are the same")
        assert "not measured on held-out examples: the folds are the same." in found.sections()[-1].suggests

    def test_runs_that_failed_again_are_said_with_their_reason(self, tmp_path):
        runs = again([None, None], [0.1, 0.2], 0.3)
        runs[0] = replace(runs[0], reason="out of memory")
        found = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), quadratic(3), runs)
        assert "every run of it failed (out of memory)" in found.sections()[-1].suggests

    def test_a_winner_without_a_base_to_compare_it_with_was_measured_all_the_same(self, tmp_path):
        runs = [
            replace(one, reason="no room") if one.name == "base" else one for one in again([0.5, 0.7], [None] * 2, None)
        ]
        found = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), quadratic(3), runs)
        said = found.sections()[-1].suggests
        assert f"of trial {found.best}, chosen among 3, came to score 0.6 over 2 seeds" in said
        assert "nothing to compare it with, for the config without it has no value there (no room)" in said


class TestChance:
    """What is said where seeds say nothing of chance, which an interval of no width would call certainty."""

    @pytest.mark.parametrize(
        ("winner", "base", "said"),
        [
            ([0.5, 0.5], [0.4, 0.4], "Every seed gave the same values, so that this is one measurement"),
            ([0.5, 0.6], [0.5, 0.6], "came to the same values on every seed: what was chosen changes nothing here"),
            ([0.5, 0.6], [0.4, 0.5], "The difference is the same on every seed, which says nothing"),
            ([0.5, 0.7], [0.4, 0.5], None),
        ],
        ids=["seeds change nothing", "the winner is the base", "the same difference", "chance"],
    )
    def test_what_seeds_do_not_tell(self, tmp_path, winner, base, said):
        found = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), quadratic(3), again(winner, base, 0.4))
        told = found.sections()[-1].suggests
        for sentence in ("Every seed gave", "came to the same values", "The difference is the same"):
            assert (sentence in told) == (said is not None and sentence in said)
        assert said is None or said in told
        assert ("(no interval) over 2 seeds" in told) == (said is not None)
        assert ("equally good, the best of them" in told) == (winner != [0.5, 0.5])

    def test_small_numbers_are_told_from_nothing(self, tmp_path):
        runs = again([1e-5, 2e-5, 3e-5], [5e-5, 7e-5, 6e-5], 6e-5)
        found = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT, goal="minimize"), quadratic(3), runs)
        assert "better by 4e-05 [1.5" in found.summary()
        assert "better by 4e-05 [1.5" in found.claims()[0].observed

    @pytest.mark.parametrize(("attempts", "pareto", "said"), [(2, (), True), (1, (), False), (2, ("cost",), False)])
    def test_time_of_a_trial_that_was_begun_again_is_that_of_its_last_attempt(self, tmp_path, attempts, pareto, said):
        trials = [replace(ended(0, {"active": 0.5, "inert": 0.5}, 1.0, cost=1.0), attempts=attempts)]
        found = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), trials, pareto=pareto)
        told = next(one.suggests for one in found.sections() if "weighed" in one.title)
        assert ("Of 1 trial on the front only the last of several attempts is timed" in told) == said


class TestFigures:
    def test_what_has_no_value_is_drawn_to_its_own_end(self, whole):
        lines = {trace.name: trace for trace in whole.figures()["parallel"].data if trace.name}
        assert set(lines) == {"best of 12", "failed", "stopped early"}
        assert lines["failed"].y[-2] < 0, "below the axis of the metric"
        assert lines["stopped early"].y[-2] < lines["failed"].y[-2]
        assert lines["best of 12"].y[-2] == 1.0
        assert [*lines["failed"].x] == [0, 1, 2, None]

    def test_every_trial_that_ended_is_a_line(self, whole):
        shades = [trace for trace in whole.figures()["parallel"].data if trace.name == "" and trace.x[0] is not None]
        assert sum(trace.x.count(None) for trace in shades) == 12

    @pytest.mark.parametrize(("goal", "beyond"), [("maximize", -0.72), ("minimize", 9.72)])
    def test_what_failed_stands_beyond_the_worst(self, tmp_path, goal, beyond):
        """Values run from 0 to 9, that of the trial that was stopped included; 8% of that beyond."""
        assert marks.edge(on_grid(tmp_path, goal)) == pytest.approx(beyond)

    def test_two_parameters_on_a_grid_are_a_map(self, tmp_path):
        heat = on_grid(tmp_path).figures()["grid"].data[0]
        assert np.array_equal(heat.z, [[2.0, 3.0], [1.0, np.nan], [2.0, np.nan]], equal_nan=True)
        assert heat.text[0][0] == "2<br>mean of 2"
        assert heat.text[:, 1].tolist() == ["3", "failed", "stopped"]

    def test_what_is_scattered_is_no_map(self, whole):
        assert "grid" not in whole.figures()

    def test_the_front_in_two_dimensions_is_a_line_and_in_three_is_none(self, tmp_path):
        trials = [ended(n, {"active": n / 4, "inert": 0.5}, n, seconds=1.0 + n, cost=float(n % 2)) for n in range(4)]
        flat = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), trials)
        deep = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), trials, pareto=("seconds", "cost"))
        assert flat.figures()["front"].data[1].mode == "lines+markers"
        assert deep.figures()["front"].data[1].mode == "markers"
        assert "two of three" in next(one.suggests for one in deep.sections() if "weighed" in one.title)
        assert [*flat.figures()["front"].data[1].x] == [1.0, 2.0, 3.0, 4.0]

    def test_the_best_so_far_never_gets_worse(self, whole):
        line = next(trace for trace in whole.figures()["history"].data if trace.name == "best so far")
        assert (np.diff(line.y) >= 0).all()

    def test_names_of_parameters_stay_text(self, tmp_path):
        hostile = "<img src=x onerror=alert(1)>"
        trials = [failed(n, {"active": 0.1 * n, "inert": 0.5}, reason=hostile) for n in range(3)]
        figures = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), trials).figures()
        shown = [text for figure in figures.values() for trace in figure.data for text in trace.text or ()]
        assert any("&lt;img" in text for text in shown)
        assert not any("<img" in text for text in shown)
