"""What is needed of each trait: activations of its texts, its direction, and prompts that made no direction."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from interp_lab.decoding.where import special_ids
from interp_lab.directions import (
    ContrastActivations,
    Directions,
    Method,
    Read,
    contrast_activations,
    directions_of,
    shuffled,
)
from interp_lab.hooks import capture
from interp_lab.steering.gates import Gate, Kind, fit_gate
from interp_lab.steering.neutral import NeutralTexts, neutral_texts
from interp_lab.steering.prompts import TraitPrompts, prompts_of
from interp_lab.steering.side_effects.config import SideEffectsConfig
from interp_lab.steering.trait_files import read_trait
from interp_lab.steering.traits import contrast_of, is_file
from interp_lab.tasks.contrast import Contrast
from interp_lab.types import HookedModel

FEWEST = 8
"""Texts on a side of which a direction may be made."""
MORE = 9
"""Quarters of the largest size that are drawn: two sets of it, and some to spare for texts that come twice."""


@dataclass(frozen=True)
class Source:
    """How directions are made."""

    hooks: tuple[str, ...]
    """Where directions are made: at the layers that are compared, and where those come from that are steered."""
    method: Method = "mean_difference"
    read: Read = "last"
    batch_size: int = 64
    gate: Kind | None = None
    """Of steering; fitted on each trait's own texts and text that does not show it."""
    gate_hook: str | None = None
    gate_percentile: float | None = 95.0
    """As `gates.fit_gate` takes it."""
    neutral: Path | None = None
    """Text that shows no trait, for models that were not trained on the grammar."""
    only_read: tuple[str, ...] = ()
    """Where activations are read and no direction is made: for a gate, or the middle between the sides of a clamp."""

    @property
    def needs_neutral(self) -> bool:
        """Whether text that does not show the trait has to be read."""
        return self.gate is not None or self.method == "mean_centred"


@dataclass(frozen=True)
class Material:
    """One trait: texts that make its direction, texts that make it again, and two sets of prompts."""

    trait: str
    source: Source
    found: ContrastActivations
    """Of the texts that make the direction, where directions are made."""
    pool: ContrastActivations | None
    """Of further texts, from which the direction is made again."""
    directions: Directions
    gate: Gate | None
    calibration: TraitPrompts
    report: TraitPrompts
    only_read: ContrastActivations | None = None
    """Of the texts that make the direction, where none is made."""

    def sides(self, hook: str) -> tuple[Float[torch.Tensor, "example d"], Float[torch.Tensor, "other d"]]:
        """Return the activations of either side of the texts that make the direction."""
        there = self.found if hook in self.found.hooks or self.only_read is None else self.only_read
        at = there.hooks.index(hook)
        return there.positive[at], there.negative[at]

    def again(self, rows: Int[np.ndarray, " row"]) -> Directions:
        """Return the direction made from some of the further texts, as long as the full one at every hook point."""
        assert self.pool is not None, "asked for traits that have further texts"
        made = directions_of(_rows(self.pool, rows), self.source.method)
        return as_long_as(self.directions, made)


def as_long_as(full: Directions, made: Directions) -> Directions:
    """Return directions with the lengths of others at the same hook points."""
    scale = full.norms / made.norms
    return replace(made, vectors=made.vectors * scale[:, None])


def prepared(
    model: HookedModel,
    trait: str,
    source: Source,
    config: SideEffectsConfig,
    *,
    again: bool,
    seed: int,
    avoid: Set[str] = frozenset(),
) -> Material:
    """Read the texts of a trait and draw its prompts; none is in two of the sets.

    Args:
        again: whether further texts are read, to make the direction again.
        avoid: texts that are used elsewhere; no prompt is one of them.

    Raises: ValueError, as `contrast_of`, `contrast_activations`, `directions_of` and `prompts_of`.
    """
    more = MORE * max(config.sizes) // 4 if again and config.sizes else 0
    part = "answered" if source.read == "answer" else "prompt"
    contrast = distinct(contrast_of(trait, _allowed(trait, config, more), seed=seed, reserved=False, part=part))
    n_texts = len(contrast.positive)
    enough = not more or n_texts >= config.n_pairs + max(config.sizes)
    n_full = min(n_texts, config.n_pairs) if enough else (n_texts + 1) // 2
    plain = _neutral(model, trait, source, config, seed=seed)
    read = contrast_activations(
        model, contrast, source.hooks, read=source.read, batch_size=source.batch_size,
        background=plain.texts if plain and source.method == "mean_centred" else (),
    )  # fmt: skip
    rows = np.arange(n_texts)
    found = _rows(read, rows[:n_full])
    calibration, report = _measured(model, trait, config, avoid | {*contrast.positive, *contrast.negative}, seed=seed)
    made = Material(
        trait=trait,
        source=source,
        found=found,
        pool=_rows(read, rows[n_full:]) if more else None,
        directions=directions_of(found, source.method),
        gate=None,
        calibration=calibration,
        report=report,
        only_read=_only_read(model, contrast, source, rows[:n_full]),
    )
    return replace(made, gate=_gate(model, made, plain))


