"""One way of steering: which direction, where it is applied, how strongly; for a sweep and for decoding alike."""

from dataclasses import dataclass
from enum import StrEnum
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.decoding import Steer, Strength, Window
from interp_lab.decoding.where import Prompted, policy_of, words
from interp_lab.hooks import capture
from interp_lab.interventions import Intervention, Op
from interp_lab.steering.gates import Gate
from interp_lab.types import HookedModel, Site


class How(StrEnum):
    """What is done along a direction."""

    ADD = "add"
    """Coefficient times the vector is added."""
    CLAMP = "clamp"
    """The projection on the direction is set: to the midpoint, plus coefficient times the length of the vector."""
    ABLATE = "ablate"
    """The projection is taken out; the coefficient is 1 (or 0, which leaves everything as it is)."""


KINDS = ("projection", "similarity")


@dataclass(frozen=True)
class Setting:
    """One way of steering."""

    direction: str
    """What tables call the direction: its trait and method, say."""
    hooks: tuple[str, ...]
    """Where it is applied, in the order of the computation."""
    how: How
    coefficient: float
    """Times the vector, whose length is the gap between the class means: 1 moves one class to the other."""
    where: str = "all"
    """One of `WHERE`."""
    gate: str | None = None
    """`projection` or `similarity`: act only on tokens where the unsteered activation at the first hook is like that of
    texts which show the trait; `None` acts on all that `where` selects."""

    def __post_init__(self) -> None:
        if not self.hooks or len(set(self.hooks)) < len(self.hooks):
            raise ValueError(f"hooks={self.hooks} of {self.direction!r}: give at least one hook point, and each once")
        if not torch.isfinite(torch.tensor(self.coefficient)):
            raise ValueError(f"coefficient={self.coefficient} of {self.direction!r} must be a finite number")
        if self.how is How.ABLATE and self.coefficient not in (0.0, 1.0):
            raise ValueError(
                f"directional ablation takes a direction out or leaves it, and coefficient={self.coefficient}; use 1, "
                "or how='add' to push part of the way"
            )
        if self.gate not in (None, *KINDS):
            raise ValueError(f"gate={self.gate!r} is none of {', '.join(KINDS)}; use one of these, or None")
        words(self.where)

    @property
    def name(self) -> str:
        """What tables and claims call it."""
        hooks = "+".join(str(Site(hook)) for hook in self.hooks)
        gated = "" if self.gate is None else f", {self.gate} gate"
        return f"{self.how} {self.coefficient:+g} {self.direction} at {hooks}, {self.where}{gated}"


def selected_tokens(
    model: HookedModel, setting: Setting, batch: Prompted, *, gate: Gate | None = None
) -> Bool[Tensor, "batch pos"]:
    """Return the tokens that a setting acts on (on the CPU).

    Raises: ValueError, if the setting has a gate and none is given, or the other way round, or a gate of another hook.
    """
    require_gate(setting, gate)
    window = batch.window
    selected = policy_of(model, setting.where)(window)
    if gate is None:
        return selected
    found = capture(model, batch.tokens, [gate.hook], mask=batch.mask)[gate.hook]
    return selected & gate.opened(found).cpu()


def intervention_for(
    model: HookedModel,
    setting: Setting,
    vectors: Float[Tensor, "hook d_model"],
    batch: Prompted,
    *,
    gate: Gate | None = None,
    midpoints: Float[Tensor, " hook"] | None = None,
) -> Intervention:
    """Return what a setting does to a batch, for `engine.sweep`.

    Where it would act on no token (a gate that stays closed), or changes nothing (a coefficient of 0), the intervention
    adds zero: `is_inert` tells.

    Args:
        vectors: one per hook of the setting.
        gate: fitted; read on the unsteered activation at the first hook.
        midpoints: projection on each vector, in activation units, that a clamp of coefficient 0 sets; `None` is 0.

    Raises: ValueError, for vectors that do not fit the hooks, are zero, or a gate that is missing.
    """
    require_fitting(setting, vectors, gate)
    sites = tuple(Site(hook) for hook in setting.hooks)
    selected = selected_tokens(model, setting, batch, gate=gate)
    if not selected.any() or leaves_alone(setting):
        return Intervention(sites, Op.ADD, tuple(torch.zeros_like(vectors)), setting.name)
    op, payloads = operation(setting, vectors, midpoints)
    return Intervention(sites, op, tuple(payloads), setting.name, tokens=selected)


