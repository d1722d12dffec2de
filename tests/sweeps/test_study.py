from dataclasses import replace

import optuna
import pytest

from interp_lab import registry
from interp_lab.sweeps.definition import read_definition
from interp_lab.sweeps.ledger import Closed, Entry
from interp_lab.sweeps.settings import SweepSettings
from interp_lab.sweeps.space import SweepError
from interp_lab.sweeps.study import Journal, n_trials_of, remembered, search_for
from tests.sweeps.cheap import ENTRY, write_sweep

TWO = {"x": {"min": -1.0, "max": 1.0}, "depth": {"values": [1, 2, 3]}}


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "cheap", ENTRY)


def defined(folder, **changes):
    return read_definition(write_sweep(folder, **changes))


def closed(entry, metric, state="complete"):
    return replace(entry, closed=Closed(trial=entry.number, state=state, metric=metric, seconds=1.0))


def searched(search, n, loss):
    """Entries after `n` trials, one at a time."""
    history = []
    for number in range(n):
        entry = Entry(search.propose(number, history))
        history.append(closed(entry, loss(entry.proposed.values)))
    return history


class TestGrid:
    def test_tries_every_point_once_in_order(self, tmp_path):
        parameters = {"x": {"values": [1.0, 2.0]}, "depth": {"values": [1, 2, 3]}}
        search = search_for(defined(tmp_path, method="grid", parameters=parameters), seed=0)
        found = [search.propose(number, []) for number in range(7)]
        assert found[6] is None
        points = [(one.values["depth"], one.values["x"]) for one in found[:6]]
        assert points == [(1, 1.0), (1, 2.0), (2, 1.0), (2, 2.0), (3, 1.0), (3, 2.0)]


class TestRandom:
    def test_a_proposal_depends_on_seed_and_number_alone(self, tmp_path):
        definition = defined(tmp_path, parameters=TWO)
        first, again, other = (search_for(definition, seed=seed) for seed in (3, 3, 4))
        history = searched(first, 5, lambda values: values["x"])
        assert [again.propose(number, []) for number in (4, 0)] == [history[4].proposed, history[0].proposed]
        assert len({entry.proposed.values["x"] for entry in history}) == 5
        assert other.propose(0, []) != history[0].proposed


class TestBayes:
    def test_finds_what_random_draws_miss(self, tmp_path):
        definition = defined(tmp_path, method="bayes")
        history = searched(search_for(definition, seed=0), 12, lambda values: (values["x"] - 0.3) ** 2)
        assert min(abs(entry.proposed.values["x"] - 0.3) for entry in history) < 0.01

    def test_goes_on_from_a_history_as_it_would_have(self, tmp_path):
        definition = defined(tmp_path, method="bayes", parameters=TWO)
        history = searched(search_for(definition, seed=1), 8, lambda values: values["x"])
        assert search_for(definition, seed=1).propose(7, history[:7]) == history[7].proposed
        assert len({entry.proposed.values["x"] for entry in history[:6]}) == 6, "random at first, and each another"

    def test_proposes_for_two_workers_two_different_things(self, tmp_path):
        search = search_for(defined(tmp_path, method="bayes"), seed=0)
        history = searched(search, 6, lambda values: (values["x"] - 0.3) ** 2)
        one = Entry(search.propose(6, history))
        two = search.propose(7, [*history, one])
        assert abs(one.proposed.values["x"] - two.values["x"]) > 1e-3

    def test_leaves_where_everything_fails(self, tmp_path):
        """Right of zero every trial fails; left of it the loss falls towards zero. Blind to failures, it would stay."""
        search, history = search_for(defined(tmp_path, method="bayes"), seed=0), []
        for number in range(12):
            entry = Entry(search.propose(number, history))
            x = entry.proposed.values["x"]
            history.append(closed(entry, -x) if x < 0 else closed(entry, None, "failed"))
        late = [entry.closed.state for entry in history[6:]]
        assert late.count("complete") >= 3

    @pytest.mark.parametrize(("goal", "worst"), [("minimize", 5.0), ("maximize", 1.0)])
    def test_remembers_failures_as_the_worst_and_what_is_open_as_open(self, tmp_path, goal, worst):
        definition = defined(tmp_path, method="bayes", metric={"name": "loss", "goal": goal})
        entries = [Entry(search_for(definition, seed=0).propose(number, [])) for number in range(4)]
        history = [
            closed(entries[0], 1.0), closed(entries[1], 5.0, "stopped early"), closed(entries[2], None, "failed"),
            entries[3],
        ]  # fmt: skip
        found = remembered(history, definition)
        assert [one.value for one in found] == [1.0, 5.0, worst, None]
        assert [one.state.name for one in found] == ["COMPLETE", "COMPLETE", "COMPLETE", "RUNNING"]
        assert [one.params["x"] for one in found] == [entry.proposed.values["x"] for entry in entries]
        assert remembered(history[2:3], definition) == [], "no value to stand for a failure yet"

    @pytest.mark.parametrize("seed", range(3))
    def test_tries_all_of_a_small_space_before_it_repeats(self, tmp_path, seed):
        parameters = {"x": {"values": [1.0, 2.0]}, "depth": {"values": [1, 2, 3]}}
        definition = defined(tmp_path, method="bayes", parameters=parameters)
        history = searched(search_for(definition, seed=seed), 7, lambda values: values["x"])
        seen = [tuple(entry.proposed.values.values()) for entry in history]
        assert len(set(seen[:6])) == 6
        assert seen[6] in seen[:6]


