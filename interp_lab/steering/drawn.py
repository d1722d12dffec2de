"""Texts to make directions from, prompts to choose on, prompts to report on, and templates that neither saw."""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from interp_lab.claims import Split
from interp_lab.stats import Splits, split_by_template
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.neutral import NeutralTexts, neutral_texts
from interp_lab.steering.partners import deciding_prompts, gap_prompts
from interp_lab.steering.prompts import TraitPrompts, prompts_of
from interp_lab.steering.traits import contrast_of
from interp_lab.tasks.contrast import Contrast
from interp_lab.tasks.grammar_texts import Part
from interp_lab.types import HookedModel

PARTS = {Split.SELECT: "select", Split.REPORT: "report"}


@dataclass(frozen=True)
class Drawn:
    """All text of a run; no text is in two of its parts."""

    contrast: Contrast
    prompts: Mapping[Split, TraitPrompts]
    neutral: Mapping[Split, NeutralTexts]
    deciding: Mapping[Split, TraitPrompts] = field(default_factory=dict)
    """Prompts that differ from their partners in what should decide; none if that is not asked for."""


def drawn(model: HookedModel, config: SteeringConfig) -> Drawn:
    """Draw everything that is read.

    Raises: ValueError, for an unknown trait, too few texts or prompts, or text that the model cannot read.
    """
    c = config
    part: Part = "answered" if c.read == "answer" else "prompt"
    contrast = contrast_of(c.trait, c.n_contrast, seed=c.seed, reserved=False, part=part)
    used = frozenset({*contrast.positive, *contrast.negative})
    ordinary = _prompts(model, c, c.n_prompts, seed=c.seed + 1, reserved=False, avoid=used)
    splits = halves(ordinary, seed=c.seed)
    prompts = {split: ordinary.rows(splits.of(split)) for split in PARTS}
    if c.n_held_out is not None:
        prompts[Split.HELD_OUT] = _held_out(model, c, c.n_held_out, used=used)
    _require_openings(prompts[Split.REPORT], c)
    neutral = {
        split: neutral_texts(model, c.trait, c.n_neutral // 2, seed=c.seed, part=half, path=c.neutral)  # ty: ignore[invalid-argument-type] - values of PARTS
        for split, half in PARTS.items()
    }
    return Drawn(contrast, prompts, neutral, _deciding(model, c, prompts))


def _prompts(
    model: HookedModel, config: SteeringConfig, n: int, *, seed: int, reserved: bool, avoid: Set[str]
) -> TraitPrompts:
    draw = gap_prompts if config.target == "gap" else prompts_of
    return draw(model, config.trait, n, seed=seed, reserved=reserved, avoid=avoid)


def _deciding(
    model: HookedModel, config: SteeringConfig, prompts: Mapping[Split, TraitPrompts]
) -> dict[Split, TraitPrompts]:
    """Draw as many as there are prompts of each split; a text that is drawn twice is in one split."""
    c = config
    if not c.should_decide:
        return {}
    n = sum(len(prompts[split]) for split in PARTS)
    ordinary = deciding_prompts(model, c.trait, c.should_decide, n, seed=c.seed + 3, reserved=False)
    splits = halves(ordinary, seed=c.seed)
    found = {split: ordinary.rows(splits.of(split)) for split in PARTS}
    if Split.HELD_OUT in prompts:
        found[Split.HELD_OUT] = deciding_prompts(
            model, c.trait, c.should_decide, len(prompts[Split.HELD_OUT]), seed=c.seed + 3, reserved=True
        )
    return found


def _require_openings(report: TraitPrompts, config: SteeringConfig) -> None:
    """Refuse, before anything is measured, to continue more openings than there are."""
    asked = config.generated
    if asked is None:
        return
    stops = [last + 1 if asked.opening is None else min(asked.opening, last + 1) for last in report.last.tolist()]
    n = len({tuple(row[:stop]) for row, stop in zip(report.tokens.tolist(), stops, strict=True)})
    if n < asked.n_prompts:
        raise ValueError(
            f"generated.n_prompts={asked.n_prompts}, and the prompts of the report split have {n} different openings; "
            "raise n_prompts, give a longer generated.opening, lower generated.n_prompts, or set generated to null"
        )


def _held_out(model: HookedModel, config: SteeringConfig, n: int, *, used: Set[str]) -> TraitPrompts:
    try:
        return _prompts(model, config, n, seed=config.seed + 2, reserved=True, avoid=used)
    except ValueError as error:
        raise ValueError(f"{error}; or set n_held_out to null, and nothing is replicated") from error


def halves(prompts: TraitPrompts, *, seed: int) -> Splits:
    """Share prompts between choosing and reporting: of each template and side about as many on either.

    Templates of one prompt (a file whose lines name none) are shared out among themselves.
    """
    cells = [f"{template}/{side:+d}" for template, side in zip(prompts.templates, prompts.sides, strict=True)]
    labels = cells if min(Counter(cells).values()) > 1 else list(prompts.templates)
    counts = Counter(labels)
    alone = [label for label in labels if counts[label] == 1]
    shared = "templates of one prompt" if len(alone) != 1 else counts.most_common(1)[0][0]
    joined = [shared if counts[label] == 1 else label for label in labels]
    return split_by_template(joined, held_out=None, together=list(prompts.texts), seed=seed)
