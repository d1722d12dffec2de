"""Two checks of a method rather than of its maps: is it steady, and does it depend on what the model has learned?"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.effects.parts import Part
from interp_lab.experiment import Progress
from interp_lab.input_attribution.config import InputAttributionConfig
from interp_lab.input_attribution.inputs import Inputs
from interp_lab.input_attribution.measured import inputs_of
from interp_lab.input_attribution.methods import MethodName, Settings, attribute
from interp_lab.input_attribution.random_maps import dealt_out
from interp_lab.input_attribution.randomisation import cascade
from interp_lab.input_attribution.ranks import Ranked
from interp_lab.input_attribution.sensitivity import relative_change, sensitivity_max
from interp_lab.runs.fields import KeptFields
from interp_lab.types import HookedModel

LEFT_OUT: tuple[MethodName, ...] = ("shap",)
"""Too dear to be made over and over."""


@dataclass(frozen=True)
class Sanity(KeptFields):
    """Both checks on the first prompts of the report half; NaN for methods that are left out."""

    sensitivity: Float[np.ndarray, "map example"]
    """Largest relative change of a map under small disturbances of the embeddings."""
    redealt: Float[np.ndarray, "map example"]
    """Relative change if a map's values were dealt out anew: what no steadiness at all looks like."""
    stages: Shaped[np.ndarray, " stage"]
    """Which weights were drawn anew."""
    kept: Float[np.ndarray, "stage map example"]
    """Spearman's correlation, over tokens, of sizes in the model and in the one with those weights drawn anew."""
    kept_by_lot: Float[np.ndarray, "map example"]
    """The same with sizes dealt out anew; mean over draws."""
    templates: Shaped[np.ndarray, " example"]


def sanity(model: HookedModel, part: Part, config: InputAttributionConfig, *, told: Progress) -> Sanity:
    """Disturb embeddings, and draw weights anew.

    Integrated gradients take the steps that they begin with, whatever their residual: a model that has learned nothing
    may have no way that is easily integrated.
    """
    some = part.rows(range(min(config.n_disturbed, len(part.pairs))))
    given = inputs_of(model, some, config)
    shown, maps = given.shown.cpu().numpy(), config.maps()
    base = _values(model, given, maps)
    dealt = [dealt_out(one, shown, n=config.n_random, seed=config.seed) for one in np.nan_to_num(base)]
    steady = []
    for nth, (name, method, settings) in enumerate(maps):
        told(nth, 2 * len(maps), f"sensitivity of {name}")
        steady.append(_steadiness(model, given, method, settings, config=config))
    sizes = Ranked.of(np.abs(np.nan_to_num(base)), shown)
    stages, kept = [], []
    for name, drawn in cascade(model, seed=config.seed, stages=config.n_stages):
        told(len(maps), 2 * len(maps), f"{name} drawn anew")
        other = _values(drawn, given, maps)
        stages.append(name)
        found = sizes.spearman(Ranked.of(np.abs(np.nan_to_num(other)), shown))
        kept.append(np.where(np.isnan(other[:, :, 0]), np.nan, found))
    asked = ~np.isnan(base[:, :, 0])
    by_lot = [Ranked.of(np.abs(draws), shown).spearman(sizes.row(nth)).mean(0) for nth, draws in enumerate(dealt)]
    changes = [relative_change(one, draws).mean(0) for one, draws in zip(np.nan_to_num(base), dealt, strict=True)]
    return Sanity(
        sensitivity=np.stack(steady),
        redealt=np.where(asked, np.stack(changes), np.nan),
        stages=np.array(stages),
        kept=np.stack(kept),
        kept_by_lot=np.where(asked, np.stack(by_lot), np.nan),
        templates=np.array(some.pairs.templates),
    )


def _values(
    model: HookedModel, given: Inputs, maps: tuple[tuple[str, MethodName, Settings], ...]
) -> Float[np.ndarray, "map example pos"]:
    missing = np.full(tuple(given.tokens.shape), np.nan)
    return np.stack(
        [missing if method in LEFT_OUT else attribute(model, given, method, replace(settings, tolerance=None)).values
         for _, method, settings in maps]
    )  # fmt: skip


def _steadiness(
    model: HookedModel, given: Inputs, method: MethodName, settings: Settings, *, config: InputAttributionConfig
) -> Float[np.ndarray, " example"]:
    if method in LEFT_OUT:
        return np.full(len(given), np.nan)
    as_it_is = replace(settings, tolerance=None)
    return sensitivity_max(
        model,
        given,
        lambda model, disturbed: attribute(model, disturbed, method, as_it_is).values,
        radius=config.radius,
        n_samples=config.n_disturbances,
        seed=config.seed,
    )
