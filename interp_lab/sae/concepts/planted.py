"""Activations in which one feature of a known dictionary is the concept, or none is: what must be found, or not."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.sae.concepts.tokens import ConceptTokens

HOOK = "blocks.0.hook_resid_post"
"""Stands where a hook point would."""
N_TEMPLATES = 4
_SPLITS = (Split.SELECT, Split.REPORT, Split.HELD_OUT)


@dataclass(frozen=True)
class KnownDictionary:
    """Latents are how far an activation reaches along directions, where that is clearly above the noise."""

    directions: Float[Tensor, "latent d_in"]
    """Of length one, at right angles."""
    threshold: float = 0.5

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return the latents."""
        reach = activation @ self.directions.mT
        return torch.where(reach > self.threshold, reach, 0.0)

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the sum of directions."""
        return latents @ self.directions


@dataclass(frozen=True)
class Planted:
    """Tokens with a concept, their activations, and the dictionary that made them."""

    tokens: ConceptTokens
    x: dict[str, Tensor]
    codec: KnownDictionary


def planted(
    *,
    feature: int | None = 3,
    n_latents: int = 32,
    n_documents: int = 64,
    per_document: int = 4,
    missing: float = 0.2,
    seed: int = 0,
) -> Planted:
    """Draw texts of which half have the concept, and activations that are sparse sums of directions, with noise.

    Directions have no axis in common with the coordinates, so that no coordinate is the concept.

    Args:
        feature: fires at tokens of texts with the concept, and at no others; `None` plants nothing.
        n_documents: texts of each split.
        missing: share of the tokens with the concept at which the feature does not fire.
    """
    generator = torch.Generator().manual_seed(seed)
    directions, _ = torch.linalg.qr(torch.randn(n_latents, n_latents, generator=generator))
    n_texts = len(_SPLITS) * n_documents
    has = torch.arange(n_texts) % 2 == 1
    documents = torch.arange(n_texts).repeat_interleave(per_document)
    fires = torch.rand(len(documents), n_latents, generator=generator) < 0.1
    if feature is not None:
        fires[:, feature] = has[documents] & (torch.rand(len(documents), generator=generator) >= missing)
    strength = fires * (1 + torch.rand(len(documents), n_latents, generator=generator))
    x = strength @ directions + 0.05 * torch.randn(len(documents), n_latents, generator=generator)
    owner = documents.numpy()
    parts = {split: np.flatnonzero(owner // n_documents == nth) for nth, split in enumerate(_SPLITS)}
    tokens = ConceptTokens(
        label="planted/concept", concepts=("planted/concept = True",), member=has[documents].numpy()[None],
        tokens=torch.zeros(n_texts, per_document, dtype=torch.long), mask=torch.ones(n_texts, per_document).bool(),
        documents=owner, places=np.arange(len(owner)) % per_document,
        templates=np.array([f"template {nth // 2 % N_TEMPLATES}" for nth in range(n_texts)]), parts=parts,
    )  # fmt: skip
    return Planted(tokens, {HOOK: x}, KnownDictionary(directions))
