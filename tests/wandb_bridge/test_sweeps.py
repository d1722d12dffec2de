import socket
import sys
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
import wandb

from interp_lab.jobs import Ended, Outcome, executor
from interp_lab.wandb_bridge import agent_argv, create_sweep, require_server, run_agents

DEFINITION = {
    "method": "grid",
    "metric": {"name": "loss"},
    "parameters": {"a": {"values": [1]}},
    "command": ["interp-lab", "run", "c.yaml", "--wandb", "auto", "${args}"],
}
FAKE_KEY = "0" * 40
LOCALLY = "or search on this machine, without W&B: --backend local"


@pytest.fixture
def server(wandb_home, monkeypatch):
    """Something that takes connections, a key, and what W&B was asked to create."""
    asked = []

    def sweep(definition, *, entity, project):
        asked.append(SimpleNamespace(definition=definition, entity=entity, project=project))
        return "abcd1234"

    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
        wandb.teardown()
        monkeypatch.setattr(wandb, "sweep", sweep)
        monkeypatch.setattr(wandb, "Api", lambda: SimpleNamespace(default_entity="anna"))
        yield asked


class TestRequireServer:
    def test_no_key(self, wandb_home):
        with pytest.raises(RuntimeError, match=f"no key for http://127.0.0.1:9; log in with: wandb login, {LOCALLY}"):
            require_server()

    def test_no_server(self, wandb_home, monkeypatch):
        monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
        wandb.teardown()
        with pytest.raises(RuntimeError, match=f"http://127.0.0.1:9 does not answer; .*{LOCALLY}"):
            require_server()

    @pytest.mark.parametrize("mode", ["offline", "disabled"])
    def test_switched_off(self, wandb_home, monkeypatch, mode):
        monkeypatch.setenv("WANDB_MODE", mode)
        with pytest.raises(ValueError, match=f"WANDB_MODE={mode}, and W&B has no sweeps without its server"):
            require_server()

    def test_key_and_server(self, server):
        require_server()


class TestCreateSweep:
    def test_hands_over_the_definition_as_it_is(self, server):
        assert create_sweep(DEFINITION) == "anna/interp-lab/abcd1234"
        assert server[0].definition == DEFINITION
        assert (server[0].entity, server[0].project) == (None, "interp-lab")

    @pytest.mark.parametrize(
        ("asked", "environment", "path"),
        [
            ({"project": "p", "entity": "e"}, {}, "e/p/abcd1234"),
            ({}, {"WANDB_PROJECT": "q", "WANDB_ENTITY": "f"}, "f/q/abcd1234"),
            ({"project": "p"}, {"WANDB_PROJECT": "q"}, "anna/p/abcd1234"),
        ],
    )
    def test_project_and_entity_of_the_file_come_before_those_of_the_environment(
        self, server, monkeypatch, asked, environment, path
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert create_sweep({**DEFINITION, **asked}) == path

    def test_what_the_server_refuses(self, server, monkeypatch):
        def refuse(*_, **__):
            raise wandb.errors.CommError("permission denied\nmore")

        monkeypatch.setattr(wandb, "sweep", refuse)
        with pytest.raises(RuntimeError, match=rf"W&B did not create the sweep \(permission denied\); {LOCALLY}"):
            create_sweep(DEFINITION)

    @pytest.mark.parametrize(
        ("words", "said"),
        [([], "no --wandb"), (["--wandb", "off"], "--wandb off"), (["--wandb=offline"], "--wandb offline")],
    )
    def test_trials_that_would_log_nothing(self, server, words, said):
        command = ["interp-lab", "run", "c.yaml", *words, "${args}"]
        with pytest.raises(ValueError, match=f"command: has {said}: trials would log nothing"):
            create_sweep({**DEFINITION, "command": command})
        assert not server


class Noted:
    """An executor that does nothing, and says so."""

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self.jobs = []

    def submit(self, job):
        self.jobs.append(job)
        done = Future()
        done.set_result(Outcome(Ended.DONE, 0, 0.0))
        return done

    def stop(self, name):
        raise AssertionError(name)


class TestRunAgents:
    @pytest.mark.parametrize(
        ("n_workers", "n_trials", "counts"),
        [(2, None, [None, None]), (2, 7, ["4", "3"]), (3, 2, ["1", "1"])],
    )
    def test_trials_are_shared_out(self, tmp_path, n_workers, n_trials, counts):
        workers = Noted(n_workers)
        outcomes = run_agents("e/p/s", workers, folder=tmp_path / "agents", n_trials=n_trials, env={"A": "1"})
        found = [job.argv[job.argv.index("--count") + 1] if "--count" in job.argv else None for job in workers.jobs]
        assert found == counts
        assert list(outcomes) == [f"agent-{nth + 1}" for nth in range(len(counts))]
        assert {job.log.parent for job in workers.jobs} == {tmp_path / "agents"}
        assert all(job.env == {"A": "1"} for job in workers.jobs)

    @pytest.mark.parametrize("count", [None, 3])
    def test_the_command_line_is_one_that_wandb_takes(self, count):
        from wandb.cli.cli import agent

        python, *module, name = agent_argv("e/p/s", count=count)[:4]
        assert (python, module, name) == (sys.executable, ["-m", "wandb"], "agent")
        read = agent.make_context("agent", list(agent_argv("e/p/s", count=count)[4:])).params
        assert (read["sweep_id"], read["count"]) == ("e/p/s", count)
        assert (read["forward_signals"], read["term_timeout"]) == (True, 2)

    def test_an_agent_without_a_key_ends_and_says_why(self, wandb_home, tmp_path):
        with executor("local", workers=1) as workers:
            outcome = run_agents("e/p/s", workers, folder=tmp_path)["agent-1"]
        assert outcome.ended is Ended.FAILED
        assert outcome.reason
        assert (tmp_path / "agent-1.log").is_file()
