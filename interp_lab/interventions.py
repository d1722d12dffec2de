"""What to do, where: an operation with its payload at sites of the model, checked before it runs.

An intervention may act on several sites at once (a set of heads). Activations it is built from
(means, another run's values) are captured here, so that an ablation is one call.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import Edit, at_site, capture, edited, require_hook, require_site
from interp_lab.types import HookedModel, Site, Tokens, require_tokens


class Op(StrEnum):
    """What is done to the activation at a site."""

    REPLACE = "replace"
    """Set to the payload: zero, mean and resample ablation, activation patching."""
    ADD = "add"
    """Add the payload: steering."""
    SCALE = "scale"
    """Multiply by the payload."""
    PROJECT_OUT = "project out"
    """Remove the component along the payload (directional ablation)."""


class Ablation(StrEnum):
    """What an ablated activation is replaced with."""

    ZERO = "zero"
    """Zero; off the distribution of anything the model has seen."""
    MEAN = "mean"
    """Mean over the reference prompts, position by position."""
    RESAMPLE = "resample"
    """The value on another prompt, drawn from the reference prompts."""


@dataclass(frozen=True)
class Intervention:
    """One operation at one or more sites."""

    sites: tuple[Site, ...]
    op: Op
    payloads: tuple[Tensor, ...]
    """One per site, broadcastable to the activation there without its batch axis, or with it if `per_example`."""
    name: str
    """What tables and claims call it, such as `zero ablation of 1.3`."""
    per_example: bool = False
    """Whether the first axis of every payload is the batch."""
    gate: Bool[Tensor, " batch"] | None = None
    """The prompts to act on; `None` means all."""

    def __post_init__(self) -> None:
        if not self.sites:
            raise ValueError(f"intervention {self.name!r} names no site; give at least one")
        if len(set(self.sites)) < len(self.sites):
            twice = next(site for site in self.sites if self.sites.count(site) > 1)
            raise ValueError(f"intervention {self.name!r} names {twice} twice; each site may be given once")
        if len(self.payloads) != len(self.sites):
            raise ValueError(
                f"{self.name!r} has {len(self.sites)} sites but {len(self.payloads)} payloads; give one each"
            )
        for site, payload in zip(self.sites, self.payloads, strict=True):
            if not torch.isfinite(payload).all():
                raise ValueError(f"the payload of {self.name!r} at {site} holds NaN or inf")

    def rows(self, index: Int[Tensor, " example"]) -> "Intervention":
        """Return the intervention on a subset (or repetition) of the prompts it was made for."""
        if not self.per_example and self.gate is None:
            return self
        payloads = tuple(payload[index] for payload in self.payloads) if self.per_example else self.payloads
        return replace(self, payloads=payloads, gate=None if self.gate is None else self.gate[index])

    def edits(self) -> dict[str, Edit]:
        """Return what it does to each hook point, for `hooks.edited`."""
        return {hook: self._edit_at(hook) for hook in {site.hook for site in self.sites}}

    def _edit_at(self, hook: str) -> Edit:
        pairs = [(s, p) for s, p in zip(self.sites, self.payloads, strict=True) if s.hook == hook]

        def edit(activation: Tensor) -> Tensor:
            for site, payload in pairs:
                view = at_site(activation, site)
                if not self.per_example and payload.ndim >= view.ndim:
                    raise ValueError(
                        f"the payload of {self.name!r} at {site} has a batch axis (shape {tuple(payload.shape)}); "
                        "say so with per_example=True, or batches would take each other's rows"
                    )
                changed = apply_op(self.op, view, payload.to(view))
                view.copy_(changed if self.gate is None else _where(self.gate, changed, view))
            return activation

        return edit


def _where(gate: Bool[Tensor, " batch"], changed: Tensor, unchanged: Tensor) -> Tensor:
    return torch.where(gate.to(changed.device).view(-1, *[1] * (changed.ndim - 1)), changed, unchanged)


def apply_op(op: Op, activation: Float[Tensor, "..."], payload: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the activation after one operation, in its own shape.

    Raises: ValueError, if the payload does not broadcast to the activation, or a direction to project out is zero.
    """
    try:
        payload = payload.expand_as(activation)
    except RuntimeError as error:
        raise ValueError(
            f"a payload of shape {tuple(payload.shape)} does not fit an activation of shape {tuple(activation.shape)}"
        ) from error
    if op is Op.REPLACE:
        return payload
    if op is Op.ADD:
        return activation + payload
    if op is Op.SCALE:
        return activation * payload
    squared = payload.square().sum(-1, keepdim=True)
    if (squared == 0).any():
        raise ValueError("cannot project out a direction of length zero")
    return activation - payload * ((activation * payload).sum(-1, keepdim=True) / squared)


