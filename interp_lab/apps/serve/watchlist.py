"""Which monitors a service has, from a YAML file, and which of them look on at a request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from pydantic import FiniteFloat, NonNegativeInt, PositiveInt, model_validator

from interp_lab.config import Config, RunRef
from interp_lab.directions import from_run
from interp_lab.interventions import Intervention, Op
from interp_lab.production.monitors import Action, Monitor, MonitorBank, over_of
from interp_lab.production.monitors.from_run import monitor_from_file, monitor_from_run
from interp_lab.production.monitors.monitor import Reads
from interp_lab.types import HookedModel, Site, nearest

Watchers = tuple[tuple[str, Action], ...]
"""Names of monitors and what their alarms set off; requests with the same ones are decoded together."""


class Response(Config):
    """What the action `steer` adds: the monitor's own direction, of length 1, or that of a run, times a coefficient."""

    coefficient: FiniteFloat
    """Negative takes off what the monitor warns of; of a run's own response, 1 is what was measured there."""
    layer: NonNegativeInt | None = None
    """After which the monitor's own direction is added, to the residual stream."""
    made_by: RunRef | None = None
    """A direction of a run instead, such as `response` of a run of `monitors`, added where and as long as it is."""
    at_once: bool = False
    """Already to the token that raises the alarm; the layer must then be later than the monitor's."""

    @model_validator(mode="after")
    def _one_direction(self) -> "Response":
        if (self.layer is None) is (self.made_by is None):
            raise ValueError("a response needs either a layer, for the monitor's own direction, or made_by; not both")
        return self

    def added_to(self, model: HookedModel, monitor: Monitor) -> Intervention:
        """Return what it does, for a monitor.

        Raises: ValueError, as `from_run`, or for a layer that the model has not.
        """
        name = f"response of {monitor.name}"
        if self.made_by is not None:
            found = from_run(self.made_by, model).times(self.coefficient)
            return Intervention(tuple(map(Site, found.hooks)), Op.ADD, tuple(found.vectors), name)
        n_layers = int(model.cfg.n_layers)
        if self.layer is None or self.layer >= n_layers:
            raise ValueError(
                f"monitor {monitor.name!r} responds after layer {self.layer}, and the model has {n_layers} layers; "
                f"name one from 0 to {n_layers - 1}"
            )
        own = self.coefficient * torch.nn.functional.normalize(monitor.weights.float(), dim=0)
        return Intervention((Site(f"blocks.{self.layer}.hook_resid_post"),), Op.ADD, (own,), name)


class WatchEntry(Config):
    """A monitor: where it comes from, when it is an alarm, and what follows."""

    name: str
    made_by: RunRef | None = None
    """The `monitor` of a run of `monitors`, threshold and all; or a probe, latent or direction of another run; see
    `production.monitors.from_run.monitor_from_run`."""
    file: Path | None = None
    """A file of one direction or monitor instead, as `directions.save_directions` writes it."""
    reads: Reads | None = None
    """Which tokens are scored; `None` is as a whole monitor was made, else all but special ones."""
    over: str | None = None
    """How the tokens' scores become one number; `None` as above, else the highest."""
    threshold: float | None = None
    """The alarm is raised where that number passes it; `None` is as a whole monitor was made, else it only scores. From
    texts of your own, take it with `stats.threshold_at`."""
    higher_is_alarm: bool | None = None
    """`None` is as above, else yes."""
    at_least: PositiveInt | None = None
    """Tokens that must have been read before an alarm; `None` is as above, else one."""
    action: Action = Action.FLAG
    """Unless a request asks for another one."""
    route: str | None = None
    """Who is to answer instead, for the action `route`."""
    response: Response | None = None
    """For the action `steer`."""
    required: bool = False
    """Looks on at every request, with this action: no request may leave it out or change it."""

    @model_validator(mode="after")
    def _one_origin(self) -> "WatchEntry":
        if (self.made_by is None) is (self.file is None):
            raise ValueError(f"monitor {self.name!r} needs either made_by or file, and not both")
        if self.over is not None:
            over_of(self.over)
        for action, needed, given in ((Action.STEER, "response", self.response), (Action.ROUTE, "route", self.route)):
            if self.action is action and given is None:
                raise ValueError(f"monitor {self.name!r} is to {action}, and lacks a {needed}; give it one")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """What of a `Monitor` is stated here."""
        names = ("reads", "over", "threshold", "higher_is_alarm", "at_least")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class WatchFile(Config):
    """The file behind `--monitors`."""

    monitors: tuple[WatchEntry, ...]


