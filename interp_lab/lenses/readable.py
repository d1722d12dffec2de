"""Is the right answer readable at a place? Against the right answers of other prompts: what any prompt would show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.lenses.reading import LensReading
from interp_lab.tasks import Pairs

CHANCE = 0.5
"""Share of shuffled answers that the right one outranks where nothing tells which prompt it is."""

_MOST_LONE = 0.1
"""Share of prompts that may be without another right answer of their kind."""
ROUNDING = 1e-5
"""Logits closer than this (relative to their size) are equal: the attention that a softmax leaves everywhere tells
answers apart at 1e-26."""


@dataclass(frozen=True)
class AskedTokens:
    """Of every prompt the right token, the wrong one, and right ones of other prompts."""

    right: Int[np.ndarray, " example"]
    wrong: Int[np.ndarray, " example"]
    shuffled: Int[np.ndarray, "example control"]
    """Drawn from prompts with another answer of the same kind, neither right nor wrong here (unless there are but
    these two). Every answer stands here about as often as it is right, so that a lens that likes some tokens better
    everywhere outranks half of them."""

    def targets(self) -> Int[Tensor, "example token"]:
        """Return right, wrong and shuffled tokens side by side, for `read_lens`."""
        return torch.from_numpy(np.concatenate([self.right[:, None], self.wrong[:, None], self.shuffled], 1))

    def rows(self, index: Int[np.ndarray, " row"]) -> "AskedTokens":
        """Return those of some of the prompts."""
        return AskedTokens(self.right[index], self.wrong[index], self.shuffled[index])

    def with_wrong(self, wrong: Int[np.ndarray, " example"]) -> "AskedTokens":
        """Return the same with other wrong tokens; these are taken out of the shuffled answers, where others remain."""
        shuffled = self.shuffled.copy()
        for row, token in zip(shuffled, wrong, strict=True):
            others = row[row != token]
            if len(others):
                row[:] = np.resize(others, len(row))
        return AskedTokens(self.right, wrong, shuffled)


def asked_tokens(pairs: Pairs, *, n_shuffled: int = 16, seed: int = 0) -> AskedTokens:
    """Return the first right and wrong token of clean prompts, with shuffled answers; as `asked`.

    Answers are of the same kind if some chain of pairs has them as right and wrong answer: capitals, say, and not
    languages.

    Raises: ValueError, as `asked`.
    """
    return asked(*first_tokens(pairs), n_shuffled=n_shuffled, seed=seed)


def first_tokens(pairs: Pairs) -> tuple[Int[np.ndarray, " example"], Int[np.ndarray, " example"]]:
    """Return the first right and the first wrong token of each clean prompt."""
    right, wrong = (np.array([sets[0][0] for sets in answers]) for answers in (pairs.answers, pairs.wrong))
    return right, wrong


def asked(
    right: Int[np.ndarray, " _"], wrong: Int[np.ndarray, " _"], *, n_shuffled: int = 16, seed: int = 0
) -> AskedTokens:
    """Return right and wrong tokens with right ones of other prompts.

    Prompts whose kind has no other right answer are given wrong ones of their kind, as long as they are few.

    Raises: ValueError, for no prompts, a token that is both right and wrong, or more than a tenth of the prompts
        without another right answer of their kind.
    """
    if len(right) == 0 or len(right) != len(wrong):
        raise ValueError(f"{len(right)} right tokens and {len(wrong)} wrong ones; give one of each per prompt")
    if (right == wrong).any():
        at = int(np.flatnonzero(right == wrong)[0])
        raise ValueError(f"token {right[at]} is both right and wrong in prompt {at}; name another wrong one")
    rng, kind = np.random.default_rng(seed), _kinds(right, wrong)
    drawn, lone = np.empty((len(right), n_shuffled), dtype=np.int64), []
    for at, (own, of) in enumerate(zip(right, kind, strict=True)):
        others = right[(kind == of) & (right != own)]
        if len(others) == 0:
            lone.append(at)
            others = wrong[kind == of]
        others = others[others != wrong[at]] if (others != wrong[at]).any() else others
        times = -(-n_shuffled // len(others))  # several times over, where there are few
        drawn[at] = rng.permuted(np.tile(others, times))[:n_shuffled]
    if len(lone) > _MOST_LONE * len(right):
        raise ValueError(
            f"of {len(right)} prompts {len(lone)} have no other right answer of their kind to be compared with, such "
            f"as prompt {lone[0]}, whose answer is {right[lone[0]]}: a lens that likes this token would seem to read "
            "it; give prompts with other answers"
        )
    return AskedTokens(right, wrong, drawn)


def _kinds(right: Int[np.ndarray, " example"], wrong: Int[np.ndarray, " example"]) -> Int[np.ndarray, " example"]:
    """Return the kind of answer that each prompt asks for, by number."""
    tokens, index = np.unique(np.concatenate([right, wrong]), return_inverse=True)
    one, other = index[: len(right)], index[len(right) :]
    label = np.arange(len(tokens))
    for _ in range(len(tokens)):
        least = np.minimum(label[one], label[other])
        before = label.copy()
        np.minimum.at(label, one, least)
        np.minimum.at(label, other, least)
        if (label == before).all():
            break
    return label[one]


def outranked(reading: LensReading, *, first: int = 2) -> Float[np.ndarray, "point example read"]:
    """Return the share of shuffled answers that the right one outranks: 0.5 by chance, 1 where it is told apart.

    Args:
        reading: of `AskedTokens.targets`; the right token is its first target.
        first: target at which the shuffled ones begin.
    """
    own, others = reading.logit[..., :1], reading.logit[..., first:]
    ahead = own - others
    tied = np.abs(ahead) <= ROUNDING * (1 + np.abs(own))
    return np.where(tied, 0.5, ahead > 0).mean(-1)


def units_of(clusters: Sequence[str]) -> list[str] | None:
    """Return what intervals resample: clusters, or (`None`) single prompts, where all are of one."""
    return list(clusters) if len(set(clusters)) > 1 else None
