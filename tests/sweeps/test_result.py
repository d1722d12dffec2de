"""The result of a sweep: counted by hand, kept and read again."""

import json
import math

import pytest

from interp_lab.claims import Grade
from interp_lab.registry import load_experiment, load_result
from interp_lab.runs import save_result
from interp_lab.sweeps.config import SweepConfig
from interp_lab.sweeps.result import SweepResult
from tests.sweeps.made import (
    ACTIVE_AND_INERT,
    again,
    definition,
    ended,
    failed,
    quadratic,
    stopped,
)

MIXED = {
    "width": {"values": [128, 256]},
    "optim": {"parameters": {"lr": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1}}},
    "kind": {"values": ["topk", None, [1, 2]]},
    "depth": {"min": 1, "max": 4},
    "share": {"min": 0.0, "max": 1.0},
    "model": {"value": "organism"},
}
VALUES = {"width": 256, "optim.lr": 0.01, "kind": [1, 2], "depth": 3, "share": 0.5, "model": "organism"}


def four(tmp_path, *, goal="maximize", **options):
    """Return the result of four trials: scores 0.2 and 0.7, one failed, one stopped at 0.9."""
    trials = [
        ended(0, {**VALUES, "width": 128}, 0.2, seconds=3.0, **{"a.l0": 8.0}),
        failed(1, VALUES),
        ended(2, VALUES, 0.7, seconds=5.0, **{"a.l0": 16.0}),
        stopped(3, VALUES, 0.9),
    ]
    return SweepResult.of(definition(tmp_path, MIXED, goal=goal), trials, **options)


class TestParameters:
    @pytest.fixture
    def known(self, tmp_path):
        return {one.name: one for one in four(tmp_path).known}

    def test_names_are_those_that_trials_have(self, known):
        assert set(known) == set(VALUES)

    def test_what_was_searched_in_words(self, known):
        assert str(known["width"]) == "one of 128, 256"
        assert str(known["optim.lr"]) == "log uniform values: distribution".replace(
            "distribution", "max 0.1, min 0.0001"
        )
        assert str(known["depth"]) == "int uniform: max 4, min 1"
        assert str(known["share"]) == "uniform: max 1.0, min 0.0"
        assert str(known["model"]) == "fixed at organism"

    def test_values_are_numbers_or_places_and_come_back(self, known):
        assert known["kind"].coded([1, 2]) == 2.0
        assert known["kind"].text_of(2.0) == "[1, 2]"
        assert known["kind"].text_of(known["kind"].coded(None)) == "null"
        assert known["width"].value_of(known["width"].coded(256)) == 256.0
        assert known["optim.lr"].coded(0.01) == 0.01
        assert math.isnan(known["kind"].coded("relu"))
        assert known["kind"].text_of(math.nan) == ""

    def test_only_some_are_on_a_logarithmic_scale(self, known):
        assert [name for name, one in known.items() if one.is_log] == ["optim.lr"]


class TestCounting:
    def test_metrics_by_hand(self, tmp_path):
        assert four(tmp_path).metrics() == {
            "n_trials": 4.0, "n_comparable": 2.0, "n_failed": 1.0, "n_stopped": 1.0, "n_front": 2.0, "best": 0.7,
        }  # fmt: skip

    def test_the_best_is_of_those_that_ran_to_their_end(self, tmp_path):
        found = four(tmp_path)
        assert found.searched.numbers[found.best] == 2, "0.9 is of a trial that was stopped early"

    def test_less_can_be_better(self, tmp_path):
        found = four(tmp_path, goal="minimize")
        assert found.metrics()["best"] == 0.2

    def test_of_equals_the_first_is_best_and_they_are_counted(self, tmp_path):
        trials = [ended(nth, {"active": nth / 8, "inert": 0.5}, nth % 3) for nth in range(6)]
        found = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), trials)
        assert (found.best, found.n_tied) == (2, 2)
        assert "the best of 6; 2 are equally good" in found.summary()

    def test_what_was_measured_again(self, tmp_path):
        found = four(tmp_path, again=again([0.5, 0.6, 0.7], [0.4, 0.45, 0.5], 0.5)).metrics()
        assert found["held_out.winner"] == pytest.approx(0.6)
        assert found["held_out.base"] == pytest.approx(0.45)
        assert found["held_out.difference"] == pytest.approx(0.15)
        assert found["held_out.difference_low"] == pytest.approx(0.15 - 4.30265 * 0.05 / math.sqrt(3), abs=1e-4)
        assert found["held_out.shrinkage"] == pytest.approx(0.1)
        assert found["held_out.excess"] == pytest.approx((0.7 - 0.5) - 0.15)

    def test_tables_hold_every_trial_and_its_reason(self, tmp_path):
        tables = four(tmp_path).tables()
        assert tables["trials"]["state"].tolist() == ["complete", "failed", "complete", "stopped early"]
        assert tables["trials"]["width"].tolist() == [128, 256, 256, 256]
        assert tables["trials"]["kind"].tolist() == ["[1, 2]"] * 4
        assert tables["ended_badly"]["reason"].tolist() == ["out of memory", "worse than others after 3 values"]
        assert tables["best"]["trial"].tolist() == ["2", "0"]
        assert tables["parameters"].set_index("parameter").loc["width", "of the best trial"] == "256"

    def test_a_parameter_may_have_the_name_of_a_column(self, tmp_path):
        trials = [ended(nth, {"seconds": nth, "score": 0.5}, nth) for nth in range(3)]
        searched = {"seconds": {"values": [0, 1, 2]}, "score": {"values": [0.5]}}
        table = SweepResult.of(definition(tmp_path, searched), trials).tables()["trials"]
        assert table["seconds *"].tolist() == [0, 1, 2]
        assert table["seconds"].tolist() == [1.0, 1.0, 1.0]
        assert table["score"].tolist() == [0.5] * 3
        assert table["score *"].tolist() == [0, 1, 2]


