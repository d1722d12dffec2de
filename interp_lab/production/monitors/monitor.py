"""A monitor: a number read off one hook point at every token, and what happens where it is too high."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.identity import ModelIdentity
from interp_lab.interventions import Intervention
from interp_lab.production.monitors.over import over_of
from interp_lab.types import Interval, Site

After = Literal["identity", "sigmoid", "relu", "jumprelu"]
"""What is done to the affine score: nothing; a probability; as an SAE's encoder does it."""
Reads = Literal["all", "all+bos", "prompt", "generated", "last", "reply"]
"""Which tokens are scored: all but special ones; these too; the prompt's or the generated ones (special ones left out);
the last one of the prompt, whatever it is; that one and all generated ones, which together predict the whole reply. The
last generated token is never read, so it has no score."""


class Action(StrEnum):
    """What happens when an alarm is raised."""

    FLAG = "flag"
    """It is noted."""
    STOP = "stop"
    """The row ends, and the token that was chosen after the one that raised it is not given out."""
    STEER = "steer"
    """An intervention acts on the tokens that the model reads afterwards."""
    ROUTE = "route"
    """The row ends as with `stop`, and the alarm names who is to answer instead."""


@dataclass(frozen=True)
class Monitor:
    """An affine score of one hook point's activations, when it is an alarm, and what follows."""

    name: str
    hook: str
    weights: Float[Tensor, " d"]
    bias: float = 0.0
    after: After = "identity"
    jump: float = 0.0
    """Of `jumprelu`: at or below it the score is 0."""
    over: str = "max"
    """How tokens' scores become the row's; see `over.WAYS`."""
    reads: Reads = "all"
    threshold: float | None = None
    """The alarm is raised once, where the aggregate passes it; `None` only scores."""
    higher_is_alarm: bool = True
    at_least: int = 1
    """Tokens that must have been read before an alarm: means of few tokens are all over the place."""
    action: Action = Action.FLAG
    response: Intervention | None = None
    """What `steer` does."""
    at_once: bool = False
    """Whether it does so already to the token that raises the alarm, and those read with it; its hook points must then
    be in later layers than the monitor's."""
    route: str | None = None
    """Who is to answer, of `route`."""
    model: ModelIdentity | None = None
    """On which it was made; checked on use. `None` if that is not known."""
    promised: Interval | None = None
    """Share of new controls above the threshold, if they are drawn like those it was taken from; `None` if it was not
    taken from any."""

    def __post_init__(self) -> None:
        over_of(self.over)
        numbers = {"weights": self.weights, "bias": self.bias, "jump": self.jump, "threshold": self.threshold or 0.0}
        for what, value in numbers.items():
            if not bool(torch.isfinite(torch.as_tensor(value)).all()):
                raise ValueError(f"the {what} of monitor {self.name!r} hold NaN or inf; give finite numbers")
        if self.at_least < 1:
            raise ValueError(f"at_least={self.at_least} of {self.name!r}: an alarm needs a token; use 1 or more")
        given = {Action.STEER: ("response", self.response), Action.ROUTE: ("route", self.route)}
        for action, (what, value) in given.items():
            if (self.action is action) is not (value is not None):
                raise ValueError(
                    f"monitor {self.name!r} has action {self.action} and {what}={value!r}; give {what} with the action "
                    f"{action}, and with no other"
                )
        if self.at_once:
            self._require_later()
        if self.action is not Action.FLAG and self.threshold is None:
            raise ValueError(f"monitor {self.name!r} is to {self.action}, and has no threshold; give it one")
        if self.promised is not None and self.threshold is None:
            raise ValueError(f"monitor {self.name!r} has false positives without a threshold; give both or neither")

    def _require_later(self) -> None:
        if self.response is None:
            raise ValueError(f"at_once of monitor {self.name!r} is for the action {Action.STEER}; leave it out")
        own = Site(self.hook).layer
        for site in self.response.sites:
            if own is None or site.layer is None or site.layer <= own:
                raise ValueError(
                    f"monitor {self.name!r} reads {self.hook} and is to act at once at {site.hook}, which is not in a "
                    "later layer: it was computed before the alarm; act in a later layer, or with at_once=False on the "
                    "tokens that follow"
                )

    @property
    def sign(self) -> float:
        """1, or -1 where low scores are alarms."""
        return 1.0 if self.higher_is_alarm else -1.0

    @property
    def bar(self) -> float:
        """What the aggregate, times `sign`, must pass; inf without a threshold."""
        return math.inf if self.threshold is None else self.sign * self.threshold
