"""Steers at work: what a step needs at every layer is worked out once, and what they did is measured and noted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.decoding.audit import Auditor
from interp_lab.decoding.batch import Batch, Window
from interp_lab.decoding.steer import Steer
from interp_lab.hooks import Edit, at_site
from interp_lab.interventions import Op, apply_op, squared_length
from interp_lab.types import Site


@dataclass(frozen=True)
class Selection:
    """Tokens of a window at which a steer acts."""

    tokens: Bool[Tensor, "batch pos"]
    """On the CPU."""
    there: Bool[Tensor, "batch pos"]
    """On the model's device."""
    some: bool
    every: bool
    """Whether it is all columns of all rows, padding included, so that nothing need be kept."""

    @classmethod
    def of(cls, tokens: Bool[Tensor, "batch pos"], device: torch.device) -> "Selection":
        """Look at a mask once."""
        every = bool(tokens.all())
        return cls(tokens, tokens.to(device), every or bool(tokens.any()), every)


@dataclass(frozen=True)
class Dose:
    """What a steer applies at one of its sites, shaped and placed like what is there."""

    payload: Tensor
    squared: Tensor | None
    """Squared length of a direction."""
    coefficients: Tensor | None
    """Per row, with as many axes."""
    added: Tensor | None
    """Coefficients times payload, where that is added."""


class Acting:
    """The steers of one decoding, and functions of the caller's own, which are audited as the last of them."""

    def __init__(self, steers: Sequence[Steer], batch: Batch, auditor: Auditor, functions: Mapping[str, Edit]) -> None:
        self._steers, self._batch, self._auditor = list(steers), batch, auditor
        self._functions = functions
        self._window: Window | None = None
        self._selections: dict[tuple[int, int | None], Selection] = {}
        self._doses: dict[tuple[int, int], Dose] = {}

    def edit(self, hook: str) -> Edit:
        """Return what the steers do, in order, and then the caller's function, at a hook point."""
        numbered = [
            (nth, [number for number, site in enumerate(steer.intervention.sites) if site.hook == hook])
            for nth, steer in enumerate(self._steers)
        ]
        here = [(nth, numbers) for nth, numbers in numbered if numbers]

        def edit(activation: Tensor) -> Tensor:
            for nth, numbers in here:
                activation = self._steered(hook, activation, nth=nth, numbers=numbers)
            function = self._functions.get(hook)
            return activation if function is None else self._foreign(hook, activation, function)

        return edit

    def _foreign(self, hook: str, activation: Tensor, function: Edit) -> Tensor:
        """Return what a function of the caller's own makes of an activation, and note the tokens that it changed."""
        window = self._batch.window(n_positions(hook, activation))
        after = function(activation.clone())
        if after.shape != activation.shape:
            raise ValueError(
                f"the function at {hook} makes shape {tuple(after.shape)} of an activation of shape "
                f"{tuple(activation.shape)}; return one of the same shape"
            )
        norms = change_norms(hook, activation, after)
        noted = {"rows": window.rows, "positions": window.positions, "selected": window.real}
        self._auditor.note(len(self._steers), hook, norms=norms.masked_fill(norms == 0, torch.nan), **noted)
        return after

    def keep(self, index: Int[Tensor, " batch"]) -> None:
        """Go on with these rows."""
        self._steers = [steer.rows(index) for steer in self._steers]
        self._doses = {}

    def _steered(self, hook: str, activation: Tensor, *, nth: int, numbers: list[int]) -> Tensor:
        """Return an activation after one steer, and note what changed."""
        steer, window = self._steers[nth], self._batch.window(n_positions(hook, activation))
        sites = [steer.intervention.sites[number] for number in numbers]
        chosen = [self._selection(nth, site.position, window, activation.device) for site in sites]
        if not any(selection.some for selection in chosen):
            return activation
        strength = None if steer.strength is None else steer.strength(activation, window).to(activation)
        before = activation
        for number, site, selection in zip(numbers, sites, chosen, strict=True):
            if selection.some:
                dose = self._dose(nth, number, activation)
                activation = self._changed(activation, site, selection, op=steer.intervention.op, dose=dose,
                                           strength=strength)  # fmt: skip
        tokens = chosen[0].tokens if len(chosen) == 1 else torch.stack([one.tokens for one in chosen]).any(0)
        norms = change_norms(hook, before, activation)
        self._auditor.note(nth, hook, rows=window.rows, positions=window.positions, selected=tokens, norms=norms)
        return activation

    def _selection(self, nth: int, position: int | None, window: Window, device: torch.device) -> Selection:
        if window is not self._window:
            self._window, self._selections = window, {}
        key = (nth, position)
        if key not in self._selections:
            self._selections[key] = Selection.of(self._steers[nth].selected(position, window), device)
        return self._selections[key]

    def _dose(self, nth: int, number: int, activation: Tensor) -> Dose:
        if (nth, number) not in self._doses:
            self._doses[nth, number] = dose_of(self._steers[nth], number, activation)
        return self._doses[nth, number]

    def _changed(
        self, activation: Tensor, site: Site, selection: Selection, *, op: Op, dose: Dose, strength: Tensor | None
    ) -> Tensor:
        """Return a new activation: changed at a site where tokens are selected, and as it was elsewhere."""
        if site.head is None and site.latent is None and not site.by_query:
            new = operated(op, activation, dose, strength=strength)
            return (
                new.contiguous()
                if selection.every
                else torch.where(_padded(selection.there, new.ndim), new, activation)
            )
        changed = activation.clone()
        view = at_site(changed, replace(site, position=None))
        view = view.movedim(2, 1) if site.by_query and site.head is None else view
        mask = _padded(selection.there, view.ndim)
        if site.by_query:
            visible = _visible(activation, self._batch)
            mask = mask & (visible if site.head is not None else visible[:, :, None])
        view.copy_(torch.where(mask, operated(op, view, dose, strength=strength), view))
        return changed


