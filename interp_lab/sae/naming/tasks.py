"""What a judge is asked about one latent: contexts with a known answer, as many with yes as with no."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from interp_lab.sae.naming.contexts import Contexts
from interp_lab.sae.naming.prompts import ACTIVE_SHARE, detection_prompt, fuzzing_prompt

Task = Literal["detection", "fuzzing"]


@dataclass(frozen=True)
class Questions:
    """Contexts in the order they are asked about, and the right answer to each; half of the answers are yes."""

    task: Task
    texts: tuple[tuple[str, ...], ...]
    marks: tuple[Bool[np.ndarray, " pos"], ...]
    """Tokens that fuzzing highlights."""
    truths: Bool[np.ndarray, " question"]

    def prompts(self, label: str, *, per_prompt: int) -> list[tuple[str, int]]:
        """Return what to ask, and how many answers are awaited to each."""
        asked = []
        for start in range(0, len(self.texts), per_prompt):
            texts, marks = self.texts[start : start + per_prompt], self.marks[start : start + per_prompt]
            prompt = detection_prompt(label, texts) if self.task == "detection" else fuzzing_prompt(label, texts, marks)
            asked.append((prompt, len(texts)))
        return asked


def questions(contexts: Contexts, latent: int, *, task: Task, n_per_answer: int, seed: int) -> Questions | None:
    """Return what a judge is asked about a latent, `None` where there are not two contexts for either answer.

    No two contexts are of one document, so that each answer counts by itself.

    Detection: contexts in which the latent is active somewhere (spread evenly over its strengths) against contexts in
    which it is active nowhere. Fuzzing: contexts in which it is active, with the tokens it fires on highlighted (at
    least 0.3 of the context's largest value) against others with as many of the tokens on which it is silent.

    Args:
        n_per_answer: contexts with yes, and as many with no, if there are so many.

    Source: Paulo et al. 2024, arXiv 2410.13928; here the answers are balanced, so that accuracy is balanced accuracy.
    """
    rng = np.random.default_rng([seed, latent, task == "fuzzing"])
    values = contexts.of(latent)
    peaks = values.max(-1)
    active = _one_each(np.flatnonzero(peaks > 0), contexts.documents, rng)
    fires = values >= ACTIVE_SHARE * np.maximum(peaks, np.finfo(np.float32).tiny)[:, None]
    if task == "detection":
        yes = _spread(active, peaks, min(n_per_answer, len(active)), rng)
        others = (peaks <= 0) & ~np.isin(contexts.documents, contexts.documents[yes])
        no = rng.permutation(_one_each(np.flatnonzero(others), contexts.documents, rng))[: len(yes)]
        n = min(len(yes), len(no))
        chosen = np.concatenate([rng.permutation(yes)[:n], no[:n]])
    else:
        active = active[[(values[place] <= 0).sum() >= fires[place].sum() for place in active]]
        n = min(n_per_answer, len(active) // 2)
        chosen = rng.permutation(_spread(active, peaks, 2 * n, rng))
    if n < 2:
        return None
    truths = np.repeat([True, False], n)
    marks = [
        fires[place] if truth else _elsewhere(values[place], int(fires[place].sum()), rng)
        for place, truth in zip(chosen, truths, strict=True)
    ]
    order = rng.permutation(len(chosen))
    texts = tuple(contexts.texts[chosen[nth]] for nth in order)
    return Questions(task, texts, tuple(marks[nth] for nth in order), truths[order])


def strongest_and_others(
    contexts: Contexts, latent: int, *, n: int, seed: int
) -> list[tuple[Sequence[str], Float[np.ndarray, " pos"]]]:
    """Return contexts to write a label from: half the strongest, half from all strengths; fewer if there are no more.

    Labels from the strongest alone miss what a latent does at lower values.
    """
    values = contexts.of(latent)
    peaks = values.max(-1)
    active = np.flatnonzero(peaks > 0)
    active = active[np.argsort(-peaks[active], kind="stable")]
    top, rest = active[: (n + 1) // 2], active[(n + 1) // 2 :]
    others = _spread(rest, peaks, min(n // 2, len(rest)), np.random.default_rng([seed, latent, 2]))
    return [(contexts.texts[place], values[place]) for place in (*top, *others)]


def _one_each(
    places: Int[np.ndarray, " place"], documents: Int[np.ndarray, " context"], rng: np.random.Generator
) -> Int[np.ndarray, " kept"]:
    """Return one place, at random, of each document."""
    mixed = rng.permutation(places)
    return np.sort(mixed[np.unique(documents[mixed], return_index=True)[1]])


def _spread(
    places: Int[np.ndarray, " place"], peaks: Float[np.ndarray, " context"], n: int, rng: np.random.Generator
) -> Int[np.ndarray, " chosen"]:
    """Return one place from each of `n` equal parts of the places, which are ordered by peak."""
    ordered = places[np.argsort(-peaks[places], kind="stable")]
    return np.array([rng.choice(part) for part in np.array_split(ordered, n)] if n else [], dtype=np.int64)


def _elsewhere(values: Float[np.ndarray, " pos"], n: int, rng: np.random.Generator) -> Bool[np.ndarray, " pos"]:
    """Return marks on tokens where the latent is silent; none where detection has no use for marks."""
    silent = np.flatnonzero(values <= 0)
    mark = np.zeros(len(values), dtype=bool)
    mark[rng.choice(silent, size=min(n, len(silent)), replace=False)] = True
    return mark
