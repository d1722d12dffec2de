"""Ablations of one split: every part alone, sets of parts, directions; and what each part writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from interp_lab.effects.behaviour import untouched
from interp_lab.effects.parts import Part
from interp_lab.engine import sweep
from interp_lab.experiment import Progress
from interp_lab.identity import Direction
from interp_lab.interventions import project_out
from interp_lab.patching.ablating.config import AblatingConfig
from interp_lab.patching.ablating.parts import AblatedSites, cuts
from interp_lab.patching.ablating.plan import Plan, control_pool, random_sets
from interp_lab.patching.ablating.splits import AblatedSplit
from interp_lab.patching.direct_logit_attribution import direct_logit_attribution
from interp_lab.patching.sets import set_effects
from interp_lab.types import HookedModel, Site

Sets = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Measuring:
    """One model, what is ablated of it, and how."""

    model: HookedModel
    sites: AblatedSites
    config: AblatingConfig
    cost: bool
    """Whether the metric is one that is lower where the model is nearer to the answer."""
    told: Progress

    def alone(self, part: Part, direct: Float[np.ndarray, "site example"]) -> AblatedSplit:
        """Ablate every part alone, under each kind; sets are left out."""
        changes = [self._ablated(part, nth, [])[0] for nth in range(len(self.config.ablations))]
        return replace(self.untouched(part, direct), changes=np.stack(changes))

    def untouched(self, part: Part, direct: Float[np.ndarray, "site example"]) -> AblatedSplit:
        """Ablate nothing."""
        n = len(part.pairs)
        return AblatedSplit(
            **vars(untouched(self.model, part, is_cost=self.cost)),
            changes=np.full((len(self.config.ablations), len(self.sites.sites), n), np.nan),
            direct=direct,
            pairs=np.zeros((0, len(self.sites.heads), n)),
            sets=np.zeros((0, 0, n)),
            cumulative=np.zeros((0, 0, n)),
            directions=np.zeros((0, 0, n)),
        )

    def with_pairs(self, split: AblatedSplit, part: Part, wanted: Sequence[tuple[int, int]]) -> AblatedSplit:
        """Add what each candidate and every other head do together, under the kind that it is a candidate of."""
        heads, n = self.sites.heads.tolist(), len(part.pairs)
        together = np.full((len(wanted), len(heads), n), np.nan)
        for kind in dict.fromkeys(kind for kind, _ in wanted):
            at = [(nth, place) for nth, (own, head) in enumerate(wanted) for place, other in enumerate(heads)
                  if own == kind and other != head]  # fmt: skip
            sets = [(wanted[nth][1], heads[place]) for nth, place in at]
            rows, places = np.array(at).T
            together[rows, places] = self._ablated(part, kind, sets)[1]
        return replace(split, pairs=together)

    def with_sets(self, split: AblatedSplit, part: Part, plan: Plan) -> AblatedSplit:
        """Add the chosen parts of each map together, parts one on top of the other, and random ones beside both."""
        n, c = len(part.pairs), self.config
        per_map = [self._chosen_and_random(plan, name) for name in c.sites]
        steps = [[tuple(order[: k + 1]) for k in range(len(order))] for order in plan.orders.tolist()]
        flat = [own for sets in (*per_map, *steps) for own in sets]
        found = self._ablated(part, 0, flat)[1]
        sets = np.full((len(c.sites), 1 + c.n_random_sets, n), np.nan)
        first = 0
        for nth, own in enumerate(per_map):
            sets[nth, : len(own)] = found[first : first + len(own)]
            first += len(own)
        return replace(split, sets=sets, cumulative=found[first:].reshape(*plan.orders.shape, n))

    def _chosen_and_random(self, plan: Plan, name: str) -> list[tuple[int, ...]]:
        own = tuple(int(site) for site in plan.chosen if self.sites.maps[site] == name)
        if len(own) < 2:
            return []
        pool = control_pool(plan.chosen, self.sites, of=name)
        random = random_sets(pool, len(own), n=self.config.n_random_sets, seed=self.config.seed)
        return [own, *random] if random else []

    def _ablated(
        self, part: Part, kind: int, sets: Sets
    ) -> tuple[Float[np.ndarray, "site example"], Float[np.ndarray, "_ example"]]:
        """Return what each part and each set changes under a kind of ablation."""
        c, pairs = self.config, part.pairs
        name = c.ablations[kind]
        members = cuts(self.model, part, self.sites.sites, kind=name, reference=c.reference, seed=c.seed)

        def told(done: int, total: int, _: str) -> None:
            self.told(done, total, f"{name} ablation{' of sets' if sets else ''}")

        options: dict[str, Any] = {"mask": pairs.mask, "memory_budget": c.memory_budget, "progress": told}
        if not sets:
            found = sweep(self.model, pairs.clean, members, part.metric, **options)
            return found.changes, np.zeros((0, len(pairs)))
        both = set_effects(self.model, pairs.clean, members, part.metric, sets=sets, seed=c.seed, **options)
        return both.single.changes, both.together.changes

    def with_directions(self, split: AblatedSplit, part: Part, directions: Mapping[str, Direction]) -> AblatedSplit:
        """Add what is lost without each direction, and without random ones at the same place."""
        if not directions:
            return split
        n_random, c = self.config.n_random_sets, self.config
        generator = torch.Generator().manual_seed(c.seed)
        made = []
        for name, one in directions.items():
            random = torch.randn(n_random, len(one.vector), generator=generator)
            for nth, vector in enumerate([one.vector.detach().float().cpu(), *random]):
                label = f"directional ablation of {name if nth == 0 else 'a random direction'}"
                made.append(project_out([Site(one.hook)], vector, name=label))
        pairs = part.pairs
        found = sweep(
            self.model, pairs.clean, made, part.metric, mask=pairs.mask, memory_budget=c.memory_budget,
            progress=lambda done, total, _: self.told(done, total, "directional ablation"),
        )  # fmt: skip
        return replace(split, directions=found.changes.reshape(len(directions), 1 + n_random, len(pairs)))


def written(model: HookedModel, part: Part, sites: AblatedSites) -> Float[np.ndarray, "site example"]:
    """Return what each part writes straight to the metric on the clean prompts.

    Raises: ValueError, as `direct_logit_attribution`.
    """
    by_site: dict[Site | None, np.ndarray] = {}
    for heads in (True, False):
        if heads or "attn_out" in sites.maps:
            pairs = part.pairs
            found = direct_logit_attribution(model, pairs.clean, metric=part.metric, heads=heads, mask=pairs.mask)
            by_site |= dict(zip(found.sites, found.values, strict=True))
    return np.stack([by_site[site] for site in sites.sites])


def unwritten(part: Part, sites: AblatedSites) -> Float[np.ndarray, "site example"]:
    """Return NaN for every part: what stands in the place of what cannot be taken apart."""
    return np.full((len(sites.sites), len(part.pairs)), np.nan)
