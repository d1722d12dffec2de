"""Steering each trait on the prompts of every trait: how strongly, and what comes of it."""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.experiment import Progress, Steps, silent
from interp_lab.interventions import Intervention
from interp_lab.steering.side_effects.applied import Applying, calibrated, together
from interp_lab.steering.side_effects.config import SideEffectsConfig
from interp_lab.steering.side_effects.material import Material
from interp_lab.steering.side_effects.on_trait import OnTrait, pairs_of, share_of

NEAR = 0.02
"""Of the aim (share of the range): near enough."""
MOST_TRIED = 8
"""Coefficients between those of the config that are tried for one trait."""


def coefficients_of(
    applying: Applying,
    materials: Sequence[Material],
    config: SideEffectsConfig,
    chosen: Mapping[str, float],
    *,
    steps: Steps,
) -> tuple[Float[np.ndarray, " trait"], Bool[np.ndarray, " trait"]]:
    """Return the coefficient of each trait, and whether it moves its own trait as far as is aimed for."""
    found = []
    for one in materials:
        told = steps.next(f"coefficient of {one.trait}")
        if len(applying.signs) == 1:
            found.append((1.0, True))
        elif one.trait in chosen:
            found.append((abs(chosen[one.trait]), True))
        else:
            found.append(_sought(applying, one, config, told))
    coefficients, reached = zip(*found, strict=True)
    return np.array(coefficients), np.array(reached)


def _sought(applying: Applying, material: Material, config: SideEffectsConfig, told: Progress) -> tuple[float, bool]:
    """Return the coefficient at which a direction moves its own trait as far as is aimed for, and whether it does.

    Effects do not rise evenly between the coefficients that are tried (least of all from 0 to the first): what is found
    between two is tried in turn, and stands beside them for the next.
    """
    effects = dict(zip(config.coefficients, _both_ways(applying, material, config.coefficients, told), strict=True))
    for _ in range(MOST_TRIED):
        tried = sorted(effects)
        coefficient, reached = calibrated(tried, np.array([effects[one] for one in tried]), aim=config.aim)
        if not reached or coefficient in effects:
            break
        effects[coefficient] = _both_ways(applying, material, [coefficient], silent)[0]
        if abs(effects[coefficient] - config.aim) < NEAR:
            break
    return coefficient, reached


def _both_ways(
    applying: Applying, material: Material, coefficients: Sequence[float], told: Progress
) -> Float[np.ndarray, " dose"]:
    """Return half the difference (share) between a direction put in and taken off, at each coefficient."""
    doses = [sign * one for sign in applying.signs for one in coefficients]
    vectors, prompts = applying.of(material), material.calibration
    made = [applying.made(prompts, material, vectors, coefficient=dose) for dose in doses]
    _, values = applying.log_odds(prompts, made, told=told)
    up, down = share_of(values).mean(-1).reshape(2, -1)
    return (up - down) / 2


def on_trait(
    applying: Applying,
    materials: Sequence[Material],
    on: Material,
    *,
    coefficients: Float[np.ndarray, " trait"],
    config: SideEffectsConfig,
    seed: int,
    told: Progress = silent,
) -> OnTrait:
    """Steer every trait on the prompts of one: alone both ways, beside random directions, and two at once."""
    prompts, doses = on.report, [float(one) for one in coefficients]

    def put(material: Material, vectors: Tensor, dose: float) -> Intervention:
        return applying.made(prompts, material, vectors, coefficient=dose)

    own = [[put(one, applying.of(one), sign * dose) for one, dose in zip(materials, doses, strict=True)]
           for sign in applying.signs]  # fmt: skip
    random = [
        [put(one, vectors, dose) for vectors in applying.random(one, n=config.n_random, seed=seed + nth)]
        for nth, (one, dose) in enumerate(zip(materials, doses, strict=True))
    ]
    pairs = pairs_of(len(materials))
    both = [together(own[0][first], own[0][second]) for first, second in pairs]
    n_partners = min(config.n_partners, config.n_random)
    mixed = [together(own[0][first], partner) for first, second in pairs for partner in random[second][:n_partners]]
    made = [*chain(*own), *chain(*random), *both, *mixed]
    clean, values = applying.log_odds(prompts, made, told=told)
    ends = np.cumsum([len(own) * len(materials), len(materials) * config.n_random, len(both)])
    parts = np.split(values, ends)
    n = len(prompts)
    return OnTrait(
        trait=on.trait,
        clean=clean,
        alone=parts[0].reshape(len(own), len(materials), n),
        random=parts[1].reshape(len(materials), config.n_random, n),
        both=parts[2],
        with_random=parts[3].reshape(len(pairs), n_partners, n),
        templates=prompts.templates,
    )
