"""Parts made by jobs that are lost, fail or are asked for twice: in the end the run of one process, byte by byte."""

from concurrent.futures import Future
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from interp_lab.cli.main import main
from interp_lab.cli.mapping import PRELOAD
from interp_lab.jobs import Ended, Job, Outcome, executor
from interp_lab.registry import entry, modules_of
from interp_lab.sharding import map_parts
from interp_lab.sharding.driver import is_joined, ranges, read_range

CONFIG = """
experiment: patching
model: compiled/induction
task: compiled/induction
sites: [resid_pre, z]
n_pairs: 24
n_held_out: null
sites_at_once: 16
device: cpu
"""


class InProcess:
    """Runs jobs here, one after the other; `becomes` says what becomes of attempts at some of them, in order."""

    n_workers = 1

    def __init__(self, becomes=None):
        self.becomes = becomes or {}
        self.ran = []

    def submit(self, job: Job) -> Future[Outcome]:
        fate = self.becomes[job.name].pop(0) if self.becomes.get(job.name) else "runs"
        code = 0
        if fate != "never started":
            self.ran.append(job.name)
            try:
                main(job.argv[1:])
            except SystemExit as leaving:
                code = leaving.code or 0
        ended = Ended.DONE if fate == "runs" and code == 0 else Ended.FAILED if code else Ended.LOST
        future: Future[Outcome] = Future()
        future.set_result(Outcome(ended, code, 0.0, "" if ended is Ended.DONE else "node lost"))
        return future

    def stop(self, name: str) -> None:
        raise AssertionError(f"{name} is stopped")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "patch.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def one(config, tmp_path_factory):
    """Files of the run of one process that do not say when they were written."""
    folder = tmp_path_factory.mktemp("one") / "run"
    run = ["run", str(config), "--out", str(folder)]
    main_done(run)
    return content(folder)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """A map that is joined."""
    return map_parts([str(config)], tmp_path_factory.mktemp("whole") / "map", InProcess(), per_job=99)


def main_done(arguments):
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert not leaving.value.code


def content(run: Path) -> dict[str, bytes]:
    files = [*(run / "tables").iterdir(), run / "arrays.safetensors", run / "config.yaml", run / "metrics.jsonl"]
    return {path.name: path.read_bytes() for path in files}


def test_lost_late_and_failed_jobs_change_nothing(config, one, tmp_path):
    """A job that did its work before it was lost does not do it twice, one that never began is begun again."""
    becomes = {"0-1": ["never started"], "2-3": ["done, then lost"], "join": ["done, then lost"]}
    jobs = InProcess(becomes)
    mapped = map_parts([str(config)], tmp_path / "map", jobs, per_job=2, retries=1)
    assert content(mapped.run) == one
    assert mapped.n_made == mapped.n_parts
    assert jobs.ran.count("2-3") == 2


def test_a_second_start_makes_only_what_is_missing(config, one, tmp_path):
    first = InProcess({"1": ["never started"] * 9, "4": ["never started"] * 9})
    with pytest.raises(RuntimeError, match=r"2 of \d+ jobs failed for good, such as 1 \(node lost; see .*1\.log\)"):
        map_parts([str(config)], tmp_path / "map", first, retries=0)
    assert not is_joined(tmp_path / "map")
    second = InProcess()
    mapped = map_parts([str(config)], tmp_path / "map", second)
    assert second.ran == ["plan", "1", "4", "join"]
    assert mapped.n_made == 2
    assert content(mapped.run) == one
    third = InProcess()
    assert map_parts([str(config)], tmp_path / "map", third).n_made == 0
    assert third.ran == ["join"]


def test_parts_are_gone_when_the_run_is_whole(whole):
    assert is_joined(whole.folder)
    assert not (whole.folder / "parts").exists()


def refuse_another(config, folder):
    with pytest.raises(RuntimeError, match="1 of 1 jobs failed for good"):
        map_parts([str(config), "--n_top=2"], folder, InProcess(), per_job=99, retries=0)


def test_another_config_on_the_folder_of_a_whole_run_is_refused(config, one, whole):
    refuse_another(config, whole.folder)
    assert content(whole.run) == one, "nothing of it is touched"


def test_another_config_on_the_folder_of_parts_is_refused(config, tmp_path):
    with pytest.raises(RuntimeError, match="join"):
        map_parts([str(config)], tmp_path / "map", InProcess({"join": ["never started"]}), per_job=99, retries=0)
    refuse_another(config, tmp_path / "map")


def test_real_processes_make_the_same(config, one, tmp_path):
    """Whether a forked process makes all of it or parts of it: the files of this process, which was not forked."""
    whole = Job("whole", ("interp-lab", "run", str(config), "--out", str(tmp_path / "run")), tmp_path / "whole.log")
    with executor("local", workers=2, preload=(*PRELOAD, *modules_of("patching"))) as jobs:
        forked = jobs.submit(whole)
        mapped = map_parts([str(config)], tmp_path / "map", jobs, per_job=3)
        assert forked.result(timeout=120).ended is Ended.DONE
    assert content(mapped.run) == one
    assert content(tmp_path / "run") == one


class TestRanges:
    def test_follow_each_other_and_are_read_back(self):
        assert ranges([0, 1, 2, 5, 7, 8], 2) == ["0-1", "2", "5", "7-8"]
        assert [list(read_range(text)) for text in ("2", "7-8")] == [[2], [7, 8]]

    @pytest.mark.parametrize("text", ["", "a", "3-", "-3", "4-3", "1-2-3"])
    def test_anything_else_is_refused(self, text):
        with pytest.raises(ValueError, match="is no range of parts"):
            read_range(text)


def test_workers_import_what_the_experiment_needs_once(config, tmp_path, monkeypatch):
    asked = {}

    @contextmanager
    def noted(backend, **given):
        asked.update(given)
        yield InProcess()

    monkeypatch.setattr("interp_lab.jobs.executor", noted)
    main_done(["map", str(config), "--out", str(tmp_path / "map"), "--per-job", "99", "--sites=[resid_pre]"])
    assert {"transformer_lens", "interp_lab.patching.experiment", "interp_lab.patching.result"} <= {*asked["preload"]}
    assert all(map(import_module, asked["preload"]))


def test_an_experiment_without_parts_names_those_with(tmp_path, capsys, monkeypatch):
    """Of three here, for looking at one imports it; of all in tests/test_configs.py."""
    few = {name: entry(name) for name in ("probes", "activations", "patching")}
    monkeypatch.setattr("interp_lab.sharding.work.EXPERIMENTS", few)
    path = tmp_path / "truth.yaml"
    path.write_text("experiment: probes\nlabels: [grammar/truth/is_true]\n")
    with pytest.raises(SystemExit):
        main(["map", str(path), "--out", str(tmp_path / "map")])
    said = "probes does not fall into parts; those that do: activations, patching. Use"
    assert said in capsys.readouterr().err
