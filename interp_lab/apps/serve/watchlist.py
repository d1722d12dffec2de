"""Which monitors a service has, from a YAML file, and which of them look on at a request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from pydantic import NonNegativeInt, PositiveInt, model_validator

from interp_lab.config import Config, RunRef
from interp_lab.interventions import Intervention, Op
from interp_lab.production.monitors import Action, Monitor, MonitorBank, over_of
from interp_lab.production.monitors.from_run import monitor_from_file, monitor_from_run
from interp_lab.production.monitors.monitor import Reads
from interp_lab.types import HookedModel, Site, nearest

Watchers = tuple[tuple[str, Action], ...]
"""Names of monitors and what their alarms set off; requests with the same ones are decoded together."""


class Response(Config):
    """What the action `steer` adds: the monitor's own direction, of length 1, times a coefficient."""

    coefficient: float
    """Negative takes off what the monitor warns of."""
    layer: NonNegativeInt
    """After which it is added, to the residual stream."""
    at_once: bool = False
    """Already to the token that raises the alarm; the layer must then be later than the monitor's."""


class WatchEntry(Config):
    """A monitor: where it comes from, when it is an alarm, and what follows."""

    name: str
    made_by: RunRef | None = None
    """A probe, latent or direction of another run; see `production.monitors.from_run.monitor_from_run`."""
    file: Path | None = None
    """A file of one direction instead, as `directions.save_directions` writes it."""
    reads: Reads = "all"
    """Which tokens are scored."""
    over: str = "max"
    """How the tokens' scores become one number."""
    threshold: float | None = None
    """The alarm is raised where that number passes it; `None` only scores. Take it from a run of `monitors`, or from
    texts of your own with `stats.threshold_at`."""
    higher_is_alarm: bool = True
    at_least: PositiveInt = 1
    """Tokens that must have been read before an alarm."""
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
        over_of(self.over)
        if self.action not in self.actions:
            lacking = {Action.STEER: "a response", Action.ROUTE: "a route"}.get(self.action, "a threshold")
            raise ValueError(
                f"monitor {self.name!r} is to {self.action}, and lacks a threshold or {lacking}; give it that"
            )
        return self

    @property
    def actions(self) -> tuple[Action, ...]:
        """What it has all that is needed for."""
        found = [Action.FLAG]
        if self.threshold is not None:
            found += [Action.STOP]
            found += [Action.STEER] if self.response is not None else []
            found += [Action.ROUTE] if self.route is not None else []
        return tuple(found)


class WatchFile(Config):
    """The file behind `--monitors`."""

    monitors: tuple[WatchEntry, ...]


@dataclass(frozen=True, eq=False)
class Watchlist:
    """The monitors of a service, loaded."""

    entries: tuple[WatchEntry, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    """As they score, in the same order; none acts."""

    @classmethod
    def of(cls, entries: Sequence[WatchEntry], model: HookedModel) -> "Watchlist":
        """Load the monitors of a file.

        Raises: ValueError, as `monitor_from_run` and `MonitorBank.require_fits`, or for a response in a layer that the
            model has not.
        """
        found = cls(tuple(entries), tuple(_loaded(one, model) for one in entries))
        if entries:
            MonitorBank(found.monitors).require_fits(model)
        n_layers = int(model.cfg.n_layers)
        for one in entries:
            if one.response is not None and one.response.layer >= n_layers:
                raise ValueError(
                    f"monitor {one.name!r} responds after layer {one.response.layer}, and the model has {n_layers} "
                    f"layers; name one from 0 to {n_layers - 1}"
                )
            for action in one.actions:
                found.monitor(one.name, action)
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
        added = entry.response.coefficient * torch.nn.functional.normalize(scores.weights.float(), dim=0)
        site = Site(f"blocks.{entry.response.layer}.hook_resid_post")
        response = Intervention((site,), Op.ADD, (added,), f"response of {name}")
        return replace(scores, action=action, response=response, at_once=entry.response.at_once)

    def _require(self, name: str, action: str | None) -> None:
        if name not in self.names:
            there = f"there are {', '.join(self.names)}" if self.names else "this service has none"
            raise ValueError(f"there is no monitor {name!r}{nearest(name, self.names)} ({there})")
        entry = self.entries[self.names.index(name)]
        if action is None or action == entry.action:
            return
        if entry.required:
            raise ValueError(f"monitor {name!r} is required, with the action {entry.action}; leave its action out")
        if Action(action) not in entry.actions:
            raise ValueError(f"monitor {name!r} may not {action}; it may {', '.join(entry.actions)}")


@lru_cache(maxsize=64)
def _bank(watchlist: Watchlist, watchers: Watchers) -> MonitorBank:
    return MonitorBank(tuple(watchlist.monitor(name, action) for name, action in watchers))


def _loaded(entry: WatchEntry, model: HookedModel) -> Monitor:
    settings = {
        "reads": entry.reads, "over": entry.over, "threshold": entry.threshold,
        "higher_is_alarm": entry.higher_is_alarm, "at_least": entry.at_least,
    }  # fmt: skip
    if entry.made_by is not None:
        return monitor_from_run(entry.made_by, model, name=entry.name, **settings)
    assert entry.file is not None, "an entry has one origin"
    return monitor_from_file(entry.file, model, name=entry.name, **settings)
