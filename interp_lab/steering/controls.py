"""What stands beside a setting: directions without a meaning, what else differs between the sides, and a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.directions import ContrastActivations, Directions, random_like, shuffled
from interp_lab.runs.fields import KeptFields
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.drawn import Drawn
from interp_lab.steering.material import Material, at_hooks
from interp_lab.steering.measured import Target, steered
from interp_lab.steering.plan import Family
from interp_lab.steering.prefixed import prefixed_kl, prefixed_values, prefixes_of
from interp_lab.steering.price import price_of
from interp_lab.types import HookedModel

Vectors = Float[Tensor, "hook d"]


@dataclass(frozen=True)
class Controls(KeptFields):
    """The target, as it is measured, under what is set beside one setting; on the report split unless said."""

    random: Float[np.ndarray, "random example"]
    """Random directions of the same length, at the same setting."""
    held_out_random: Float[np.ndarray, "priced other"]
    """The first of them (as many as are priced) on held-out templates; no prompts if there are none."""
    orthogonal: Float[np.ndarray, "orthogonal example"]
    """Random directions of the same length that are orthogonal to it; none if there is no room for any."""
    shuffled: Float[np.ndarray, "shuffled example"]
    """Directions of shuffled labels, of the same length."""
    complement: Float[np.ndarray, "way example"]
    """What else differs between the two sides, added and taken off; see `complement_of`."""
    prefixed: Float[np.ndarray, " example"]
    """Unsteered, behind a text that shows the trait; NaN if the context has no room for one."""
    random_kl: Float[np.ndarray, "priced document"]
    """What the first of the random directions cost on neutral text (nats per token)."""
    prefixed_kl: Float[np.ndarray, " document"]
    """What the texts cost there; NaN where there is no room."""
    prefix: Shaped[np.ndarray, ""]
    """One of the texts."""


@dataclass(frozen=True)
class Doses(KeptFields):
    """The target, as it is measured, under controls of a family at each of its coefficients; report split."""

    random: Float[np.ndarray, "dose draw example"]
    shuffled: Float[np.ndarray, "dose label example"]


@dataclass(frozen=True)
class Drawings:
    """Vectors that take the place of a family's own, of the same length at each hook point."""

    random: Float[Tensor, "random hook d"]
    orthogonal: Float[Tensor, "orthogonal hook d"]
    shuffled: Float[Tensor, "shuffled hook d"]
    complement: Float[Tensor, "hook d"]


def drawings(material: Material, config: SteeringConfig, family: Family) -> Drawings:
    """Draw all vectors that a family is compared with.

    Raises: ValueError, as `directions.shuffled`.
    """
    own = material.directions[family.direction]
    read = tuple(dict.fromkeys(family.place.read))
    there = own.only(read)
    place = [read.index(hook) for hook in family.place.read]
    generator = torch.Generator().manual_seed(config.seed + 1)
    roomy = there.width >= 2 * len(read)
    found = at_hooks(material.found, read)
    method = "mean_difference" if own.method not in config.methods or own.method == "pca" else own.method
    labels = [one.vectors for one in shuffled(found, config.n_shuffled, seed=config.seed, method=method)]
    return Drawings(
        random=random_vectors(material, family, config.n_random, seed=config.seed),
        orthogonal=random_like(there, config.n_orthogonal if roomy else 1, generator=generator, orthogonal=roomy)[
            : config.n_orthogonal if roomy else 0, place
        ],
        shuffled=torch.stack([_as_long(one, there.vectors) for one in labels])[:, place],
        complement=complement_of(found, there)[place],
    )


def random_vectors(material: Material, family: Family, n: int, *, seed: int) -> Float[Tensor, "draw hook d"]:
    """Draw random vectors as long as those of a family, at each of its hook points."""
    read = tuple(dict.fromkeys(family.place.read))
    there = material.directions[family.direction].only(read)
    drawn = random_like(there, n, generator=torch.Generator().manual_seed(seed))
    return drawn[:, [read.index(hook) for hook in family.place.read]]


