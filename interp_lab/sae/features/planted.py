"""Documents with known differences and a known combination: what the instruments must find, and nothing else."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from interp_lab.sae.features.differences import SideValues


@dataclass(frozen=True)
class PlantedSides:
    """Two halves of two sides; some features differ."""

    select: SideValues
    report: SideValues
    truth: Int[np.ndarray, " planted"]


def planted_sides(*, n_latents: int = 300, n_documents: int = 40, size: float = 2.0, seed: int = 0) -> PlantedSides:
    """Draw sparse features over documents in 10 templates; five of them are higher on the first side.

    Args:
        size: of the difference, in standard deviations; 0 plants nothing.
    """
    rng = np.random.default_rng(seed)
    truth = np.arange(0, 50, 10)
    units = tuple(f"template {nth % 10}" for nth in range(n_documents))
    halves = []
    for _ in range(2):
        sides = np.abs(rng.normal(size=(2, n_latents, n_documents))) * (rng.random((2, n_latents, n_documents)) < 0.5)
        shift = size * sides.std() * (rng.random((len(truth), n_documents)) + 0.5)
        sides[0, truth] += shift
        halves.append(SideValues(sides[0], sides[1], units, units, paired=False))
    return PlantedSides(halves[0], halves[1], truth)


@dataclass(frozen=True)
class PlantedCombination:
    """Features of documents whose label is true where two contexts meet."""

    x: Float[np.ndarray, "document latent"]
    y: Int[np.ndarray, " document"]
    folds: Int[np.ndarray, " document"]
    truth: tuple[int, int]
    """The features that are active in the contexts."""


def planted_combination(
    *, both: bool = True, n_documents: int = 240, n_latents: int = 60, seed: int = 0
) -> PlantedCombination:
    """Draw documents in which each of two contexts has a feature of its own, among features of nothing.

    Args:
        both: the label takes both contexts; else the first alone.
    """
    rng = np.random.default_rng(seed)
    x = np.abs(rng.normal(size=(n_documents, n_latents))) * (rng.random((n_documents, n_latents)) < 0.4)
    contexts = rng.random((2, n_documents)) < 2 / 3
    truth = (7, 23)
    for latent, context in zip(truth, contexts, strict=True):
        x[:, latent] = context * (2 + 0.2 * rng.normal(size=n_documents))
    y = np.asarray(contexts.all(0) if both else contexts[0], dtype=np.int64)
    return PlantedCombination(x, y, np.arange(n_documents) % 4, truth)
