"""A tracker that writes to a W&B run, and steps aside when W&B fails."""

import contextlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, SupportsFloat

import pandas as pd

from interp_lab.config import Config
from interp_lab.runs import scalars
from interp_lab.wandb_bridge.reader import wait_until_finished

if TYPE_CHECKING:
    import wandb

LOGGER = logging.getLogger("interp_lab.wandb")

STEP = "step"
"""Our step is a metric of its own. W&B drops rows whose own step goes backwards, as ours does after a resume."""


@dataclass(frozen=True)
class WandbStatus:
    """What became of the wish to track with W&B."""

    asked: str
    """Mode that was asked for, `WANDB_MODE` considered."""
    mode: Literal["online", "offline", "off"]
    """Where the numbers go now."""
    reason: str | None = None
    """Why that is less than what was asked for."""
    attached: bool = False
    """Whether the run was open already: then whoever opened it finishes it."""
    directory: Path | None = None
    """Folder of the run; `wandb sync` uploads an offline one from there."""


class WandbTracker:
    """Logs to one W&B run. A failure of W&B is told once; after it, calls do nothing."""

    def __init__(self, run: "wandb.Run | None", status: WandbStatus) -> None:
        self.status = status
        self._run = run
        self._with_step: set[str] = set()

    def log(self, values: Mapping[str, SupportsFloat], *, step: int | None = None) -> None:
        """Record scalars as one row; it is drawn over `step` if given.

        Raises: ValueError, naming the metric, if one is no number or takes a reserved name.
        """
        plain = scalars(values)
        row = plain if step is None else {**plain, STEP: step}
        new = [] if step is None else [name for name in plain if name not in self._with_step and "*" not in name]
        self._with_step.update(new)

        def send(run: "wandb.Run") -> None:
            for name in new:
                run.define_metric(name, step_metric=STEP)
            run.log(row)

        self._deliver(send)

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Record a table, its index as a column unless it only counts; missing values are empty."""

        def send(run: "wandb.Run") -> None:
            import wandb

            run.log({name: wandb.Table(dataframe=plain_table(table), allow_mixed_types=True)})

        self._deliver(send)

    def log_artefact(self, name: str, folder: Path, *, kind: str) -> None:
        """Record a folder as an artifact of W&B; one of the same name in the project becomes its next version.

        Characters that W&B does not take in names become `-`.

        Raises: ValueError, if there is no such folder.
        """
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder} to log as artefact {name!r}; write it first")

        def send(run: "wandb.Run") -> None:
            import wandb

            artifact = wandb.Artifact(artifact_name(name), type=kind)
            artifact.add_dir(str(folder))
            run.log_artifact(artifact)

        self._deliver(send)

    def set_config(self, config: Config) -> None:
        """Add the config, flat with dotted keys; keys that the run has keep their values."""
        self._deliver(lambda run: run.config.setdefaults(config.flat()))

    def finish(self, *, exit_code: int = 0) -> None:
        """Close the run, unless somebody else opened it; waits for uploads, within W&B's `finish_timeout`.

        An offline run is on disk, whole, when this returns.
        """
        run, self._run = self._run, None
        if run is None or self.status.attached:
            return
        try:
            run.finish(exit_code=exit_code)
        except delivery_errors() as error:
            self._give_up(error)
            _forget(run)
        if self.status.mode == "offline":
            # W&B's background process writes the rest only after it has let `run.finish` return.
            wait_until_finished(Path(run.settings.sync_dir))

    def _deliver(self, send: "Callable[[wandb.Run], None]") -> None:
        if self._run is None or self.status.mode == "off":
            return
        try:
            send(self._run)
        except delivery_errors() as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        if self.status.mode == "off":
            return
        reason = str(error) or type(error).__name__
        self.status = replace(self.status, mode="off", reason=reason)
        LOGGER.warning("W&B takes no more (%s); the work goes on without it", reason)


def _forget(run: "wandb.Run") -> None:
    """Make W&B let go of a run whose background process is dead, or the next run would be attached to it."""
    import wandb
    from wandb.sdk.lib import module

    if wandb.run is run:
        with contextlib.suppress(*delivery_errors()):
            wandb.teardown()
        module.unset_globals()


class LazyTracker:
    """Opens a W&B run when the first thing is logged, and not before."""

    def __init__(self, open_: "Callable[[], WandbTracker]") -> None:
        self._open = open_
        self._opened: WandbTracker | None = None

    def log(self, values: Mapping[str, SupportsFloat], *, step: int | None = None) -> None:
        """Record scalars; see `WandbTracker.log`."""
        self._tracker().log(values, step=step)

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Record a table; see `WandbTracker.log_table`."""
        self._tracker().log_table(name, table)

    def log_artefact(self, name: str, folder: Path, *, kind: str) -> None:
        """Record a folder; see `WandbTracker.log_artefact`."""
        self._tracker().log_artefact(name, folder, kind=kind)

    def finish(self, *, exit_code: int = 0) -> None:
        """Close the run if it was opened; see `WandbTracker.finish`."""
        if self._opened is not None:
            self._opened.finish(exit_code=exit_code)

    def _tracker(self) -> WandbTracker:
        if self._opened is None:
            self._opened = self._open()
        return self._opened


def delivery_errors() -> tuple[type[Exception], ...]:
    """Return what W&B raises when its server, its background process or its disk fails, or a run was closed."""
    import wandb
    from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

    return wandb.errors.Error, OSError, HandleAbandonedError, MailboxClosedError


def artifact_name(name: str) -> str:
    """Return a name that W&B takes for an artifact: letters without accents, digits, `_`, `.` and `-`, at most 128.

    Of a longer one the end is kept, which is what tells the artefacts of a run apart.
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[-128:]


def plain_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that W&B takes: text column names, no index, `None` where a value is missing."""
    whole = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    cells = whole.astype(object).where(whole.notna(), None)
    return cells.set_axis([str(name) for name in whole.columns], axis="columns")
