"""What is kept of each part of the texts: scores, labels, and what was written under alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from interp_lab.production.monitors.bank import MonitorBank
from interp_lab.production.monitors.cases import Cases, begun_with
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.fitting import keyword_scores, word_scores
from interp_lab.production.monitors.monitor import Monitor
from interp_lab.production.monitors.own_output import NEXT, SURPRISE, output_scores
from interp_lab.production.monitors.responding import Outcome
from interp_lab.production.monitors.watched import readings_on
from interp_lab.runs.fields import KeptFields
from interp_lab.types import HookedModel

KEYWORDS, WORDS = "keyword filter", "words, learned"
"""Filters that see words only."""
UNWATCHED, STOPPED, STEERED = "unwatched", "stop", "steer"
"""What the model writes under."""


@dataclass(frozen=True)
class Part(KeptFields):
    """Texts of one part."""

    labels: Bool[np.ndarray, " text"]
    """Whether it is to be warned of."""
    templates: Shaped[np.ndarray, " text"]
    scores: Float[np.ndarray, "score text"]
    """Highest aggregate that a monitor, or the model's output, reached, which is what alarms go by; of a filter, its
    score."""
    first: Float[np.ndarray, "score text"]
    """Tokens that were still to be read when a monitor first passed its threshold; NaN where it never did, and for all
    that is no monitor."""
    says: Float[np.ndarray, "way text"]
    """1 where a word was written that should not be; no ways at all where nothing was written."""
    changed: Float[np.ndarray, "way text"]
    """1 where something else was written than unwatched."""

    @property
    def controls(self) -> Bool[np.ndarray, " text"]:
        """Texts that no alarm should be raised for."""
        return ~self.labels

    def under(self, outcomes: Sequence[Outcome]) -> "Part":
        """Return it with what was written, the first way being unwatched."""
        own = np.stack([self.labels.astype(np.float64), *(one.says for one in outcomes)])
        changed = np.stack([np.zeros(len(self.labels)), *(one.changed for one in outcomes)])
        return Part(self.labels, self.templates, self.scores, self.first, own, changed)


@dataclass(frozen=True)
class Choice(KeptFields):
    """What was fitted here, and how well each told texts apart on those that choose."""

    names: tuple[str, ...]
    """In the order of layers."""
    auroc: Float[np.ndarray, " monitor"]
    strengths: Float[np.ndarray, " strength"]
    said: Float[np.ndarray, " strength"]
    """Share of the texts to warn of in which the words were written all the same, under the response."""


@dataclass(frozen=True)
class Made(KeptFields):
    """The monitor that was chosen, and what its alarms set off."""

    hook: str
    weights: Float[np.ndarray, " d"]
    bias: float
    added: Float[np.ndarray, " d_response"]
    """What the response adds, at its strength; nothing where nothing was written."""


@dataclass(frozen=True)
class Cost(KeptFields):
    """Multiply-adds of one token."""

    monitor: int
    """Of one monitor."""
    model: int
    """Of the model, counted."""


def peaks(
    model: HookedModel, cases: Cases, monitors: Sequence[Monitor], *, batch_size: int
) -> tuple[Float[np.ndarray, "monitor text"], Float[np.ndarray, "monitor text"]]:
    """Return the highest aggregate of each monitor in each text, and how many tokens before the end it was passed.

    Raises: ValueError, for a text of which a monitor reads too few tokens for its aggregate.
    """
    bank = MonitorBank(tuple(monitors))
    given = [list(ids) for ids in cases.ids]
    found, alarms = readings_on(model, given, bank, prompt_lengths=cases.prompt_lengths, batch_size=batch_size)
    unread = np.argwhere(np.isnan(found.running).all(1))
    if len(unread):
        text, nth = unread[0]
        raise ValueError(
            f"monitor {bank.names[nth]!r} reads too few tokens of {cases.texts[text]!r} for over="
            f"{monitors[nth].over!r}; aggregate by 'max', or let the model write more with words_before"
        )
    signs = np.array([one.sign for one in monitors])
    highest = np.nanmax(found.running * signs, axis=1).T.astype(np.float64)
    first = np.full(highest.shape, np.nan)
    for alarm in alarms:
        row = int(alarm.request)
        first[bank.names.index(alarm.monitor), row] = len(cases.ids[row]) - 1 - alarm.position
    return highest, first


def without_monitor(
    model: HookedModel, fit: Cases, parts: Mapping[str, Cases], config: MonitorsConfig
) -> tuple[tuple[str, ...], dict[str, Float[np.ndarray, "score _"]]]:
    """Return what tells texts apart without reading activations, by name, and its scores by part.

    That is the model's own output, a filter of words by hand, and one that has learned words.
    """
    begin = begun_with(model, fit, config)
    outputs = {
        name: output_scores(model, one, begin, over=config.over, batch_size=config.batch_size)
        for name, one in parts.items()
    }
    own = [name for name in (NEXT, SURPRISE) if all(name in one for one in outputs.values())]
    learned = word_scores(fit.texts, fit.labels, [one.texts for one in parts.values()])
    found = {
        name: np.stack([*(outputs[name][score] for score in own), keyword_scores(one.texts, config.keywords), words])
        for (name, one), words in zip(parts.items(), learned, strict=True)
    }
    return (*own, KEYWORDS, WORDS), found
