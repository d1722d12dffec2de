"""The one unit of a dictionary that tells a concept apart best, on the texts that choose."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.sae.concepts.sums import Encode, Sums, candidates, columns
from interp_lab.stats.auroc import auroc


@dataclass(frozen=True)
class Choice:
    """One unit, and which of its ends goes with the concept."""

    unit: int
    sign: float
    """-1 where the unit is low when the concept is there."""
    score: float
    """Area under the ROC curve on the examples that it was chosen by, so at least 0.5: the best of many."""


def choose_units(
    encode: Encode,
    rows: Int[Tensor, " example"],
    member: Bool[Tensor, "kind example"],
    sums: Sums,
    *,
    n_candidates: int,
) -> list[Choice]:
    """Return the best unit for every kind: farthest from 0.5, either way; the first of equals.

    Args:
        n_candidates: units whose area is computed; see `candidates`.
    """
    wanted = [candidates(sums, kind, n=n_candidates) for kind in range(len(member))]
    union = torch.cat(wanted).unique()
    values = columns(encode, rows, union).T.numpy()
    found = []
    for kind, units in enumerate(wanted):
        areas = auroc(values[np.searchsorted(union.numpy(), units.numpy())], member[kind].numpy())
        best = int(np.abs(areas - 0.5).argmax())
        sign = 1.0 if areas[best] >= 0.5 else -1.0
        found.append(Choice(int(units[best]), sign, float(0.5 + abs(areas[best] - 0.5))))
    return found


def shuffled_among_texts(
    member: Bool[np.ndarray, "concept example"], documents: Int[np.ndarray, " example"], *, n: int, seed: int
) -> Bool[np.ndarray, "shuffling_concept example"]:
    """Deal the labels out anew among texts; all concepts of a shuffling move together, one shuffling after the other.

    Args:
        member: the same for all examples of a text.
    """
    _, first, codes = np.unique(documents, return_index=True, return_inverse=True)
    rng = np.random.default_rng(seed)
    return np.concatenate([member[:, first[rng.permutation(len(first))]][:, codes] for _ in range(n)])


def readings(
    encode: Encode, rows: Int[Tensor, " example"], choices: list[Choice]
) -> Float[np.ndarray, "choice example"]:
    """Return what each chosen unit reads, turned so that more of it stands for the concept."""
    values = columns(encode, rows, torch.tensor([one.unit for one in choices]))
    return (values * torch.tensor([one.sign for one in choices])).T.double().numpy()
