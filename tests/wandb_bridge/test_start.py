import logging
import socket
import sys
from datetime import datetime
from types import SimpleNamespace

import pytest
import wandb

from interp_lab.config import Config
from interp_lab.runs import open_run, writer
from interp_lab.wandb_bridge import start_run, tracking
from interp_lab.wandb_bridge.start import answers, resolve_mode

FAKE_KEY = "0" * 40


class Question(Config):
    period: int = 5


class TestResolveMode:
    @pytest.mark.parametrize(
        ("mode", "environment", "resolved"),
        [
            ("auto", None, "auto"),
            ("auto", "online", "online"),
            ("auto", "offline", "offline"),
            ("auto", "disabled", "off"),
            ("online", "offline", "offline"),
            ("online", "dryrun", "offline"),
            ("offline", "online", "offline"),
            ("off", "online", "off"),
            ("offline", "disabled", "off"),
            ("online", "", "online"),
        ],
    )
    def test_the_more_private_of_argument_and_environment_holds(self, monkeypatch, mode, environment, resolved):
        monkeypatch.delenv("WANDB_MODE", raising=False)
        if environment is not None:
            monkeypatch.setenv("WANDB_MODE", environment)
        assert resolve_mode(mode) == resolved

    def test_unknown_modes_are_refused_with_the_nearest(self, monkeypatch):
        with pytest.raises(ValueError, match="unknown W&B mode 'ofline'; did you mean 'offline'"):
            resolve_mode("ofline")
        monkeypatch.setenv("WANDB_MODE", "sometimes")
        with pytest.raises(ValueError, match="WANDB_MODE='sometimes' is not supported"):
            resolve_mode("auto")


class TestDegrading:
    """Nothing of what may be missing costs the run or a number: each case ends in a run that can be read."""

    def check(self, offline_runs, tracker, *, reason):
        assert tracker.status.mode == "offline"
        assert reason in tracker.status.reason
        tracker.log({"loss": 0.5})
        tracker.finish()
        assert offline_runs()[0].rows() == [{"loss": 0.5}]

    def test_no_server(self, wandb_home, offline_runs, monkeypatch):
        monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
        tracker = start_run(Question(), directory=wandb_home)
        self.check(offline_runs, tracker, reason="http://127.0.0.1:9 does not answer")

    def test_no_key(self, wandb_home, offline_runs):
        tracker = start_run(Question(), directory=wandb_home, mode="online")
        self.check(offline_runs, tracker, reason="no key for http://127.0.0.1:9; log in with: wandb login")

    def test_no_key_that_could_be_one(self, wandb_home, offline_runs, monkeypatch):
        monkeypatch.setenv("WANDB_API_KEY", "short")
        tracker = start_run(Question(), directory=wandb_home, mode="online")
        self.check(offline_runs, tracker, reason="API key must have 40+ characters")

    def test_a_server_that_is_gone_after_all(self, wandb_home, offline_runs, monkeypatch):
        monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
        tracker = start_run(Question(), directory=wandb_home, mode="online")
        self.check(offline_runs, tracker, reason="connection refused")

    @pytest.mark.parametrize(("mode", "level"), [("auto", logging.INFO), ("online", logging.WARNING)])
    def test_is_told_once_louder_if_online_was_asked_for(self, wandb_home, said, mode, level):
        tracker = start_run(Question(), directory=wandb_home, mode=mode)
        ((told_level, message),) = said()
        assert told_level == level
        assert f"upload it later with: wandb sync {tracker.status.directory}" in message

    def test_asking_for_offline_is_no_news(self, wandb_home, said):
        assert start_run(Question(), directory=wandb_home, mode="offline").status.reason is None
        assert said() == []

    def test_a_wandb_that_does_not_start_at_all(self, wandb_home, monkeypatch):
        def fail(**settings):
            raise OSError("no space left on device")

        monkeypatch.setattr(wandb, "init", fail)
        tracker = start_run(Question(), directory=wandb_home, mode="offline")
        assert (tracker.status.mode, tracker.status.reason) == ("off", "no space left on device")
        tracker.log({"loss": 1})
        tracker.finish()

    def test_a_project_name_that_wandb_refuses_is_an_error_at_once(self, wandb_home):
        with pytest.raises(ValueError, match="Invalid project name 'a/b'"):
            start_run(Question(), directory=wandb_home, mode="offline", project="a/b")


