"""One split as a dictionary reads it: which tokens are asked about, and by how much an operation changes latents."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.effects.parts import Part
from interp_lab.experiment import Progress, silent
from interp_lab.sae.activations.reading import special_tokens
from interp_lab.sae.causal.accounting import Sides
from interp_lab.sae.causal.config import FeatureEffectsConfig, Operation
from interp_lab.sae.causal.controls import Key, Stream
from interp_lab.sae.causal.directions import Prompts
from interp_lab.sae.causal.operations import FROM_OTHERS, Reference, changed_by, lengths
from interp_lab.sae.causal.reading import Dictionary, Read, asked_at, read, rows_of
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class OneSplit:
    """One model, one dictionary, the pairs of one split."""

    model: HookedModel
    codec: Dictionary
    config: FeatureEffectsConfig
    part: Part
    cost: bool
    """Whether the metric is one that is lower where the model is nearer to the answer."""
    reference: Reference | None = None
    """Values of latents on the selection split; `None` takes them from here."""
    split: Split = Split.SELECT
    """Enters the seeds, so that no two splits have the same random directions."""
    progress: Progress = silent

    @cached_property
    def rows(self) -> Float[Tensor, "latent d_in"]:
        """What each latent writes."""
        return rows_of(self.codec)

    @cached_property
    def asked(self) -> Bool[Tensor, "batch pos"]:
        """Tokens at which latents are changed."""
        special = special_tokens(self.model)
        return asked_at(
            self.part.pairs, self.config.positions, special=special if self.config.exclude_special else special[:0]
        )

    @cached_property
    def prompts(self) -> Prompts:
        """The clean prompts."""
        pairs = self.part.pairs
        return Prompts(
            self.model, self.codec.hook, pairs.clean, pairs.mask, self.part.metric, self.config.memory_budget
        )

    @cached_property
    def sides(self) -> Sides:
        """Both prompts of every pair, as the dictionary reads them."""
        pairs = self.part.pairs
        return Sides(
            self.prompts, pairs.corrupted, self._read(pairs.clean), self._read(pairs.corrupted), self.asked, self.rows
        )

    def _read(self, tokens: Tensor) -> Read:
        return read(self.model, self.codec, tokens, hook=self.codec.hook, mask=self.part.pairs.mask)

    @cached_property
    def values(self) -> Reference:
        """Means and largest values of latents on the selection split."""
        if self.reference is not None:
            return self.reference
        both = torch.cat([self.sides.clean.latents, self.sides.corrupted.latents])
        return Reference.of(both, torch.cat([self.asked, self.asked]))

    def changes(
        self, latents: Int[np.ndarray, " _"] | None = None, operation: Operation | None = None
    ) -> Float[Tensor, "batch pos _"]:
        """Return by how much an operation (the first, unless told) changes latents (all, unless told)."""
        index = slice(None) if latents is None else torch.from_numpy(latents)
        operation = operation or self.config.operations[0]
        other = None
        if operation in FROM_OTHERS:
            source = self.sides.corrupted if operation is Operation.CORRUPTED else self._other
            other = source.latents[..., index]
        reference = Reference(self.values.mean[index], self.values.largest[index])
        return changed_by(
            operation, self.sides.clean.latents[..., index], asked=self.asked, reference=reference, other=other,
            scale=self.config.scale, clamp=self.config.clamp,
        )  # fmt: skip

    @cached_property
    def _other(self) -> Read:
        return self._read(self.part.others.clean)

    def lengths(self) -> Float[Tensor, "latent batch"]:
        """Return how long the change by the first operation is, for every latent and prompt."""
        return lengths(self.changes(), self.rows)

    def key(self, stream: Stream, *own: int) -> Key:
        """Return the key of random draws on this split."""
        return (self.config.seed, list(Split).index(self.split), int(stream), *own)
