"""The winner measured again: what is run, with which seeds, and what is read of it."""

import math
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from interp_lab import registry
from interp_lab.config import parse_overrides
from interp_lab.jobs import Ended, Job, Outcome
from interp_lab.sweeps.definition import read_definition
from interp_lab.sweeps.held_out import (
    Again,
    again_from,
    arrays_of,
    fresh_seeds,
    re_evaluate,
    read_again,
    remeasured,
    seed_keys,
)
from interp_lab.sweeps.opening import opened
from interp_lab.sweeps.settings import SweepSettings
from interp_lab.sweeps.trial import Trial
from tests.sweeps.cheap import ENTRY, write_sweep
from tests.sweeps.made import again

LEVEL = 0.95


class TestRemeasured:
    def test_positive_is_better_where_less_is_better(self):
        """Loss: 1.0 in the search, 1.5 again; the base 2.0 and 2.25."""
        found = remeasured(again([1.4, 1.6], [2.2, 2.3], 2.0), 1.0, sign=-1.0, level=LEVEL)
        assert found is not None
        assert found.difference.estimate == pytest.approx(0.75)
        assert found.shrinkage.estimate == pytest.approx(0.5)
        assert found.shrinkage_of_base.estimate == pytest.approx(0.25)
        assert found.excess.estimate == pytest.approx(0.25)

    def test_a_seed_counts_if_both_have_it(self):
        runs = again([0.5, 0.9, 0.6], [0.1, 0.2, 0.4], 0.3)
        runs = [replace(one, metric=None) if (one.name, one.seed) == ("base", 101) else one for one in runs]
        found = remeasured(runs, 1.0, sign=1.0, level=LEVEL)
        assert found is not None
        assert found.winner.tolist() == [0.5, 0.6]
        assert found.base.tolist() == [0.1, 0.4]

    def test_without_the_base_in_the_search_there_is_no_excess(self):
        found = remeasured(again([0.5, 0.6], [0.1, 0.2], None), 1.0, sign=1.0, level=LEVEL)
        assert found is not None
        assert found.difference.estimate == pytest.approx(0.4)
        assert math.isnan(found.excess.estimate)
        assert math.isnan(found.excess.low)

    def test_nothing_where_nothing_ran(self):
        assert remeasured([], 1.0, sign=1.0, level=LEVEL) is None
        assert remeasured(again([None], [0.1], 0.3), 1.0, sign=1.0, level=LEVEL) is None

    def test_arrays_hold_all_but_the_folders(self):
        runs = [*again([0.5, None], [0.1, 0.2], 0.3), Again("base", "held_out", 7, None, "killed", Path("x"))]
        assert again_from(arrays_of(runs)) == tuple(replace(one, folder=Path()) for one in runs)
        assert again_from(arrays_of([])) == ()


class TestSeeds:
    def test_more_seeds_begin_with_the_same(self):
        assert fresh_seeds(5, seed=3)[:3] == fresh_seeds(3, seed=3)
        assert len(set(fresh_seeds(50, seed=3))) == 50
        assert fresh_seeds(3, seed=3) != fresh_seeds(3, seed=4)

    def test_the_seed_of_the_run_is_set_or_else_all_that_stand_below(self):
        assert seed_keys({"seed": 0, "text.seed": 1, "model": "m"}) == ["seed"]
        assert seed_keys({"text.seed": 1, "training.seed": 0, "training.saes.a.seed": 0}) == [
            "text.seed",
            "training.seed",
        ]
        with pytest.raises(ValueError, match="has no seed, so that nothing differs between runs; use --no-held-out"):
            seed_keys({"model": "m"})


