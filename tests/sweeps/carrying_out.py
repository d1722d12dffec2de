"""Sweeps of the experiment `cheap`, carried out in this process where nothing else is asked for."""

import json
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from interp_lab.jobs import Ended, Outcome
from interp_lab.registry import load_experiment
from interp_lab.runs import JsonlTracker
from interp_lab.sweeps import driver, replay, work
from interp_lab.sweeps.command import overrides_in
from interp_lab.sweeps.definition import read_definition
from interp_lab.sweeps.settings import SweepSettings
from tests.sweeps.cheap import write_sweep

ALONE = {"workers": 1, "held_out": False}


class Inside:
    """An executor that carries trials out in this process, when their turn comes, or ends them as a script says."""

    def __init__(self, *script, n_workers=1):
        self.n_workers, self.script, self.jobs = n_workers, deque(script), []

    def submit(self, job):
        self.jobs.append(job)
        future = Future()
        future.set_result(self._outcome(job))
        return future

    def _outcome(self, job):
        if self.script:
            how = self.script.popleft()
            if how is not None:
                return how
        try:
            self._run(job)
        except (ValueError, OSError) as error:
            return Outcome(Ended.FAILED, 1, 0.1, f"error: {error}")
        return Outcome(Ended.DONE, 0, 0.1)

    def _run(self, job, rows=()):
        command, run, config, *options = job.argv
        assert (command, run) == ("interp-lab", "run")
        overrides = overrides_in(options) | ({"rows": list(rows)} if rows else {})
        load_experiment(config, overrides).run(None, Path(options[options.index("--out") + 1]), resume=True)

    def stop(self, name):
        raise AssertionError(f"{name} has ended")


class Staged(Inside):
    """An executor whose jobs log what they are told to and then run until they are stopped, or end well."""

    def __init__(self, *rows, n_workers=1):
        super().__init__(n_workers=n_workers)
        self.rows, self.waiting = deque(rows), {}

    def submit(self, job):
        self.jobs.append(job)
        at = Path(job.argv[job.argv.index("--out") + 1])
        rows, ends = self.rows.popleft()
        if ends:
            self._run(job, rows)
        else:
            for step, loss in enumerate(rows):
                JsonlTracker(at).log({"loss": loss}, step=step)
        self.waiting[job.name] = future = Future()
        if ends:
            future.set_result(Outcome(Ended.DONE, 0, 0.1))
        return future

    def stop(self, name):
        self.waiting[name].set_result(Outcome(Ended.STOPPED, -15, 0.2, "stopped"))


def carried_out_by(monkeypatch, workers):
    """Have sweeps carried out by these workers, which are returned."""

    @contextmanager
    def these(place):
        yield workers

    for module in (driver, replay):
        monkeypatch.setattr(module, "workers_for", these)
    return workers


def inside(monkeypatch, *script, n_workers=1):
    """Have sweeps carried out by one `Inside`, which is returned."""
    return carried_out_by(monkeypatch, Inside(*script, n_workers=n_workers))


def sweep(folder, *, resume=False, watch=work.nobody, base=None, settings=None, **changes):
    definition = read_definition(write_sweep(folder, base=base, **{"run_cap": 2, **changes}))
    return driver.run_sweep(
        definition, SweepSettings(**{**ALONE, **(settings or {})}), folder / "out", resume=resume, watch=watch
    )


def events(folder, kind):
    lines = (folder / "out/attempts.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == kind]
