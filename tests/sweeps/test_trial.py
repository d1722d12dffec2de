from interp_lab.sweeps.ledger import Closed, Ended, Ledger, Proposed, Started
from interp_lab.sweeps.trial import LEDGER, Trial, best_of, read_trials


def trial(number, metric, state="complete"):
    return Trial(number, {}, state, metric)


class TestReadTrials:
    def test_tells_of_trials_in_every_state(self, tmp_path):
        ledger = Ledger(tmp_path / LEDGER)
        for number in range(4):
            ledger.append(Proposed(trial=number, values={"x": float(number)}))
            ledger.append(Started(trial=number, attempt=1, at="2026-01-01T00:00:00+00:00"))
        ledger.append(Ended(trial=1, attempt=1, how="failed", seconds=1.0, reason="not yet"))
        ledger.append(Closed(trial=2, state="complete", metric=0.5, metrics={"loss": 0.5, "n": 2}, seconds=3.0))
        ledger.append(Closed(trial=3, state="stopped early", metric=0.9, seconds=1.0, reason="worse"))
        found = read_trials(tmp_path)
        assert [one.state for one in found] == ["running", "running", "complete", "stopped early"]
        assert [one.reason for one in found] == ["", "not yet", "", "worse"]
        assert found[2] == Trial(
            2, {"x": 2.0}, "complete", 0.5, {"loss": 0.5, "n": 2}, 3.0, 1, "", tmp_path / "trials/0002"
        )

    def test_of_a_folder_without_a_sweep_are_none(self, tmp_path):
        assert read_trials(tmp_path) == []


class TestBest:
    def test_is_the_complete_one_nearest_the_goal(self):
        trials = [trial(0, 2.0), trial(1, 1.0), trial(2, 3.0), trial(3, 0.0, "stopped early"), trial(4, None, "failed")]
        assert best_of(trials, goal="minimize").number == 1
        assert best_of(trials, goal="maximize").number == 2

    def test_of_equals_is_the_first(self):
        assert best_of([trial(1, 1.0), trial(0, 1.0)], goal="maximize").number == 0

    def test_is_none_where_none_is_complete(self):
        assert best_of([trial(0, 1.0, "running"), trial(1, None, "failed")], goal="minimize") is None
