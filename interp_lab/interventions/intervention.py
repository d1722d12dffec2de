"""One operation at one or more sites of a model, with what it needs, checked before it runs."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import Edit, site_index
from interp_lab.interventions.op import Op, apply_op, apply_to_latents, require_codec
from interp_lab.types import Codec, Site


@dataclass(frozen=True)
class Intervention:
    """One operation at one or more sites."""

    sites: tuple[Site, ...]
    """In the order in which they are changed, where they meet at one hook point."""
    op: Op
    payloads: tuple[Tensor, ...]
    """One per site, broadcastable to the activation there without its batch axis; if `per_example`, behind the first
    axis, so that `[batch, d_model]` is one vector per prompt, at all positions that the site names."""
    name: str
    """What tables and claims call it, such as `zero ablation of 1.3`."""
    per_example: bool = False
    """Whether the first axis of every payload is the batch."""
    gate: Bool[Tensor, " batch"] | None = None
    """The prompts to act on; `None` means all."""
    positions: Int[Tensor, " batch"] | None = None
    """Position (absolute; negative counts from the end) at which each prompt is touched, for sites that name none: that
    of its subject, say."""
    since: Int[Tensor, " batch"] | None = None
    """First position of each prompt at which the payload may differ from what is there; before it nothing is done. A
    patch from a run that shares a prefix changes nothing in the prefix, and need not be computed there."""
    tokens: Bool[Tensor, "batch pos"] | None = None
    """The tokens to act on; `None` means all. A site that names a position acts there where it is among them."""
    codec: Codec | None = None
    """A dictionary that the activation is taken through: `latent` of a site is then one of its latents. Where
    activations are split by head and a site names none, it reads the heads side by side."""

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
        if self.codec is not None:
            require_codec(self.codec)
        for site, payload in zip(self.sites, self.payloads, strict=True):
            _require_usable(self, site, payload)

    @property
    def parts(self) -> tuple["Intervention", ...]:
        """Itself: what `Combined` has several of."""
        return (self,)

    def rows(self, index: Int[Tensor, " example"]) -> "Intervention":
        """Return the intervention on a subset (or repetition) of the prompts it was made for."""
        by_prompt = {name: getattr(self, name) for name in ("gate", "positions", "since", "tokens")}
        if not self.per_example and all(part is None for part in by_prompt.values()):
            return self

        def take(part: Tensor | None) -> Tensor | None:
            return None if part is None else part[index.to(part.device)]

        payloads = self.payloads
        if self.per_example:
            payloads = tuple(payload[index.to(payload.device)] for payload in payloads)
        return replace(self, payloads=payloads, **{name: take(part) for name, part in by_prompt.items()})

    def edits(self) -> dict[str, Edit]:
        """Return what it does to each hook point, for `hooks.edited`."""
        return {hook: self._edit_at(hook) for hook in {site.hook for site in self.sites}}

    def places(self) -> "list[Place]":
        """Return where it acts, in order: each site, or under a codec each activation with all its latents."""
        if self.codec is None:
            return [Place(s, (p,), None) for s, p in zip(self.sites, self.payloads, strict=True)]
        held: dict[Site, list[tuple[int | None, Tensor]]] = {}
        for site, payload in zip(self.sites, self.payloads, strict=True):
            held.setdefault(replace(site, latent=None), []).append((site.latent, payload))
        return [
            Place(site, tuple(payload for _, payload in parts), _latents([latent for latent, _ in parts]))
            for site, parts in held.items()
        ]

    def changed(self, values: Tensor, payload: Tensor, *, latents: Int[Tensor, "..."] | None) -> Tensor:
        """Return the values at a place after the operation; under a codec, heads side by side.

        Args:
            latents: of the codec, as in `apply_to_latents`.
        """
        if self.codec is None:
            return apply_op(self.op, values, payload)
        return apply_to_latents(self.op, values, payload, codec=self.codec, latents=latents)

    def _edit_at(self, hook: str) -> Edit:
        places = [place for place in self.places() if place.site.hook == hook]

        def edit(activation: Tensor) -> Tensor:
            for place in places:
                site = place.site
                index = site_index(activation, site, positions=self.positions)
                found = activation[index]
                values = found.flatten(-2) if self.codec is not None and all_heads(site) else found
                for payload in place.payloads:
                    self._require_no_batch_axis(site, payload, n_axes=values.ndim - (place.latents is not None))
                latents = None if place.latents is None else place.latents.to(values.device)
                changed = self.changed(values, self._payload_of(place, values), latents=latents)
                untouched = self._untouched(site, values, n_pos=activation.shape[2 if site.by_query else 1])
                changed = changed if untouched is None else torch.where(untouched, values, changed)
                activation[index] = changed.reshape(found.shape)
            return activation

        return edit

    def _payload_of(self, place: "Place", values: Tensor) -> Tensor:
        """Return the payload for values at a place, with the latents on the last axis if some are named."""
        payloads = [payload.to(values) for payload in place.payloads]
        if place.latents is None:
            return spread(payloads[0], values.ndim) if self.per_example else payloads[0]
        shape = values.shape[:-1]
        each = [spread(payload, len(shape)) if self.per_example else payload for payload in payloads]
        return torch.stack([payload.expand(shape) for payload in each], dim=-1)

    def _require_no_batch_axis(self, site: Site, payload: Tensor, *, n_axes: int) -> None:
        if not self.per_example and payload.ndim >= n_axes:
            raise ValueError(
                f"the payload of {self.name!r} at {site} has a batch axis (shape {tuple(payload.shape)}); "
                "say so with per_example=True, or batches would take each other's rows"
            )

    def _untouched(self, site: Site, values: Tensor, *, n_pos: int) -> Bool[Tensor, "..."] | None:
        """Return where gates, tokens and shared prefixes keep the values of a site, broadcastable to them."""
        kept = None if self.tokens is None else ~self._selected(site, values, self.tokens, n_pos=n_pos)
        if self.gate is not None:
            shut = ~self.gate.to(values.device).view(-1, *[1] * (values.ndim - 1))
            kept = shut if kept is None else kept | shut
        if self.since is None:
            return kept
        since = self.since.to(values.device).view(-1, *[1] * (values.ndim - 1))
        at = site.position if self.positions is None else self.positions.to(values.device)
        if at is None:
            axis = 2 if site.by_query and site.head is None else 1
            position = torch.arange(n_pos, device=values.device).view(n_pos, *[1] * (values.ndim - axis - 1))
        else:
            position = torch.as_tensor(at, device=values.device).remainder(n_pos).view(-1, *[1] * (values.ndim - 1))
        early = position < since
        return early if kept is None else kept | early

    def _selected(self, site: Site, values: Tensor, tokens: Tensor, *, n_pos: int) -> Bool[Tensor, "..."]:
        """Return the tokens to act on, broadcastable to the values of a site."""
        if tokens.shape[1] != n_pos:
            raise ValueError(f"{self.name!r} selects among {tokens.shape[1]} tokens, and the activation has {n_pos}")
        chosen = tokens.to(values.device)
        if site.position is not None:
            return chosen[:, site.position].view(-1, *[1] * (values.ndim - 1))
        heads = [1] * int(site.by_query and site.head is None)  # stand before the queries
        return chosen.view(len(chosen), *heads, n_pos, *[1] * (values.ndim - 2 - len(heads)))


@dataclass(frozen=True)
class Place:
    """A place where an intervention writes once."""

    site: Site
    """An index into the activation: its `latent` is an index on the last axis, never a codec's."""
    payloads: tuple[Tensor, ...]
    """One, or one per latent."""
    latents: Int[Tensor, " changed"] | None
    """Of the codec; `None` for all, or if there is no codec."""


