"""Sweeps carried out by W&B: its server proposes, its agents run the commands."""

import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import wait
from pathlib import Path
from typing import Any

from interp_lab.jobs import Executor, Job, Outcome
from interp_lab.wandb_bridge.start import answers, resolve_mode
from interp_lab.wandb_bridge.tracker import delivery_errors

_INSTEAD = "or search on this machine, without W&B: --backend local"


def create_sweep(definition: Mapping[str, Any], *, project: str | None = None, entity: str | None = None) -> str:
    """Create a sweep on W&B's server; returns its path `entity/project/id`. W&B itself prints the address.

    Args:
        definition: what the sweep file says, as it was read.
        project: by default that of the definition, of `WANDB_PROJECT`, or else `interp-lab`.
        entity: by default that of the definition, of `WANDB_ENTITY`, or else the one of the key.

    Raises: ValueError, if trials would log nothing, or W&B is switched off; RuntimeError, if there is no key, no
        server, or the server refuses.
    """
    _require_tracking(definition.get("command", ()))
    require_server()
    import wandb

    project = project or definition.get("project") or os.environ.get("WANDB_PROJECT") or "interp-lab"
    entity = entity or definition.get("entity") or os.environ.get("WANDB_ENTITY")
    try:
        sweep_id = wandb.sweep(dict(definition), entity=entity, project=project)
        return "/".join((entity or wandb.Api().default_entity or "", project, sweep_id)).lstrip("/")
    except delivery_errors() as error:
        raise RuntimeError(f"W&B did not create the sweep ({_first_line(error)}); {_INSTEAD}") from error


def require_server() -> None:
    """Refuse where W&B cannot carry out a sweep: it has none offline. Never asks for a key, waits 2 seconds at most.

    Raises: ValueError, if W&B is switched off by `WANDB_MODE`; RuntimeError, without a key or a server.
    """
    if resolve_mode("online") != "online":
        said = os.environ["WANDB_MODE"]
        raise ValueError(f"WANDB_MODE={said}, and W&B has no sweeps without its server; unset it, {_INSTEAD}")
    import wandb

    host = wandb.setup().settings.base_url
    try:
        has_key = wandb.login(prompt=False, verify=False)
    except delivery_errors() as error:
        raise RuntimeError(f"W&B refuses the key for {host} ({_first_line(error)}); {_INSTEAD}") from error
    if not has_key:
        raise RuntimeError(f"no key for {host}; log in with: wandb login, {_INSTEAD}")
    if not answers(host):
        raise RuntimeError(f"{host} does not answer; try again with a network, {_INSTEAD}")


def run_agents(
    sweep: str, executor: Executor, *, folder: Path, n_trials: int | None = None, env: Mapping[str, str] | None = None
) -> dict[str, Outcome]:
    """Run an agent on each worker until the sweep is over, or so many trials are; returns how each agent ended.

    Agents ask the server for values, so that there may be more of them, on other machines.

    Args:
        sweep: path of the sweep, as `create_sweep` returns it.
        folder: where agents write `agent-1.log` and so on; runs are where the sweep's command puts them.
        n_trials: in all, shared out among the agents; `None` leaves the end to the sweep (its `run_cap` or grid).
        env: laid over the environment of every agent.
    """
    shares = [None] * executor.n_workers if n_trials is None else _shared(n_trials, executor.n_workers)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        Job(f"agent-{nth}", agent_argv(sweep, count=share), folder / f"agent-{nth}.log", env=dict(env or {}))
        for nth, share in enumerate(shares, 1)
    ]
    futures = {job.name: executor.submit(job) for job in jobs}
    wait(futures.values())
    return {name: future.result() for name, future in futures.items()}


def agent_argv(sweep: str, *, count: int | None) -> tuple[str, ...]:
    """Return the command line of an agent that ends after `count` runs; `None` lets the sweep say when.

    An agent puts its runs into process groups of their own: ended by SIGTERM, it is to end them within 2 seconds.
    """
    counted = () if count is None else ("--count", str(count))
    return (sys.executable, "-m", "wandb", "agent", "--forward-signals", "--term-timeout", "2", *counted, sweep)


def _shared(n: int, n_workers: int) -> list[int]:
    """Share out as evenly as can be, and leave out those who would have nothing."""
    shares = [n // n_workers + (nth < n % n_workers) for nth in range(n_workers)]
    return [share for share in shares if share]


def _require_tracking(command: Sequence[Any]) -> None:
    words = [str(word) for word in command]
    modes = [word.removeprefix("--wandb=") for word in words if word.startswith("--wandb=")]
    modes += [after for word, after in itertools.pairwise(words) if word == "--wandb"]
    if not modes or modes[-1] in ("off", "offline"):
        said = f"--wandb {modes[-1]}" if modes else "no --wandb"
        raise ValueError(
            f"command: has {said}: trials would log nothing, and W&B never see the metric; write --wandb, auto in it"
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
