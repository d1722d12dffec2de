"""Interventions that take their payloads from other runs of the model: ablations, and activation patches."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from enum import StrEnum

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import capture, masked, ready_tokens, require_site, site_index
from interp_lab.interventions.intervention import Intervention, all_heads
from interp_lab.interventions.op import Op
from interp_lab.interventions.overlap import require_apart
from interp_lab.models import is_causal
from interp_lab.types import Codec, HookedModel, Site, Tokens, require_tokens

Mask = Bool[Tensor, "_ _"]
Templates = Sequence[Hashable]
"""The template of each prompt."""


class Ablation(StrEnum):
    """What an ablated activation is replaced with."""

    ZERO = "zero"
    """Zero; off the distribution of anything the model has seen."""
    MEAN = "mean"
    """Mean over the reference prompts, position by position."""
    MEAN_BY_TEMPLATE = "mean by template"
    """Mean over the reference prompts of the same template, position by position."""
    RESAMPLE = "resample"
    """The value on another prompt, drawn from the reference prompts."""


def ablations(
    model: HookedModel,
    groups: Sequence[Sequence[Site]],
    *,
    kind: Ablation,
    reference: Tokens | None = None,
    mask: Mask | None = None,
    n_examples: int | None = None,
    templates: Templates | None = None,
    reference_templates: Templates | None = None,
    seed: int = 0,
) -> list[Intervention]:
    """Return one ablation per group of sites; reference prompts are run once for all of them.

    Args:
        groups: sites that are ablated together.
        reference: prompts that mean and resample ablation take their values from, as long as those ablated.
        mask: true at the tokens of the reference prompts, false at their padding.
        n_examples: prompts that will be ablated; resample ablation draws one reference prompt for each.
        templates: of the prompts that will be ablated, for mean by template.
        reference_templates: of the reference prompts, for the same.

    Raises: ValueError, for sites the model has not, if the kind needs one of these and has none, or for a template
        that no reference prompt is of.
    Source: Wang et al. 2022, arXiv 2211.00593 (mean by template).
    """
    sites = list(dict.fromkeys(site for group in groups for site in group))
    for site in sites:
        require_site(model, site)
    if kind is Ablation.ZERO:
        values = [torch.zeros(()) for _ in sites]
    elif kind is Ablation.MEAN_BY_TEMPLATE:
        values = _template_payloads(
            model, sites, reference=reference, mask=mask, templates=templates, reference_templates=reference_templates
        )
    else:
        values = _reference_payloads(model, sites, kind, reference=reference, mask=mask, n=n_examples, seed=seed)
    by_site = dict(zip(sites, values, strict=True))
    return [
        Intervention(
            sites=tuple(group),
            op=Op.REPLACE,
            payloads=tuple(by_site[site] for site in group),
            name=f"{kind} ablation of {_named(group)}",
            per_example=kind in (Ablation.RESAMPLE, Ablation.MEAN_BY_TEMPLATE),
        )
        for group in groups
    ]


def _named(group: Sequence[Site]) -> str:
    return "+".join(str(site) for site in group)


def _reference_payloads(
    model: HookedModel,
    sites: Sequence[Site],
    kind: Ablation,
    *,
    reference: Tokens | None,
    mask: Mask | None,
    n: int | None,
    seed: int,
) -> list[Tensor]:
    values = reference_values(model, sites, _given(reference, kind), mask=mask)
    if kind is Ablation.MEAN:
        return [value.mean(0) for value in values]
    if n is None:
        raise ValueError("resample ablation draws one reference prompt per ablated prompt; give n_examples=")
    drawn = torch.randint(len(values[0]), (n,), generator=torch.Generator().manual_seed(seed))
    return [value[drawn.to(value.device)] for value in values]


def _given(reference: Tokens | None, kind: Ablation) -> Tokens:
    if reference is None:
        raise ValueError(f"{kind} ablation takes its values from reference prompts; give reference=, or use 'zero'")
    return reference


def _template_payloads(
    model: HookedModel,
    sites: Sequence[Site],
    *,
    reference: Tokens | None,
    mask: Mask | None,
    templates: Templates | None,
    reference_templates: Templates | None,
) -> list[Tensor]:
    reference = _given(reference, Ablation.MEAN_BY_TEMPLATE)
    if templates is None or reference_templates is None:
        raise ValueError(
            "mean by template needs the template of every prompt; give templates= and reference_templates="
        )
    if len(reference_templates) != len(reference):
        raise ValueError(
            f"reference_templates names {len(reference_templates)} templates for {len(reference)} reference prompts; "
            "give one each"
        )
    rows: dict[Hashable, list[int]] = {}
    for row, name in enumerate(reference_templates):
        rows.setdefault(name, []).append(row)
    missing = next((name for name in templates if name not in rows), None)
    if missing is not None:
        raise ValueError(f"no reference prompt is of template {missing!r}; add some, or leave its prompts out")
    own = torch.tensor([[*rows].index(name) for name in templates])
    values = reference_values(model, sites, reference, mask=mask)
    return [torch.stack([v[own_rows].mean(0) for own_rows in rows.values()])[own.to(v.device)] for v in values]


def patches(
    model: HookedModel,
    groups: Sequence[Sequence[Site]],
    source: Int[Tensor, "_ _"],
    *,
    base: Int[Tensor, "_ _"],
    mask: Mask | None = None,
    positions: Int[Tensor, " batch"] | None = None,
    codec: Codec | None = None,
) -> list[Intervention]:
    """Return one activation patch per group of sites: set to its values on `source` while the model runs on `base`.

    Clean values in the corrupted run (source clean, base corrupted) is denoising, the reverse noising. Where a pair
    shares its first tokens, all activations there are the same in a causal model, and nothing is patched.

    Args:
        groups: sites that are patched together.
        source: one prompt for each of `base`, token by token as long.
        mask: true at tokens, false at padding, in both.
        positions: where each prompt is patched, for sites that name no position.
        codec: patches latents of it (`Site.latent`; all of them where a site names none) and keeps what it cannot
            reconstruct.

    Raises: ValueError, for sites the model has not, sites of a group that overlap, prompts of different shape, or a
        pair of equal prompts.
    """
    if not groups:
        raise ValueError("no groups of sites to patch; give at least one")
    shared = shared_prefix(source, base)
    for group in groups:
        require_apart(group, n_pos=base.shape[1], what=f"the group {_named(group)}")
    sites = list(dict.fromkeys(site for group in groups for site in group))
    read = sites if codec is None else [replace(site, latent=None) for site in sites]
    values = reference_values(model, read, source, mask=mask, positions=positions)
    if codec is not None:
        values = [_latents_of(value, codec, site) for value, site in zip(values, sites, strict=True)]
    by_site = dict(zip(sites, values, strict=True))
    return [
        Intervention(
            sites=tuple(group),
            op=Op.REPLACE,
            payloads=tuple(by_site[site] for site in group),
            name=f"patch of {_named(group)}",
            per_example=True,
            positions=positions,
            since=shared if is_causal(model) else None,
            codec=codec,
        )
        for group in groups
    ]


def _latents_of(activation: Tensor, codec: Codec, site: Site) -> Tensor:
    with torch.no_grad():
        latents = codec.encode(activation.flatten(-2) if all_heads(site) else activation)
    return latents if site.latent is None else latents[..., site.latent]


def shared_prefix(source: Int[Tensor, "_ _"], base: Int[Tensor, "_ _"]) -> Int[Tensor, " batch"]:
    """Return how many leading tokens two prompts have in common, pair by pair.

    Raises: ValueError, for prompts of different shape, or a pair that is one prompt twice.
    """
    if source.shape != base.shape:
        raise ValueError(
            f"patching goes token by token: source has shape {tuple(source.shape)}, base {tuple(base.shape)}; "
            "make the prompts of a pair equally long"
        )
    same = (source == base).long().cumprod(1).sum(1).cpu()
    if bool((same == source.shape[1]).any()):
        twice = int((same == source.shape[1]).nonzero()[0])
        raise ValueError(
            f"source and base are the same prompt in pair {twice} ({source[twice].tolist()}), so patching would change "
            "nothing; leave the pair out"
        )
    return same


def reference_values(
    model: HookedModel,
    sites: Sequence[Site],
    tokens: Tokens,
    *,
    mask: Mask | None = None,
    positions: Int[Tensor, " batch"] | None = None,
    batch_size: int = 64,
) -> list[Float[Tensor, "batch ..."]]:
    """Return the activations at the sites on reference prompts, batch axis first.

    Args:
        positions: of each prompt, for sites that name none.
    """
    require_tokens(tokens, what="the reference prompts")
    tokens = ready_tokens(model, tokens)
    hooks = list(dict.fromkeys(site.hook for site in sites))
    for site in sites:
        require_site(model, site)
    masked(tokens, mask)
    kept: list[list[Tensor]] = [[] for _ in sites]
    for rows in torch.arange(len(tokens)).split(batch_size):
        found = capture(model, tokens[rows], hooks, mask=None if mask is None else mask[rows])
        for values, site in zip(kept, sites, strict=True):
            own = None if positions is None or site.position is not None else positions[rows]
            there = found[site.hook].clone()  # of inference mode: no use to autograd
            values.append(there[site_index(there, site, positions=own)])
    return [values[0] if len(values) == 1 else torch.cat(values) for values in kept]