def all_heads(site: Site) -> bool:
    """Whether activations at a site have an axis of heads, of which the site names none."""
    return site.has_head_axis and site.head is None


def spread(payload: Float[Tensor, "..."], n_axes: int) -> Float[Tensor, "..."]:
    """Return a payload whose first axis is the batch with as many axes, new ones right behind the batch."""
    new = n_axes - payload.ndim
    return payload.reshape(payload.shape[0], *[1] * new, *payload.shape[1:]) if new > 0 else payload


def _latents(named: list[int | None]) -> Int[Tensor, " changed"] | None:
    indices = [latent for latent in named if latent is not None]
    return torch.tensor(indices) if indices else None


def _require_usable(intervention: Intervention, site: Site, payload: Tensor) -> None:
    name = intervention.name
    masked = site.hook.endswith("hook_attn_scores")  # minus infinity is what a masked score is
    if payload.isnan().any() or ((payload == torch.inf).any() if masked else payload.isinf().any()):
        raise ValueError(f"the payload of {name!r} at {site} holds NaN or inf")
    if intervention.op is Op.PROJECT_OUT and site.latent is not None:
        raise ValueError(f"{name!r} projects a direction out at {site}, which is one number; scale it by 0 instead")
    if intervention.op is Op.CLAMP and site.latent is not None:
        raise ValueError(f"{name!r} clamps a projection at {site}, which is one number; replace it instead")
    if intervention.op is Op.CLAMP and (payload == 0).all(-1).any():
        raise ValueError(f"{name!r} clamps a projection on a payload of length zero at {site}, which has no direction")
    if intervention.positions is not None and site.position is not None:
        raise ValueError(
            f"{name!r} has a position for each prompt, and its site {site} has one of its own; give one or the other"
        )
    if intervention.tokens is not None and intervention.positions is not None:
        raise ValueError(f"{name!r} has a position for each prompt, and tokens to act on; give one or the other")
    if intervention.codec is not None and site.by_query and site.head is None:
        raise ValueError(
            f"{name!r} has a codec at {site}, where there is no activation per token to encode; take one at another "
            "hook point, such as attn.hook_z"
        )
    if intervention.codec is not None and site.latent is not None and replace(site, latent=None) in intervention.sites:
        raise ValueError(
            f"{name!r} changes all latents at {site.hook}, and latent {site.latent} too; give one of these"
        )
