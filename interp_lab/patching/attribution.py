"""Attribution patching: what every activation patch would do, estimated to first order from two runs and a gradient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.experiment import Progress, silent
from interp_lab.gradients import EMBED, difference, gradients_of, run_with_graph, through_decoder
from interp_lab.interventions import require_codec
from interp_lab.metrics import Metric, require_finite
from interp_lab.patching.gradients import (
    PatchDirection,
    Runs,
    paired_runs,
    require_groups,
    run_plainly,
)
from interp_lab.patching.site_sums import group_names, group_sums, site_sums
from interp_lab.types import Codec, HookedModel, Site, Tokens


@dataclass(frozen=True)
class Attribution:
    """Estimated effects of patches, example by example; in the metric's unit."""

    names: tuple[str, ...]
    """Of the groups of sites."""
    method: str
    direction: PatchDirection
    metric: str
    unit: str
    estimates: Float[np.ndarray, "site example"]
    """Estimate of the metric of the patched run minus that of the run it is put into; only of its size, where the
    method says so."""
    baseline: Float[np.ndarray, " example"]
    """Metric of the run that is patched (corrupted to denoise, clean to noise)."""
    total: Float[np.ndarray, " example"]
    """Metric of the other run minus the baseline: what patching everything does."""
    residual: Float[np.ndarray, " example"] | None
    """What the estimates of all token embeddings sum to, minus the total: zero where the model is linear in them, and
    in the limit of many steps of integrated gradients. `None` for estimates without a sign."""


@torch.inference_mode(False)  # a caller may be in it, and gradients are needed
def attribution(
    model: HookedModel,
    clean: Tokens,
    *,
    corrupted: Int[Tensor, "_ _"],
    groups: Sequence[Sequence[Site]],
    metric: Metric,
    direction: PatchDirection = "denoise",
    steps: int = 1,
    positions: Int[Tensor, " _"] | None = None,
    codecs: Mapping[str, Codec] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    batch_size: int = 64,
    progress: Progress = silent,
) -> Attribution:
    """Estimate what patching each group of sites would do to the metric, for all of them at once.

    With one step: the gradient of the metric at the run that is patched, times what the patch changes; two forward
    passes and one backward pass per batch, however many sites there are. With more: integrated gradients, the mean of
    the gradients at the midpoints of that many equal parts of the straight line between the token embeddings of the two
    runs (a forward and a backward pass each, on top of two forward passes).

    What it does not show: anything beyond first order. Saturated attention has no gradient (see `atp_star`), effects
    that cancel out in sum hide their parts, and estimates of a group just add up, which patches of it need not.

    Args:
        groups: sites that are patched together.
        steps: 1 for attribution patching; from 2 on, midpoints of integrated gradients.
        positions: where each prompt is patched, for sites that name no position.
        codecs: by hook name; the sites there are their latents, and what they do not reconstruct stays as it is. Where
            activations are split by head, they read the heads side by side.
        mask: True at tokens, False at padding; needed for left-padded prompts.
        batch_size: pairs per pass.

    Raises: ValueError, for prompts that are not aligned, a pair of equal ones, groups that come twice or whose sites
        overlap, sites that the model has not, a metric without gradient, estimates that are NaN or inf, or a codec
        that rescales each token by a norm of its own.
    Source: Nanda 2023 (attribution patching); Syed et al. 2023, arXiv 2310.10348; Sundararajan et al. 2017, arXiv
        1703.01365 (integrated gradients); Hanna et al. 2024, arXiv 2403.17806 (along the inputs; we take midpoints).
    """
    if steps < 1:
        raise ValueError(f"steps={steps} is not a number of gradients; use 1 for attribution patching, or more")
    codecs = codecs or {}
    for codec in codecs.values():
        require_codec(codec)
    runs = paired_runs(model, clean, corrupted, direction=direction, mask=mask, positions=positions)
    n_pos = clean.shape[1]
    sites = require_groups(model, groups, n_pos=n_pos, per_prompt=positions is not None, latents_of=codecs)
    parts: list[tuple[Tensor, ...]] = []
    for rows in torch.arange(len(clean)).split(batch_size):
        sums, *others = _of_batch(model, runs.rows(rows), sites, metric.rows(rows), steps=steps, codecs=codecs)
        parts.append((group_sums(sums, sites, groups), *others))
        progress(int(rows[-1]) + 1, len(clean), "attribution")
    estimates, baseline, donor, embedded = (torch.cat(part, dim=-1) for part in zip(*parts, strict=True))
    require_finite(estimates, what="an attribution")
    before, total = (as_doubles(part) for part in (baseline, donor - baseline))
    return Attribution(
        names=group_names(groups),
        method="attribution patching" if steps == 1 else f"integrated gradients ({steps} midpoints)",
        direction=direction,
        metric=metric.name,
        unit=metric.unit,
        estimates=as_doubles(estimates),
        baseline=before,
        total=total,
        residual=as_doubles(embedded) - total,
    )


def as_doubles(values: Float[Tensor, "..."]) -> Float[np.ndarray, "..."]:
    """Return values on the host, in double precision."""
    return values.detach().double().cpu().numpy()


def _of_batch(
    model: HookedModel, runs: Runs, sites: Sequence[Site], metric: Metric, *, steps: int, codecs: Mapping[str, Codec]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the sum at each site, the metric of both runs, and the sum over all embeddings."""
    hooks = list(dict.fromkeys([EMBED, *(site.hook for site in sites)]))
    donor, lent = run_plainly(model, runs.donor, hooks, metric, options=runs.options())
    if steps == 1:
        base, values, _ = run_with_graph(model, runs.base, hooks, metric, mask=runs.mask)
        gradients = gradients_of(values, base)
    else:
        base, values = run_plainly(model, runs.base, hooks, metric, options=runs.options())
        gradients = _mean_gradients(model, runs, hooks, metric, ends=(base[EMBED], donor[EMBED]), steps=steps)
    terms = {}
    for hook, gradient in gradients.items():
        there, here = donor[hook], base[hook].detach()
        if hook not in codecs:
            terms[hook] = gradient * difference(there, here)
        elif Site(hook).has_head_axis:
            terms[hook] = _codec_terms(codecs[hook], *(part.flatten(-2) for part in (there, here, gradient)))
        else:
            terms[hook] = _codec_terms(codecs[hook], there, here, gradient)
    embedded = gradients[EMBED] * difference(donor[EMBED], base[EMBED].detach())
    return site_sums(terms, sites, positions=runs.positions), values.detach(), lent, embedded.flatten(1).sum(1)


def _mean_gradients(
    model: HookedModel, runs: Runs, hooks: Sequence[str], metric: Metric, *, ends: tuple[Tensor, Tensor], steps: int
) -> dict[str, Tensor]:
    mean: dict[str, Tensor] = {}
    for step in range(steps):
        between = torch.lerp(*ends, (step + 0.5) / steps)
        kept, values, _ = run_with_graph(model, runs.base, hooks, metric, mask=runs.mask, embedding=between)
        for hook, gradient in gradients_of(values, kept).items():
            mean[hook] = mean.get(hook, 0) + gradient / steps
    return mean


def _codec_terms(
    codec: Codec, donor: Float[Tensor, "*batch d_in"], base: Float[Tensor, "*batch d_in"], gradient: Tensor
) -> Float[Tensor, "*batch latent"]:
    """Return, per latent, its change times the gradient that reaches it through the decoder."""
    with torch.no_grad():
        before, after = codec.encode(base), codec.encode(donor)
    return through_decoder(codec, before, gradient) * difference(after, before)
