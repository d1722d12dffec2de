"""Attention, attributions and causal ablation on the same prompts, place by place; and where they disagree."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from interp_lab.input_attribution.inputs import OTHER, Inputs, inputs_of_pairs
from interp_lab.input_attribution.methods import UNSIGNED, MethodName, Settings, attribute, counted_by
from interp_lab.input_attribution.occlusion import occlusion
from interp_lab.input_attribution.patched import patched_by_position
from interp_lab.input_attribution.places import REST, Placed, placed
from interp_lab.input_attribution.removal import values_without
from interp_lab.input_attribution.runs import values_of
from interp_lab.input_attribution.targets import TargetName, target_of
from interp_lab.stats import mean_interval
from interp_lab.tasks import Pairs
from interp_lab.types import UNMEASURED, HookedModel, Interval


class Kind(StrEnum):
    """How a map and the interventions disagree about a place."""

    LOOKS_ONLY = "looks, does not act"
    """More than its share of the map, and neither patching nor occluding it does anything of interest."""
    ACTS_ONLY = "acts, not seen"
    """Clearly less than its share of the map, and patching or occluding it clearly does something."""
    OPPOSITE = "opposite sign"
    """The map has it speak against the target, and the interventions for it, or the other way round."""


@dataclass(frozen=True)
class Disagreement:
    """One map and one place."""

    map: str
    place: str
    kind: Kind
    sentence: str


@dataclass(frozen=True)
class AtPlace:
    """What a map, and the two interventions, say of one place; over the prompts that have it.

    Of tokens that the map counts, and no others: one that takes its baseline from another prompt is not asked about
    what both share.
    """

    map: str
    place: str
    n_prompts: int
    share: Interval
    """Share of the sizes of a prompt's attributions."""
    even: float
    """Share that even attributions would give."""
    value: Interval | None
    """Attribution (unit of the target); `None` for a map in another unit."""
    patched: Interval
    """Fall of the target with another prompt's tokens there, each alone (unit of the target)."""
    occluded: Interval
    """Fall of the target with the filler there, each token alone (unit of the target)."""


@dataclass(frozen=True)
class Comparison:
    """Maps against interventions, place by place."""

    unit: str
    margin: float
    """Smallest effect of interest (unit of the target)."""
    rows: tuple[AtPlace, ...]

    def table(self) -> pd.DataFrame:
        """Return one row per map and place, and how they disagree, if they do."""
        kinds = {(one.map, one.place): str(one.kind) for one in self.disagreements()}
        return pd.DataFrame([_told(row) | {"disagreement": kinds.get((row.map, row.place), "")} for row in self.rows])

    def disagreements(self) -> tuple[Disagreement, ...]:
        """Return where a map says another thing than what the interventions do, with a sentence on each.

        By intervals that are not corrected for how many are looked at: a list to look into, no claims. Tokens without a
        role are no place, and are left out.
        """
        found = ((row, self._kind(row)) for row in self.rows if row.place != REST)
        return tuple(
            Disagreement(row.map, row.place, kind, self._sentence(row, kind)) for row, kind in found if kind is not None
        )

    def _kind(self, row: AtPlace) -> Kind | None:
        causal = (row.patched, row.occluded)
        acting = [one for one in causal if one.low > self.margin or one.high < -self.margin]
        if not acting:
            still = all(one.low >= -self.margin and one.high <= self.margin for one in causal)
            return Kind.LOOKS_ONLY if still and row.share.low > row.even else None
        signs = {np.sign(one.estimate) for one in acting}
        if row.value is not None and row.value.excludes(0.0) and signs == {-np.sign(row.value.estimate)}:
            return Kind.OPPOSITE
        return Kind.ACTS_ONLY if row.share.high < row.even else None

    def _sentence(self, row: AtPlace, kind: Kind) -> str:
        begun = (
            f"{row.map} gives {row.place!r} {row.share.estimate:.0%} of its size (evenly it would be {row.even:.0%})"
        )
        did = f"measured falls there: {row.patched} by patching, {row.occluded} by occluding ({self.unit})"
        if kind is Kind.LOOKS_ONLY:
            return f"{begun}; {did}, both clearly within {self.margin:.2g}."
        if kind is Kind.ACTS_ONLY:
            return f"{begun}; {did}, at least one clearly beyond {self.margin:.2g}."
        return f"{row.map} has {row.place!r} speak {_side(row.value)} ({row.value} {self.unit}); {did}."


