"""Measuring side effects: prepare the traits, find their coefficients, steer each on every trait's prompts."""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np

from interp_lab.directions import Directions, Method, Read
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.steering.gates import Kind
from interp_lab.steering.setting import How, Setting
from interp_lab.steering.side_effects.applied import Applying
from interp_lab.steering.side_effects.config import SideEffectsConfig
from interp_lab.steering.side_effects.cosines import Cosines, Other, cosines_of
from interp_lab.steering.side_effects.made_again import made_again
from interp_lab.steering.side_effects.material import Material, Source, prepared, resampled, shuffled_labels, vectors_of
from interp_lab.steering.side_effects.result import SideEffects
from interp_lab.steering.side_effects.steered import coefficients_of, on_trait
from interp_lab.types import HookedModel, Site


def side_effects_of(
    model: HookedModel,
    setting: Setting,
    *,
    config: SideEffectsConfig,
    read_at: tuple[str, ...] | None = None,
    method: Method = "mean_difference",
    read: Read = "last",
    trait: str | None = None,
    chosen: Mapping[str, float] | None = None,
    directions: Mapping[str, Directions] | None = None,
    avoid: Set[str] = frozenset(),
    others: Sequence[Directions] = (),
    gate_percentile: float | None = 95.0,
    neutral: Path | None = None,
    batch_size: int = 64,
    memory_budget: int | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: Progress = silent,
) -> SideEffects:
    """Measure what directions of several traits do to each other's prompts, alone and two at once.

    Args:
        setting: how each direction is put in (hooks, operation, tokens); its coefficient and direction are not used,
            and of a gate only its kind: each trait's is fitted to it, and holds for random directions in its place.
        read_at: for each hook point of the setting, the one whose direction is put there; `None` takes its own.
        method: by which directions are made.
        read: where activations are read for them.
        trait: comes first, whether the config names it or not.
        chosen: coefficients of traits that are known already, by trait; others are calibrated.
        directions: of traits, to be steered in place of those that are made; at the hook points of `read_at`.
        avoid: texts that directions or coefficients which are given were found on; no prompt is one of them.
        gate_percentile: as `gates.fit_gate` takes it.
        neutral: text that shows no trait, for models that were not trained on the grammar.
        others: directions from elsewhere (rows of a decoder, probes) whose cosines with the traits' are taken.
        level: of every interval.

    Raises: ValueError, for a trait that is not there, another model's directions, or hook points the model has not; as
        `contrast_of`, `prompts_of`, `directions_of` and `intervention_for`.
    """
    named, given, chosen = read_at or setting.hooks, directions or {}, chosen or {}
    config = config if trait is None else _with_first(config, trait)
    _require_fitting(model, setting, named, [*others, *given.values()])
    applying = Applying(model, setting, named, given, memory_budget)
    layers = layer_hooks(named[0], config.layers, n_layers=int(model.cfg.n_layers))
    compared = tuple(dict.fromkeys([*layers, *named]))
    hooks = tuple(dict.fromkeys([*compared, *_hooks(others)]))
    source = Source(
        hooks, method, read, batch_size, gate=_kind(setting), gate_hook=setting.hooks[0],
        gate_percentile=gate_percentile, neutral=neutral, only_read=_only_read(setting, hooks),
    )  # fmt: skip
    stable = config.traits[:1] if config.stable is None else config.stable
    steps = Steps(progress, 3 * len(config.traits) + 1 + (len(stable) if config.sizes else 0))
    materials = _prepared(model, source, config, stable=stable, avoid=avoid, seed=seed, steps=steps)
    coefficients, reached = coefficients_of(applying, materials, config, chosen, steps=steps)
    measured = tuple(
        on_trait(applying, materials, one, coefficients=coefficients, config=config, seed=seed,
                 told=steps.next(f"{one.trait} under every direction"))
        for one in materials
    )  # fmt: skip
    cosines = _cosines(materials, others, hooks=compared, config=config, seed=seed, told=steps.next("cosines"))
    stability = tuple(
        made_again(applying, one, layers=layers, coefficient=float(coefficients[nth]), config=config, seed=seed,
                   told=steps.next(f"{one.trait} from other texts"))
        for nth, one in enumerate(materials)
        if one.pool is not None
    )  # fmt: skip
    return SideEffects(
        setting=_way(applying.setting),
        method=method,
        level=level,
        seed=seed,
        margin=config.margin,
        odds_margin=config.odds_margin,
        aim=config.aim,
        coefficients=coefficients,
        reached=reached,
        given=np.array([one in chosen for one in config.traits]),
        measured=measured,
        cosines=cosines,
        stability=stability,
    )