def dose_of(steer: Steer, number: int, activation: Tensor) -> Dose:
    """Return what a steer applies at the site of that number.

    Raises: ValueError, as `Steer.per_token`, and for a direction of length zero.
    """
    made, site = steer.intervention, steer.intervention.sites[number]
    n_axes = activation.ndim - (site.head is not None) - (site.latent is not None)
    payload = steer.per_token(site, made.payloads[number].to(activation), n_axes=n_axes)
    coefficients = None
    if steer.coefficients is not None:
        coefficients = _padded(steer.coefficients.to(activation)[:, None], n_axes)
    squared = squared_length(payload) if made.op in (Op.PROJECT_OUT, Op.CLAMP) else None
    added = payload if coefficients is None else coefficients * payload
    return Dose(payload, squared, coefficients, added if made.op is Op.ADD else None)


def operated(op: Op, values: Tensor, dose: Dose, *, strength: Float[Tensor, "batch pos"] | None) -> Tensor:
    """Return values after an operation, all of it or a share of the way."""
    share = None if strength is None else _padded(strength, values.ndim)
    if dose.added is not None:
        return apply_op(Op.ADD, values, dose.added if share is None else share * dose.added)
    if op is Op.CLAMP:
        new = apply_op(op, values, dose.payload, coefficient=dose.coefficients, squared=dose.squared)
    else:
        new = apply_op(op, values, dose.payload, squared=dose.squared)
        if dose.coefficients is not None:
            share = dose.coefficients if share is None else share * dose.coefficients
    return new if share is None else torch.lerp(values, new, share)


def n_positions(hook: str, activation: Tensor) -> int:
    """Return the length of an activation's position axis (the queries' for patterns and scores)."""
    axis = 2 if Site(hook).by_query else 1
    return activation.shape[axis] if activation.ndim > axis else 0


def change_norms(hook: str, before: Float[Tensor, "batch ..."], after: Float[Tensor, "batch ..."]) -> Tensor:
    """Return the Euclidean length of the change at each token, as measured; equal infinities count as no change."""
    change = after.float() - before.float()
    if Site(hook).by_query:  # masked scores are infinite
        change = torch.where(before == after, 0.0, change).movedim(2, 1)
    return change.flatten(2).norm(dim=-1)


def _visible(activation: Tensor, batch: Batch) -> Bool[Tensor, "batch query key"]:
    """Which keys each query may attend to: tokens, no padding, not after it."""
    keys = batch.window(activation.shape[-1]).positions[:, None, :]
    queries = batch.window(activation.shape[-2]).positions[:, :, None]
    return ((keys >= 0) & (keys <= queries)).to(activation.device)


def _padded(values: Tensor, ndim: int) -> Tensor:
    return values.reshape(*values.shape, *[1] * (ndim - values.ndim))
