"""What `interp-lab sweep` shows while it works: a table on a terminal, a line for every finished trial elsewhere."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from interp_lab.cli.show import console
from interp_lab.sweeps.trial import Trial, best_of

_COLOURS = {"complete": "green", "failed": "red", "stopped early": "yellow", "running": "cyan"}
_ROOM = 6
"""Lines that title, head and caption take."""


@dataclass
class Watcher:
    """Shows the trials of one sweep."""

    metric: str
    goal: str
    n_trials: int | None
    """To be made in all, if that is known."""
    console: Console = console
    live: Live | None = None
    told: set[int] = field(default_factory=set)

    def again(self, done: int, total: int, what: str) -> None:
        """Show how far the measurements on held-out examples are."""
        self.console.print(f"held-out run {done} of {total}: {what}", highlight=False, markup=False)

    def show(self, trials: Sequence[Trial], progress: Mapping[int, str]) -> None:
        """Show how things stand with the trials."""
        if self.live is not None:
            self.live.update(self.table(trials, progress), refresh=True)
            return
        best = best_of(trials, goal=self.goal)
        for trial in trials:
            if trial.state != "running" and trial.number not in self.told:
                self.told.add(trial.number)
                self.console.print(self.line(trial, best), highlight=False, markup=False, soft_wrap=True)

    def table(self, trials: Sequence[Trial], progress: Mapping[int, str]) -> Table:
        """Return one row per trial; where there are more than lines, the best, the running and the last ones."""
        best = best_of(trials, goal=self.goal)
        table = Table(
            caption=escape(self.caption(trials)), caption_justify="left", box=box.SIMPLE_HEAD, show_edge=False
        )
        for column in ("trial", "values", "state", "progress", self.metric, "seconds"):
            table.add_column(column, no_wrap=column != "values", justify="right" if column == self.metric else "left")
        for trial in shown(trials, best, progress, room=self.console.height - _ROOM):
            state = trial.state if trial.state != "running" or trial.number in progress else "waiting"
            again = f" (start {trial.attempts})" if trial.attempts > 1 else ""
            seconds = f"{trial.seconds:.1f}" if trial.seconds else ""
            said = trial.reason if trial.state == "failed" else progress.get(trial.number, "")
            table.add_row(
                str(trial.number), escape(values_text(trial.values)), f"[{_COLOURS[trial.state]}]{state}[/]{again}",
                escape(said), metric_text(trial), seconds, style="bold" if trial is best else "",
            )  # fmt: skip
        return table

    def caption(self, trials: Sequence[Trial]) -> str:
        """Return how many are done, and the best so far."""
        n_closed = sum(trial.state != "running" for trial in trials)
        n_failed = sum(trial.state == "failed" for trial in trials)
        best = best_of(trials, goal=self.goal)
        failed = f", {n_failed} failed" if n_failed else ""
        said = "" if best is None else f"; best so far: trial {best.number}, {self.metric} {metric_text(best)}"
        return f"{n_closed} of {self.n_trials or len(trials)} trials ended{failed}{said}"

    def line(self, trial: Trial, best: Trial | None) -> str:
        """Return what came of one trial, and the best so far."""
        came = f"{self.metric} {metric_text(trial)}" if trial.state != "failed" else trial.reason
        attempts = f", {trial.attempts} starts" if trial.attempts > 1 else ""
        said = "" if best is None else f"; best so far: trial {best.number}, {metric_text(best)}"
        return f"trial {trial.number} ({values_text(trial.values)}) {trial.state}: {came} " + (
            f"({trial.seconds:.1f} s{attempts}){said}"
        )


@contextmanager
def watching(metric: str, *, goal: str, n_trials: int | None) -> Generator[Watcher]:
    """Show trials for the length of the block, as the terminal allows."""
    watcher = Watcher(metric, goal, n_trials)
    if not console.is_terminal:
        yield watcher
        return
    with Live(console=console, auto_refresh=False) as watcher.live:
        yield watcher


def shown(trials: Sequence[Trial], best: Trial | None, progress: Mapping[int, str], *, room: int) -> list[Trial]:
    """Return the trials that fit, in order: the best, those with a worker, then the latest."""
    first = sorted(trials, key=lambda trial: (trial is not best, trial.number not in progress, -trial.number))
    return sorted(first[: max(room, 3)], key=lambda trial: trial.number)


def values_text(values: Mapping[str, object]) -> str:
    """Return `l1=0.004 width=512`: the last part of each key, and the whole where two would be alike."""
    last = [name.rpartition(".")[2] for name in values]
    names = last if len(set(last)) == len(last) else list(values)
    return " ".join(f"{name}={_short(value)}" for name, value in zip(names, values.values(), strict=True))


def metric_text(trial: Trial) -> str:
    """Return the metric in four digits, or nothing."""
    return "" if trial.metric is None else f"{trial.metric:.4g}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace(" ", "")
