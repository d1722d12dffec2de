"""An intervention while a model generates: at which tokens, how strongly in which row."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.decoding.batch import Batch, Window
from interp_lab.decoding.positions import Positions, everywhere
from interp_lab.hooks import at_site
from interp_lab.interventions import Intervention, Op, apply_op
from interp_lab.types import Site

Strength = Callable[[Float[Tensor, "batch pos ..."], Window], Float[Tensor, "batch pos"]]
"""A factor for each token, from its activation and its place: a gate (0 or 1), a schedule.

It must decide on each token by itself, so that it says the same with a cache, where it sees one at a time.
"""


@dataclass(frozen=True)
class Steer:
    """An intervention, and the tokens of each row's own sequence at which it acts.

    A site's `position` is absolute, too (negative counts from the end of the prompt), and must agree
    with `where`. At attention patterns and scores the position is the query's, and only keys that the
    query may see are changed. Payloads have no position axis, or one of size 1; nor do they have a key axis.
    """

    intervention: Intervention
    where: Positions = everywhere()  # noqa: RUF009 - frozen, so one instance will do
    coefficients: Float[Tensor, " batch"] | None = None
    """Per prompt: an added payload is multiplied by it; other operations go this share of the way. `None` is 1."""
    strength: Strength | None = None
    """Multiplies the coefficients, token by token; its activation is that at the hook point, before this edit."""

    def __post_init__(self) -> None:
        if self.coefficients is not None and not torch.isfinite(self.coefficients).all():
            raise ValueError(f"the coefficients of {self.intervention.name!r} hold NaN or inf")
        given = {"positions": self.intervention.positions, "since": self.intervention.since}
        for what, value in given.items():
            if value is not None:
                raise ValueError(f"{self.name!r} has {what} per prompt; while decoding, `where` says which tokens")
        if self.intervention.codec is not None:
            raise ValueError(f"{self.name!r} acts on the latents of a codec; steer along its decoder direction instead")
        for site in self.intervention.sites:
            if site.by_query and site.latent is not None:
                raise ValueError(f"{site} names one key; during decoding keys move with the padding: name a head only")

    @property
    def name(self) -> str:
        """What tables call it: the intervention and its positions."""
        return f"{self.intervention.name} ({self.where})"

    def require_rows(self, n_rows: int) -> None:
        """Refuse to act on a number of prompts that it was not made for.

        Raises: ValueError, naming what has another number.
        """
        given = {"coefficients": self.coefficients, "gate": self.intervention.gate}
        if self.intervention.per_example:
            given |= {f"payload at {s}": p for s, p in zip(self.intervention.sites, self.intervention.payloads)}  # noqa: B905 - equal by construction
        for what, value in given.items():
            if value is not None and (value.ndim == 0 or len(value) != n_rows):
                raise ValueError(f"{what} of {self.name!r} is for {tuple(value.shape)} prompts, and there are {n_rows}")

    def rows(self, index: Int[Tensor, " batch"]) -> "Steer":
        """Return it for some of the prompts that it was made for."""
        coefficients = None if self.coefficients is None else self.coefficients[index.to(self.coefficients.device)]
        # An open gate for none of the rows that go on is no error here: the others are finished.
        gate, closed = self.intervention.gate, None
        if gate is not None and not gate[index].any():
            closed, gate = Positions("nowhere", lambda window: torch.zeros_like(window.real)), None
        whole = replace(self.intervention, gate=gate)
        return replace(self, intervention=whole.rows(index), coefficients=coefficients, where=closed or self.where)

    def selected(self, hook: str, window: Window) -> Bool[Tensor, "batch pos"] | None:
        """Return the tokens of a window at which it acts on a hook point; `None` if it has no site there."""
        here = [self._selected_at(site, window) for site in self.intervention.sites if site.hook == hook]
        return torch.stack(here).any(0) if here else None

    def _selected_at(self, site: Site, window: Window) -> Bool[Tensor, "batch pos"]:
        selected = self.where(window)
        if site.position is not None:
            before = 0 if site.position >= 0 else window.prompt_lengths
            selected = selected & (window.positions == site.position + before)
        gate = self.intervention.gate
        return selected if gate is None else selected & gate.cpu()[:, None]

    def apply(self, hook: str, activation: Tensor, batch: Batch) -> Tensor:
        """Return the activation after the intervention; the one given is left as it was."""
        changed = activation.clone()
        window = batch.window(n_positions(hook, activation))
        factor = self._factor(activation, window)
        visible = _visible(activation, batch) if Site(hook).by_query else None
        for site, payload in zip(self.intervention.sites, self.intervention.payloads, strict=True):
            selected = self._selected_at(site, window)
            if site.hook != hook or not selected.any():
                continue
            view = at_site(changed, replace(site, position=None))
            view = view.movedim(2, 1) if Site(hook).by_query and site.head is None else view
            mask = _right_padded(selected.to(view.device), view.ndim)
            if visible is not None:
                mask = mask & (visible if site.head is not None else visible[:, :, None])
            view.copy_(torch.where(mask, self._operated(site, view, payload.to(view), factor), view))
        return changed

    def _factor(self, activation: Tensor, window: Window) -> Tensor | None:
        """One number per row and token, `[batch pos]`; `None` where there is nothing to multiply."""
        factor = None if self.coefficients is None else self.coefficients.to(activation)[:, None]
        if self.strength is None:
            return factor
        strength = self.strength(activation, window).to(activation)
        return strength if factor is None else factor * strength

    def _operated(self, site: Site, view: Tensor, payload: Tensor, factor: Tensor | None) -> Tensor:
        payload = self._per_token(site, payload, view)
        if factor is None:
            return apply_op(self.intervention.op, view, payload)
        factor = _right_padded(factor, view.ndim)
        if self.intervention.op is Op.ADD:
            return apply_op(Op.ADD, view, factor * payload)
        return torch.lerp(view, apply_op(self.intervention.op, view, payload), factor)

    def _per_token(self, site: Site, payload: Tensor, view: Tensor) -> Tensor:
        """Give the payload the batch and position axes of the view, of size 1 where it has none."""
        batched = int(self.intervention.per_example)
        missing = view.ndim - 2 + batched - payload.ndim
        has_positions = missing < 0
        if missing < -1 or (has_positions and payload.shape[batched] != 1):
            raise ValueError(
                f"the payload of {self.name!r} at {site} has shape {tuple(payload.shape)}, with a position axis; "
                "while decoding, positions are chosen by `where` or the site: give one value for all of them"
            )
        if site.by_query and payload.ndim > batched and payload.shape[-1] != 1:
            raise ValueError(f"the payload of {self.name!r} at {site} has a key axis, and keys grow; give one number")
        rest = payload.shape[batched + has_positions :]
        return payload.reshape(*payload.shape[:batched] or (1,), 1, *[1] * max(missing, 0), *rest)


def n_positions(hook: str, activation: Tensor) -> int:
    """Return the length of an activation's position axis (the queries' for patterns and scores)."""
    axis = 2 if Site(hook).by_query else 1
    return activation.shape[axis] if activation.ndim > axis else 0


def by_position(hook: str, activation: Tensor) -> Tensor:
    """Return a view of an activation with axes batch and position first."""
    return activation.movedim(2, 1) if Site(hook).by_query else activation


def _visible(activation: Tensor, batch: Batch) -> Bool[Tensor, "batch query key"]:
    """Which keys each query may attend to: tokens, no padding, not after it."""
    keys = batch.window(activation.shape[-1]).positions[:, None, :]
    queries = batch.window(activation.shape[-2]).positions[:, :, None]
    return ((keys >= 0) & (keys <= queries)).to(activation.device)


def _right_padded(values: Tensor, ndim: int) -> Tensor:
    return values.reshape(*values.shape, *[1] * (ndim - values.ndim))
