"""What came of putting labels to the test: accuracies with intervals, and own labels against those of others."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import stats

from interp_lab.sae.naming.tasks import Task
from interp_lab.stats import mean_interval
from interp_lab.types import Interval

MOST_UNREAD = 0.1
"""Share of unread answers, to own or to other labels, above which a summary warns."""


@dataclass(frozen=True)
class LabelScore:
    """One label, judged on contexts it was not written from."""

    latent: int
    label: str
    accuracy: Interval
    """Balanced accuracy, 0.5 is chance; an answer that cannot be read counts as wrong. See `share_interval`."""
    n_contexts: int
    n_unread: int
    """Answers that could not be read."""
    other_label: str
    """Of another feature: the control."""
    other_accuracy: float
    """The same judge on the same contexts, told the other label."""
    n_unread_other: int
    difference: float
    """Balanced accuracy told the own label minus told the other, on the questions read under both, so that answers
    withheld under one of them make no difference; NaN where none with yes or none with no was."""
    n_both: int
    """Questions read under both labels."""


@dataclass(frozen=True)
class LabelScores:
    """Labels of several features, judged in one way."""

    task: Task
    scores: tuple[LabelScore, ...]
    too_few: tuple[int, ...]
    """Latents with labels that have fewer than two contexts for either answer: not judged."""
    level: float

    def accuracy(self) -> Interval:
        """Return the mean balanced accuracy, interval over features; unread answers count as wrong.

        Raises: ValueError, for fewer than two judged features.
        """
        return self._mean(np.array([one.accuracy.estimate for one in self.scores]))

    def other_accuracy(self) -> Interval:
        """Return the same with labels of other features: what a judge reaches that is told nothing useful."""
        return self._mean(np.array([one.other_accuracy for one in self.scores]))

    def difference(self) -> Interval:
        """Return own label minus other label, paired by question and feature: what the labels themselves contribute.

        It stands on the questions read under both labels. Features without such questions are left out.

        Raises: ValueError, for fewer than two features that have them.
        """
        values = np.array([one.difference for one in self.scores])
        return self._mean(values[~np.isnan(values)])

    @property
    def unread(self) -> float:
        """Share of the answers, to own labels, that could not be read."""
        return self._share([one.n_unread for one in self.scores])

    @property
    def unread_other(self) -> float:
        """Share of the answers, to other features' labels, that could not be read."""
        return self._share([one.n_unread_other for one in self.scores])

    def table(self) -> pd.DataFrame:
        """Return a row per latent."""
        return pd.DataFrame(
            [
                {
                    "latent": one.latent,
                    "label": one.label,
                    **one.accuracy.columns("accuracy"),
                    "n_contexts": one.n_contexts,
                    "n_unread": one.n_unread,
                    "other_label": one.other_label,
                    "other_accuracy": one.other_accuracy,
                    "n_unread_other": one.n_unread_other,
                    "difference": one.difference,
                    "n_both": one.n_both,
                }
                for one in self.scores
            ]
        )

    def summary(self) -> str:
        """Return the comparison in one sentence, and a warning where many answers could not be read."""
        few = f"{len(self.too_few)} features with too few contexts"
        if not self.scores:
            return f"{self.task}: no feature judged; {few}"
        unread = f"{self.unread:.1%} of answers unread, {self.unread_other:.1%} with other labels"
        warned = "" if max(self.unread, self.unread_other) <= MOST_UNREAD else (
            "; TOO MANY UNREAD: accuracies count them as wrong, and the difference stands on the "
            f"{self._share([one.n_both for one in self.scores]):.0%} of questions read under both labels"
        )  # fmt: skip
        return f"{self.task}: {self._compared()}; {unread}, {few}{warned}"

    def _compared(self) -> str:
        one, n_compared = self.scores[0], sum(not np.isnan(one.difference) for one in self.scores)
        if len(self.scores) == 1:
            return (
                f"balanced accuracy {one.accuracy} of one feature (interval over its prompts), with another feature's "
                f"label {one.other_accuracy:.3f}"
            )
        told = str(self.difference()) if n_compared > 1 else f"not known ({n_compared} features read under both labels)"
        return (
            f"balanced accuracy {self.accuracy()} over {len(self.scores)} features, with other features' labels "
            f"{self.other_accuracy()}, difference {told}"
        )

    def _share(self, counts: list[int]) -> float:
        asked = sum(one.n_contexts for one in self.scores)
        return sum(counts) / asked if asked else 0.0

    def _mean(self, values: Float[np.ndarray, " feature"]) -> Interval:
        if len(values) < 2:
            raise ValueError(f"{len(values)} judged feature has no spread between features; judge two or more")
        return mean_interval(values.astype(np.float64), level=self.level)


def paired_difference_of(
    right: Float[np.ndarray, " question"],
    right_other: Float[np.ndarray, " question"],
    *,
    truths: Bool[np.ndarray, " question"],
    both: Bool[np.ndarray, " question"],
) -> float:
    """Return the balanced difference on the questions in `both`: mean of that on yes and that on no, NaN without one.

    Balanced, because a judge may withhold its answers where it would say no.
    """
    sides = [(right - right_other)[both & (truths == truth)] for truth in (True, False)]
    return float(np.mean([side.mean() for side in sides])) if all(map(len, sides)) else float("nan")


def share_interval(right: Float[np.ndarray, " question"], *, per_prompt: int, level: float) -> Interval:
    """Return the share of right answers with an interval that takes prompts, not answers, for independent.

    Wilson's, which is not empty where all are right, with as many answers as would be worth as much if each had a
    prompt of its own (at most as many as there are), and Student's quantile for the number of prompts. Where all
    answers are equal nothing is known of how they hang together, and each prompt counts as one. Of 95% intervals 95.8%
    to 100% held the truth in simulations: 4 to 8 prompts of 5 or 10, shares 0.5 to 0.97, answers of a prompt drawn each
    by itself or together.

    Source: Wilson 1927; design effects as in Kish 1965.
    """
    n, share = len(right), float(right.mean())
    parts = [right[start : start + per_prompt] for start in range(0, n, per_prompt)]
    excess = np.array([part.sum() - share * len(part) for part in parts])
    plain = share * (1 - share) / n
    clustered = len(parts) / max(len(parts) - 1, 1) * float(np.square(excess).sum()) / n**2
    worth = n / max(clustered / plain, 1) if plain > 0 else len(parts)
    z = float(stats.t.ppf((1 + level) / 2, max(len(parts) - 1, 1)))
    middle = (share + z**2 / (2 * worth)) / (1 + z**2 / worth)
    half = z / (1 + z**2 / worth) * float(np.sqrt(share * (1 - share) / worth + z**2 / (4 * worth**2)))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Interval(share, min(low, share), max(high, share), level, len(parts))