class TestNumberOfTrials:
    def test_is_what_was_asked_or_the_cap_or_the_grid(self, tmp_path):
        grid = defined(tmp_path, method="grid", run_cap=None, parameters={"depth": {"values": [1, 2, 3]}})
        assert n_trials_of(grid, SweepSettings()) == 3
        assert n_trials_of(grid, SweepSettings(n_trials=2)) == 2
        assert n_trials_of(grid, SweepSettings(n_trials=9)) == 3
        random = defined(tmp_path, run_cap=7)
        assert n_trials_of(random, SweepSettings()) == 7
        assert n_trials_of(random, SweepSettings(n_trials=9)) == 9

    def test_of_a_search_without_end_must_be_said(self, tmp_path):
        with pytest.raises(SweepError, match=r"random never ends by itself.*--trials N"):
            n_trials_of(defined(tmp_path, run_cap=None), SweepSettings())


class TestJournal:
    @pytest.fixture
    def entries(self, tmp_path):
        search = search_for(defined(tmp_path, method="bayes", parameters=TWO), seed=0)
        entries = [Entry(search.propose(number, [])) for number in range(4)]
        return [
            closed(entries[0], 1.0), closed(entries[1], 2.0, "stopped early"), closed(entries[2], None, "failed"),
            entries[3],
        ]  # fmt: skip

    def read(self, path):
        """As Optuna's own tools read it."""
        backend = optuna.storages.journal.JournalFileBackend(str(path))
        return optuna.load_study(study_name="cheap ones", storage=optuna.storages.JournalStorage(backend))

    def test_can_be_read_by_optuna(self, tmp_path, entries):
        definition, path = defined(tmp_path, method="bayes", parameters=TWO), tmp_path / "journal"
        Journal(path, definition).catch_up(entries)
        study = self.read(path)
        assert [one.state.name for one in study.trials] == ["COMPLETE", "PRUNED", "FAIL"]
        assert [one.value for one in study.trials] == [1.0, 2.0, None]
        assert study.best_trial.user_attrs == {"number": 0, "values": entries[0].proposed.values}
        assert study.best_trial.params["x"] == entries[0].proposed.values["x"]

    def test_is_told_once_and_caught_up_after_a_kill(self, tmp_path, entries):
        definition, path = defined(tmp_path, method="bayes", parameters=TWO), tmp_path / "journal"
        for n in (1, 1, 2):
            Journal(path, definition).catch_up(entries[:n])
        with path.open("ab") as file:
            file.write(b'{"op_code":4,"torn')
        Journal(path, definition).catch_up(entries)
        assert [one.user_attrs["number"] for one in self.read(path).trials] == [0, 1, 2]

    def test_is_made_again_when_lost(self, tmp_path, entries):
        definition, path = defined(tmp_path, method="bayes", parameters=TWO), tmp_path / "journal"
        Journal(path, definition).catch_up(entries)
        path.unlink()
        Journal(path, definition).catch_up(entries)
        assert len(self.read(path).trials) == 3

    def test_holds_a_failure_and_the_success_of_a_later_start(self, tmp_path, entries):
        definition, path = defined(tmp_path, method="bayes", parameters=TWO), tmp_path / "journal"
        journal = Journal(path, definition)
        journal.catch_up(entries)
        journal.catch_up([closed(entries[2], 0.5)])
        assert [one.state.name for one in self.read(path).trials] == ["COMPLETE", "PRUNED", "FAIL", "COMPLETE"]
        assert self.read(path).best_value == 0.5
