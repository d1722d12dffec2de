"""A request on its way through the queue and the decoding, and what is heard of it meanwhile."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

from interp_lab.apps.serve.watchlist import Watchers
from interp_lab.decoding import DecodingSettings, StopReason
from interp_lab.production.monitors import Alarm


@dataclass(frozen=True)
class Progress:
    """What one forward pass brought."""

    token: int | None = None
    """Generated; `None` where a monitor ended the row."""
    log_prob: float = 0.0
    top: tuple[tuple[int, float], ...] = ()
    """Likeliest tokens and their log-probabilities."""
    scores: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """By position and monitor, of the tokens read."""
    alarms: tuple[Alarm, ...] = ()


@dataclass(frozen=True)
class Ended:
    """The answer is complete."""

    reason: StopReason
    aggregates: Mapping[str, float | None]
    """By monitor; `None` where it has read nothing."""


@dataclass(frozen=True)
class Failed:
    """There will be no answer."""

    status: int
    code: str
    message: str


Event = Progress | Ended | Failed


@dataclass(eq=False)
class Job:
    """A request; all but `gone` is left as it was made. Events are heard in the event loop that it was made in."""

    id: str
    ids: tuple[int, ...]
    """Of the prompt."""
    settings: DecodingSettings
    watchers: Watchers
    n_top: int
    wants_scores: bool
    prompt: str | None
    """As text, for the log."""
    gone: bool = False
    """Nobody waits for it any more; it is dropped before the next token."""
    arrived: float = field(default_factory=monotonic)
    events: "asyncio.Queue[Event]" = field(default_factory=asyncio.Queue)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def tell(self, event: Event) -> None:
        """Let whoever waits for it hear of an event; from any thread."""
        if not self.gone and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)
