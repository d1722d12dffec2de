"""Opening a W&B run: online if possible, offline if not, and never at the cost of the work."""

import logging
import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

from interp_lab.config import Config
from interp_lab.experiment import Tracker
from interp_lab.runs.folder import RECORD, read_record
from interp_lab.types import nearest
from interp_lab.wandb_bridge.tracker import LOGGER, LazyTracker, WandbStatus, WandbTracker, delivery_errors

if TYPE_CHECKING:
    import wandb

Open = Callable[..., "wandb.Run"]
"""`wandb.init`, all but its mode given."""

MODES = ("auto", "online", "offline", "off")
"""From open to private: of argument and environment the more private one holds."""
ENVIRONMENT = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "off"}
"""Values of `WANDB_MODE`, as our modes."""

SETTINGS = {
    "init_timeout": 20.0,
    "finish_timeout": 300.0,
    "finish_timeout_raises": True,
    "x_transaction_log_flush_interval": 1.0,
}
"""Seconds that W&B may cost: to connect, to upload at the end, and of rows lost to kill -9 (by default 90, no
limit, and 15). A setting given in the environment (`WANDB_INIT_TIMEOUT`, ...) is left alone."""


@contextmanager
def tracking(mode: str, config: Config, *, directory: Path) -> Generator[Tracker | None]:
    """Track with W&B for the length of the block; an exception marks the run as failed.

    A run that is resumed is another of W&B's, for an offline one cannot be gone on with: all that wrote to one folder
    have the same group (unless `WANDB_RUN_GROUP` names one).

    The W&B run is opened when the first thing is logged: work that is refused before it begins leaves none behind.

    Args:
        directory: folder of the run; W&B keeps its own files beside it, in `wandb/`, or where `WANDB_DIR` says.

    Yields: a tracker, or `None` if nothing is to be tracked.
    Raises: ValueError, for an unknown mode.
    """
    if resolve_mode(mode) == "off":
        yield None
        return
    home = Path(os.environ.get("WANDB_DIR", directory.parent))
    tracker = LazyTracker(
        lambda: start_run(config, directory=home, mode=mode, name=directory.name, group=_group_of(directory))
    )
    failed = True
    try:
        yield tracker
        failed = False
    finally:
        tracker.finish(exit_code=int(failed))


def _group_of(directory: Path) -> str | None:
    """Return what stays the same of a run folder however often it is resumed: its name and when it was begun."""
    if "WANDB_RUN_GROUP" in os.environ or not (directory / RECORD).is_file():
        return None
    return f"{directory.name[:100]} {read_record(directory).created}"


def start_run(
    config: Config,
    *,
    directory: Path,
    mode: str = "auto",
    project: str | None = None,
    name: str | None = None,
    group: str | None = None,
) -> WandbTracker:
    """Open a W&B run, or attach to the one that is open; what was asked for and what came of it is in `status`.

    A missing key, no network or a dead server ends in an offline run, a W&B that does not work at all in none: it is
    logged to `interp_lab.wandb` (as a warning if online was asked for) and never raised.

    Args:
        directory: where W&B makes its folder `wandb/`.
        mode: `auto` is online if a key and the server are there, `online` tries for longer, `offline` never does,
            `off` does not import wandb. `WANDB_MODE` can make it more private, not less.
        project: by default `WANDB_PROJECT`, or else `interp-lab`.
        group: under which W&B shows runs that belong together.

    Raises: ValueError, for an unknown mode or a project name that W&B refuses.
    """
    asked = resolve_mode(mode)
    if asked == "off":
        return WandbTracker(None, WandbStatus(asked, "off"))
    import wandb

    if wandb.run is not None:
        return attach(wandb.run, config, asked=asked)
    directory.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        key: value for key, value in SETTINGS.items() if f"WANDB_{key.upper()}" not in os.environ
    }

    def open_(mode: Literal["online", "offline"]) -> "wandb.Run":
        return wandb.init(
            mode=mode,
            dir=directory,
            project=project or os.environ.get("WANDB_PROJECT", "interp-lab"),
            name=name,
            group=group,
            config=config.flat(),
            settings=settings,
        )

    return _open_best(open_, asked=asked)


def resolve_mode(mode: str) -> str:
    """Return the more private of `mode` and what `WANDB_MODE` says.

    Raises: ValueError, if either is unknown.
    """
    if mode not in MODES:
        raise ValueError(f"unknown W&B mode {mode!r}{nearest(mode, MODES)}; use one of {', '.join(MODES)}")
    said = os.environ.get("WANDB_MODE") or "online"
    if said not in ENVIRONMENT:
        raise ValueError(f"WANDB_MODE={said!r} is not supported; use one of {', '.join(ENVIRONMENT)}, or unset it")
    if "WANDB_MODE" not in os.environ:
        return mode
    return max(mode, ENVIRONMENT[said], key=MODES.index)


def attach(run: "wandb.Run", config: Config, *, asked: str) -> WandbTracker:
    """Track with a run that somebody else opened and will finish; of its config, only absent keys are set."""
    place = Path(run.settings.sync_dir)
    tracker = WandbTracker(run, WandbStatus(asked, where(run), attached=True, directory=place))
    tracker.set_config(config)
    return tracker


def where(run: "wandb.Run") -> Literal["online", "offline"]:
    """Return where a run's numbers go."""
    return "offline" if run.offline else "online"


def _open_best(open_: Open, *, asked: str) -> WandbTracker:
    reason = None
    if asked != "offline":
        opened = _try_online(open_, probe=asked == "auto")
        if not isinstance(opened, str):
            return WandbTracker(opened, WandbStatus(asked, "online", directory=Path(opened.settings.sync_dir)))
        reason = opened
    opened = _try_offline(open_)
    if isinstance(opened, str):
        return _tell(WandbTracker(None, WandbStatus(asked, "off", opened)))
    return _tell(WandbTracker(opened, WandbStatus(asked, "offline", reason, directory=Path(opened.settings.sync_dir))))


def _tell(tracker: WandbTracker) -> WandbTracker:
    status = tracker.status
    if status.reason is not None:
        level = logging.INFO if status.asked == "auto" else logging.WARNING
        then = f"upload it later with: wandb sync {status.directory}" if status.directory else "nothing goes to W&B"
        LOGGER.log(level, "W&B is %s (%s); %s", status.mode, status.reason, then)
    return tracker


def _try_online(open_: Open, *, probe: bool) -> "wandb.Run | str":
    """Return an online run, or why there is none; never asks for a key, never waits longer than `init_timeout`."""
    import wandb

    host = wandb.setup().settings.base_url
    if probe and not answers(host):
        return f"{host} does not answer"
    try:
        if not wandb.login(prompt=False, verify=False):
            return f"no key for {host}; log in with: wandb login"
        return open_("online")
    except delivery_errors() as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__


def _try_offline(open_: Open) -> "wandb.Run | str":
    import wandb

    try:
        return open_("offline")
    except wandb.errors.UsageError as error:
        raise ValueError(f"W&B refuses the run: {error}") from error
    except delivery_errors() as error:
        return str(error) or type(error).__name__


def answers(url: str, *, timeout: float = 2.0) -> bool:
    """Whether a server takes connections; behind a proxy this cannot be seen, and counts as yes."""
    if getproxies().keys() & {"http", "https", "all"}:
        return True
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection((parts.hostname, port), timeout).close()
    except OSError:
        return False
    return True