def _neutral(
    model: HookedModel, trait: str, source: Source, config: SideEffectsConfig, *, seed: int
) -> NeutralTexts | None:
    if not source.needs_neutral:
        return None
    return neutral_texts(model, trait, config.n_neutral, seed=seed, part="select", path=source.neutral)


def _only_read(
    model: HookedModel, contrast: Contrast, source: Source, rows: Int[np.ndarray, " row"]
) -> ContrastActivations | None:
    if not source.only_read:
        return None
    read = contrast_activations(model, contrast, source.only_read, read=source.read, batch_size=source.batch_size)
    return _rows(read, rows)


def _gate(model: HookedModel, made: Material, plain: NeutralTexts | None) -> Gate | None:
    """Fit the gate of a trait, where it is steered first."""
    source = made.source
    if source.gate is None or source.gate_hook is None:
        return None
    assert plain is not None, "a gate needs neutral text"
    hook = source.gate_hook
    shown = torch.cat(made.sides(hook))
    special = torch.tensor(special_ids(model), device=plain.tokens.device)
    tokens = capture(model, plain.tokens, [hook], mask=plain.mask)[hook][
        plain.mask & ~torch.isin(plain.tokens, special)
    ]
    return fit_gate(source.gate, shown, tokens.to(shown), hook=hook, percentile=source.gate_percentile)


def _allowed(trait: str, config: SideEffectsConfig, more: int) -> int:
    """Return how many texts are drawn on each side: of a file, no more than leave prompts to be measured."""
    wanted = config.n_pairs + more
    if not is_file(trait):
        return wanted
    ordinary = sum(not line.reserved for line in read_trait(Path(trait)))
    left = ordinary - config.n_calibration - config.n_prompts
    if left < FEWEST:
        raise ValueError(
            f"{trait} holds {ordinary} ordinary lines, of which n_calibration={config.n_calibration} and "
            f"n_prompts={config.n_prompts} are measured on; give {FEWEST - left} more, or measure on fewer"
        )
    return min(wanted, left)


def _measured(
    model: HookedModel, trait: str, config: SideEffectsConfig, taken: Set[str], *, seed: int
) -> tuple[TraitPrompts, TraitPrompts]:
    """Draw prompts to find a coefficient on, and others to report."""
    calibration = prompts_of(model, trait, config.n_calibration, seed=seed + 1, reserved=False, avoid=taken)
    taken = taken | set(calibration.texts)
    return calibration, prompts_of(model, trait, config.n_prompts, seed=seed + 2, reserved=False, avoid=taken)


def distinct(contrast: Contrast) -> Contrast:
    """Return a contrast without repetitions of a pair; sides of unequal length are cut to the shorter."""
    both = list(zip(contrast.positive, contrast.negative, strict=False))
    first = sorted({texts: nth for nth, texts in reversed(list(enumerate(both)))}.values())
    return contrast.rows(first, first)


def _rows(found: ContrastActivations, rows: Int[np.ndarray, " row"]) -> ContrastActivations:
    return found.rows(rows, rows)


def resampled(material: Material, *, n: int, seed: int) -> Float[np.ndarray, "resample hook d"]:
    """Return directions made again from templates drawn with replacement, as many as there are."""
    rng = np.random.default_rng([seed, 1])
    templates = material.found.positive_templates
    by_template = [np.flatnonzero(np.array(templates) == name) for name in dict.fromkeys(templates)]
    made = []
    for _ in range(n):
        drawn = rng.integers(len(by_template), size=len(by_template))
        rows = np.concatenate([by_template[nth] for nth in drawn])
        made.append(_array(directions_of(_rows(material.found, rows), material.source.method)))
    return np.stack(made)


def shuffled_labels(material: Material, *, n: int, seed: int) -> Float[np.ndarray, "draw hook d"]:
    """Return directions made with labels that mean nothing: partners swapped in half of the pairs, or texts dealt anew.

    Of principal components, which do not see the labels of partners, those of mean differences.
    """
    method = "mean_difference" if material.source.method == "pca" else material.source.method
    return np.stack([_array(one) for one in shuffled(material.found, n, seed=seed, method=method)])


def _array(directions: Directions) -> Float[np.ndarray, "hook d"]:
    return directions.vectors.double().numpy()


def vectors_of(material: Material) -> Float[np.ndarray, "hook d"]:
    """Return a trait's direction at every hook point that was read."""
    return _array(material.directions)


def midpoint(
    material: Material, vectors: Float[torch.Tensor, "hook d"], hooks: Sequence[str]
) -> Float[torch.Tensor, " hook"]:
    """Return the projection of what lies midway between the two kinds of text, at hook points that are steered.

    Args:
        vectors: one for each hook point; it may have been made at another one.
    """
    sides = [material.sides(hook) for hook in hooks]
    middle = torch.stack([(one.mean(0) + other.mean(0)) / 2 for one, other in sides])
    return (middle * torch.nn.functional.normalize(vectors, dim=-1)).sum(-1)