def _with_first(config: SideEffectsConfig, trait: str) -> SideEffectsConfig:
    """Return the config with a trait before all others."""
    return config.overlaid({"traits": [trait, *(one for one in config.traits if one != trait)]})


def _way(setting: Setting) -> str:
    """Return how directions are put in, in words."""
    gated = "" if setting.gate is None else f", {setting.gate} gate"
    return f"{setting.how} at {'+'.join(str(Site(hook)) for hook in setting.hooks)}, {setting.where}{gated}"


def _only_read(setting: Setting, made_at: Sequence[str]) -> tuple[str, ...]:
    """Return where activations are needed and no direction is made, as where everything that writes is steered."""
    wanted = setting.hooks if setting.how is How.CLAMP else setting.hooks[:1] if setting.gate else ()
    return tuple(hook for hook in wanted if hook not in made_at)


def _kind(setting: Setting) -> Kind | None:
    return None if setting.gate is None else "similarity" if setting.gate == "similarity" else "projection"


def layer_hooks(hook: str, layers: Sequence[int] | None, *, n_layers: int) -> tuple[str, ...]:
    """Return the same hook point in several layers; itself, if it is in none.

    Raises: ValueError, for a layer that is not there.
    """
    if not hook.startswith("blocks."):
        return (hook,)
    wanted = range(n_layers) if layers is None else layers
    beyond = [layer for layer in wanted if layer >= n_layers]
    if beyond:
        raise ValueError(f"layers={tuple(wanted)}: the model has layers 0 to {n_layers - 1}; leave {beyond[0]} out")
    name = hook.split(".", 2)[2]
    return tuple(f"blocks.{layer}.{name}" for layer in wanted)


def _hooks(others: Sequence[Directions]) -> list[str]:
    return [hook for one in others for hook in one.hooks]


def _require_fitting(
    model: HookedModel, setting: Setting, read_at: tuple[str, ...], others: Sequence[Directions]
) -> None:
    if len(read_at) != len(setting.hooks):
        raise ValueError(
            f"read_at names {len(read_at)} hook points for {len(setting.hooks)} that are steered; give one for each"
        )
    for one in others:
        one.require_fits(model)


def _prepared(
    model: HookedModel,
    source: Source,
    config: SideEffectsConfig,
    *,
    stable: Sequence[str],
    avoid: Set[str],
    seed: int,
    steps: Steps,
) -> list[Material]:
    made = []
    for trait in config.traits:
        steps.next(f"texts of {trait}")(0, 1, "")
        made.append(prepared(model, trait, source, config, again=trait in stable, avoid=avoid, seed=seed))
    return made


def _cosines(
    materials: Sequence[Material],
    others: Sequence[Directions],
    *,
    hooks: tuple[str, ...],
    config: SideEffectsConfig,
    seed: int,
    told: Progress,
) -> Cosines:
    """Compare the traits' directions with each other, and with directions from elsewhere."""
    elsewhere = [
        Other(one.name, hook, vector.double().numpy())
        for one in others
        for hook, vector in zip(one.hooks, one.vectors.cpu(), strict=True)
    ]
    again, mixed = [], []
    for nth, one in enumerate(materials):
        told(nth, len(materials), "cosines")
        again.append(resampled(one, n=config.n_resamples, seed=seed + nth))
        mixed.append(shuffled_labels(one, n=config.n_shuffled, seed=seed + nth))
    return cosines_of(
        [one.trait for one in materials], materials[0].found.hooks, elsewhere, shown=hooks,
        own=np.stack([vectors_of(one) for one in materials]),
        resampled=np.stack(again, axis=1), shuffled=np.stack(mixed, axis=1),
    )  # fmt: skip
