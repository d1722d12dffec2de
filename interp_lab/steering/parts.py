"""The parts of a result that are measured with what leads: what is written under it, and what it does besides."""

from collections.abc import Sequence

import torch

from interp_lab.claims import Split
from interp_lab.steering.choice import Choice
from interp_lab.steering.controls import random_vectors
from interp_lab.steering.generated.generated import Generated
from interp_lab.steering.generated.measured import generated_of
from interp_lab.steering.generated.writing import Subject
from interp_lab.steering.measuring import Measuring
from interp_lab.steering.side_effects import SideEffects, side_effects_of


def written_under(measuring: Measuring, choices: Sequence[Choice]) -> Generated | None:
    """Return what is written under each setting that leads; `None` if not asked for, or if none leads.

    Raises: ValueError, as `generated_of`.
    """
    config, leads = measuring.config.generated, [one.leading for one in choices if one.leading is not None]
    if config is None or not leads:
        return None
    subjects = [_subject(measuring, setting, n_random=config.n_random) for setting in dict.fromkeys(leads)]
    return generated_of(
        measuring.model, measuring.drawn.prompts[Split.REPORT], subjects, config, level=measuring.config.level,
        progress=measuring.told.next("continuations"),
    )  # fmt: skip


def _subject(measuring: Measuring, setting: int, *, n_random: int) -> Subject:
    plan, material = measuring.plan, measuring.material
    family = plan.families[plan.family_of[setting]]
    vectors = material.vectors(family)
    random = random_vectors(material, family, n_random, seed=measuring.config.seed)
    middles = [material.midpoints(family, one) for one in random]
    there = [one for one in middles if one is not None]
    return Subject(
        setting=plan.settings[setting], vectors=vectors, random=random, gate=material.gate(family),
        midpoints=material.midpoints(family, vectors), random_midpoints=torch.stack(there) if there else None,
    )  # fmt: skip


def effects_beside(measuring: Measuring, choices: Sequence[Choice]) -> SideEffects | None:
    """Return what directions of several traits do to each other, put in as what leads is; `None` if not asked for.

    Raises: ValueError, as `side_effects_of`.
    """
    c, leads = measuring.config, [one.leading for one in choices if one.leading is not None]
    if c.side_effects is None or not leads:
        return None
    plan, drawn = measuring.plan, measuring.drawn
    setting, family = plan.settings[leads[0]], plan.families[plan.family_of[leads[0]]]
    given = {name: one for name, one in measuring.material.directions.items() if name not in c.methods}
    method = next((one for one in c.methods if one == family.direction), "mean_difference")
    leading = {c.trait: given[family.direction]} if family.direction in given else {}
    seen = {*drawn.contrast.positive, *drawn.contrast.negative, *drawn.prompts[Split.SELECT].texts}
    return side_effects_of(
        measuring.model, setting, config=c.side_effects, read_at=family.place.read, method=method, read=c.read,
        trait=c.trait, chosen={c.trait: abs(setting.coefficient)}, directions=leading, avoid=frozenset(seen),
        others=tuple(given.values()), gate_percentile=c.gate_percentile, neutral=c.neutral, batch_size=c.batch_size,
        memory_budget=c.memory_budget, level=c.level, seed=c.seed,
        progress=measuring.told.next("side effects"),
    )  # fmt: skip
