"""The figures on the card of an induction organism, and what they must come to."""

import math

import numpy as np
from jaxtyping import Float

from interp_lab.stats import mean_interval
from interp_lab.training.anatomy import Anatomy
from interp_lab.training.card import CardRow, Target
from interp_lab.training.config import CardConfig
from interp_lab.types import Interval, head_name

MOST_SECOND_COPY_LOSS = 0.6
LEAST_ATTENTION = 0.6
MOST_ATTENTION_WITHOUT = 0.2
FIRST_COPY_TOLERANCE = 0.15
"""Nats around the logarithm of the number of symbols; symbols do not come twice in a segment, so that a
perfect guesser of 25 tokens is 0.08 below it."""


def card_rows(trained: Anatomy, untrained: Anatomy, *, config: CardConfig, n_symbols: int) -> tuple[CardRow, ...]:
    """Turn two measurements into figures with controls and targets."""
    return (
        *_loss_rows(trained, untrained, config=config, n_symbols=n_symbols),
        *_attention_rows(trained, untrained),
        *_composition_rows(trained),
    )


def _loss_rows(trained: Anatomy, untrained: Anatomy, *, config: CardConfig, n_symbols: int) -> tuple[CardRow, ...]:
    chance = math.log(n_symbols)
    targets = {
        "first": Target(chance - FIRST_COPY_TOLERANCE, chance + FIRST_COPY_TOLERANCE),
        "second": Target(high=MOST_SECOND_COPY_LOSS),
    }
    return tuple(
        _beside_untrained(
            f"{copy}-copy loss, period {period}, prefix {offset}",
            "nats",
            *(getattr(anatomy, f"{copy}_copy_loss")[nth] for anatomy in (trained, untrained)),
            target=target,
        )
        for copy, target in targets.items()
        for nth, (period, offset) in enumerate(config.conditions)
    )


def _attention_rows(trained: Anatomy, untrained: Anatomy) -> tuple[CardRow, ...]:
    previous = [anatomy.previous_token[:, *anatomy.previous_head] for anatomy in (trained, untrained)]
    induction = [anatomy.induction[:, *anatomy.induction_head] for anatomy in (trained, untrained)]
    target = Target(low=LEAST_ATTENTION)
    return (
        _beside_untrained(
            f"previous-token score of {head_name(trained.previous_head)}", "probability", *previous, target=target
        ),
        _beside_untrained(
            f"induction score of {head_name(trained.induction_head)}", "probability", *induction, target=target
        ),
    )


def _composition_rows(trained: Anatomy) -> tuple[CardRow, ...]:
    writer, reader = trained.previous_head, trained.induction_head
    pair = f"{head_name(writer)} -> {head_name(reader)}"
    scores, null = trained.composition[:, reader[1]], trained.random_composition
    own = _exact(float(scores[writer[1]]))
    others = np.delete(scores, writer[1])
    low, high = np.quantile(null, [0.025, 0.975])
    random = Interval(float(null.mean()), float(low), float(high))
    without = [mean_interval(row.astype(float)) for row in trained.induction_without]
    spared = [interval for head, interval in enumerate(without) if head != writer[1]]
    score = f"K-composition score {pair}"
    best = _exact(float(others.max()))
    return (
        CardRow(score, "share", own, random, "random matrices", Target(low=random.high)),
        CardRow(f"{score}, among its layer", "share", own, best, "best other writer", Target(low=best.high)),
        CardRow(
            f"induction score of {head_name(reader)}, {head_name(writer)} resampled in its keys",
            "probability",
            without[writer[1]],
            min(spared, key=lambda interval: interval.estimate),
            "worst other writer resampled",
            Target(high=MOST_ATTENTION_WITHOUT),
        ),
    )


def _beside_untrained(
    figure: str,
    unit: str,
    trained: Float[np.ndarray, " example"],
    untrained: Float[np.ndarray, " example"],
    *,
    target: Target,
) -> CardRow:
    value, control = (mean_interval(values.astype(float)) for values in (trained, untrained))
    return CardRow(figure, unit, value, control, "untrained", target)


def _exact(value: float) -> Interval:
    """A number read off the weights: nothing was sampled."""
    return Interval(value, value, value)
