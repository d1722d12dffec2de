"""What is patched: maps of sites, with the names of their rows and columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from interp_lab.effects.confirming import places_of
from interp_lab.hooks import hook_names, n_heads_at
from interp_lab.interventions import Intervention, patches
from interp_lab.tasks import Pairs
from interp_lab.types import Codec, HookedModel, Site, Tokens, head_name

Granularity = Literal[
    "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out",
    "z", "q", "k", "v", "pattern", "z_by_place", "neurons",
]  # fmt: skip
Places = Literal["role", "position"]
Run = Literal["clean", "corrupted"]
"""One of the two runs of a pair."""
GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)
_WITH_MLP = ("resid_mid", "mlp_out", "neurons")
"""Attention-only models have none of these, though some of their hook points stand there and never fire."""
_STREAM = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")

OWN_GROUPS = "groups"
"""Name of the map of a user's own groups."""


@dataclass(frozen=True)
class SiteMap:
    """Sites laid out in rows and columns; each cell is patched on its own."""

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_title: str
    column_title: str
    cells: tuple[tuple[Site, ...], ...]
    """Row by row; the sites of a cell are patched together."""
    roles: tuple[str | None, ...]
    """Of each cell, where each prompt is patched: a role of the pairs; `None` where the sites say it, or everywhere."""
    codec: Codec | None = None
    """A dictionary whose latents the sites name."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)

    def cell_names(self) -> tuple[str, ...]:
        """Return what tables and claims call the cells; own groups keep their name."""
        named = tuple(_named(sites, role) for sites, role in zip(self.cells, self.roles, strict=True))
        if self.name != OWN_GROUPS:
            return named
        return tuple(f"{group} ({sites})" for group, sites in zip(self.rows, named, strict=True))


def _named(sites: Sequence[Site], role: str | None) -> str:
    what = "+".join(str(site) for site in sites)
    return what if role is None else f"{what} at {role}"


def site_map(model: HookedModel, granularity: Granularity, parts: Sequence[Pairs], *, places: Places) -> SiteMap:
    """Return the map of one granularity.

    Args:
        parts: pairs that the map must suit.

    Raises: ValueError, if the model has no such hook point, or positions are asked for and prompts are not all of one
        template.
    """
    layers = range(int(model.cfg.n_layers))
    if granularity in _STREAM:
        hooks = {str(layer): (Site(f"blocks.{layer}.hook_{granularity}"),) for layer in layers}
        return _by_place(model, granularity, hooks, parts, places=places, row_title="layer")
    if granularity == "z_by_place":
        heads = {head_name((layer, head)): (Site.of_head(layer, head),) for layer in layers for head in _heads(model)}
        return _by_place(model, granularity, heads, parts, places=places, row_title="head")
    if granularity == "neurons":
        columns = tuple(str(neuron) for neuron in range(int(model.cfg.d_mlp or 0)))
        cells = [(Site(f"blocks.{layer}.mlp.hook_post", latent=int(n)),) for layer in layers for n in columns]
        return _map(model, granularity, cells, rows=layers, columns=columns, column_title="neuron")
    hook = f"attn.hook_{granularity}"
    columns = tuple(str(head) for head in range(n_heads_at(model, f"blocks.0.{hook}")))
    cells = [(Site(f"blocks.{layer}.{hook}", head=int(head)),) for layer in layers for head in columns]
    return _map(model, granularity, cells, rows=layers, columns=columns, column_title="head")


def _heads(model: HookedModel) -> range:
    return range(int(model.cfg.n_heads))


def _map(
    model: HookedModel,
    name: str,
    cells: Sequence[tuple[Site, ...]],
    *,
    rows: range,
    columns: tuple[str, ...],
    column_title: str,
) -> SiteMap:
    _require_hooks(model, name, cells)
    nowhere = tuple(None for _ in cells)
    return SiteMap(name, tuple(map(str, rows)), columns, "layer", column_title, tuple(cells), nowhere)


def _by_place(
    model: HookedModel,
    name: str,
    rows: Mapping[str, tuple[Site, ...]],
    parts: Sequence[Pairs],
    *,
    places: Places,
    row_title: str,
) -> SiteMap:
    _require_hooks(model, name, list(rows.values()))
    if places == "role":
        roles = roles_that_matter(parts)
        cells = tuple(sites for sites in rows.values() for _ in roles)
        return SiteMap(name, tuple(rows), roles, row_title, "place", cells, tuple(roles) * len(rows))
    templates = {template for pairs in parts for template in pairs.templates}
    if len(templates) > 1:
        raise ValueError(
            f"places='position' needs prompts of one template, and these are of {len(templates)}: the same position "
            "is something else in each; use places='role'"
        )
    lengths = sorted({int(n) for pairs in parts for n in pairs.mask.sum(1)})
    if len(lengths) > 1:
        raise ValueError(
            f"places='position' needs prompts of one length, and these have {lengths[0]} to {lengths[-1]} tokens; use "
            "places='role', or prompts of one length"
        )
    labels = tuple(f"{at} {label}" for at, label in enumerate(_tokens_at(parts)[: lengths[0]]))
    cells = tuple(
        tuple(Site(site.hook, site.head, position) for site in sites)
        for sites in rows.values()
        for position in range(len(labels))
    )
    return SiteMap(name, tuple(rows), labels, row_title, "token", cells, tuple(None for _ in cells))


def _tokens_at(parts: Sequence[Pairs]) -> list[str]:
    """Return what stands at each position in the first pair, with dots where other pairs have something else."""
    rows = [pairs.token_labels(row) for pairs in parts for row in range(len(pairs))]
    return [own[0] if len(set(own)) == 1 else f"{own[0]} ..." for own in zip(*rows, strict=True)]


def _require_hooks(model: HookedModel, name: str, cells: Sequence[tuple[Site, ...]]) -> None:
    known = set(hook_names(model))
    missing = next((site.hook for sites in cells for site in sites if site.hook not in known), None)
    lacks_mlps = name in _WITH_MLP and getattr(model.cfg, "attn_only", False)
    if missing is not None or lacks_mlps:
        lacks = "MLPs" if lacks_mlps else f"hook point {missing!r}"
        raise ValueError(f"the model has no {lacks}, which the map {name!r} is of; leave {name!r} out of sites")


def roles_that_matter(parts: Sequence[Pairs]) -> tuple[str, ...]:
    """Return the roles that every prompt has, each position under one name, but for those before any difference.

    What stands before the first difference is the same in both runs of a causal model: patching it does nothing.
    """
    kept: list[str] = []
    for role in parts[0].common_roles():
        if not all(role in pairs.common_roles() for pairs in parts):
            continue
        early = all(bool((pairs.roles[role] < pairs.shared_prefix()).all()) for pairs in parts)
        same = any(all(bool((p.roles[role] == p.roles[other]).all()) for p in parts) for other in kept)
        if not early and not same:
            kept.append(role)
    return tuple(kept)


def only_named(maps: Sequence[SiteMap], names: Sequence[str]) -> list[SiteMap]:
    """Return maps of nothing but some of their cells, one row each, in the order of the names within each map.

    Raises: ValueError, for a name that is none of a cell, with the nearest.
    """
    known = [(name, sites, cell) for sites in maps for cell, name in enumerate(sites.cell_names())]
    places = places_of(names, [name for name, _, _ in known], what="cell in the maps of sites")
    found = [known[place] for place in places]
    kept = {sites.name: [cell for _, own, cell in found if own is sites] for sites in maps}
    return [_rows_of(sites, kept[sites.name]) for sites in maps if kept[sites.name]]


def _rows_of(sites: SiteMap, kept: Sequence[int]) -> SiteMap:
    labels = sites.rows if sites.name == OWN_GROUPS else sites.cell_names()
    return replace(
        sites,
        rows=tuple(labels[cell] for cell in kept),
        columns=("alone",),
        row_title="stated in advance",
        column_title="",
        cells=tuple(sites.cells[cell] for cell in kept),
        roles=tuple(sites.roles[cell] for cell in kept),
    )


def own_groups(groups: Mapping[str, Sequence[str]]) -> SiteMap:
    """Return the map of a user's own groups, one row each."""
    cells = tuple(tuple(Site.named(site) for site in sites) for sites in groups.values())
    return SiteMap(OWN_GROUPS, tuple(groups), ("together",), "group", "", cells, tuple(None for _ in cells))


def map_patches(model: HookedModel, sites: SiteMap, pairs: Pairs, source: Tokens, *, base: Run) -> list[Intervention]:
    """Return the patch of every cell, in the order of the cells.

    Args:
        source: prompts, one for each pair, that values are taken from.
        base: which of the pairs' runs they are put into.
    """
    made: dict[int, Intervention] = {}
    for role in dict.fromkeys(sites.roles):
        cells = [nth for nth, own in enumerate(sites.roles) if own == role]
        found = patches(
            model,
            [sites.cells[nth] for nth in cells],
            source,
            base=getattr(pairs, base),
            mask=pairs.mask,
            positions=None if role is None else pairs.roles[role],
            codec=sites.codec,
        )
        made |= dict(zip(cells, found, strict=True))
    return [made[nth] for nth in range(len(sites.cells))]
