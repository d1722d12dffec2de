import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interp_lab.config import Config
from interp_lab.runs import RunError, open_run, read_run
from tests.runs.dice import DiceConfig, Loading, throw

CONFIG = DiceConfig()


def start(folder: Path, *, config: Config = CONFIG, resume: bool = False, experiment: str = "dice"):
    return open_run(folder, experiment=experiment, config=config, resume=resume)


class TestOpenRun:
    def test_is_marked_as_running_before_any_work(self, tmp_path):
        start(tmp_path / "new" / "run")
        run = read_run(tmp_path / "new" / "run", allow_incomplete=True)
        assert run.record.status == "running"
        assert DiceConfig.from_mapping(run.config) == CONFIG

    def test_takes_an_empty_folder(self, tmp_path):
        assert not start(tmp_path).is_complete

    def test_refuses_a_folder_with_something_else_in_it_and_names_it(self, tmp_path):
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(RunError, match=r"not empty and holds no run \(it has thesis\.tex\)"):
            start(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_refuses_a_file(self, tmp_path):
        (tmp_path / "run").touch()
        with pytest.raises(RunError, match="run is a file"):
            start(tmp_path / "run")

    def test_refuses_a_folder_with_a_run_and_names_the_way_out(self, tmp_path):
        start(tmp_path)
        with pytest.raises(RunError, match="already holds an incomplete run of dice; pass resume=True"):
            start(tmp_path)

    def test_refuses_a_config_whose_field_would_hide_the_experiment(self, tmp_path):
        class Hiding(Config):
            experiment: str = "x"

        with pytest.raises(RunError, match="Hiding has a field 'experiment'"):
            start(tmp_path, config=Hiding())


class TestResume:
    def test_starts_where_there_is_no_run(self, tmp_path):
        assert start(tmp_path / "run", resume=True).record.attempt == 1

    def test_goes_on_after_the_rows_that_are_there(self, tmp_path):
        start(tmp_path).tracker.log({"eyes": 1}, step=1)
        again = start(tmp_path, resume=True)
        again.tracker.log({"eyes": 2}, step=2)
        run = again.finish(throw(CONFIG))
        assert run.rows == ({"step": 1, "eyes": 1}, {"step": 2, "eyes": 2, "attempt": 2})
        assert run.record.attempt == 2

    def test_a_torn_last_row_is_dropped(self, tmp_path):
        start(tmp_path).tracker.log({"eyes": 1})
        with (tmp_path / "metrics.jsonl").open("ab") as file:
            file.write(b'{"eyes": 2')
        assert read_run(tmp_path, allow_incomplete=True).rows == ({"eyes": 1},)
        again = start(tmp_path, resume=True)
        again.tracker.log({"eyes": 3})
        assert again.finish(throw(CONFIG)).rows == ({"eyes": 1}, {"eyes": 3, "attempt": 2})

    def test_of_a_complete_run_says_so_and_changes_nothing(self, tmp_path):
        start(tmp_path).finish(throw(CONFIG))
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        again = start(tmp_path, resume=True)
        assert again.is_complete
        with pytest.raises(RunError, match="complete run, which is never changed"):
            again.finish(throw(CONFIG))
        assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    @pytest.mark.parametrize("complete", [False, True])
    def test_lists_every_key_that_differs_old_to_new(self, tmp_path, complete):
        writer = start(tmp_path)
        if complete:
            writer.finish(throw(CONFIG))
        changed = DiceConfig(note="x", loading=Loading(share=0.5))
        with pytest.raises(RunError, match=r"\(note: None -> 'x'; loading\.share: 1e-05 -> 0\.5\); resume it with the"):
            start(tmp_path, config=changed, resume=True)

    def test_of_another_experiment_is_refused(self, tmp_path):
        start(tmp_path)
        with pytest.raises(RunError, match="a run of dice, not of coins"):
            start(tmp_path, experiment="coins", resume=True)

    def test_a_config_whose_fields_are_gone_names_them(self, tmp_path):
        class Fewer(Config):
            n_throws: int = 4

        start(tmp_path)
        with pytest.raises(RunError, match=r"no longer fits \(.*loading: no such field"):
            start(tmp_path, config=Fewer(), resume=True)

    def test_a_field_added_since_with_its_default_does_not_matter(self, tmp_path):
        class Fewer(Config):
            n_throws: int = 4

        start(tmp_path, config=Fewer())
        assert start(tmp_path, resume=True).record.attempt == 2


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the package may catch it."""


def write_with_death_at(nth: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run to the end, or die at the nth rename, leaving the half-written file; returns whether it died."""
    n_renamed = 0
    rename, unlink = Path.replace, Path.unlink

    def replace_or_die(source: Path, target: Path) -> Path:
        nonlocal n_renamed
        n_renamed += 1
        if n_renamed > nth:
            monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: None)  # the dead tidy nothing up
            raise Killed
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", replace_or_die)
    try:
        writer = start(folder, resume=True)
        writer.tracker.log({"eyes": 1}, step=1)
        writer.finish(throw(CONFIG))
    except Killed:
        return True
    finally:
        monkeypatch.setattr(Path, "replace", rename)
        monkeypatch.setattr(Path, "unlink", unlink)
    return False


class TestKilledAtEveryStep:
    def test_is_visibly_incomplete_and_resumes_to_the_same_run(self, tmp_path, monkeypatch):
        whole = tmp_path / "whole"
        assert not write_with_death_at(100, whole, monkeypatch)
        n_deaths = 0
        while write_with_death_at(n_deaths, folder := tmp_path / str(n_deaths), monkeypatch):
            n_deaths += 1
            with pytest.raises(RunError, match=r"incomplete run|no run\.json"):
                read_run(folder)
            assert not write_with_death_at(100, folder, monkeypatch)
            assert not list(folder.rglob("*.partial"))
            assert len(read_run(folder).rows) == 1
            assert (folder / "metrics.jsonl").read_text().count('"final"') == 1
            assert read_run(folder).metrics().keys() == read_run(whole).metrics().keys()
            for name in ("arrays.safetensors", "config.yaml", "provenance.json", "tables/throws.parquet"):
                assert (folder / name).read_bytes() == (whole / name).read_bytes()
        assert n_deaths == 7, "run.json twice, config, provenance, metrics, arrays, one table"


LOGS_FOREVER = """
import itertools, sys
from pathlib import Path
from interp_lab.runs import open_run
from tests.runs.dice import DiceConfig
run = open_run(Path(sys.argv[1]), experiment="dice", config=DiceConfig())
for step in itertools.count():
    run.tracker.log({"eyes": step}, step=step)
    print(step, flush=True)
"""


def test_killing_the_process_loses_no_row_that_was_logged(tmp_path):
    command = [sys.executable, "-c", LOGS_FOREVER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        told = [0, *map(int, process.stdout.read().split("\n")[:-1])]
    with pytest.raises(RunError, match="incomplete"):
        read_run(tmp_path / "run")
    steps = [row["step"] for row in read_run(tmp_path / "run", allow_incomplete=True).rows]
    assert steps in (told, [*told, told[-1] + 1])
