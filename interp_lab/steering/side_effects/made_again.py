"""Making a trait's direction again from fewer pairs, and steering with what comes out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.directions import Directions
from interp_lab.experiment import Progress, silent
from interp_lab.steering.side_effects.applied import Applying
from interp_lab.steering.side_effects.config import SideEffectsConfig
from interp_lab.steering.side_effects.cosines import cosine
from interp_lab.steering.side_effects.material import Material
from interp_lab.steering.side_effects.stability import Stability, between_draws, draws_of, filled, noise_of

Drawn = Float[np.ndarray, "draw hook d"]


def made_again(
    applying: Applying,
    material: Material,
    *,
    layers: Sequence[str],
    coefficient: float,
    config: SideEffectsConfig,
    seed: int,
    told: Progress = silent,
) -> Stability:
    """Make a direction from further texts, of every size that these allow, and steer the reported prompts with it.

    Args:
        layers: hook points at which directions are compared, and steered one at a time.
        coefficient: of all of them.

    Raises: ValueError, if the further texts are fewer than the smallest size.
    """
    n_pool = _pool(material, config)
    sizes = [size for size in config.sizes if size <= n_pool]
    rows = [draws_of(n_pool, size, n_draws=config.n_draws, seed=seed) for size in sizes]
    made = [[material.again(one) for one in draws] for draws, _ in rows]
    deep, _ = draws_of(n_pool, min(config.depth_pairs, n_pool), n_draws=config.n_draws, seed=seed)
    of_depth = [material.again(one) for one in deep]
    vectors, n_shown = [_stacked(one, layers) for one in made], [len(one) for one in made]
    full, found = _stacked([material.directions], layers)[0], material.found
    prompts = material.report
    steered = [material.directions, *[one for draws in made for one in draws]]
    clean, values = _under(applying, material, steered, coefficient=coefficient, told=told)
    by_layer = [
        _at_layer(applying, material, of_depth, hook, coefficient=coefficient, config=config, seed=seed)
        for hook in layers
    ]
    at = [found.hooks.index(hook) for hook in layers]
    sides = (found.positive[at].double().numpy(), found.negative[at].double().numpy())
    return Stability(
        trait=material.trait,
        hooks=tuple(layers),
        n_full=found.positive.shape[1],
        noise=noise_of(*sides, paired=found.paired),
        sizes=np.array(sizes),
        disjoint=np.array([apart for _, apart in rows]),
        to_full=filled([cosine(drawn, full) for drawn in vectors]),
        between=filled([between_draws(drawn) for drawn in vectors]),
        clean=clean,
        full=values[0],
        drawn=filled(np.split(values[1:], np.cumsum(n_shown)[:-1])),
        depth_pairs=deep.shape[1],
        by_layer=np.stack([one[0] for one in by_layer]),
        drawn_by_layer=np.stack([one[1 : 1 + len(deep)] for one in by_layer]),
        random_by_layer=np.stack([one[1 + len(deep) :] for one in by_layer]),
        between_by_layer=between_draws(_stacked(of_depth, layers)).T.copy(),
        templates=prompts.templates,
    )


def _pool(material: Material, config: SideEffectsConfig) -> int:
    assert material.pool is not None, "asked for traits that have further texts"
    n_pool = material.pool.positive.shape[1]
    if n_pool < min(config.sizes):
        raise ValueError(
            f"{material.trait!r} has {n_pool} pairs beside those of its direction, and the smallest of sizes is "
            f"{min(config.sizes)}; give more texts, or smaller sizes"
        )
    return n_pool


def _stacked(made: Sequence[Directions], hooks: Sequence[str]) -> Drawn:
    return np.stack([one.only(hooks).vectors.double().numpy() for one in made])


def _under(
    applying: Applying, material: Material, made: Sequence[Directions], *, coefficient: float, told: Progress = silent
) -> tuple[Float[np.ndarray, " example"], Float[np.ndarray, "made example"]]:
    prompts = material.report
    interventions = [
        applying.made(prompts, material, _vectors(one, applying.read), coefficient=coefficient) for one in made
    ]
    return applying.log_odds(prompts, interventions, told=told)


def _vectors(made: Directions, hooks: Sequence[str]) -> Float[Tensor, "site d"]:
    """Return the vectors at hook points of which one may come several times."""
    return torch.stack([made.at(hook).vector for hook in hooks])


def _at_layer(
    applying: Applying,
    material: Material,
    made: Sequence[Directions],
    hook: str,
    *,
    coefficient: float,
    config: SideEffectsConfig,
    seed: int,
) -> Float[np.ndarray, "made example"]:
    """Return log odds under the direction of one layer there: the full one, those made again, and random ones."""
    setting = replace(applying.setting, hooks=(hook,), gate=None)
    there = replace(applying, setting=setting, read=(hook,), given={})
    full = material.directions.only([hook])
    random = there.random(material, n=config.n_random, seed=seed)
    drawn = [replace(full, vectors=vectors) for vectors in random]
    every = [full, *[one.only([hook]) for one in made], *drawn]
    return _under(there, material, every, coefficient=coefficient)[1]
