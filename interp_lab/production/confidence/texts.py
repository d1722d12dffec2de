"""Confidence in words."""

from interp_lab.production.confidence.claimed import ConfidenceClaims
from interp_lab.production.confidence.names import BASE_RATE, PROBABILITY
from interp_lab.production.confidence.tables import levels_table

SORTING_DOES_NOT_SHOW = (
    "That the model knows when it is wrong, or uses what a signal reads: these are associations. Probabilities hold "
    "for prompts drawn like those that calibrate; the test of shift finds prompts whose activations are far from "
    "these, not every kind of prompt on which probabilities are off."
)
LEVELS_DO_NOT_SHOW = (
    "How likely a single answer is to be right in any other sense than: of answers with such signals, so many are. "
    "Exact intervals of shares take answers for independent of each other, and those of one template are alike."
)


def sorts(found: ConfidenceClaims) -> str:
    """Return how good the primary probability is beside the model's own, on every part."""
    told, c = [], found.config
    at, own = found.confidences.index(c.primary), found.confidences.index(PROBABILITY)
    for part, held in found.parts.items():
        error, inner = found.calibration(c.primary, held)
        before, _ = found.calibration(PROBABILITY, held)
        brier, area = (found.measured(one, held) for one in ("brier", "auroc"))
        text = (
            f"{part}: calibration error {error.ece:.3f} (chance alone up to {error.of_calibrated:.3f}; without it "
            f"{inner}), of the model's own probability {before.ece:.3f}; right told from wrong, area under the ROC "
            f"curve {area[at]}; Brier score {brier[at]}, own {brier[own]}"
        )
        if c.primary != PROBABILITY:
            names, gain = found.beyond("brier", held, against=PROBABILITY)
            if gain is not None:
                text += f", difference {gain.intervals.at(names.index(c.primary))}"
        told.append(text)
    return f"{c.primary}. {'. '.join(told)}."


def says(found: ConfidenceClaims) -> str:
    """Return where levels are said, and whether they hold."""
    table, told = levels_table(found), []
    for part, held in found.parts.items():
        why = found.refused(held)
        own = table[(table["part"] == part) & (table["answers"] > 0)]
        within = f"the share right contradicts {int((~own['within_range'].astype(bool)).sum())} of {len(own)} levels"
        told.append(f"{part}: {within}" if why is None else f"{part}: refused, as {why} ({within})")
    return ". ".join(told) + "."


def summary(found: ConfidenceClaims) -> str:
    """Return what was found, in a few lines."""
    c = found.config
    lines = [f"{c.model}, {c.task}: {found.report.right.mean():.0%} of {len(found.report.right)} answers are right"]
    for part, held in found.parts.items():
        error, _ = found.calibration(c.primary, held)
        own, _ = found.calibration(PROBABILITY, held)
        names = found.confidences
        brier, area = found.measured("brier", held), found.measured("auroc", held)
        lines.append(
            f"{part}: calibration error of {c.primary} {error.ece:.3f} (chance up to {error.of_calibrated:.3f}), of "
            f"the model's own probability {own.ece:.3f} (chance up to {own.of_calibrated:.3f}); Brier score "
            f"{brier[names.index(c.primary)]}, own {brier[names.index(PROBABILITY)]}, of a constant "
            f"{brier[names.index(BASE_RATE)].estimate:.3f}; right told from wrong {area[names.index(c.primary)]}"
        )
        why = found.refused(held)
        lines.append("  levels are said" if why is None else f"  no levels: {why}")
    return "\n".join(lines)
