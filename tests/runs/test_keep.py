import numpy as np
import pandas as pd
import pytest

from interp_lab.experiment import Experiment, Result
from interp_lab.runs import RunError, keep, read_run
from tests.runs.dice import Dice, DiceConfig, ListTracker, throw

CONFIG = DiceConfig(n_throws=5)


def never(tracker):
    raise AssertionError("measured again")


class TestRunExperiment:
    def test_the_example_fulfils_the_contract(self):
        assert isinstance(Dice(CONFIG, never), Experiment)
        assert isinstance(throw(CONFIG), Result)

    def test_without_a_folder_it_measures_and_tells(self):
        tracker = ListTracker()
        result = Dice(CONFIG, lambda _: throw(CONFIG)).run(tracker)
        assert result.metrics().keys() == tracker.logged[0][0].keys()
        pd.testing.assert_frame_equal(tracker.tables["throws"], result.tables()["throws"])
        assert tracker.n_finished == 0, "whoever opened a tracker closes it"

    def test_the_run_is_on_disk_as_running_while_it_is_measured(self, tmp_path):
        def measure(tracker):
            assert read_run(tmp_path, allow_incomplete=True).record.status == "running"
            with pytest.raises(RunError, match="incomplete"):
                read_run(tmp_path)
            return throw(CONFIG)

        Dice(CONFIG, measure).run(None, tmp_path)
        assert read_run(tmp_path).is_complete

    def test_what_is_logged_meanwhile_goes_to_the_folder_and_to_the_tracker(self, tmp_path):
        def measure(tracker):
            tracker.log({"eyes": 4}, step=1)
            return throw(CONFIG)

        told = ListTracker()
        Dice(CONFIG, measure).run(told, tmp_path)
        assert read_run(tmp_path).rows == ({"step": 1, "eyes": 4},)
        assert told.logged[0] == ({"eyes": 4}, 1)

    def test_a_complete_run_is_read_not_measured_and_told_again(self, tmp_path):
        first = Dice(CONFIG, lambda _: throw(CONFIG)).run(None, tmp_path)
        told = ListTracker()
        second = Dice(CONFIG, never).run(told, tmp_path, resume=True)
        assert np.array_equal(first.throws, second.throws)
        assert (first.config, first.provenance) == (second.config, second.provenance)
        assert told.logged[0][0]["mean"] == first.metrics()["mean"]

    def test_what_is_refused_before_anything_was_kept_leaves_the_folder_free(self, tmp_path):
        def refuse(tracker):
            raise ValueError("no such model")

        with pytest.raises(ValueError, match="no such model"):
            Dice(CONFIG, refuse).run(None, tmp_path / "run")
        corrected = DiceConfig(n_throws=6)
        assert len(Dice(corrected, lambda _: throw(corrected)).run(None, tmp_path / "run").throws) == 6

    def test_what_was_kept_before_a_refusal_stays(self, tmp_path):
        def refuse(tracker):
            tracker.log({"eyes": 4}, step=1)
            raise ValueError("activations are NaN")

        with pytest.raises(ValueError, match="NaN"):
            Dice(CONFIG, refuse).run(None, tmp_path)
        assert read_run(tmp_path, allow_incomplete=True).rows == ({"step": 1, "eyes": 4},)

    def test_a_failure_leaves_an_incomplete_run_that_resumes(self, tmp_path):
        def fail(tracker):
            tracker.log({"eyes": 4}, step=1)
            raise RuntimeError("out of memory")

        with pytest.raises(RuntimeError, match="out of memory"):
            Dice(CONFIG, fail).run(None, tmp_path)
        with pytest.raises(RunError, match="incomplete"):
            read_run(tmp_path)
        Dice(CONFIG, lambda _: throw(CONFIG)).run(None, tmp_path, resume=True)
        assert read_run(tmp_path).rows == ({"step": 1, "eyes": 4},)

    def test_a_folder_with_a_run_is_refused_before_the_work(self, tmp_path):
        Dice(CONFIG, lambda _: throw(CONFIG)).run(None, tmp_path)
        with pytest.raises(RunError, match="resume=True"):
            Dice(CONFIG, never).run(None, tmp_path)

    def test_the_folder_is_complete_before_the_tracker_can_fail(self, tmp_path):
        class Broken(ListTracker):
            def log(self, values, *, step=None):
                raise ConnectionError("server gone")

        with pytest.raises(ConnectionError):
            Dice(CONFIG, lambda _: throw(CONFIG)).run(Broken(), tmp_path)
        assert read_run(tmp_path).is_complete

    def test_resuming_nowhere_is_an_error(self):
        with pytest.raises(ValueError, match="pass run_dir"):
            Dice(CONFIG, never).run(resume=True)


class TestKeep:
    def test_writes_tells_and_returns_the_result(self, tmp_path):
        told, result = ListTracker(), throw(CONFIG)
        assert keep(result, told, tmp_path) is result
        assert read_run(tmp_path).experiment == "dice"
        assert list(told.tables) == ["throws"]

    def test_needs_neither_tracker_nor_folder(self):
        result = throw(CONFIG)
        assert keep(result) is result