def require_intervention(model: HookedModel, intervention: Intervention) -> None:
    """Refuse an intervention whose sites the model has not, or whose gate is closed for every prompt.

    Raises: ValueError, as `hooks.require_site`.
    """
    if intervention.gate is not None and not intervention.gate.any():
        raise ValueError(f"the gate of {intervention.name!r} is closed for every prompt, so it would touch nothing")
    for site in intervention.sites:
        require_site(model, site)


@contextmanager
def applied(model: HookedModel, *interventions: Intervention) -> Generator[dict[str, int]]:
    """Apply interventions, in order, while the block runs; yields how often each hook point fired.

    Raises: ValueError, for a site the model has not; HookNeverFiredError, if one was never reached.
    """
    edits: dict[str, list[Edit]] = {}
    for intervention in interventions:
        for site in intervention.sites:
            require_site(model, site)
        for hook, edit in intervention.edits().items():
            edits.setdefault(hook, []).append(edit)
    with edited(model, {hook: _in_turn(these) for hook, these in edits.items()}) as fired:
        yield fired


def _in_turn(edits: Sequence[Edit]) -> Edit:
    def edit(activation: Tensor) -> Tensor:
        for each in edits:
            activation = each(activation)
        return activation

    return edit


def ablations(
    model: HookedModel,
    groups: Sequence[Sequence[Site]],
    *,
    kind: Ablation,
    reference: Tokens | None = None,
    n_examples: int | None = None,
    seed: int = 0,
) -> list[Intervention]:
    """Return one ablation per group of sites; reference prompts are run once for all of them.

    Args:
        groups: sites that are ablated together.
        reference: prompts that mean and resample ablation take their values from, as long as those ablated.
        n_examples: prompts that will be ablated; resample ablation draws one reference prompt for each.

    Raises: ValueError, for sites the model has not, or if the kind needs `reference` or `n_examples` and has none.
    """
    sites = list(dict.fromkeys(site for group in groups for site in group))
    for site in sites:
        require_site(model, site)
    values = dict(zip(sites, _ablated_values(model, sites, kind, reference, n_examples, seed), strict=True))
    return [
        Intervention(
            sites=tuple(group),
            op=Op.REPLACE,
            payloads=tuple(values[site] for site in group),
            name=f"{kind} ablation of {'+'.join(str(site) for site in group)}",
            per_example=kind is Ablation.RESAMPLE,
        )
        for group in groups
    ]


def _ablated_values(
    model: HookedModel,
    sites: Sequence[Site],
    kind: Ablation,
    reference: Tokens | None,
    n_examples: int | None,
    seed: int,
) -> list[Tensor]:
    if kind is Ablation.ZERO:
        return [torch.zeros(()) for _ in sites]
    if reference is None:
        raise ValueError(f"{kind} ablation takes its values from reference prompts; give reference=, or use 'zero'")
    values = reference_values(model, sites, reference)
    if kind is Ablation.MEAN:
        return [value.mean(0) for value in values]
    if n_examples is None:
        raise ValueError("resample ablation draws one reference prompt per ablated prompt; give n_examples=")
    drawn = torch.randint(len(reference), (n_examples,), generator=torch.Generator().manual_seed(seed))
    return [value[drawn.to(value.device)] for value in values]


def reference_values(
    model: HookedModel, sites: Sequence[Site], tokens: Tokens, *, batch_size: int = 64
) -> list[Float[Tensor, "batch ..."]]:
    """Return the activations at the sites on reference prompts, batch axis first."""
    require_tokens(tokens, what="the reference prompts")
    hooks = list(dict.fromkeys(site.hook for site in sites))
    for hook in hooks:
        require_hook(model, hook)
    kept: list[list[Tensor]] = [[] for _ in sites]
    for chunk in tokens.split(batch_size):
        captured = capture(model, chunk, hooks)
        for values, site in zip(kept, sites, strict=True):
            values.append(at_site(captured[site.hook], site))
    return [torch.cat(values) for values in kept]