class TestWeighing:
    def test_sparsity_and_time_unless_told_otherwise(self, tmp_path):
        found = four(tmp_path)
        assert [one.name for one in found.objectives] == ["a.l0", "seconds"]
        assert found.front.tolist() == [True, False, True, False]

    def test_what_was_asked_for(self, tmp_path):
        found = four(tmp_path, pareto=("a.l0:max",))
        assert found.front.tolist() == [False, False, True, False], "more of both"

    def test_a_name_that_no_trial_has_costs_no_result(self, tmp_path):
        found = four(tmp_path, pareto=("a.l00",))
        assert found.unknown_objectives == ("'a.l00'; did you mean 'a.l0'?",)
        assert not found.front.any()
        assert any("in no trial: 'a.l00'; did you mean 'a.l0'?" in section.suggests for section in found.sections())

    def test_more_than_three_dimensions_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match="the metric and more than two others shows nothing"):
            four(tmp_path, pareto=("a", "b", "c"))


class TestImportance:
    def test_a_planted_parameter_stands_out(self, tmp_path):
        found = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), quadratic(36), n_shuffles=99)
        table = found.tables()["importance"].set_index("parameter")
        assert table["stands_out"].to_dict() == {"active": True, "inert": False}
        said = (
            "the better half has other values than the rest in active (adjusted p 0.02); for inert 36 trials say little"
        )
        assert said in found.summary()

    def test_less_is_better_turns_it_over_whole(self, tmp_path):
        trials = quadratic(12)
        turned = [ended(one.number, one.values, -one.metric) for one in trials]
        (tmp_path / "a").mkdir()
        one = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), trials, n_shuffles=99)
        two = SweepResult.of(definition(tmp_path / "a", ACTIVE_AND_INERT, goal="minimize"), turned, n_shuffles=99)
        assert one.importance is not None
        assert two.importance is not None
        assert (one.importance.observed == two.importance.observed).all()


class TestKeeping:
    def test_a_kept_result_is_read_whole(self, tmp_path):
        trials = [*quadratic(10), failed(10, {"active": 0.1, "inert": 0.2})]
        runs = again([-0.1, -0.2], [-0.3, -0.35], -0.3)
        made = SweepResult.of(definition(tmp_path, ACTIVE_AND_INERT), trials, runs, pareto=("seconds",), n_shuffles=99)
        save_result(made, tmp_path / "result")
        read = load_result(tmp_path / "result")
        assert read.metrics() == made.metrics()
        assert read.summary() == made.summary()
        assert read.provenance == made.provenance
        for name, table in made.tables().items():
            assert read.tables()[name].equals(table), name
        assert [json.loads(one.to_json()) for one in read.figures().values()] == [
            json.loads(one.to_json()) for one in made.figures().values()
        ]

    def test_its_config_says_what_starts_a_sweep(self, tmp_path):
        save_result(four(tmp_path), tmp_path / "result")
        experiment = load_experiment(tmp_path / "result/config.yaml")
        assert isinstance(experiment.config, SweepConfig)
        with pytest.raises(ValueError, match=r"not run as one experiment; start its definition .*interp-lab sweep"):
            experiment.run()


class TestClaims:
    def test_a_clear_difference_is_an_observation_and_no_more(self, tmp_path):
        (claim,) = four(tmp_path, again=again([0.60, 0.61, 0.62], [0.40, 0.42, 0.41], 0.5)).claims()
        assert claim.grade is Grade.DESCRIPTIVE
        assert claim.effect is None
        assert "chosen among 2" in claim.statement

    @pytest.mark.parametrize(
        ("winner", "base"),
        [
            ([0.6, 0.2, 0.5], [0.4, 0.42, 0.41]), ([0.1, 0.11], [0.4, 0.42]), ([0.9], [0.1]), ([0.9] * 3, [0.1] * 3),
            ([0.9, 0.8, 0.7], [0.4, 0.3, 0.2]),
        ],
        ids=["interval covers zero", "worse", "one seed", "seeds change nothing", "the same difference on every seed"],
    )  # fmt: skip
    def test_nothing_is_claimed_of_less(self, tmp_path, winner, base):
        assert four(tmp_path, again=again(winner, base, 0.5)).claims() == []

    def test_nor_of_a_search_alone(self, tmp_path):
        assert four(tmp_path).claims() == []
