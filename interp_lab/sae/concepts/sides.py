"""What single numbers may go with a concept: features, and what they are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.sae.evaluation.baselines import random_directions
from interp_lab.types import Codec, HookedModel, Site

Activations = Mapping[str, Float[Tensor, "example _"]]
"""By hook point, heads flattened."""


class Kind(StrEnum):
    """Where a number comes from."""

    FEATURE = "feature"
    """A latent of the autoencoder."""
    NEURON = "neuron"
    """An MLP neuron of the last two layers that write to the place of the autoencoder."""
    COORDINATE = "coordinate"
    """An entry of the activation that the autoencoder reads."""
    COMPONENT = "component"
    """A principal component of it."""
    RANDOM = "random feature"
    """A latent of a dictionary of random directions, as many and as sparse."""


@dataclass(frozen=True)
class Features:
    """Latents of an autoencoder."""

    kind: Kind
    hook: str
    codec: Codec
    n_units: int

    def encode(self, x: Activations) -> Float[Tensor, "example unit"]:
        """Return the latents."""
        with torch.inference_mode():
            return self.codec.encode(x[self.hook])

    def unit(self, nth: int) -> str:
        """Return the name of a latent."""
        return str(nth)


@dataclass(frozen=True)
class Entries:
    """Entries of activations, as they are."""

    kind: Kind
    hooks: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def n_units(self) -> int:
        """Entries of all hook points."""
        return sum(self.widths)

    def encode(self, x: Activations) -> Float[Tensor, "example unit"]:
        """Return all entries, hook point by hook point."""
        return torch.cat([x[hook] for hook in self.hooks], dim=-1)

    def unit(self, nth: int) -> str:
        """Return the name of an entry: `2.mlp.hook_post#17`."""
        for hook, width in zip(self.hooks, self.widths, strict=True):
            if nth < width:
                return str(Site(hook, latent=nth))
            nth -= width
        raise IndexError(f"{nth} is beyond the {self.n_units} entries")


@dataclass(frozen=True)
class Directions:
    """How far activations reach along directions, from their mean."""

    kind: Kind
    hook: str
    directions: Float[Tensor, "unit d"]
    mean: Float[Tensor, " d"]
    k: int | None = None
    """So many largest are kept, if they are above zero, and the others are zero; `None` keeps all."""

    @property
    def n_units(self) -> int:
        """How many directions there are."""
        return len(self.directions)

    def encode(self, x: Activations) -> Float[Tensor, "example unit"]:
        """Return the projections."""
        reach = (x[self.hook] - self.mean) @ self.directions.mT
        if self.k is None:
            return reach
        top = reach.topk(min(self.k, self.n_units), dim=-1)
        return torch.zeros_like(reach).scatter(-1, top.indices, top.values.clamp(min=0))

    def unit(self, nth: int) -> str:
        """Return the number of a direction."""
        return str(nth)


Side = Features | Entries | Directions


def neuron_hooks(model: HookedModel, hook: str) -> tuple[str, ...]:
    """Return the MLP neurons that a place can hold the output of: its own layer's, if it comes after, and one before.

    Empty for models without MLPs, and before the first of them.
    """
    layer = Site(hook).layer
    if layer is None:
        return ()
    after_mlp = hook.endswith(("hook_resid_post", "hook_mlp_out")) or ".mlp." in hook
    last = layer if after_mlp else layer - 1
    found = (f"blocks.{nth}.mlp.hook_post" for nth in (last - 1, last))
    return tuple(name for name in found if name in model.hook_dict)


def components(x: Float[Tensor, "example d"], hook: str) -> Directions:
    """Return the principal components of activations."""
    mean = x.mean(0)
    _, vectors = torch.linalg.eigh(torch.cov((x - mean).double().T))
    return Directions(Kind.COMPONENT, hook, vectors.flip(-1).T.to(x.dtype).contiguous(), mean)


def random_dictionaries(
    x: Float[Tensor, "example d"], hook: str, *, n: int, width: int, n_active: float, seed: int
) -> list[Directions]:
    """Return dictionaries of directions that nothing was learnt for, all of one width, and about as sparse as asked.

    Args:
        n_active: units that are not zero for an example, on average; so many largest are kept of every example.
    """
    drawn = (random_directions(width, x.shape[-1], seed=seed + nth).to(x.dtype) for nth in range(n))
    return [Directions(Kind.RANDOM, hook, one, x.mean(0), max(1, round(n_active))) for one in drawn]


def sides_at(x: Activations, rows: Tensor, *, hook: str, codec: Codec, neurons: Sequence[str]) -> list[Side]:
    """Return the features and what they are compared with, but for what is random.

    Args:
        rows: examples that principal components are taken of.
    """
    own = x[hook]
    width = codec.encode(own[:1]).shape[-1]
    found: list[Side] = [Features(Kind.FEATURE, hook, codec, width)]
    if neurons:
        found.append(Entries(Kind.NEURON, tuple(neurons), tuple(x[name].shape[-1] for name in neurons)))
    found.append(Entries(Kind.COORDINATE, (hook,), (own.shape[-1],)))
    return [*found, components(own[rows], hook)]
