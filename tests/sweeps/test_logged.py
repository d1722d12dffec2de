from interp_lab.runs import JsonlTracker
from interp_lab.sweeps.logged import Logged, Logs


def test_counts_the_metric_and_tells_the_last_step(tmp_path):
    tracker = JsonlTracker(tmp_path)
    logs = Logs("loss")
    assert (logs.of(tmp_path), logs.of(tmp_path).progress) == (Logged(), "")
    tracker.log({"loss": 3.0}, step=0)
    tracker.log({"learning_rate": 0.1}, step=5)
    assert logs.of(tmp_path) == Logged((3.0,), 2, 5)
    tracker.log({"loss": 2.0}, step=10)
    assert (logs.of(tmp_path).values, logs.of(tmp_path).progress) == ((3.0, 2.0), "step 10")


def test_counts_steps_that_a_restart_logged_again_once(tmp_path):
    for attempt, losses in ((1, (3.0, 2.0, 1.5)), (2, (2.1, 1.6))):
        for step, loss in enumerate(losses, start=attempt - 1):
            JsonlTracker(tmp_path, attempt).log({"loss": loss}, step=step)
    assert Logs("loss").of(tmp_path).values == (3.0, 2.1, 1.6)


def test_leaves_out_a_line_that_is_being_written_and_rows_without_a_step_have_a_number(tmp_path):
    JsonlTracker(tmp_path).log({"loss": 3.0})
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"loss": 2.')
    found = Logs("loss").of(tmp_path)
    assert (found.values, found.progress) == ((3.0,), "row 1")


def test_a_damaged_log_says_so_and_stops_nobody(tmp_path):
    JsonlTracker(tmp_path).log({"loss": 3.0})
    (tmp_path / "metrics.jsonl").write_bytes(b"no row\n")
    found = Logs("loss").of(tmp_path)
    assert (found.values, found.progress) == ((), "its metrics.jsonl is damaged")
