"""What settings are made of: directions by name, the activations they come from, and gates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.config import RunRef
from interp_lab.decoding.where import Prompted, special_ids
from interp_lab.directions import ContrastActivations, Directions, contrast_activations, directions_of, from_run
from interp_lab.folds import note_beyond
from interp_lab.hooks import capture
from interp_lab.interventions import Intervention, Op
from interp_lab.steering.config import MethodName, SteeringConfig
from interp_lab.steering.gates import Gate, Kind, fit_gate
from interp_lab.steering.neutral import NeutralTexts
from interp_lab.steering.plan import Family, Plan, places, planned
from interp_lab.steering.setting import How, intervention_for, selected_tokens
from interp_lab.tasks.contrast import Contrast
from interp_lab.types import HookedModel, Site

GateKey = tuple[str, str]
"""Kind and hook point."""


@dataclass(frozen=True)
class Material:
    """Everything that turns a setting into an intervention."""

    directions: Mapping[str, Directions]
    """By the name that settings have for them."""
    found: ContrastActivations
    """At every hook point where something is read or applied."""
    gates: Mapping[GateKey, Gate]

    @property
    def lengths(self) -> dict[str, dict[str, float]]:
        """Return the length of each direction, by hook point (units of activation)."""
        return {name: dict(zip(one.hooks, one.norms.tolist(), strict=True)) for name, one in self.directions.items()}

    def vectors(self, family: Family) -> Float[Tensor, "hook d"]:
        """Return the vector that a family uses at each of its hook points."""
        own = self.directions[family.direction]
        return torch.stack([own.at(hook).vector for hook in family.place.read])

    def gate(self, family: Family) -> Gate | None:
        """Return the gate of a family; `None` if it has none."""
        return None if family.gate is None else self.gates[family.gate, family.place.hooks[0]]

    def midpoints(self, family: Family, vectors: Float[Tensor, "hook d"]) -> Float[Tensor, " hook"] | None:
        """Return the projection on each vector halfway between the two sides: what a clamp of 0 sets."""
        if family.how != How.CLAMP:
            return None
        at = [self.found.hooks.index(hook) for hook in family.place.hooks]
        middle = (self.found.positive[at].mean(1) + self.found.negative[at].mean(1)) / 2
        return (middle.to(vectors) * torch.nn.functional.normalize(vectors, dim=-1)).sum(-1)

    def interventions(
        self, model: HookedModel, family: Family, doses: Sequence[tuple[float, Tensor]], batch: Prompted
    ) -> list[Intervention]:
        """Return what a family does to a batch at some doses.

        Args:
            doses: coefficients, each with the vectors (one per hook) to use: the family's own, or a control's.
        """
        example = family.setting(doses[0][0])
        selected = selected_tokens(model, example, batch, gate=self.gate(family))
        sites = tuple(Site(hook) for hook in family.place.hooks)
        made = []
        for coefficient, vectors in doses:
            plain = replace(family.setting(coefficient), gate=None)
            if not selected.any():
                made.append(Intervention(sites, Op.ADD, tuple(torch.zeros_like(vectors)), plain.name))
                continue
            own = intervention_for(model, plain, vectors, batch, midpoints=self.midpoints(family, vectors))
            made.append(own if own.tokens is None else replace(own, tokens=selected))
        return made

    def of_settings(
        self, model: HookedModel, plan: Plan, settings: Sequence[int], batch: Prompted
    ) -> list[Intervention]:
        """Return the interventions of some settings of a plan, with their own vectors, in this order."""
        every, found = plan.settings, dict[int, Intervention]()
        for nth, family in enumerate(plan.families):
            own = [setting for setting in settings if plan.family_of[setting] == nth]
            if own:
                vectors = self.vectors(family)
                doses = [(every[setting].coefficient, vectors) for setting in own]
                found.update(zip(own, self.interventions(model, family, doses, batch), strict=True))
        return [found[setting] for setting in settings]


def material_of(
    model: HookedModel,
    config: SteeringConfig,
    contrast: Contrast,
    *,
    neutral: NeutralTexts,
    directions: Mapping[str, Directions],
) -> tuple[Material, Plan]:
    """Read the contrast, make directions of it, fit gates, and lay out the grid.

    Args:
        neutral: texts to fit gates on, and to centre on.
        directions: of a user, by name; used beside those that the config names.

    Raises: ValueError, for a direction of another model, weight processing or width, a layer that is out of range, or
        as `contrast_activations` and `directions_of`; FoldError, for one that may not be used in the fold in force.
    """
    for name in directions:
        note_beyond(f"the direction {name!r}, given in memory")
    given = {_named(one): from_run(one, model) for one in config.directions} | dict(directions)
    if not config.methods and not given:
        raise ValueError("methods and directions are both empty; there is nothing to steer with: name one")
    for one in given.values():
        one.require_fits(model)
    shape = {"n_layers": int(model.cfg.n_layers), "attn_only": bool(getattr(model.cfg, "attn_only", False))}
    own = places(config, **shape) if config.methods else ()
    read = tuple(dict.fromkeys(hook for place in own for hook in place.read))
    hooks = [*read, *(hook for place in own for hook in place.hooks)]
    hooks += [hook for one in given.values() for hook in one.hooks]
    background = neutral.texts if "mean_centred" in config.methods else ()
    found = contrast_activations(
        model, contrast, tuple(dict.fromkeys(hooks)), read=config.read, batch_size=config.batch_size,
        background=background,
    )  # fmt: skip
    made = {method: _made(model, config, method, at_hooks(found, read)) for method in config.methods}
    plan = planned(config, made=tuple(made), given={name: one.hooks for name, one in given.items()}, **shape)
    return Material(made | given, found, _gates(model, config, plan, found, neutral)), plan


def _made(model: HookedModel, config: SteeringConfig, method: MethodName, found: ContrastActivations) -> Directions:
    """Return the directions of a method: made of texts, or those that another run made.

    Raises: ValueError, as `directions_of` and `from_run`, or for a run that steered elsewhere.
    """
    ref = config.made_in
    if ref is None:
        return directions_of(found, method, seed=config.seed)
    if ref.artefact != "directions":
        raise ValueError(f"made_in names {ref.artefact!r} of {ref.run}; what a run of steering made is 'directions'")
    own = from_run(RunRef(run=ref.run, artefact=method), model)
    missing = [hook for hook in found.hooks if hook not in own.hooks]
    if missing:
        raise ValueError(
            f"{method} of {ref.run} was made at {', '.join(own.hooks)}, and not at {missing[0]}; ask for layers that "
            "it has, or set made_in to null"
        )
    return own


def at_hooks(found: ContrastActivations, hooks: Sequence[str]) -> ContrastActivations:
    """Return what was read at some of the hook points."""
    index = [found.hooks.index(hook) for hook in hooks]
    background = None if found.background is None else found.background[index]
    return replace(
        found, positive=found.positive[index], negative=found.negative[index], hooks=tuple(hooks),
        background=background,
    )  # fmt: skip


def _named(reference: RunRef) -> str:
    """Return what tables call a direction of another run."""
    return f"{reference.run.name}/{reference.artefact}"


def _gates(
    model: HookedModel, config: SteeringConfig, plan: Plan, found: ContrastActivations, neutral: NeutralTexts
) -> dict[GateKey, Gate]:
    """Fit each gate that some family needs, where it reads."""
    keys = {(family.gate, family.place.hooks[0]) for family in plan.families if family.gate is not None}
    hooks = sorted({hook for _, hook in keys})
    if not hooks:
        return {}
    read = capture(model, neutral.tokens, hooks, mask=neutral.mask)
    plain = neutral.mask & ~torch.isin(neutral.tokens, torch.tensor(special_ids(model), device=neutral.tokens.device))
    fitted = {}
    for named, hook in sorted(keys):
        kind: Kind = "projection" if named == "projection" else "similarity"
        nth = found.hooks.index(hook)
        shown = torch.cat([found.positive[nth], found.negative[nth]])
        tokens = read[hook][plain].to(shown)
        fitted[kind, hook] = fit_gate(kind, shown, tokens, hook=hook, percentile=config.gate_percentile)
    return fitted
