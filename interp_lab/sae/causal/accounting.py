"""What is carried between clean and corrupted prompts: by features, by the dictionary's error, by some features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.sae.causal.controls import Key, as_long, generator
from interp_lab.sae.causal.directions import Prompts
from interp_lab.sae.causal.operations import written
from interp_lab.sae.causal.reading import Read
from interp_lab.sae.causal.splits import SHARES, WAYS, Share, Way


@dataclass(frozen=True)
class Sides:
    """Both prompts of every pair, as the dictionary reads them."""

    prompts: Prompts
    """The clean ones."""
    corrupted_tokens: Tensor
    clean: Read
    corrupted: Read
    asked: Bool[Tensor, "batch pos"]
    rows: Float[Tensor, "latent d_in"]

    def run(self, way: Way) -> Prompts:
        """Return the prompts that are patched."""
        return replace(self.prompts, tokens=self.corrupted_tokens) if way is Way.DENOISE else self.prompts

    def latents(self, way: Way, which: Int[np.ndarray, " _"]) -> Float[Tensor, "batch pos _"]:
        """Return by how much a patch changes some latents."""
        index = torch.from_numpy(which)
        change = self.clean.latents[..., index] - self.corrupted.latents[..., index]
        return self._signed(change, way)

    def vectors(self, way: Way, share: Share) -> Float[Tensor, "batch pos d_in"]:
        """Return what a patch of the whole activation, of its reconstruction, or of the rest adds.

        The last two add up to the first: the patches account for all that differs.
        """
        whole = self.clean.activations - self.corrupted.activations
        features = written(self.clean.latents - self.corrupted.latents, self.rows)
        return self._signed({Share.WHOLE: whole, Share.FEATURES: features, Share.ERROR: whole - features}[share], way)

    def _signed(self, change: Tensor, way: Way) -> Tensor:
        change = change if way is Way.DENOISE else -change
        return torch.where(self.asked[..., None], change, torch.zeros_like(change))


def patched_shares(sides: Sides, chosen: Int[np.ndarray, " _"]) -> Float[np.ndarray, "way share example"]:
    """Return what patching the whole activation, all features, the error term and the chosen features does."""
    found = []
    for way in WAYS:
        vectors = [sides.vectors(way, share) for share in SHARES[:-1]]
        vectors.append(_together(sides, way, chosen))
        run = sides.run(way)
        found.append(run.measured([run.adding_vectors(v, what=f"patch {nth}") for nth, v in enumerate(vectors)]))
    return np.stack(found)


def patched_alone(sides: Sides, chosen: Int[np.ndarray, " _"]) -> Float[np.ndarray, "way chosen example"]:
    """Return what patching each of some latents does."""
    rows = sides.rows[torch.from_numpy(chosen)]
    found = []
    for way in WAYS:
        changes = sides.latents(way, chosen).unbind(-1)
        run = sides.run(way)
        found.append(run.measured(run.adding(rows, changes, what="patch of latent")))
    return np.stack(found)


def patched_sets(sides: Sides, sets: Sequence[Int[np.ndarray, " _"]]) -> Float[np.ndarray, "way set example"]:
    """Return what patching sets of latents does, one set after the other."""
    found = []
    for way in WAYS:
        run = sides.run(way)
        made = [run.adding_vectors(_together(sides, way, own), what=f"patch of {len(own)} latents") for own in sets]
        found.append(run.measured(made))
    return np.stack(found)


def patched_others(
    sides: Sides, chosen: Int[np.ndarray, " _"], sets: Sequence[Int[np.ndarray, " _"]]
) -> Float[np.ndarray, "set example"]:
    """Denoise sets of other latents, each as long on every prompt as what the chosen latents write together."""
    run, made = sides.run(Way.DENOISE), []
    wanted = _together(sides, Way.DENOISE, chosen).flatten(1).norm(dim=-1)
    for own in sets:
        vectors = _together(sides, Way.DENOISE, own)
        scaled = as_long(vectors, vectors.flatten(1).norm(dim=-1), wanted)
        made.append(run.adding_vectors(scaled, what=f"patch of {len(own)} other latents"))
    return run.measured(made)


def _together(sides: Sides, way: Way, own: Int[np.ndarray, " _"]) -> Float[Tensor, "batch pos d_in"]:
    return written(sides.latents(way, own), sides.rows[torch.from_numpy(own)])


def patched_randomly(
    sides: Sides, chosen: Int[np.ndarray, " _"], *, n: int, key: Key
) -> Float[np.ndarray, "draw example"]:
    """Denoise along random directions, one for each latent, as long at every token as what the latents write together.

    Source: ours; several latents of random direction point apart or together by chance, so each token is rescaled.
    """
    change, own = sides.latents(Way.DENOISE, chosen), sides.rows[torch.from_numpy(chosen)]
    length = written(change, own).norm(dim=-1, keepdim=True)
    run, made = sides.run(Way.DENOISE), []
    for nth in range(n):
        drawn = torch.from_numpy(generator(*key, nth).standard_normal(tuple(own.shape))).to(own)
        vectors = written(change, drawn / drawn.norm(dim=-1, keepdim=True) * own.norm(dim=-1, keepdim=True))
        size = vectors.norm(dim=-1, keepdim=True)
        rescaled = torch.where(size > 0, vectors * length / size.clamp(min=1e-30), torch.zeros_like(vectors))
        made.append(run.adding_vectors(rescaled, what=f"random directions {nth}"))
    return run.measured(made)


def steps_up_to(n: int) -> tuple[int, ...]:
    """Return 1, 2, 4, and so on, and `n` itself."""
    return (*(2**power for power in range(n.bit_length()) if 2**power < n), n)
