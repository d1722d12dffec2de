"""AtP*: attribution patching that sees through saturated attention, and past effects that cancel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.experiment import Progress, silent
from interp_lab.gradients import EMBED, difference, gradients_of, run_with_graph
from interp_lab.hooks import Edit
from interp_lab.metrics import Metric, require_finite
from interp_lab.patching.attention_patches import (
    AttentionPatch,
    attention_hook,
    attention_layers,
    attention_patches,
    is_key,
    is_query,
)
from interp_lab.patching.attribution import Attribution, as_doubles
from interp_lab.patching.gradients import (
    PatchDirection,
    Runs,
    paired_runs,
    require_groups,
    run_plainly,
    written_by,
)
from interp_lab.patching.site_sums import group_names, group_sums, site_sums
from interp_lab.types import HookedModel, Site, Tokens

_RESIDUAL = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")
"""Hook points in a block that are not written through it."""


@torch.inference_mode(False)  # a caller may be in it, and gradients are needed
def atp_star(
    model: HookedModel,
    clean: Tokens,
    *,
    corrupted: Int[Tensor, "_ _"],
    groups: Sequence[Sequence[Site]],
    metric: Metric,
    direction: PatchDirection = "denoise",
    grad_drop: bool = True,
    positions: Int[Tensor, " _"] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    batch_size: int = 64,
    progress: Progress = silent,
) -> Attribution:
    """Estimate what patching each group of sites would do, with the two corrections of AtP*.

    **Queries and keys.** At `attn.hook_q` and `attn.hook_k` the change of the attention pattern is computed, not
    linearised: the patched run's attention probabilities minus those before, times the gradient with respect to the
    probabilities. Of a query, with its own position patched; of a key at a position, with the softmax of every query
    taken anew with that key's scores alone changed; of a key at no particular position, with all of them changed. So
    the estimate equals the patch wherever what follows the probabilities is linear. Other sites are as in
    `attribution`.

    **GradDrop.** For each layer in turn the gradient is taken with that layer's additions to the residual stream held
    constant (attention and MLP output together). The estimate of a group on an example is the mean over the dropped
    layers of its absolute value: a size without a sign, in the metric's unit, at least 0. The layer that a group
    lies in silences it and is not counted: the sum over all L layers is divided by L - 1, as in the paper; for groups
    that no single layer silences (on the residual stream, in the embeddings, or in several layers), by L. Absolute
    values are taken of each group and example, after the sum over the group's sites; average over examples after that.

    Cost per batch: two forward passes, one more each if there are queries or keys; one backward pass, or one per layer.

    Args:
        grad_drop: `False` corrects queries and keys only, and leaves the estimates their sign.
        positions: as in `attribution`; so are `mask` and `batch_size`.

    Raises: ValueError, as `attribution`; for GradDrop in a model of one layer; for queries and keys of an attention
        that is not a softmax of scores that mixes values (with sinks, or values clamped behind their hook point).
    Source: Kramár et al. 2024, arXiv 2403.00745; our softmax without one key is in closed form, and residual-stream
        sites are ours.
    """
    runs = paired_runs(model, clean, corrupted, direction=direction, mask=mask, positions=positions)
    sites = require_groups(model, groups, n_pos=clean.shape[1], per_prompt=positions is not None, latents_of={})
    n_layers = int(model.cfg.n_layers)
    if grad_drop and n_layers < 2:
        raise ValueError("GradDrop averages over the other layers, and this model has one layer; use grad_drop=False")
    _require_whole_heads(sites)
    parts: list[tuple[Tensor, ...]] = []
    embedded: list[Tensor] = []
    for rows in torch.arange(len(clean)).split(batch_size):
        batch = _run(model, runs.rows(rows), sites, metric.rows(rows), switched=grad_drop)
        if grad_drop:
            found = _sizes(batch, groups, n_layers=n_layers)
        else:
            found, of_embeddings = _signed(batch, groups)
            embedded.append(of_embeddings)
        parts.append((found, batch.values.detach(), batch.lent))
        progress(int(rows[-1]) + 1, len(clean), "AtP*")
    estimates, baseline, donor = (torch.cat(part, dim=-1) for part in zip(*parts, strict=True))
    require_finite(estimates, what="an AtP* estimate")
    before, total = as_doubles(baseline), as_doubles(donor - baseline)
    return Attribution(
        names=group_names(groups),
        method="AtP*, sizes (queries and keys, GradDrop)" if grad_drop else "AtP* (queries and keys)",
        direction=direction,
        metric=metric.name,
        unit=metric.unit,
        estimates=as_doubles(estimates),
        baseline=before,
        total=total,
        residual=None if grad_drop else as_doubles(torch.cat(embedded)) - total,
    )


def _require_whole_heads(sites: Sequence[Site]) -> None:
    for site in sites:
        if site.latent is not None and (is_query(site.hook) or is_key(site.hook)):
            raise ValueError(
                f"{site} is one dimension of a query or key, and AtP* takes them whole; leave latent out, or use "
                "attribution"
            )


class _Switch(torch.autograd.Function):
    """Hands an activation on, and its gradient back unless its layer is switched off at that moment."""

    @staticmethod
    def forward(ctx: Any, activation: Tensor, layer: int, off: set[int]) -> Tensor:  # noqa: ANN401 - torch's own
        """Remember the layer."""
        ctx.layer, ctx.off = layer, off
        return activation.view_as(activation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401 - torch's own
        """Look up what is off."""
        (gradient,) = gradients
        return (torch.zeros_like(gradient) if ctx.layer in ctx.off else gradient), None, None


def _switches(model: HookedModel, off: set[int]) -> dict[str, Edit]:
    """Return a switch behind everything that a layer adds to the residual stream."""

    def switch(layer: int) -> Edit:
        return lambda activation: _Switch.apply(activation, layer, off)

    return {name: switch(layer) for layer in range(int(model.cfg.n_layers)) for name in written_by(model, layer)}


@dataclass(frozen=True)
class _Batch:
    """One batch of pairs, run, and differentiated as often as needed."""

    sites: Sequence[Site]
    positions: Int[Tensor, " batch"] | None
    nodes: Mapping[str, Tensor]
    """Activations in the graph."""
    values: Float[Tensor, " batch"]
    """Metric, in the graph."""
    lent: Float[Tensor, " batch"]
    """Metric of the donors."""
    changes: Mapping[str, Tensor]
    """What patching does to activations other than queries and keys."""
    patches: Mapping[int, AttentionPatch]
    off: set[int]
    """Layers whose gradient is dropped from now on."""


def _run(model: HookedModel, runs: Runs, sites: Sequence[Site], metric: Metric, *, switched: bool) -> _Batch:
    layers = attention_layers(sites)
    plain = [site.hook for site in sites if not is_query(site.hook) and not is_key(site.hook)]
    plain = list(dict.fromkeys([EMBED, *plain]))
    lent = [attention_hook(layer, part) for layer in layers for part in "qk"]
    watched = [
        attention_hook(layer, part) for layer in layers for part in ("q", "k", "v", "z", "attn_scores", "pattern")
    ]
    donor, reached = run_plainly(model, runs.donor, [*plain, *lent], metric, options=runs.options())
    off: set[int] = set()
    nodes = [*plain, *(attention_hook(layer, "z") for layer in layers)]
    behind = _switches(model, off) if switched else {}
    kept, values, seen = run_with_graph(model, runs.base, nodes, metric, mask=runs.mask, behind=behind, watched=watched)
    return _Batch(
        sites=sites,
        positions=runs.positions,
        nodes={name: kept[name] for name in nodes},
        values=values,
        lent=reached,
        changes={hook: difference(donor[hook], kept[hook].detach()) for hook in plain},
        patches=attention_patches(model, runs, sites=sites, donor=donor, base=seen) if layers else {},
        off=off,
    )


def _signed(batch: _Batch, groups: Sequence[Sequence[Site]], *, again: bool = False) -> tuple[Tensor, Tensor]:
    """Return the estimate of each group and the sum over all embeddings, without the layers that are off."""
    gradients = gradients_of(batch.values, batch.nodes, again=again)
    terms = {hook: gradients[hook] * change for hook, change in batch.changes.items()}
    whole: dict[str, Tensor] = {}
    for layer, patch in batch.patches.items():
        gradient = patch.pattern_gradient(gradients[attention_hook(layer, "z")])
        if patch.query_change is not None:
            terms[attention_hook(layer, "q")] = patch.query_terms(gradient)
        if patch.key_change is not None:
            terms[attention_hook(layer, "k")] = patch.key_terms(gradient)
            whole[attention_hook(layer, "k")] = patch.whole_key_terms(gradient)
    at_once = [site for site in batch.sites if site.hook in whole and site.position is None and batch.positions is None]
    one_by_one = [site for site in batch.sites if site not in at_once]
    sums = [site_sums(terms, one_by_one, positions=batch.positions)] if one_by_one else []
    sums += [site_sums(whole, at_once)] if at_once else []
    estimates = group_sums(torch.cat(sums), [*one_by_one, *at_once], groups)
    return estimates, terms[EMBED].flatten(1).sum(1)


def _sizes(batch: _Batch, groups: Sequence[Sequence[Site]], *, n_layers: int) -> Tensor:
    """Return the mean size of the estimates of each group over dropped layers."""
    total: Tensor | None = None
    for layer in range(n_layers):
        batch.off.clear()
        batch.off.add(layer)
        estimates, _ = _signed(batch, groups, again=layer < n_layers - 1)
        total = estimates.abs() if total is None else total + estimates.abs()
    assert total is not None, "a model has layers"
    heard = torch.tensor([n_layers - _silenced_by_one_layer(group) for group in groups], device=total.device)
    return total / heard[:, None]


def _silenced_by_one_layer(group: Sequence[Site]) -> bool:
    """Whether dropping one layer leaves no gradient at any site of a group: all lie in its attention or MLP."""
    on_stream = any(site.layer is None or site.hook.endswith(_RESIDUAL) for site in group)
    return not on_stream and len({site.layer for site in group}) == 1
