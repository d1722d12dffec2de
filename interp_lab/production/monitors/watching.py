"""A bank at work on one decoding: scores as tokens are read, alarms, and what they set off."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.decoding import Positions, Steer, Strength, Window
from interp_lab.hooks import device_of
from interp_lab.production.monitors.alarms import Alarm, EventLog, OnAlarm
from interp_lab.production.monitors.bank import MonitorBank, Stack, policy
from interp_lab.production.monitors.monitor import Action
from interp_lab.production.monitors.over import State
from interp_lab.production.monitors.readings import Note, Readings, readings_of
from interp_lab.types import HookedModel

NEVER = sys.maxsize
"""Position from which a response acts where no alarm was raised."""
ENDS = (Action.STOP, Action.ROUTE)


@dataclass
class _Kept:
    """What is kept of earlier tokens at one hook point, for all prompts."""

    states: list[State]
    n_read: Int[Tensor, "row monitor"]
    fired: Bool[Tensor, "row monitor"]
    seen: Int[Tensor, " row"]
    """Last position that was scored; on the CPU."""


@dataclass(frozen=True)
class _Crossing:
    """Where aggregates passed their thresholds at one hook point, in the forward pass under way."""

    stack: Stack
    window: Window
    crossed: Bool[Tensor, "batch monitor"]
    column: Int[Tensor, "batch monitor"]
    score: Float[Tensor, "batch monitor"]
    aggregate: Float[Tensor, "batch monitor"]


class Watching:
    """A watcher for one decoding (`decode(..., watcher=watching, steers=watching.steers)`).

    What an alarm sets off begins after the forward pass that raised it: a row ends before the next token is given out,
    and a response acts on the tokens read from then on. So an alarm from the prompt steers from the first generated
    token on; with `at_once`, which acts in later layers, from the very token. Either way it makes no difference whether
    there is a cache.
    """

    def __init__(
        self,
        model: HookedModel,
        bank: MonitorBank,
        *,
        requests: Sequence[str] | None = None,
        prompts: Sequence[str] | None = None,
        on_alarm: OnAlarm | None = None,
        log: EventLog | None = None,
    ) -> None:
        """Begin to watch.

        Args:
            requests: what alarms call the rows; `None` numbers them.
            prompts: as text, for a log that keeps prompts.

        Raises: ValueError, as `MonitorBank.require_fits`.
        """
        bank.require_fits(model)
        self.bank, self.alarms = bank, []
        self._stacks = {stack.hook: stack for stack in bank.stacks(device_of(model))}
        self._policies: dict[str, Positions] = {one.reads: policy(model, one.reads) for one in bank.monitors}
        self._requests, self._prompts, self._on_alarm, self._log = requests, prompts, on_alarm, log
        self._kept: dict[str, _Kept] = {}
        self._crossings: list[_Crossing] = []
        self._notes: list[Note] = []
        self._n_given = 0
        self._acts_from: dict[int, Int[Tensor, " row"]] = {}
        self._n_rows: int | None = None

    alarms: list[Alarm]
    """Raised so far, in order."""

    @property
    def hooks(self) -> tuple[str, ...]:
        """Hook points that are read."""
        return self.bank.hooks

    @property
    def steers(self) -> tuple[Steer, ...]:
        """What responds to alarms of the action `steer`; hand it to the decoding."""
        return tuple(
            Steer(one.response, strength=self._gate(nth))
            for nth, one in enumerate(self.bank.monitors)
            if one.response is not None
        )

    def observe(self, hook: str, activation: Tensor, window: Window) -> None:
        """Score the tokens that were not scored yet; tokens seen again, without a cache, keep their score."""
        stack, kept = self._stacks[hook], self._of(hook, window)
        fresh = window.positions > kept.seen[window.rows][:, None]
        n_new = int(fresh.any(0).sum())
        if n_new == 0:
            return
        kept.seen[window.rows] = window.positions[:, -1]
        tail = Window(window.tokens[:, -n_new:], window.positions[:, -n_new:], window.prompt_lengths, window.rows)
        scores = stack.scores(activation[:, -n_new:])
        read = self._read(stack, tail, scores.device)
        rows = window.rows.to(scores.device)
        running = self._aggregated(stack, kept, rows, scores * stack.signs, read)
        self._notes.append(Note(stack.members, tail, scores.masked_fill(~read, torch.nan), running * stack.signs))
        self._crossings.append(_crossing(stack, kept, rows, tail, scores, running, read))

    def stopping(self) -> list[int]:
        """Raise the alarms of the forward pass that ended, and return the rows that they end."""
        crossings, self._crossings = self._crossings, []
        if not crossings:
            return []
        some = torch.stack([one.crossed.any() for one in crossings]).tolist()  # the one wait for the device
        raised = [alarm for one, any_ in zip(crossings, some, strict=True) if any_ for alarm in self._raised(one)]
        raised.sort(key=lambda alarm: (alarm.row, alarm.position, self.bank.names.index(alarm.monitor)))
        for alarm in raised:
            self.alarms.append(alarm)
            if self._log is not None:
                prompt = None if self._prompts is None else self._prompts[alarm.row]
                self._log.write(alarm, prompt=prompt)
            if self._on_alarm is not None:
                self._on_alarm(alarm)
        return sorted({alarm.row for alarm in raised if alarm.action in ENDS})

    def readings(self) -> Readings:
        """Return all scores so far."""
        return readings_of(self.bank.names, self._notes, n_rows=self._n_rows or 0)

    def fresh_readings(self) -> Readings:
        """Return the scores since this was last asked: those of the prompt, and then of a token per row and step."""
        found = readings_of(self.bank.names, self._notes[self._n_given :], n_rows=self._n_rows or 0)
        self._n_given = len(self._notes)
        return found

    def _of(self, hook: str, window: Window) -> _Kept:
        """Return what is kept at a hook point; the first window has all rows."""
        if hook not in self._kept:
            stack, n = self._stacks[hook], len(window.rows)
            self._n_rows = n
            device, m = stack.bias.device, len(stack.members)
            states = [tuple(one.to(device) for one in over.initial(n, len(at))) for over, at in stack.over]
            counts = torch.zeros(n, m, dtype=torch.long, device=device)
            self._kept[hook] = _Kept(states, counts, counts.bool(), torch.full((n,), -1))
        return self._kept[hook]

    def _read(self, stack: Stack, window: Window, device: torch.device) -> Bool[Tensor, "batch pos monitor"]:
        read = torch.zeros(*window.positions.shape, len(stack.members), dtype=torch.bool, device=device)
        for what, at in stack.reads:
            read[..., at] = self._policies[what](window).to(device)[..., None]
        return read

    def _aggregated(self, stack: Stack, kept: _Kept, rows: Tensor, scores: Tensor, read: Tensor) -> Tensor:
        """Return running aggregates, and go on from them."""
        running = torch.empty_like(scores)
        for nth, (over, at) in enumerate(stack.over):
            state = tuple(one[rows] for one in kept.states[nth])
            running[..., at], new = over.update(scores[..., at], read[..., at], state)
            for old, one in zip(kept.states[nth], new, strict=True):
                old[rows] = one
        return running

    def _raised(self, one: _Crossing) -> list[Alarm]:
        found, window = [], one.window
        for nth, member in one.crossed.nonzero().tolist():
            row, column, number = int(window.rows[nth]), int(one.column[nth, member]), one.stack.members[member]
            monitor = self.bank.monitors[number]
            position = int(window.positions[nth, column])
            since = position - int(window.prompt_lengths[nth])
            if monitor.action is Action.STEER:
                self._begin(number)[row] = position if monitor.at_once else int(window.positions[nth, -1]) + 1
            found.append(
                Alarm(
                    row=row, request=str(row) if self._requests is None else self._requests[row], monitor=monitor.name,
                    hook=monitor.hook, action=str(monitor.action), route=monitor.route, position=position,
                    generated=since if since >= 0 else None, token=int(window.tokens[nth, column]),
                    score=float(one.score[nth, member]), aggregate=float(one.aggregate[nth, member]),
                    over=monitor.over, threshold=float(monitor.threshold or 0.0),
                )
            )  # fmt: skip
        return found

    def _begin(self, number: int) -> Int[Tensor, " row"]:
        if number not in self._acts_from:
            self._acts_from[number] = torch.full((self._n_rows or 0,), NEVER)
        return self._acts_from[number]

    def _gate(self, number: int) -> Strength:
        """Return the strength of a response: 1 from where an alarm lets it begin, and 0 before."""
        at_once = self.bank.monitors[number].at_once

        def strength(activation: Tensor, window: Window) -> Tensor:
            acts = torch.zeros_like(window.real)
            if number in self._acts_from:
                acts = window.positions >= self._acts_from[number][window.rows][:, None]
            acts = acts.to(activation.device)
            return (acts | self._now(number, window, acts.device) if at_once else acts).to(activation)

        return strength

    def _now(self, number: int, window: Window, device: torch.device) -> Bool[Tensor, "batch pos"]:
        """Return the tokens from where an alarm of the forward pass under way was raised on."""
        for one in self._crossings:
            if number in one.stack.members:
                member = one.stack.members.index(number)
                positions = one.window.positions.to(device)
                raised = positions.gather(1, one.column[:, member, None])
                return one.crossed[:, member, None] & (window.positions.to(device) >= raised)
        return torch.zeros_like(window.real).to(device)


def _crossing(
    stack: Stack, kept: _Kept, rows: Tensor, window: Window, scores: Tensor, running: Tensor, read: Tensor
) -> _Crossing:
    """Return the first token of each row and monitor at which its aggregate passed, and count what was read."""
    n_read = kept.n_read[rows][:, None] + read.cumsum(1)
    above = read & (running > stack.bars) & (n_read >= stack.at_least) & ~kept.fired[rows][:, None]
    kept.n_read[rows] = n_read[:, -1]
    crossed, column = above.any(1), above.int().argmax(1)
    kept.fired[rows] = kept.fired[rows] | crossed
    at = column[:, None]
    score, aggregate = scores.gather(1, at)[:, 0], (running * stack.signs).gather(1, at)[:, 0]
    return _Crossing(stack, window, crossed, column, score, aggregate)
