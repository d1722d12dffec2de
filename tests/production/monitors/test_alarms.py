"""The log of alarms: a line each, rotated by size, without the prompt unless it is asked for."""

import json

import pytest

from interp_lab.production.monitors import SCHEMA, Alarm, EventLog

ALARM = Alarm(
    row=2, request="r-17", monitor="m", hook="blocks.0.hook_resid_post", action="flag", route=None, position=9,
    generated=None, token=5, score=1.5, aggregate=1.25, over="mean", threshold=1.0,
)  # fmt: skip
FIELDS = {"schema", "time", "row", "request", "monitor", "hook", "action", "route", "position", "generated", "token",
          "score", "aggregate", "over", "threshold"}  # fmt: skip


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_line_has_the_documented_fields(tmp_path):
    with EventLog(tmp_path / "alarms.jsonl") as log:
        log.write(ALARM, prompt="a secret")
    (line,) = lines(tmp_path / "alarms.jsonl")
    assert set(line) == FIELDS
    assert (line["schema"], line["request"], line["aggregate"]) == (SCHEMA, "r-17", 1.25)
    assert line["time"].endswith("+00:00")
    assert "secret" not in (tmp_path / "alarms.jsonl").read_text()


def test_the_prompt_is_there_where_it_is_asked_for(tmp_path):
    with EventLog(tmp_path / "alarms.jsonl", keep_prompts=True) as log:
        log.write(ALARM, prompt="line\nbreak")
    assert lines(tmp_path / "alarms.jsonl")[0]["prompt"] == "line\nbreak"


def test_files_rotate_by_size_and_every_one_is_whole_lines(tmp_path):
    with EventLog(tmp_path / "a.jsonl", max_bytes=700, n_kept=2) as log:
        for _ in range(9):
            log.write(ALARM)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["a.jsonl", "a.jsonl.1", "a.jsonl.2"]
    for name in files:
        assert lines(tmp_path / name)
        assert (tmp_path / name).stat().st_size <= 700


def test_what_cannot_be_written_is_an_error(tmp_path):
    log = EventLog(tmp_path / "a.jsonl")
    log.close()
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(OSError, match=r"a\.jsonl"):
        log.write(ALARM)


@pytest.mark.parametrize("sizes", [{"max_bytes": 0}, {"n_kept": 0}])
def test_a_log_that_could_not_rotate(tmp_path, sizes):
    with pytest.raises(ValueError, match="use 1 or more"):
        EventLog(tmp_path / "a.jsonl", **sizes)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        EventLog(tmp_path / "nowhere" / "a.jsonl")
