"""Features that differ between sets of texts: measured in a model, as one result for each set and reading."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float

from interp_lab.experiment import Steps
from interp_lab.models import load_model
from interp_lab.models.identity import identity_of
from interp_lab.sae.features.config import Reading, SaeFeaturesConfig
from interp_lab.sae.features.dictionary import Dictionary
from interp_lab.sae.features.differences import LEAST_UNITS, Chosen, Compared, SideValues, choose, compare
from interp_lab.sae.features.per_document import DocumentReadings, read_per_document
from interp_lab.sae.features.sides import Sides, contrast_sides, file_sides, halves, model_sides
from interp_lab.stats import benjamini_hochberg
from interp_lab.types import HookedModel

Models = tuple[HookedModel, HookedModel]
"""The model that reads the first side, and the one that reads the second."""


@dataclass(frozen=True)
class Difference:
    """What one set of texts, read in one way, says of all features; values of those that were chosen are kept."""

    name: str
    names: tuple[str, str]
    reading: str
    unit: str
    """What the independent units are."""
    chosen: Chosen
    report: SideValues
    held_out: SideValues | None
    r2: tuple[float, float]
    """Share of the variance that the dictionary reconstructs on each side (report half)."""
    level: float
    seed: int

    @cached_property
    def reported(self) -> Compared | None:
        """The chosen features on the reporting half; `None` if none was chosen."""
        return self._compared(self.report)

    @cached_property
    def replicated(self) -> Compared | None:
        """The same on held-out templates; `None` if there are none."""
        return None if self.held_out is None else self._compared(self.held_out)

    def _compared(self, values: SideValues) -> Compared | None:
        return compare(values, level=self.level, seed=self.seed) if len(self.chosen.latents) else None

    def p_adjusted(self) -> Float[np.ndarray, " chosen"]:
        """Return p on the reporting half, corrected over the chosen features."""
        found = self.reported
        return np.zeros(0) if found is None else benjamini_hochberg(found.p)

    def holds(self, *, fdr: float) -> list[str]:
        """Return of each chosen feature how far its difference was found again.

        On each part p is corrected over the chosen features of this comparison, and the sign must be that of the
        choosing half.
        """
        found, away = self.reported, self.replicated
        if found is None:
            return []
        wanted = np.sign(self.chosen.effect[self.chosen.latents])  # an infinite effect has a sign, too
        again = (self.p_adjusted() < fdr) & (np.sign(found.intervals.estimate) == wanted)
        if away is None:
            return ["report half" if one else "no" for one in again]
        far = (benjamini_hochberg(away.p) < fdr) & (np.sign(away.intervals.estimate) == wanted)
        return [
            ("report half and held-out templates" if also else "report half") if one else "no"
            for one, also in zip(again, far, strict=True)
        ]


@dataclass(frozen=True)
class Comparison:
    """What is to be compared: texts of two sides, and who reads them."""

    models: Models
    own: Sides
    """Texts of templates that are not held out: half to choose on, half to report."""
    away: Sides | None
    """Texts of held-out templates."""


def comparisons(model: HookedModel, config: SaeFeaturesConfig, *, tuned: HookedModel | None = None) -> list[Comparison]:
    """Draw the texts of every set that a config names; nothing is read yet.

    Args:
        tuned: the other model, in memory; `None` loads the one that the config names.

    Raises: ValueError, for unknown sets, too few texts, or a tuned model of another shape.
    """
    found = [Comparison(*one) for one in _sets(model, config, tuned)]
    for one in found:
        few = None if one.away is None else min(len(set(one.away.first_units)), len(set(one.away.second_units)))
        if few is not None and few < LEAST_UNITS:
            raise ValueError(
                f"{config.differences.n_held_out} documents of {one.own.name!r} have {few} held-out templates, and a "
                f"comparison needs {LEAST_UNITS}; raise differences.n_held_out, or set it to null to do without"
            )
    return found


def measure_differences(
    asked: list[Comparison], dictionary: Dictionary, config: SaeFeaturesConfig, *, steps: Steps
) -> list[Difference]:
    """Measure every set of texts; see `comparisons`.

    Raises: ValueError, as `read_per_document`.
    """
    found: list[Difference] = []
    for one in asked:
        found += _measured(one.models, dictionary, config, one.own, one.away, steps=steps)
    return found


def _sets(
    model: HookedModel, config: SaeFeaturesConfig, tuned: HookedModel | None
) -> Iterator[tuple[Models, Sides, Sides | None]]:
    c, seed = config.differences, config.seed
    for name in c.sets:
        away = None if c.n_held_out is None else contrast_sides(name, c.n_held_out, seed=seed + 1, reserved=True)
        yield (model, model), contrast_sides(name, c.n_documents, seed=seed, reserved=False), away
    if c.files is not None:
        yield (model, model), file_sides(c.files, c.n_documents), None
    if c.tuned is not None:
        other = _load_tuned(config, c.tuned) if tuned is None else tuned
        _require_alike(model, other)
        names = (config.model, c.tuned)
        sides = partial(model_sides, names, contrast=c.tuned_on)
        away = None if c.n_held_out is None else sides(c.n_held_out, seed=seed + 1, reserved=True)
        yield (model, other), sides(c.n_documents, seed=seed, reserved=False), away


def _load_tuned(config: SaeFeaturesConfig, name: str) -> HookedModel:
    c = config
    return load_model(name, c.device, dtype=c.dtype, processing=c.processing, backend=c.backend)


def _require_alike(model: HookedModel, tuned: HookedModel) -> None:
    """Refuse a model whose activations the dictionary cannot read."""
    one, other = identity_of(model), identity_of(tuned)
    one.require_same(replace(other, name=one.name), what=f"the tuned model {other.name!r}")
    own, its = (getattr(each, "tokenizer", None) for each in (model, tuned))
    if own is not None and its is not None and own.get_vocab() != its.get_vocab():
        raise ValueError(
            f"{one.name!r} and {other.name!r} have tokenizers with other tokens, so that the same text is not the same "
            "to both; compare models that share a tokenizer"
        )


def _measured(
    models: Models, dictionary: Dictionary, config: SaeFeaturesConfig, own: Sides, away: Sides | None, *, steps: Steps
) -> list[Difference]:
    c = config.differences
    parts = [*halves(own, seed=config.seed), *([] if away is None else [away])]
    told = steps.next(f"differences: {own.name}")
    read = []
    for nth, part in enumerate(parts):
        told(nth, len(parts), "")
        texts = (part.first, part.second)
        read.append([
            read_per_document(one, dictionary, side, poolings=c.readings)
            for one, side in zip(models, texts, strict=True)
        ])  # fmt: skip
    return [_one(dictionary, config, reading, parts, read) for reading in c.readings]


def _one(
    dictionary: Dictionary,
    config: SaeFeaturesConfig,
    reading: Reading,
    parts: list[Sides],
    read: list[list[DocumentReadings]],
) -> Difference:
    values = [_values(part, one, reading) for part, one in zip(parts, read, strict=True)]
    chosen = choose(values[0], fdr=config.fdr, n_shown=config.differences.n_shown, seed=config.seed)
    return Difference(
        name=parts[0].name,
        names=parts[0].names,
        reading=reading,
        unit=parts[0].unit,
        chosen=chosen,
        report=values[1].of(chosen.latents),
        held_out=values[2].of(chosen.latents) if len(values) > 2 else None,
        r2=(read[1][0].r2, read[1][1].r2),
        level=config.level,
        seed=config.seed,
    )


def _values(sides: Sides, read: list[DocumentReadings], reading: Reading) -> SideValues:
    first, second = (one.latents[reading].T.astype(np.float64) for one in read)
    return SideValues(first, second, sides.first_units, sides.second_units, sides.paired)