class Here:
    """An executor that carries jobs out in this process."""

    n_workers = 1

    def __init__(self):
        self.jobs = []

    def submit(self, job):
        self.jobs.append(job)
        future = Future()
        future.set_result(self.carried_out(job))
        return future

    def carried_out(self, job):
        options = list(job.argv[3:])
        at = options.index("--out")
        asked = [*options[:at], *(one for one in options[at + 2 :] if one.startswith(("--fold=", "--seed=")))]
        try:
            registry.load_experiment(job.argv[2], parse_overrides(asked)).run(None, Path(options[at + 1]), resume=True)
        except ValueError as error:
            return Outcome(Ended.FAILED, 1, 0.1, f"error: {error}")
        return Outcome(Ended.DONE, 0, 0.1)

    def stop(self, name):
        raise AssertionError(name)


@pytest.fixture
def _cheap(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "cheap", ENTRY)


def measured_again(folder, winner, workers, **settings):
    definition = read_definition(folder / "sweep.yaml")
    asked = SweepSettings(**{"held_out_seeds": 2, "retries": 1, **settings})
    with opened(folder / "out", definition, asked, resume=True) as place:
        return re_evaluate(definition, winner, place, workers, place.settings)


@pytest.mark.usefixtures("_cheap")
class TestReEvaluate:
    WINNER = Trial(7, {"x": 0.25}, "complete", 0.0025)

    def test_both_run_on_the_held_out_fold_with_the_same_fresh_seeds(self, tmp_path):
        write_sweep(tmp_path, base={"x": 1.0})
        workers = Here()
        found = measured_again(tmp_path, self.WINNER, workers)
        seeds = fresh_seeds(2, seed=0)
        assert [(one.name, one.fold, one.seed) for one in found] == [
            *(("winner", "held_out", seed) for seed in seeds),
            *(("base", "held_out", seed) for seed in seeds),
            ("base", "search", None),
        ]
        expected = [(x - 0.3) ** 2 + 0.01 * (seed % 7) for x in (0.25, 1.0) for seed in seeds] + [0.49]
        assert [one.metric for one in found] == pytest.approx(expected)
        assert all(one.folder.is_relative_to(tmp_path / "out/held_out") for one in found)

    def test_what_is_complete_is_read_and_another_winner_runs_anew(self, tmp_path):
        write_sweep(tmp_path, base={"x": 1.0})
        first, second, third = Here(), Here(), Here()
        found = measured_again(tmp_path, self.WINNER, first)
        assert measured_again(tmp_path, self.WINNER, second) == found
        other = measured_again(tmp_path, Trial(9, {"x": 0.3}, "complete", 0.0), third)
        assert (len(first.jobs), len(second.jobs), len(third.jobs)) == (5, 0, 2)
        assert other[0].metric < found[0].metric
        assert other[2:] == found[2:]

    def test_a_run_that_fails_is_kept_with_its_reason(self, tmp_path):
        write_sweep(tmp_path, base={"kind": "fails"}, parameters={"kind": {"values": ["good"]}})
        workers = Here()
        found = measured_again(tmp_path, Trial(0, {"kind": "good"}, "complete", 0.0), workers)
        assert [one.metric is None for one in found] == [False, False, True, True, True]
        assert {one.reason for one in found[2:]} == {"error: x is wrong [today]"}
        assert len(workers.jobs) == 2 + 2 * 3, "each that failed is tried once more"

    def test_a_metric_that_is_no_number_is_none(self, tmp_path):
        write_sweep(tmp_path, base={"kind": "nan"}, parameters={"kind": {"values": ["good"]}})
        found = measured_again(tmp_path, Trial(0, {"kind": "good"}, "complete", 0.0), Here())
        assert [one.metric is None for one in found] == [False, False, True, True, True]
        assert {one.reason for one in found[2:]} == {"its metric loss is nan"}

    def test_a_metric_that_is_missing_is_said_to_be(self, tmp_path):
        write_sweep(tmp_path)
        argv = ("interp-lab", "run", str(tmp_path / "cheap.yaml"), "--out", str(tmp_path / "x"))
        Here().carried_out(Job("x", argv, tmp_path / "x.log"))
        found = read_again(Again("base", "search", None, None, folder=tmp_path / "x"), "los", {})
        assert (found.metric, found.reason) == (None, "it ended without the metric los")
