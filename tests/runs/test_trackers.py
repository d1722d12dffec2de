import json

import pandas as pd
import pytest

from interp_lab.runs import JsonlTracker, Trackers
from tests.runs.dice import ListTracker


class TestJsonlTracker:
    def test_writes_one_json_object_a_line_as_soon_as_it_is_logged(self, tmp_path):
        tracker = JsonlTracker(tmp_path / "new")
        lines = tmp_path / "new" / "metrics.jsonl"
        tracker.log({"loss": 0.5, "n": 3}, step=0)
        assert [json.loads(line) for line in lines.read_text().splitlines()] == [{"step": 0, "loss": 0.5, "n": 3}]
        tracker.log({"loss": 0.25})
        tracker.finish()
        assert json.loads(lines.read_text().splitlines()[1]) == {"loss": 0.25}

    def test_goes_on_in_a_file_with_a_torn_last_row(self, tmp_path):
        (tmp_path / "metrics.jsonl").write_bytes(b'{"loss": 1}\n{"lo')
        JsonlTracker(tmp_path).log({"loss": 2})
        assert (tmp_path / "metrics.jsonl").read_bytes() == b'{"loss": 1}\n{"loss": 2}\n'

    def test_a_table_can_be_logged_again(self, tmp_path):
        tracker = JsonlTracker(tmp_path)
        for n in (1, 2):
            tracker.log_table("heads", pd.DataFrame({"n": [n]}))
        assert pd.read_parquet(tmp_path / "tables" / "heads.parquet")["n"].tolist() == [2]

    @pytest.mark.parametrize("name", ["../heads", "a/b", "", ".hidden", "a\\b", "a\nb"])
    def test_a_table_cannot_leave_its_folder(self, tmp_path, name):
        with pytest.raises(ValueError, match="becomes a file name"):
            JsonlTracker(tmp_path).log_table(name, pd.DataFrame({"n": [1]}))


class TestArtefacts:
    def test_are_noted_where_they_lie(self, tmp_path):
        run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
        tracker = JsonlTracker(run)
        tracker.log_artefact("first", run / "saes" / "first", kind="sae")
        tracker.log_artefact("other", elsewhere, kind="probe")
        assert json.loads((run / "artefacts.json").read_text()) == {
            "first": {"kind": "sae", "folder": "saes/first"},
            "other": {"kind": "probe", "folder": elsewhere.as_posix()},
        }

    def test_a_later_one_replaces_that_of_the_same_name(self, tmp_path):
        tracker = JsonlTracker(tmp_path)
        for place in ("old", "new"):
            tracker.log_artefact("first", tmp_path / place, kind="sae")
        assert json.loads((tmp_path / "artefacts.json").read_text()) == {"first": {"kind": "sae", "folder": "new"}}


class TestTrackers:
    def test_every_one_hears_everything(self, tmp_path):
        first, second = ListTracker(), ListTracker()
        both = Trackers((first, second))
        both.log({"loss": 0.5}, step=3)
        both.log_table("heads", pd.DataFrame({"n": [1]}))
        both.log_artefact("first", tmp_path, kind="sae")
        both.finish()
        for tracker in (first, second):
            assert tracker.logged == [({"loss": 0.5}, 3)]
            assert list(tracker.tables) == ["heads"]
            assert tracker.artefacts == {"first": (tmp_path, "sae")}
            assert tracker.n_finished == 1