@dataclass(frozen=True, eq=False)
class Watchlist:
    """The monitors of a service, loaded."""

    entries: tuple[WatchEntry, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    """As they score, in the same order; none acts."""
    responses: tuple[Intervention | None, ...] = ()
    """Of these, for the action `steer`."""

    @classmethod
    def of(cls, entries: Sequence[WatchEntry], model: HookedModel) -> "Watchlist":
        """Load the monitors of a file.

        Raises: ValueError, as `monitor_from_run`, `MonitorBank.require_fits` and `Response.added_to`, or for an action
            without a threshold.
        """
        return cls.loaded(entries, [_loaded(one, model) for one in entries], model)

    @classmethod
    def loaded(cls, entries: Sequence[WatchEntry], monitors: Sequence[Monitor], model: HookedModel) -> "Watchlist":
        """Put monitors in memory beside what a file says of them.

        Raises: as `of`.
        """
        if entries:
            MonitorBank(tuple(monitors)).require_fits(model)
        responses = [
            None if entry.response is None else entry.response.added_to(model, one)
            for entry, one in zip(entries, monitors, strict=True)
        ]
        found = cls(tuple(entries), tuple(monitors), tuple(responses))
        for entry in entries:
            for action in {entry.action, *found.actions(entry.name)}:
                found.monitor(entry.name, action)
        return found

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the monitors, in order."""
        return tuple(one.name for one in self.entries)

    def chosen(self, asked: Sequence[tuple[str, str | None]] | None) -> Watchers:
        """Return who looks on at a request: whom it names (all, if `None`), and who is required.

        Raises: ValueError, for a name that there is not or that comes twice, or an action that a monitor may not take.
        """
        if asked is None:
            return tuple((one.name, one.action) for one in self.entries)
        wanted = dict(asked)
        if len(wanted) < len(asked):
            raise ValueError("a monitor is named twice; name each once")
        for name, action in asked:
            self._require(name, action)
        return tuple(
            (one.name, one.action if wanted.get(one.name) is None else Action(str(wanted[one.name])))
            for one in self.entries
            if one.required or one.name in wanted
        )

    def bank(self, watchers: Watchers) -> MonitorBank | None:
        """Return the monitors that look on; `None` if nobody does."""
        return _bank(self, watchers) if watchers else None

    def monitor(self, name: str, action: Action) -> Monitor:
        """Return a monitor that acts."""
        at = self.names.index(name)
        entry, scores = self.entries[at], self.monitors[at]
        if action is Action.ROUTE:
            return replace(scores, action=action, route=entry.route)
        if action is not Action.STEER or entry.response is None:
            return replace(scores, action=action)
        return replace(scores, action=action, response=self.responses[at], at_once=entry.response.at_once)

    def actions(self, name: str) -> tuple[Action, ...]:
        """Return what a monitor has all that is needed for."""
        at = self.names.index(name)
        found = [Action.FLAG]
        if self.monitors[at].threshold is not None:
            found += [Action.STOP]
            found += [Action.STEER] if self.entries[at].response is not None else []
            found += [Action.ROUTE] if self.entries[at].route is not None else []
        return tuple(found)

    def _require(self, name: str, action: str | None) -> None:
        if name not in self.names:
            there = f"there are {', '.join(self.names)}" if self.names else "this service has none"
            raise ValueError(f"there is no monitor {name!r}{nearest(name, self.names)} ({there})")
        entry = self.entries[self.names.index(name)]
        if action is None or action == entry.action:
            return
        if entry.required:
            raise ValueError(f"monitor {name!r} is required, with the action {entry.action}; leave its action out")
        if Action(action) not in self.actions(name):
            raise ValueError(f"monitor {name!r} may not {action}; it may {', '.join(self.actions(name))}")


@lru_cache(maxsize=64)
def _bank(watchlist: Watchlist, watchers: Watchers) -> MonitorBank:
    return MonitorBank(tuple(watchlist.monitor(name, action) for name, action in watchers))


def _loaded(entry: WatchEntry, model: HookedModel) -> Monitor:
    if entry.made_by is not None:
        return monitor_from_run(entry.made_by, model, name=entry.name, **entry.settings)
    assert entry.file is not None, "an entry has one origin"
    return monitor_from_file(entry.file, model, name=entry.name, **entry.settings)