def _side(value: Interval | None) -> str:
    assert value is not None, "only signed maps can be opposed"
    return "for the answer" if value.estimate > 0 else "against the answer"


def _told(row: AtPlace) -> dict[str, object]:
    told: dict[str, object] = {"map": row.map, "place": row.place, "prompts": row.n_prompts}
    for name in ("share", "value", "patched", "occluded"):
        told |= (getattr(row, name) or UNMEASURED).columns(name)
        told |= {"even": row.even} if name == "share" else {}
    return told


def compared_at_places(
    values: Float[np.ndarray, "map example pos"],
    names: Sequence[str],
    where: Placed,
    *,
    signed: Sequence[bool],
    patched: Float[np.ndarray, "example pos"],
    occluded: Float[np.ndarray, "example pos"],
    clusters: Sequence[Hashable],
    unit: str,
    margin: float,
    counted: Bool[np.ndarray, "map example pos"] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare maps that are there with the two interventions; places that fewer than two clusters have are left out.

    Args:
        counted: tokens that each map can attribute anything to, see `methods.counted_by`; `None` for all.
    """
    sizes = np.abs(values)
    shares = sizes / np.where(sizes.sum(-1, keepdims=True) == 0, 1, sizes.sum(-1, keepdims=True))
    rows = []
    for nth, name in enumerate(names):
        own = where if counted is None else where.among(counted[nth])
        for at, place in enumerate(own.names):
            there = np.flatnonzero(own.has(at))
            labels = [clusters[row] for row in there]
            if len(set(labels)) < 2:
                continue
            share, value, *did = (
                mean_interval(own.sums(one, at)[there], labels, level=level, seed=seed)
                for one in (shares[nth], values[nth], patched, occluded)
            )
            even = float(own.even_share(at)[there].mean())
            rows.append(AtPlace(name, place, len(there), share, even, value if signed[nth] else None, *did))
    return Comparison(unit, margin, tuple(rows))


def compare(
    model: HookedModel,
    pairs: Pairs,
    others: Pairs,
    *,
    target: TargetName = "logit_difference",
    methods: Sequence[MethodName] = ("attention", "attention_rollout", "saliency", "integrated_gradients"),
    settings: Settings | None = None,
    smallest_effect: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare attention, attributions and causal ablation on the clean prompts of pairs, and say where they disagree.

    Args:
        others: for each pair another one, whose tokens are patched in; see `Pairs.partners`.
        smallest_effect: of interest (share of what all tokens together do to the target).

    Raises: ValueError, as the methods.
    """
    pairs, metric = target_of(pairs, target)
    given = inputs_of_pairs(model, pairs, metric, others=others)
    settings = settings or Settings()
    made = [attribute(model, given, method, settings) for method in methods]
    where = placed(pairs, given.shown.cpu().numpy())
    several = len(set(pairs.templates)) > 1
    return compared_at_places(
        np.stack([one.values for one in made]),
        [one.method for one in made],
        where,
        signed=[method not in UNSIGNED for method in methods],
        patched=patched_by_position(model, given).values,
        occluded=occlusion(model, given).values,
        clusters=pairs.templates if several else tuple(range(len(pairs))),
        unit=metric.unit,
        margin=smallest_effect * abs(_all_together(model, given)),
        counted=np.stack([counted_by(given, method, settings) for method in methods]),
        level=level,
        seed=seed,
    )


def _all_together(model: HookedModel, given: Inputs) -> float:
    """Return what replacing all tokens by another prompt's does to the target, on average."""
    assert OTHER in given.sources, "given with the pairs"
    gone = given.shown.cpu().numpy()[None]
    return float((values_of(model, given) - values_without(model, given, gone, by="prompt")[0]).mean())
