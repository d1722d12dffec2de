"""How well labels say where features are active: detection and fuzzing, against labels of other features."""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool
from pydantic import Field, NonNegativeInt, PositiveInt

from interp_lab.config import Config
from interp_lab.experiment import Progress, silent
from interp_lab.sae.features import FeatureStore
from interp_lab.sae.naming.contexts import Contexts
from interp_lab.sae.naming.described import described_documents
from interp_lab.sae.naming.prompts import explanation_prompt, parsed_answers
from interp_lab.sae.naming.scores import LabelScore, LabelScores, paired_difference_of, share_interval
from interp_lab.sae.naming.tasks import Questions, Task, questions, strongest_and_others

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
    written_from: Contexts | FeatureStore | None,
    config: JudgingConfig | None = None,
    progress: Progress = silent,
) -> LabelScores:
    """Ask a judge where features are active, told their labels, and again told the label of another feature.

    Args:
        contexts: not those that the labels were written from; see `split_contexts`. Of equal texts one is used.
        written_from: the contexts that the labels were written from, or the folder of features that they were made of
            (heuristic labels); `None` if no text was read for them.
        labels: by latent, at least two that differ.
        judge: answers the same way to the same prompt, or the comparison carries its noise.

    Raises: ValueError, if a label was written from a context or document it would be judged on, if the labels are all
        the same, or for a latent that was not read in the contexts.
    Source: Paulo et al. 2024, arXiv 2410.13928 (detection, fuzzing); control and treatment of unread answers are ours.
    """
    config = config or JudgingConfig()
    if isinstance(written_from, Contexts):
        contexts.require_apart(written_from)
    elif written_from is not None:
        contexts.require_none_of(described_documents(written_from))
    contexts, others = contexts.distinct(), other_labels(labels, seed=config.seed)
    scores, too_few = [], []
    for done, (latent, label) in enumerate(labels.items()):
        progress(done, len(labels), f"{task} of latent {latent}")
        asked = questions(contexts, latent, task=task, n_per_answer=config.n_per_answer, seed=config.seed)
        if asked is None:
            too_few.append(latent)
            continue
        scores.append(_score(latent, (label, others[latent]), asked, judge, config))
    return LabelScores(task, tuple(scores), tuple(too_few), config.level)


def _score(latent: int, told: tuple[str, str], asked: Questions, judge: Explainer, config: JudgingConfig) -> LabelScore:
    """Ask everything twice, told the own label and told the other."""
    (right, read), (right_other, read_other) = (
        _answers(asked, label, judge, per_prompt=config.per_prompt) for label in told
    )
    both = read & read_other
    return LabelScore(
        latent=latent,
        label=told[0],
        accuracy=share_interval(right.astype(np.float64), per_prompt=config.per_prompt, level=config.level),
        n_contexts=len(right),
        n_unread=int((~read).sum()),
        other_label=told[1],
        other_accuracy=float(right_other.mean()),
        n_unread_other=int((~read_other).sum()),
        difference=paired_difference_of(
            right.astype(np.float64), right_other.astype(np.float64), truths=asked.truths, both=both
        ),
        n_both=int(both.sum()),
    )


def other_labels(labels: Mapping[int, str], *, seed: int) -> dict[int, str]:
    """Return for each latent a label of another, drawn from those that read differently, case and spaces aside.

    Raises: ValueError, if no label differs from another.
    """
    if len({_plain(label) for label in labels.values()}) < 2:
        raise ValueError(
            f"{len(labels)} labels that all read the same leave no control; judge two that differ at least"
        )
    rng = np.random.default_rng(seed)
    return {
        latent: str(rng.choice([other for other in labels.values() if _plain(other) != _plain(label)]))
        for latent, label in labels.items()
    }


def _plain(label: str) -> str:
    return " ".join(label.split()).casefold()


def _answers(
    asked: Questions, label: str, judge: Explainer, *, per_prompt: int
) -> tuple[Bool[np.ndarray, " question"], Bool[np.ndarray, " question"]]:
    """Return which answers are right, and which could be read; what could not is not right."""
    given = [
        answer
        for prompt, n in asked.prompts(label, per_prompt=per_prompt)
        for answer in parsed_answers(judge(prompt), n=n)
    ]
    read = np.array([answer is not None for answer in given])
    right = [answer is not None and answer == truth for answer, truth in zip(given, asked.truths, strict=True)]
    return np.array(right, dtype=bool), read
