"""Why does a model say the wrong thing? Where the wrong token overtakes, and whether the right one is readable at all.

Triage goes by three rules, over prompts that a model gets wrong:

    shortcut            the right answer arrives: behind the last block it is readable at the end, and in most prompts
                        nothing but the wrong token is ahead of it there.
    broken routing      it is readable at some place, and does not arrive: not readable at the end, or in most prompts
                        other tokens are ahead of it, too.
    missing knowledge   it is readable nowhere, and no interval reaches up to where it would be.

*Readable* at a place means that the right answer outranks at least a given share (80%) of the right answers of other
prompts, with an interval clear of one half: retrieval failure is told from absence by a control, not by a rank. The
place is chosen on one half of the prompts and read on the other. Of answers of which there are only two, the control
is the wrong one, which is ahead at the end: there, *arrives* is that the right one is readable at the end at some
depth, and still second at the last.

All of this describes. A lens sees what the unembedding could read; what is written in another basis is "nowhere" to it.
What a place does is for the causal follow-up to say (`follow_up.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from interp_lab.lenses.asked import END, Asked
from interp_lab.lenses.logit_lens import Lens, read_lens
from interp_lab.lenses.readable import CHANCE, ROUNDING, outranked, units_of
from interp_lab.stats import Intervals, bootstrap_interval, bounded_interval, split_by_template
from interp_lab.types import HookedModel, Interval

FEWEST = 16
"""Prompts from which there is a triage."""
_MOST = 0.5
"""Share of prompts that is most of them."""


class Verdict(StrEnum):
    """What a triage says."""

    SHORTCUT = "shortcut"
    BROKEN_ROUTING = "broken routing"
    MISSING_KNOWLEDGE = "missing knowledge"
    UNCLEAR = "unclear"
    """An interval reaches across the line that a rule draws: more prompts would tell."""


@dataclass(frozen=True)
class ReadablePlace:
    """A place where the right answer was looked for: a point of the residual stream, and what stands there."""

    point: str
    place: str
    outranked: Interval
    """Share of shuffled answers that the right one outranks, on prompts that did not choose the place."""
    rank: float
    """Tokens of the whole vocabulary preferred to it, on the median prompt."""
    probability: float
    """Mean."""

    def is_readable(self, *, at_least: float) -> bool:
        """Whether enough shuffled answers are outranked, and clearly more than half."""
        return self.outranked.estimate >= at_least and self.outranked.low > CHANCE

    def __str__(self) -> str:
        return f"{self.place}, {self.point}"


@dataclass(frozen=True)
class Triage:
    """What went wrong in prompts that a model gets wrong, with the numbers behind it; descriptive."""

    lens: str
    points: tuple[str, ...]
    places: tuple[str, ...]
    usable: Bool[np.ndarray, " place"]
    """Places that do not give the answer away."""
    clusters: tuple[str, ...]
    select: Int[np.ndarray, " select"]
    """Prompts that choose places."""
    report: Int[np.ndarray, " report"]
    """The others."""
    margin: Float[np.ndarray, "point example"]
    """Logit of the right token minus that of the wrong one, at the end position."""
    outranked: Float[np.ndarray, "point example place"]
    """Share of shuffled answers that the right one outranks."""
    rank: Int[np.ndarray, "point example place"]
    probability: Float[np.ndarray, "point example place"]
    two_answers: bool
    """Whether the answers are of a kind that has only two."""
    at_least: float
    level: float
    seed: int

    @cached_property
    def best(self) -> ReadablePlace:
        """Where the right answer is read best, of all points and places; chosen on one half."""
        means = np.where(self.usable, self.outranked[:, self.select].mean(1), -1.0)
        point, place = np.unravel_index(int(means.argmax()), means.shape)
        return self.at(int(point), int(place))

    @cached_property
    def on_the_way(self) -> ReadablePlace:
        """At the end position, the point where it is read best; chosen on one half."""
        end = self.places.index(END)
        return self.at(int(self.outranked[:, self.select, end].mean(1).argmax()), end)

    @cached_property
    def at_end(self) -> ReadablePlace:
        """Behind the last block, where the answer is predicted; nothing is chosen."""
        return self.at(len(self.points) - 1, self.places.index(END))

    @cached_property
    def second(self) -> Interval:
        """Share of prompts in which, at the end, nothing but the wrong token is ahead of the right one."""
        is_second = self.rank[-1, self.report, self.places.index(END)] <= 1
        return bounded_interval(is_second.astype(float), self._units, level=self.level)

    @property
    def _units(self) -> list[str] | None:
        return units_of([self.clusters[i] for i in self.report])

    def at(self, point: int, place: int) -> ReadablePlace:
        """Return what is read at a place, by numbers, on the half that did not choose."""
        rows = self.report
        shares = self.outranked[point, rows, place]
        return ReadablePlace(
            point=self.points[point],
            place=self.places[place],
            outranked=bounded_interval(shares, self._units, level=self.level),
            rank=float(np.median(self.rank[point, rows, place])),
            probability=float(self.probability[point, rows, place].mean()),
        )

    @cached_property
    def verdict(self) -> Verdict:
        """The rule that applies; see the module."""
        arrived = self.on_the_way if self.two_answers else self.at_end
        if arrived.is_readable(at_least=self.at_least) and self.second.high >= _MOST:
            return Verdict.SHORTCUT if self.second.low > _MOST else Verdict.UNCLEAR
        looked = (self.best, self.on_the_way, self.at_end)
        if any(one.is_readable(at_least=self.at_least) for one in looked):
            return Verdict.BROKEN_ROUTING
        absent = all(one.outranked.high < self.at_least for one in looked)
        return Verdict.MISSING_KNOWLEDGE if absent else Verdict.UNCLEAR

    def overtakes(self) -> Int[np.ndarray, " example"]:
        """Return for each prompt the point from which on the wrong token is ahead up to the last one, by number."""
        ahead = self.margin < -ROUNDING
        return len(ahead) - np.cumprod(ahead[::-1], 0).sum(0)

    def margins(self) -> Intervals:
        """Return the mean margin over all prompts, point by point (logits)."""
        return bootstrap_interval(self.margin, units_of(self.clusters), level=self.level, seed=self.seed)

    @cached_property
    def overtaking_point(self) -> str:
        """Where the wrong token overtakes, on the median prompt."""
        return self.points[min(int(np.median(self.overtakes())), len(self.points) - 1)]

    def reasons(self) -> str:
        """Return the verdict with the numbers that the rules were applied to."""
        end, way, best = self.at_end, self.on_the_way, self.best
        return (
            f"{self.verdict}: at the end, behind the last block, the right answer outranks {end.outranked} of shuffled "
            f"answers (in {self.second} of prompts only the wrong token is ahead of it); on its way there at best "
            f"{way.outranked} ({way.point}); at any place at best {best.outranked} ({best}, rank {best.rank:.0f}, "
            f"probability {best.probability:.3f}). Readable: {self.at_least:.0%} or more, clearly above {CHANCE:.0%}. "
            f"The wrong token overtakes {self.overtaking_point} ({self.margin.shape[1]} prompts, {self.lens})"
        )


def triage(
    model: HookedModel,
    prompts: Asked,
    *,
    lens: Lens | None = None,
    points: Sequence[str] | None = None,
    at_least: float = 0.8,
    level: float = 0.95,
    seed: int = 0,
) -> Triage:
    """Say at which depth the wrong token overtakes, whether the right one is readable anywhere, and which rule applies.

    Args:
        prompts: that the model gets wrong; see `model_errors`.
        at_least: share of shuffled answers to outrank at a readable place.

    Raises: ValueError, for a right token that is ahead at the end, too few prompts, or a share that is no more than
        chance; as `read_lens`.
    """
    n = len(prompts.tokens)
    if n < FEWEST:
        raise ValueError(f"{n} wrong completions tell nothing apart; give {FEWEST} or more, or look at their readings")
    if not CHANCE < at_least <= 1:
        raise ValueError(f"at_least={at_least} must lie above {CHANCE} (chance) and not above 1")
    reading = read_lens(
        model, prompts.tokens, prompts.answers.targets(), lens=lens, points=points, positions=prompts.positions,
        mask=prompts.mask,
    )  # fmt: skip
    places = tuple(prompts.places)
    end = places.index(END)
    margin = reading.logit[:, :, end, 0] - reading.logit[:, :, end, 1]
    if (margin[-1] > 0).any():
        raise ValueError(
            f"in prompt {np.flatnonzero(margin[-1] > 0)[0]} (of {(margin[-1] > 0).sum()}) the right token is ahead of "
            "the wrong one: nothing went wrong there; take the prompts that fail with model_errors"
        )
    usable = ~prompts.gives_away()
    usable[end] = True
    select, report = _halves(prompts, seed)
    return Triage(
        lens=reading.name,
        points=reading.points,
        places=places,
        usable=usable,
        clusters=prompts.clusters,
        select=select,
        report=report,
        margin=margin,
        outranked=outranked(reading),
        rank=reading.rank[..., 0],
        probability=reading.probability[..., 0],
        two_answers=bool((prompts.answers.shuffled == prompts.answers.wrong[:, None]).all()),
        at_least=at_least,
        level=level,
        seed=seed,
    )


def _halves(prompts: Asked, seed: int) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]:
    """Return which prompts choose and which report; of every template on both sides, where it has two."""
    if min(prompts.clusters.count(name) for name in set(prompts.clusters)) > 1:
        splits = split_by_template(prompts.clusters, held_out=None, seed=seed)
        return splits.select, splits.report
    order, half = np.random.default_rng(seed).permutation(len(prompts.tokens)), len(prompts.tokens) // 2
    return np.sort(order[:half]), np.sort(order[half:])
