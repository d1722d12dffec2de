"""What the service says of itself: its model, its monitors, and whether it takes requests."""

from typing import Literal

from interp_lab.apps.serve.config import ServeConfig
from interp_lab.apps.serve.engine import Loaded
from interp_lab.apps.serve.wire import ActionName, Told
from interp_lab.decoding.prompts import tokenizer_of
from interp_lab.models import identity_of


class PromiseTold(Told):
    """Share of new control texts that raise an alarm, if they are drawn like those the threshold was taken from."""

    share: float
    """On average over sets of controls."""
    low: float
    """With the upper limit: what this set may have come to."""
    high: float
    level: float
    controls: int
    """Texts that the threshold was taken from."""


class MonitorTold(Told):
    """A monitor, and what its alarms may set off."""

    name: str
    hook: str
    reads: str
    """Which tokens it scores."""
    over: str
    """How the tokens' scores become one number."""
    threshold: float | None
    false_positives: PromiseTold | None
    """What the threshold stands for; none where it was not taken from a run of `monitors`."""
    higher_is_alarm: bool
    at_least: int
    """Tokens that must have been read before an alarm."""
    action: ActionName
    """By default."""
    actions: list[ActionName]
    """That a request may ask for."""
    route: str | None
    required: bool
    """Looks on at every request, with its own action."""


class MonitorsResponse(Told):
    """All monitors of the service."""

    monitors: list[MonitorTold]


class Limits(Told):
    """What a request may ask for at most."""

    max_prompt_tokens: int
    max_new_tokens: int
    max_body_bytes: int
    timeout_s: float
    queue_size: int
    max_batch: int


class ModelResponse(Told):
    """The model that answers."""

    name: str
    processing: str
    """Of its weights."""
    n_layers: int
    d_model: int
    n_ctx: int
    d_vocab: int
    has_tokenizer: bool
    """Whether prompts may be text."""
    limits: Limits


class Alive(Told):
    """The service runs."""

    status: Literal["alive"] = "alive"


class Ready(Told):
    """The service takes requests."""

    status: Literal["ready"] = "ready"
    waiting: int
    """Requests in the queue."""


def model_told(loaded: Loaded, config: ServeConfig) -> ModelResponse:
    """Tell which model answers."""
    cfg, n_ctx = loaded.model.cfg, int(loaded.model.cfg.n_ctx)
    return ModelResponse(
        name=loaded.name,
        processing=str(identity_of(loaded.model).processing),
        n_layers=int(cfg.n_layers),
        d_model=int(cfg.d_model),
        n_ctx=n_ctx,
        d_vocab=int(cfg.d_vocab),
        has_tokenizer=tokenizer_of(loaded.model) is not None,
        limits=Limits(
            max_prompt_tokens=min(config.max_prompt_tokens or n_ctx - 1, n_ctx - 1),
            max_new_tokens=min(config.max_new_tokens, n_ctx - 1),
            max_body_bytes=config.max_body_bytes,
            timeout_s=config.timeout_s,
            queue_size=config.queue_size,
            max_batch=config.max_batch,
        ),
    )


def monitors_told(loaded: Loaded) -> list[MonitorTold]:
    """Tell which monitors there are."""
    pairs = zip(loaded.watchlist.entries, loaded.watchlist.monitors, strict=True)
    return [
        MonitorTold(
            name=entry.name, hook=one.hook, reads=one.reads, over=one.over, threshold=one.threshold,
            false_positives=None if one.promised is None else PromiseTold(
                share=one.promised.estimate, low=one.promised.low, high=one.promised.high, level=one.promised.level,
                controls=one.promised.n_clusters,
            ),
            higher_is_alarm=one.higher_is_alarm, at_least=one.at_least, action=entry.action.value,
            actions=[action.value for action in loaded.watchlist.actions(entry.name)], route=entry.route,
            required=entry.required,
        )
        for entry, one in pairs
    ]  # fmt: skip
