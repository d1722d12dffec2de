"""Requests decoded together: each hears of its own tokens, scores and alarms, and leaves when nobody waits for it."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from interp_lab.apps.serve.job import Ended, Job, Progress
from interp_lab.decoding import Step, StopReason, Window, stream
from interp_lab.decoding.prompts import scales_with_padding
from interp_lab.production.monitors import Alarm, EventLog, MonitorBank, Readings, Watching
from interp_lab.types import HookedModel


def together(model: HookedModel, waiting: Sequence[Job], *, at_most: int) -> list[Job]:
    """Return the first of those who wait, and whom of the others it can be decoded with.

    They must have the same monitors and actions, and fit the context side by side: columns are counted from the end of
    the longest prompt.
    """
    found: list[Job] = []
    for job in waiting:
        if len(found) < at_most and (not found or _fits(model, found, job)):
            found.append(job)
    return found


def _fits(model: HookedModel, found: Sequence[Job], job: Job) -> bool:
    everyone = [*found, job]
    width = max(len(one.ids) for one in everyone) + max(one.settings.max_new_tokens for one in everyone)
    same_length = len({len(one.ids) for one in everyone}) == 1 or not scales_with_padding(model)
    return job.watchers == found[0].watchers and width <= int(model.cfg.n_ctx) and same_length


class Attending:
    """A watcher: monitors, if there are any, and the end of rows that nobody waits for any more."""

    def __init__(self, jobs: Sequence[Job], watching: Watching | None) -> None:
        self._jobs, self._watching = jobs, watching
        self.going = set(range(len(jobs)))
        """Rows that have not ended."""

    @property
    def hooks(self) -> tuple[str, ...]:
        """Hook points that the monitors read."""
        return () if self._watching is None else self._watching.hooks

    def observe(self, hook: str, activation: Tensor, window: Window) -> None:
        """Let the monitors read."""
        assert self._watching is not None, "without monitors nothing is hooked"
        self._watching.observe(hook, activation, window)

    def stopping(self) -> Collection[int]:
        """Return the rows that monitors end, and those that were left."""
        ended = () if self._watching is None else self._watching.stopping()
        return {*ended, *(row for row in self.going if self._jobs[row].gone)}


class Batch:
    """The decoding of some requests; step by step, so that whoever waits hears at once."""

    def __init__(
        self, model: HookedModel, jobs: Sequence[Job], bank: MonitorBank | None, *, log: EventLog | None = None
    ) -> None:
        self._jobs, self._model = jobs, model
        self._n_alarms = 0
        self._watching = None
        if bank is not None:
            prompts = [one.prompt or " ".join(map(str, one.ids)) for one in jobs]
            self._watching = Watching(model, bank, requests=[one.id for one in jobs], prompts=prompts, log=log)
        self._attending = Attending(jobs, self._watching)

    def run(self) -> Iterator[int]:
        """Decode; every step yields how many tokens it brought.

        Raises: as `decode`, and OSError, if an alarm cannot be logged.
        """
        steers = () if self._watching is None else self._watching.steers
        ids, settings = [one.ids for one in self._jobs], [one.settings for one in self._jobs]
        for step in stream(self._model, ids, settings, steers=steers, watcher=self._attending):
            self._tell(step)
            yield len(step.rows)

    def _tell(self, step: Step) -> None:
        reached = {row: nth for nth, row in enumerate(step.rows)}
        top = self._top(step)
        fresh = self._fresh()
        alarms = self._new_alarms()
        ended = {row for row, nth in reached.items() if step.stops[nth] is not None} | set(step.watched)
        for row in sorted({*step.rows, *step.watched}):
            scores = scores_of(fresh, row) if fresh is not None and self._jobs[row].wants_scores else {}
            brought = Progress(scores=scores, alarms=tuple(one for one in alarms if one.row == row))
            if row in reached:
                nth = reached[row]
                given = (step.tokens[nth], step.log_probs[nth], top.get(row, ()))
                brought = Progress(*given, brought.scores, brought.alarms)
            self._jobs[row].tell(brought)
        self._end(step, ended)

    def _end(self, step: Step, ended: set[int]) -> None:
        if not ended:
            return
        self._attending.going -= ended
        readings = None if self._watching is None else self._watching.readings()
        reasons = dict(zip(step.rows, step.stops, strict=True))
        for row in sorted(ended):
            reason = reasons.get(row) or StopReason.WATCHED
            self._jobs[row].tell(Ended(reason, {} if readings is None else aggregates_of(readings, row)))

    def _fresh(self) -> Readings | None:
        """Return the scores of this step, if anybody asked for them."""
        if self._watching is None or not any(one.wants_scores for one in self._jobs):
            return None
        return self._watching.fresh_readings()

    def _new_alarms(self) -> list[Alarm]:
        if self._watching is None:
            return []
        found = self._watching.alarms[self._n_alarms :]
        self._n_alarms += len(found)
        return found

    def _top(self, step: Step) -> dict[int, tuple[tuple[int, float], ...]]:
        """Return the likeliest tokens of the rows that asked for them."""
        n_top = max((self._jobs[row].n_top for row in step.rows), default=0)
        if n_top == 0:
            return {}
        with torch.inference_mode():
            values, ids = step.logits.float().log_softmax(-1).topk(min(n_top, step.logits.shape[-1]))
        pairs = [list(zip(*row, strict=True)) for row in zip(ids.tolist(), values.tolist(), strict=True)]
        return {
            row: tuple((token, value) for token, value in pairs[nth][: self._jobs[row].n_top] if value > -np.inf)
            for nth, row in enumerate(step.rows)
        }


def scores_of(readings: Readings, row: int) -> dict[int, dict[str, float]]:
    """Return a row's scores by position and monitor; what was not read is left out."""
    found: dict[int, dict[str, float]] = {}
    for position, nth in np.argwhere(~np.isnan(readings.scores[row])).tolist():
        found.setdefault(position, {})[readings.monitors[nth]] = float(readings.scores[row, position, nth])
    return found


def aggregates_of(readings: Readings, row: int) -> dict[str, float | None]:
    """Return what each monitor says of a row as a whole; `None` where it has read nothing."""
    finals = readings.finals[row].tolist()
    return {name: None if np.isnan(one) else one for name, one in zip(readings.monitors, finals, strict=True)}
