"""The numbers of one split, prompt by prompt; in the unit of the metric."""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int

from interp_lab.effects.untouched import Untouched
from interp_lab.runs.fields import KeptFields


class Way(StrEnum):
    """What is patched into what."""

    DENOISE = "denoise"
    """Clean values into the corrupted run: what suffices."""
    NOISE = "noise"
    """Corrupted values into the clean run: what is needed."""


WAYS = tuple(Way)


class Share(StrEnum):
    """What is patched of the activations at the dictionary's hook point."""

    WHOLE = "whole activation"
    FEATURES = "all features"
    """The reconstruction: what the dictionary cannot reconstruct stays that of the run."""
    ERROR = "error term"
    """What the dictionary cannot reconstruct, alone."""
    CHOSEN = "chosen features"


SHARES = tuple(Share)


@dataclass(frozen=True)
class Considered(Untouched):
    """What the first operation on each considered latent changes on the clean prompts, and how long that change is."""

    alone: Float[np.ndarray, "considered example"]
    """Metric under the operation minus that of the untouched model."""
    lengths: Float[np.ndarray, "considered example"]
    """Length of what the change writes; 0 where the latent is not active."""

    @property
    def labels(self) -> tuple[Hashable, ...]:
        """The clusters, one by one."""
        return tuple(self.clusters.tolist())


@dataclass(frozen=True)
class FeatureSplit(Considered):
    """The same, with the chosen latents beside their controls, and patches between clean and corrupted prompts."""

    operations: Float[np.ndarray, "operation chosen example"]
    """What each operation on each chosen latent changes on the clean prompts."""
    random: Float[np.ndarray, "chosen draw example"]
    """The first operation along random directions, as long at the same tokens."""
    borrowed: Float[np.ndarray, "chosen _ example"]
    """The same along the directions of other latents."""
    matched: Int[np.ndarray, "chosen matched"]
    """Places (among the considered) of other latents that change on the same prompts."""
    beside: Float[np.ndarray, "chosen matched example"]
    """The first operation on these, its change brought to the length of the chosen latent's on every prompt."""
    divergence: Float[np.ndarray, "chosen example"]
    """KL divergence (nats) at the answer, of the predictions after the first operation from those before."""
    divergence_matched: Float[np.ndarray, "chosen example"]
    """The same for the matched latents at that length, mean over these."""
    differs: Float[np.ndarray, "chosen example"]
    """Size of the difference of each chosen latent between clean and corrupted prompt, summed over tokens."""
    strength: Float[np.ndarray, "chosen example"]
    """Its size on both, summed likewise."""
    shares: Float[np.ndarray, "way share example"]
    """Metric under each patch minus that of the run it was put into."""
    patched: Float[np.ndarray, "way chosen example"]
    """The same for each chosen latent alone."""
    growing: Float[np.ndarray, "way step example"]
    """The same for the first latents by the selection's order, 1, 2, 4 and so on."""
    set_random: Float[np.ndarray, "draw example"]
    """Denoising along random directions, each token's change as long as that of all chosen latents together."""
    set_others: Float[np.ndarray, "draw example"]
    """Denoising random sets of as many others, of the latents that were not chosen and differ between clean and
    corrupted prompts, as long on every prompt as all chosen latents together; no draws where these are too few."""

    def towards_answer(self, changes: Float[np.ndarray, "way *part example"]) -> Float[np.ndarray, "way *part example"]:
        """Return patches with the sign of the total effect: what denoising brings back, and noising loses."""
        signs = np.array([1.0 if way is Way.DENOISE else -1.0 for way in WAYS])
        return changes * signs.reshape(-1, *[1] * (changes.ndim - 1))


@dataclass(frozen=True)
class TextEffects(KeptFields):
    """What silencing each chosen latent costs on text: the rise of the loss (nats per token), window by window.

    At every token but special ones, if these are excluded.
    """

    loss: Float[np.ndarray, " window"]
    """Of the untouched model."""
    silent: Float[np.ndarray, "chosen window"]
    controls: Float[np.ndarray, "chosen matched window"]
    """Of other latents, their change brought to the same length in every window."""
    density: Float[np.ndarray, " chosen"]
    """Share of tokens at which each latent is active."""
