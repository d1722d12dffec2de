"""What the items of a chunk change at a hook point, as few indexed writes into the packed activation."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.engine.items import Ints
from interp_lab.engine.layout import Group, Layout, Rows
from interp_lab.interventions import Intervention, Op, Place
from interp_lab.interventions.intervention import spread
from interp_lab.types import Site

ShapeAt = Callable[[str], tuple[int, ...]]
"""Gives the shape of an activation from its position axis on (for patterns: head, query, key)."""
RowsAt = Callable[[str], Rows]
"""Gives the tokens that are there when a hook point is reached."""


@dataclass(frozen=True)
class Write:
    """One operation, by many interventions at once: same operation, same axes named."""

    owner: Intervention
    """One of the interventions, for its operation and codec."""
    rows: Int[Tensor, " row"]
    heads: Int[Tensor, " row"] | None
    entries: Int[Tensor, " row"] | None
    """On the last axis."""
    latents: Int[Tensor, "row changed"] | None
    """Of the codec."""
    payload: Tensor

    def __call__(self, activation: Tensor) -> None:
        """Write into an activation with one axis of tokens."""
        self._write(activation, (self.rows,), self.payload)

    def into_group(self, activation: Tensor, at: tuple[Tensor, Tensor], chosen: Tensor) -> None:
        """Write into patterns or scores `[row head query key]` of a group.

        Args:
            at: row and query in the group, of the writes that are in it.
            chosen: which of the writes these are.
        """
        part = Write(
            self.owner, self.rows[chosen], None if self.heads is None else self.heads[chosen],
            None if self.entries is None else self.entries[chosen], None, self.payload[chosen],
        )  # fmt: skip
        n_keys = None if part.entries is not None else activation.shape[-1]
        part._write(activation.transpose(1, 2), at, part.payload[..., :n_keys])

    def _write(self, activation: Tensor, rows: tuple[Tensor, ...], payload: Tensor) -> None:
        index: list[Tensor | slice] = [*rows, *[slice(None)] * (activation.ndim - len(rows))]
        if self.heads is not None:
            index[len(rows)] = self.heads
        if self.entries is not None:
            index[-1] = self.entries
        values = activation[tuple(index)]
        shape = values.shape
        if self.owner.codec is not None and self.heads is None:
            values = values.flatten(1)  # all heads side by side, where there are heads
        changed = self.owner.changed(values, payload.to(values), latents=self.latents)
        activation[tuple(index)] = changed.reshape(shape)


_Key = tuple[str, int, Op, int, bool, bool, int]


def compile_edits(layout: Layout, *, rows_at: RowsAt, shape_at: ShapeAt) -> dict[str, list[Write]]:
    """Return what is to be written at each hook point, in order."""
    parts: dict[_Key, list[_Part]] = {}
    for part in _parts(layout, rows_at=rows_at, shape_at=shape_at):
        parts.setdefault(part.key, []).append(part)
    writes: dict[str, list[Write]] = {}
    for key in sorted(parts, key=lambda key: key[:2]):
        writes.setdefault(key[0], []).append(_merged(parts[key], rows_at(key[0]).device))
    return writes


@dataclass(frozen=True)
class _Part:
    """What one job does at one place."""

    intervention: Intervention
    place: Place
    nth: int
    """Number of the place among those of its intervention: places of one hook point are changed in this order."""
    rows: Ints
    payload: Tensor

    @property
    def key(self) -> _Key:
        """What is the same for all that can be written at once."""
        site, latents = self.place.site, self.place.latents
        return (
            site.hook, self.nth, self.intervention.op, id(self.intervention.codec), site.head is None,
            site.latent is None, 0 if latents is None else len(latents),
        )  # fmt: skip


def _parts(layout: Layout, *, rows_at: RowsAt, shape_at: ShapeAt) -> Iterator[_Part]:
    for number, job in enumerate(layout.jobs):
        everywhere = [(part, place) for part in job.intervention.parts for place in part.places()]
        for nth, (part, place) in enumerate(everywhere):
            site = place.site
            rows, shape = rows_at(site.hook), shape_at(site.hook)
            found = _rows_of(layout, number, part, site, rows=rows, n_pos=_n_pos(site, shape))
            if len(found):
                at = (rows.example[found] + job.shift, rows.position[found])
                per_latent = [_payload(part, place, payload, at, shape) for payload in place.payloads]
                payload = per_latent[0] if place.latents is None else torch.stack(per_latent, dim=-1)
                yield _Part(part, place, nth, found, payload)


def _n_pos(site: Site, shape: tuple[int, ...]) -> int:
    return shape[1] if site.by_query else shape[0]


def _rows_of(layout: Layout, number: int, part: Intervention, site: Site, *, rows: Rows, n_pos: int) -> Ints:
    """Return the tokens of a job that a part of its intervention changes at a site, as far as they are still there."""
    job = layout.jobs[number]
    at = site.position if part.positions is None else part.positions.cpu().numpy()[job.prompts]
    since = np.zeros(len(job.examples), dtype=np.int64)
    if part.since is not None:
        since = part.since.cpu().numpy()[job.prompts].astype(np.int64)
    if part.gate is not None:
        since = np.where(part.gate.cpu().numpy()[job.prompts], since, n_pos)
    selected = None if part.tokens is None else part.tokens.cpu().numpy()[job.prompts]
    if at is None:
        first = int(layout.first_item[number])
        begin, last = int(layout.offsets[first]), first + len(job.examples) - 1
        end = int(layout.offsets[last] + layout.stops[last] - layout.starts[last]) + 1
        found = rows.where(np.arange(begin, end))
        found = found[rows.position[found] >= since[rows.item[found] - first]]
        return found if selected is None else found[selected[rows.item[found] - first, rows.position[found]]]
    positions = np.broadcast_to(np.asarray(at) % n_pos, (len(job.examples),))
    here = (positions >= np.maximum(job.start, since)) & (positions <= job.stop)
    if selected is not None:
        here &= selected[np.arange(len(positions)), positions]
    return rows.where(layout.full_rows(number, positions)[here])


def _payload(
    intervention: Intervention, place: Place, payload: Tensor, at: tuple[Ints, Ints], shape_there: tuple[int, ...]
) -> Tensor:
    """Return a payload of every token, one row each.

    Args:
        at: prompt (as the intervention numbers them) and position of each token.
    """
    site = place.site
    by_position = site.position is None and intervention.positions is None
    rest = list(shape_there)
    n_pos = rest.pop(1 if site.by_query else 0)
    if site.head is not None:
        rest.pop(0)
    if intervention.codec is not None:
        alone = payload.ndim <= int(intervention.per_example)
        rest = [] if place.latents is not None else [1 if alone else payload.shape[-1]]
    elif site.latent is not None:
        rest.pop()
    # The position axis stands behind the heads at patterns and scores whose head is not named.
    behind = int(site.by_query and site.head is None)
    shape = [*rest[:behind], n_pos, *rest[behind:]] if by_position else rest
    batched = int(intervention.per_example)
    try:
        spaced = spread(payload, 1 + len(shape)) if batched else payload
        whole = spaced.expand((*payload.shape[:batched], *shape))
    except RuntimeError as error:
        raise ValueError(
            f"the payload of {intervention.name!r} at {site} has shape {tuple(payload.shape)}, and the activation "
            f"there {tuple(shape)}{' for each prompt' if batched else ''}"
        ) from error
    if by_position and behind:
        whole = whole.movedim(batched + 1, batched)
    example, position = (torch.from_numpy(part).to(payload.device) for part in at)
    index = ((example,) if batched else ()) + ((position,) if by_position else ())
    return whole[index] if index else whole.expand((len(at[0]), *shape))


def _merged(parts: list[_Part], device: torch.device) -> Write:
    def index(of: Callable[[_Part], Ints]) -> Tensor:
        return torch.from_numpy(np.concatenate([of(part) for part in parts])).to(device)

    def repeated(name: str) -> Int[Tensor, " row"] | None:
        if getattr(parts[0].place.site, name) is None:
            return None
        return index(lambda part: np.full(len(part.rows), getattr(part.place.site, name)))

    named = [(part.place.latents, len(part.rows)) for part in parts]
    latents = [each.expand(n, -1) for each, n in named if each is not None]
    payloads = [part.payload.to(device) for part in parts]
    widest = max(payload.shape[1:] for payload in payloads)  # under a codec, one number for all latents or one for each
    payloads = [payload.expand(len(payload), *widest) for payload in payloads]
    return Write(
        owner=parts[0].intervention,
        rows=index(lambda part: part.rows),
        heads=repeated("head"),
        entries=repeated("latent"),
        latents=torch.cat(latents).to(device) if latents else None,
        payload=payloads[0] if len(payloads) == 1 else torch.cat(payloads),
    )


def write_packed(writes: list[Write]) -> Callable[[Tensor], Tensor]:
    """Return an edit of a packed activation `[1 token ...]`."""

    def edit(activation: Tensor) -> Tensor:
        for write in writes:
            write(activation[0])
        return activation

    return edit


def write_grouped(writes: list[Write], activation: Tensor, group: Group) -> Tensor:
    """Return patterns or scores of a group after what is written at them."""
    if not writes:
        return activation
    activation = activation.clone()
    for write in writes:
        at = torch.searchsorted(group.query_rows, write.rows).clamp(max=len(group.query_rows) - 1)
        chosen: Bool[Tensor, " row"] = group.query_rows[at] == write.rows
        at = at[chosen]
        write.into_group(activation, (group.query_at[0][at], group.query_at[1][at]), chosen)
    return activation


Edits = Mapping[str, list[Write]]