def steers_for(
    model: HookedModel,
    setting: Setting,
    vectors: Float[Tensor, "hook d_model"],
    *,
    gate: Gate | None = None,
    midpoints: Float[Tensor, " hook"] | None = None,
    rows: Bool[Tensor, " batch"] | None = None,
) -> tuple[Steer, ...]:
    """Return what a setting does while decoding; the same, token by token, as `intervention_for` does to a batch.

    One steer, or with a gate one per hook: what the gate says of a token at the first hook holds at all of them.

    Args:
        rows: the prompts to act on; `None` means all.

    Raises: ValueError, as `intervention_for`.
    """
    require_fitting(setting, vectors, gate)
    where = policy_of(model, setting.where)
    op, payloads = operation(setting, vectors, midpoints)
    sites = tuple(Site(hook) for hook in setting.hooks)
    if gate is None:
        return (Steer(Intervention(sites, op, tuple(payloads), setting.name, gate=rows), where),)
    strengths = at_each_hook(gate, n_hooks=len(sites))
    return tuple(
        Steer(
            Intervention((site,), op, (payload,), f"{setting.name} ({site})", gate=rows),
            where,
            strength=strength,
        )
        for site, payload, strength in zip(sites, payloads, strengths, strict=True)
    )


def leaves_alone(setting: Setting) -> bool:
    """Whether a setting changes nothing whatever the activation is: a coefficient of 0, but for a clamp."""
    return setting.coefficient == 0 and setting.how is not How.CLAMP


def is_inert(intervention: Intervention) -> bool:
    """Whether an intervention adds zero, and so changes nothing."""
    return intervention.op is Op.ADD and not any(bool(payload.any()) for payload in intervention.payloads)


def require_gate(setting: Setting, gate: Gate | None) -> None:
    """Refuse a setting without the gate that it names, or with another one.

    Raises: ValueError.
    """
    if (setting.gate is None) != (gate is None):
        told = "needs a fitted gate; make one with gates.fit_gate" if gate is None else "names no gate; leave it out"
        raise ValueError(f"{setting.name!r} {told}")
    if gate is not None and (gate.kind != setting.gate or gate.hook != setting.hooks[0]):
        raise ValueError(
            f"{setting.name!r} has a {setting.gate} gate at {setting.hooks[0]}, and got a {gate.kind} gate at "
            f"{gate.hook}; fit one for this hook"
        )


def operation(
    setting: Setting, vectors: Float[Tensor, "hook d_model"], midpoints: Float[Tensor, " hook"] | None
) -> tuple[Op, Float[Tensor, "hook d_model"]]:
    """Return the operation of a setting and its payload at each hook."""
    if leaves_alone(setting):
        return Op.ADD, torch.zeros_like(vectors)
    if setting.how is How.ADD:
        return Op.ADD, setting.coefficient * vectors
    if setting.how is How.ABLATE:
        return Op.PROJECT_OUT, vectors
    lengths = vectors.norm(dim=-1)
    at = setting.coefficient * lengths + (0.0 if midpoints is None else midpoints.to(vectors))
    if not at.any():
        return Op.PROJECT_OUT, vectors
    return Op.CLAMP, vectors * (at / lengths)[:, None]


def at_each_hook(gate: Gate, *, n_hooks: int) -> list[Strength]:
    """Return the gate as strengths: the first reads it, the others repeat what it said of the same window.

    What it said is kept by window, which is one for all hook points of a forward pass, and as long as there is the
    window: so nobody hears what was said in another pass, however passes follow each other.
    """
    said: WeakKeyDictionary[Window, Tensor] = WeakKeyDictionary()

    def first(activation: Tensor, window: Window) -> Tensor:
        said[window] = gate.opened(activation).to(activation)
        return said[window]

    def again(activation: Tensor, window: Window) -> Tensor:
        return said[window].to(activation)

    return [first, *[again] * (n_hooks - 1)]


def require_fitting(setting: Setting, vectors: Float[Tensor, "hook d_model"], gate: Gate | None) -> None:
    """Refuse vectors or a gate that a setting cannot use.

    Raises: ValueError.
    """
    require_gate(setting, gate)
    if len(vectors) != len(setting.hooks):
        raise ValueError(f"{setting.name!r} has {len(setting.hooks)} hooks and {len(vectors)} vectors; give one each")
    if not torch.isfinite(vectors).all():
        raise ValueError(f"the vectors of {setting.name!r} hold NaN or inf")
    zero = (~vectors.any(-1)).nonzero().flatten().tolist()
    if zero and not leaves_alone(setting):
        raise ValueError(f"the vector of {setting.name!r} at {setting.hooks[zero[0]]} has length zero; leave it out")
