import json
import math
import os

import pytest

from interp_lab.sweeps.ledger import Closed, Ended, Ledger, Proposed, Started, encode_line, read_ledger
from interp_lab.sweeps.space import SweepError

LINES = [
    Proposed(trial=0, values={"lr": 0.1 + 0.2, "layers": [0, 1], "name": "a"}),
    Started(trial=0, attempt=1, at="2026-01-01T00:00:00.000+00:00"),
    Ended(trial=0, attempt=1, how="failed", seconds=1.5, reason="boom"),
    Started(trial=0, attempt=2, at="2026-01-01T00:00:02.000+00:00"),
    Ended(trial=0, attempt=2, how="done", seconds=2.5),
    Closed(trial=0, state="complete", metric=1 / 3, metrics={"loss": 1 / 3, "n": 3, "bad": math.nan}, seconds=2.5),
]


def written(path, lines):
    ledger = Ledger(path)
    for line in lines:
        ledger.append(line)
    return read_ledger(path)


class TestLedger:
    def test_gives_back_what_was_written_to_the_bit(self, tmp_path):
        entry = written(tmp_path / "l", LINES)[0]
        assert entry.proposed == LINES[0]
        assert entry.proposed.values["lr"] == 0.30000000000000004
        assert (len(entry.started), [end.how for end in entry.ended]) == (2, ["failed", "done"])
        assert (entry.count("failed"), entry.count("failed", "done"), entry.count("lost")) == (1, 2, 0)
        assert entry.closed.metric == 1 / 3
        assert isinstance(entry.closed.metrics["n"], int)
        assert math.isnan(entry.closed.metrics["bad"])

    def test_holds_json_that_any_reader_takes(self, tmp_path):
        def refuse(constant):
            raise AssertionError(constant)

        for line in LINES:
            json.loads(encode_line(line), parse_constant=refuse)

    @pytest.mark.parametrize("n_bytes", [1, 20, 60])
    def test_takes_a_torn_last_line_for_one_that_never_happened(self, tmp_path, n_bytes):
        path = tmp_path / "l"
        before = written(path, LINES[:2])
        whole = path.read_bytes()
        path.write_bytes(whole + encode_line(LINES[2])[:n_bytes])
        assert read_ledger(path) == before
        Ledger(path)  # the next writer begins on a line of its own
        assert path.read_bytes() == whole

    def test_refuses_any_other_damage_and_names_the_line(self, tmp_path):
        path = tmp_path / "l"
        path.write_bytes(encode_line(LINES[0]) + b"{nonsense}\n" + encode_line(LINES[1]))
        with pytest.raises(SweepError, match=r"line 2 is no line of a ledger.*nonsense"):
            read_ledger(path)
        path.write_bytes(encode_line(LINES[1]))
        with pytest.raises(SweepError, match="line 1 is of trial 0, which was never proposed"):
            read_ledger(path)
        path.write_bytes(encode_line(LINES[0]) * 2)
        with pytest.raises(SweepError, match="trial 0 was proposed twice"):
            read_ledger(path)

    def test_a_trial_that_is_started_again_is_open_again(self, tmp_path):
        failed = Closed(trial=0, state="failed", seconds=1.5, reason="boom")
        assert written(tmp_path / "l", [*LINES[:3], failed])[0].closed == failed
        assert written(tmp_path / "m", [*LINES[:3], failed, LINES[3]])[0].closed is None

    def test_says_that_the_disk_is_full_and_what_to_do(self, tmp_path, monkeypatch):
        def full(handle):
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(SweepError, match=r"cannot write .*No space left on device.*make room.*--resume"):
            Ledger(tmp_path / "l").append(LINES[0])

    def test_of_no_file_is_empty(self, tmp_path):
        assert read_ledger(tmp_path / "none") == {}
