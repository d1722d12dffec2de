"""How well labels say where features are active: detection and fuzzing, against labels of other features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt
from scipy import stats

from interp_lab.config import Config
from interp_lab.experiment import Progress, silent
from interp_lab.sae.naming.contexts import Contexts
from interp_lab.sae.naming.prompts import explanation_prompt, parsed_answers
from interp_lab.sae.naming.tasks import Questions, Task, questions, strongest_and_others
from interp_lab.stats import mean_interval
from interp_lab.types import Interval

Explainer = Callable[[str], str]
"""A language model: prompt in, text out. It writes labels, and it judges them."""


class JudgingConfig(Config):
    """How labels are put to the test."""

    n_per_answer: PositiveInt = 20
    """Contexts per latent whose right answer is yes, and as many with no."""
    per_prompt: PositiveInt = 5
    """Contexts in one prompt."""
    level: float = Field(0.95, gt=0, lt=1)
    seed: NonNegativeInt = 0


@dataclass(frozen=True)
class LabelScore:
    """One label, judged on contexts it was not written from."""

    latent: int
    label: str
    accuracy: Interval
    """Balanced accuracy, 0.5 is chance; an answer that cannot be read counts as wrong. Wilson's interval, over
    contexts, each of another document."""
    n_contexts: int
    n_unread: int
    """Answers that could not be read."""
    other_label: str
    """Of another feature: the control."""
    other_accuracy: float
    """The same judge on the same contexts, told the other label."""
    n_unread_other: int


@dataclass(frozen=True)
class LabelScores:
    """Labels of several features, judged in one way."""

    task: Task
    scores: tuple[LabelScore, ...]
    too_few: tuple[int, ...]
    """Latents with labels that have fewer than two contexts for either answer: not judged."""
    level: float

    def accuracy(self) -> Interval:
        """Return the mean balanced accuracy, interval over features."""
        return self._mean([one.accuracy.estimate for one in self.scores])

    def other_accuracy(self) -> Interval:
        """Return the same with labels of other features: what a judge reaches that is told nothing useful."""
        return self._mean([one.other_accuracy for one in self.scores])

    def difference(self) -> Interval:
        """Return own label minus other label, paired by feature: what the labels themselves contribute."""
        return self._mean([one.accuracy.estimate - one.other_accuracy for one in self.scores])

    @property
    def unread(self) -> float:
        """Share of the answers, to own labels, that could not be read."""
        asked = sum(one.n_contexts for one in self.scores)
        return sum(one.n_unread for one in self.scores) / asked if asked else 0.0

    def table(self) -> pd.DataFrame:
        """Return a row per latent."""
        return pd.DataFrame(
            [
                {
                    "latent": one.latent,
                    "label": one.label,
                    "accuracy": one.accuracy.estimate,
                    "accuracy_low": one.accuracy.low,
                    "accuracy_high": one.accuracy.high,
                    "n_contexts": one.n_contexts,
                    "n_unread": one.n_unread,
                    "other_label": one.other_label,
                    "other_accuracy": one.other_accuracy,
                    "n_unread_other": one.n_unread_other,
                }
                for one in self.scores
            ]
        )

    def summary(self) -> str:
        """Return the comparison in one sentence."""
        return (
            f"{self.task}: balanced accuracy {self.accuracy()} over {len(self.scores)} features, with other features' "
            f"labels {self.other_accuracy()}, difference {self.difference()}; {self.unread:.1%} of answers unread, "
            f"{len(self.too_few)} features with too few contexts"
        )

    def _mean(self, values: Sequence[float]) -> Interval:
        if len(values) < 2:
            raise ValueError(f"{len(values)} judged feature has no spread between features; judge two or more")
        return mean_interval(np.array(values, dtype=np.float64), level=self.level)


def written_labels(
    contexts: Contexts, explainer: Explainer, *, n_contexts: int = 10, seed: int = 0, progress: Progress = silent
) -> dict[int, str]:
    """Ask for a label for every latent that is active in these contexts; the others get none.

    Args:
        n_contexts: in each prompt, half of them the strongest.
    """
    labels = {}
    for done, latent in enumerate(contexts.latents):
        progress(done, len(contexts.latents), f"label of latent {latent}")
        shown = strongest_and_others(contexts, latent, n=n_contexts, seed=seed)
        if shown:
            labels[latent] = " ".join(explainer(explanation_prompt(shown)).split())
    return labels


def judged_labels(
    contexts: Contexts,
    labels: Mapping[int, str],
    judge: Explainer,
    *,
    task: Task,
    written_from: Contexts | None,
    config: JudgingConfig | None = None,
    progress: Progress = silent,
) -> LabelScores:
    """Ask a judge where features are active, told their labels, and again told the label of another feature.

    Args:
        contexts: not those that the labels were written from; see `split_contexts`. Of equal texts one is used.
        written_from: the contexts that the labels were written from, `None` if none were read for them.
        labels: by latent, at least two that differ.
        judge: answers the same way to the same prompt, or the comparison carries its noise.

    Raises: ValueError, if a label was written from a context or document it would be judged on, if the labels are all
        the same, or for a latent that was not read in the contexts.
    Source: Paulo et al. 2024, arXiv 2410.13928 (detection, fuzzing); control and treatment of unread answers are ours.
    """
    config = config or JudgingConfig()
    if written_from is not None:
        contexts.require_apart(written_from)
    contexts, others = contexts.distinct(), other_labels(labels, seed=config.seed)
    scores, too_few = [], []
    for done, (latent, label) in enumerate(labels.items()):
        progress(done, len(labels), f"{task} of latent {latent}")
        asked = questions(contexts, latent, task=task, n_per_answer=config.n_per_answer, seed=config.seed)
        if asked is None:
            too_few.append(latent)
            continue
        (right, unread), (right_other, unread_other) = (
            _answers(asked, told, judge, per_prompt=config.per_prompt) for told in (label, others[latent])
        )
        accuracy = wilson(right, level=config.level)
        scores.append(
            LabelScore(
                latent, label, accuracy, len(right), unread, others[latent], float(right_other.mean()), unread_other
            )
        )
    return LabelScores(task, tuple(scores), tuple(too_few), config.level)


def other_labels(labels: Mapping[int, str], *, seed: int) -> dict[int, str]:
    """Return for each latent a label of another, drawn from those that read differently.

    Raises: ValueError, if no label differs from another.
    """
    if len(set(labels.values())) < 2:
        raise ValueError(
            f"{len(labels)} labels that all read the same leave no control; judge two that differ at least"
        )
    rng = np.random.default_rng(seed)
    return {
        latent: str(rng.choice([other for other in labels.values() if other != label]))
        for latent, label in labels.items()
    }


def wilson(right: Float[np.ndarray, " question"], *, level: float) -> Interval:
    """Return the share of right answers with Wilson's interval, which is not empty where all are right."""
    ends = stats.binomtest(int(right.sum()), len(right)).proportion_ci(level, method="wilson")
    return Interval(float(right.mean()), float(ends.low), float(ends.high), level, len(right))


def _answers(
    asked: Questions, label: str, judge: Explainer, *, per_prompt: int
) -> tuple[Float[np.ndarray, " question"], int]:
    """Return which answers are right (1 or 0), and how many could not be read."""
    given = [
        answer
        for prompt, n in asked.prompts(label, per_prompt=per_prompt)
        for answer in parsed_answers(judge(prompt), n=n)
    ]
    right = [float(answer is not None and answer == truth) for answer, truth in zip(given, asked.truths, strict=True)]
    return np.array(right), sum(answer is None for answer in given)
