"""Ablations of prompts by values of other prompts, place by place, and what they cost."""

from collections.abc import Hashable, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.engine import Effects, sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Ablation, Intervention, ablations
from interp_lab.metrics import Metric
from interp_lab.types import HookedModel, Site, Tokens


def ablation_effects(
    model: HookedModel,
    tokens: Tokens,
    groups: Sequence[Sequence[Site]],
    metric: Metric,
    *,
    kind: Ablation,
    reference: Int[Tensor, "_ _"] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    reference_mask: Bool[Tensor, "_ _"] | None = None,
    templates: Sequence[Hashable] | None = None,
    reference_templates: Sequence[Hashable] | None = None,
    memory_budget: int | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> Effects:
    """Measure what ablating each group of sites, on its own, does to a metric; causal, for this kind of ablation.

    Whether it is clear of chance, and of what ablating anything does, is for `effects.evidence_against` to say. What
    it does not show: that a site without an effect plays no part; another may have stood in for it (`set_effects`).

    Args, Raises: as `aligned_ablations` and `engine.sweep`.
    """
    cuts = aligned_ablations(
        model, tokens, groups=groups, kind=kind, reference=reference, mask=mask, reference_mask=reference_mask,
        templates=templates, reference_templates=reference_templates, seed=seed,
    )  # fmt: skip
    return sweep(model, tokens, cuts, metric, mask=mask, memory_budget=memory_budget, progress=progress)


def aligned_ablations(
    model: HookedModel,
    tokens: Tokens,
    *,
    groups: Sequence[Sequence[Site]],
    kind: Ablation,
    reference: Int[Tensor, "_ _"] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    reference_mask: Bool[Tensor, "_ _"] | None = None,
    templates: Sequence[Hashable] | None = None,
    reference_templates: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> list[Intervention]:
    """Return one ablation of these prompts per group of sites, as `interventions.ablations`, once padding is checked.

    Args:
        tokens: the prompts that will be ablated.
        groups: sites that are ablated together.
        reference: prompts that values are taken from, position by position.
        mask: true at tokens, false at padding, of `tokens`; `reference_mask` is that of `reference`.
        templates: of `tokens`; `reference_templates` are those of `reference`. Only mean by template needs them.
        seed: of the prompts that resample ablation draws; all groups take their values from the same ones.

    Raises: ValueError, as `interventions.ablations`, or if what replaces a value may come from a place that is a token
        in one prompt and padding in the other.
    """
    if reference is not None and kind is not Ablation.ZERO:
        if reference.shape[1] != tokens.shape[1]:
            raise ValueError(
                f"the reference prompts have {reference.shape[1]} tokens and those ablated {tokens.shape[1]}; values "
                "are replaced position by position, so make them equally long"
            )
        by_template = kind is Ablation.MEAN_BY_TEMPLATE and templates is not None and reference_templates is not None
        labels = [*templates, *reference_templates] if by_template else [None] * (len(tokens) + len(reference))
        padded = torch.cat([_kept(mask, tokens).cpu(), _kept(reference_mask, reference).cpu()])
        _require_aligned(padded, labels, sites=[site for group in groups for site in group], kind=kind)
    return ablations(
        model, groups, kind=kind, reference=reference, mask=reference_mask, n_examples=len(tokens),
        templates=templates, reference_templates=reference_templates, seed=seed,
    )  # fmt: skip


def _kept(mask: Tensor | None, tokens: Tensor) -> Bool[Tensor, "batch pos"]:
    if mask is None:
        return torch.ones_like(tokens, dtype=torch.bool)
    if mask.shape != tokens.shape:
        raise ValueError(f"a mask has shape {tuple(mask.shape)}, and its prompts {tuple(tokens.shape)}; give one each")
    return mask


def _require_aligned(
    kept: Bool[Tensor, "_ pos"], labels: Sequence[Hashable], *, sites: Sequence[Site], kind: Ablation
) -> None:
    """Refuse padding that is not in the same places in all prompts of a label, as far as the sites reach.

    Attention reaches everywhere: what a site with a position takes over is a row of keys if it is a pattern.
    """
    if sites and all(site.position is not None and not site.by_query for site in sites):
        kept = kept[:, [(site.position or 0) % kept.shape[1] for site in sites]]
    first: dict[Hashable, int] = {}
    owner = torch.tensor([first.setdefault(label, row) for row, label in enumerate(labels)])
    differing = (kept != kept[owner]).any(1).nonzero().flatten().tolist()
    if differing:
        of = "" if labels[differing[0]] is None else f" of template {labels[differing[0]]!r}"
        raise ValueError(
            f"{kind} ablation takes values from the same position of other prompts, and prompts{of} are padded "
            "differently, so that some positions are padding in one and a token in another; use prompts of one length "
            "per template with 'mean by template', sites with a position that is a token in all, or 'zero'"
        )