def complement_of(found: ContrastActivations, own: Directions) -> Vectors:
    """Return what else differs between the two sides, as long as a direction, at each of its hook points.

    The leading component of the differences (of partners, or of texts in the order they come), with the direction
    projected out of each. Its sign is free, and the same at all hook points as far as neighbours are alike.

    Raises: ValueError, where all differences lie along the direction.
    """
    n = min(found.positive.shape[1], found.negative.shape[1])
    differences = (found.positive[:, :n] - found.negative[:, :n]).double()
    unit = torch.nn.functional.normalize(own.vectors.double(), dim=-1)
    left = differences - torch.einsum("hnd,hd->hn", differences, unit)[..., None] * unit[:, None]
    _, sizes, basis = torch.linalg.svd(left, full_matrices=False)
    whole = differences.norm(dim=(1, 2))
    nothing = (sizes[:, 0] <= 1e-6 * whole).nonzero().flatten().tolist()
    if nothing:
        raise ValueError(
            f"at {own.hooks[nothing[0]]} the two sides of {found.name!r} differ along {own.name!r} alone, so there is "
            "no complement; give texts that vary in something else"
        )
    leading = basis[:, 0]
    for nth in range(1, len(leading)):
        if float(leading[nth] @ leading[nth - 1]) < 0:
            leading[nth] = -leading[nth]
    return _as_long(leading.to(own.vectors), own.vectors)


def _as_long(vectors: Vectors, like: Vectors) -> Vectors:
    return torch.nn.functional.normalize(vectors, dim=-1) * like.norm(dim=-1, keepdim=True)


@dataclass(frozen=True)
class Comparing:
    """Measures what stands beside a setting."""

    model: HookedModel
    config: SteeringConfig
    material: Material
    drawn: Drawn
    target: Target

    def controls(self, family: Family, coefficient: float, *, sign: int) -> Controls:
        """Measure the controls of one setting.

        Raises: ValueError, as `engine.sweep`.
        """
        made = drawings(self.material, self.config, family)
        parts = [made.random, made.orthogonal, made.shuffled, made.complement[None], -made.complement[None]]
        if family.how == "ablate":
            parts[-1] = parts[-1][:0]  # taking out a direction or its negative is the same
        found = self._values(family, [(coefficient, one) for part in parts for one in part], Split.REPORT)
        random, orthogonal, labels, *ways = np.split(found, np.cumsum([len(part) for part in parts])[:-1])
        priced = [(coefficient, one) for one in made.random[: self.config.n_priced]]
        held_out = np.zeros((len(priced), 0))
        if Split.HELD_OUT in self.drawn.prompts:
            held_out = self._values(family, priced, Split.HELD_OUT)
        prefixes = prefixes_of(self.model, self.config, sign)
        neutral = self.drawn.neutral[Split.REPORT]
        return Controls(
            random=random,
            held_out_random=held_out,
            orthogonal=orthogonal,
            shuffled=labels,
            complement=np.concatenate(ways),
            prefixed=prefixed_values(self.model, self.drawn.prompts[Split.REPORT], prefixes, self.target),
            random_kl=price_of(
                self.model, neutral, self.material.interventions(self.model, family, priced, neutral.batch),
                memory_budget=self.config.memory_budget,
            ).kl,
            prefixed_kl=prefixed_kl(self.model, neutral, prefixes),
            prefix=np.array(prefixes[0].text),
        )  # fmt: skip

    def doses(self, family: Family) -> Doses:
        """Measure some controls at every coefficient of a family.

        Raises: ValueError, as `engine.sweep`.
        """
        made = drawings(self.material, self.config, family)
        random = made.random[: self.config.n_priced]
        each = torch.cat([random, made.shuffled])
        found = self._values(family, [(dose, one) for dose in family.coefficients for one in each], Split.REPORT)
        by_dose = found.reshape(len(family.coefficients), len(each), -1)
        return Doses(by_dose[:, : len(random)], by_dose[:, len(random) :])

    def _values(
        self, family: Family, doses: Sequence[tuple[float, Tensor]], split: Split
    ) -> Float[np.ndarray, "dose example"]:
        return steered(
            self.model, self.drawn.prompts[split],
            lambda batch: self.material.interventions(self.model, family, doses, batch), self.target,
            memory_budget=self.config.memory_budget,
        ).values  # fmt: skip