class TestAnswers:
    def test_is_whether_somebody_listens(self, monkeypatch):
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/path"
            assert answers(url)
        assert not answers(url)
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
        assert answers(url), "behind a proxy only the proxy knows"


class TestOff:
    def test_imports_no_wandb(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "wandb", None)
        with pytest.raises(ImportError):
            start_run(Question(), directory=tmp_path, mode="offline")
        tracker = start_run(Question(), directory=tmp_path, mode="off")
        tracker.log({"loss": 1})
        tracker.finish()
        with tracking("off", Question(), directory=tmp_path / "run") as nothing:
            assert nothing is None
        assert list(tmp_path.iterdir()) == []


class TestTracking:
    def test_keeps_out_of_the_run_folder(self, wandb_home, offline_runs):
        folder = wandb_home / "answers"
        with tracking("offline", Question(), directory=folder) as tracker:
            open_run(folder, experiment="question", config=Question())
            tracker.log({"answer": 42})
        (run,) = offline_runs()
        assert (run.name, run.config, run.rows(), run.exit_code) == ("answers", {"period": 5}, [{"answer": 42}], 0)
        assert not (folder / "wandb").exists()

    def test_all_that_wrote_to_one_folder_are_a_group(self, wandb_home, offline_runs, monkeypatch):
        """A run that is resumed is a second one of W&B's; a folder of the same name elsewhere is no part of it."""
        elsewhere, folder = wandb_home / "elsewhere" / "answers", wandb_home / "answers"
        for nth, (place, environment) in enumerate(
            [(folder, None), (folder, None), (elsewhere, None), (folder, "own")]
        ):
            if environment:
                wandb.teardown()  # the environment is read once
                monkeypatch.setenv("WANDB_RUN_GROUP", environment)
            monkeypatch.setattr(writer, "datetime", SimpleNamespace(now=lambda _, nth=nth: datetime(2026, 1, 1 + nth)))
            with tracking("offline", Question(), directory=place) as tracker:
                open_run(place, experiment="question", config=Question(), resume=True)
                tracker.log({"nth": nth})
        groups = {run.rows()[0]["nth"]: run.group for run in offline_runs()}
        first, other = (f"answers 2026-01-0{day}T00:00:00" for day in (1, 3))
        assert groups == {0: first, 1: first, 2: other, 3: "own"}

    def test_an_exception_passes_and_marks_the_run_as_failed(self, wandb_home, offline_runs):
        def interrupted():
            with tracking("offline", Question(), directory=wandb_home / "answers") as tracker:
                tracker.log({"answer": 41})
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        (run,) = offline_runs()
        assert (run.rows(), run.exit_code) == ([{"answer": 41}], 1)

    def test_work_that_is_refused_before_it_begins_leaves_no_run_behind(self, wandb_home, offline_runs):
        def refused():
            with tracking("offline", Question(), directory=wandb_home / "answers"):
                raise ValueError("no such model")

        with pytest.raises(ValueError, match="no such model"):
            refused()
        assert offline_runs() == []

    def test_goes_where_the_environment_says(self, wandb_home, tmp_path, monkeypatch):
        monkeypatch.setenv("WANDB_DIR", str(tmp_path / "central"))
        with tracking("offline", Question(), directory=wandb_home / "answers") as tracker:
            tracker.log({"answer": 42})
        assert len(list((tmp_path / "central" / "wandb").glob("offline-run-*"))) == 1
