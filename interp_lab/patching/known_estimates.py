"""What estimates of patches, and choices by them, must read on the compiled models."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from interp_lab.metrics import logit_difference
from interp_lab.organisms.compiled import CompiledModel, compile_model
from interp_lab.patching.atp_star import atp_star
from interp_lab.patching.attribution import Attribution, attribution
from interp_lab.patching.gradients import PatchDirection
from interp_lab.patching.known_patches import N_PAIRS, SIGNS, TOLERANCE, Groups, loaded, patched, stream_groups
from interp_lab.patching.prescreen import Estimator, prescreen
from interp_lab.patching.worked import HEADS
from interp_lab.types import HeadIndex, Site

Part = Literal["z", "q", "k", "v"]
LINEAR_TOLERANCE = 1e-6
"""Of logit differences on the linear model: what float32 leaves of 8 logits."""


def estimated(compiled: CompiledModel, groups: Groups, *, method: Estimator, direction: PatchDirection) -> Attribution:
    """Return estimates of patches on the model's own pairs, with their sign."""
    pairs = compiled.sample_pairs(N_PAIRS, seed=0)
    options: dict[str, Any] = {"corrupted": pairs.corrupted, "groups": groups, "metric": logit_difference(*pairs[2:])}
    model = loaded(compiled.name)
    if method == "atp*":
        return atp_star(model, pairs.clean, direction=direction, grad_drop=False, **options)
    return attribution(model, pairs.clean, direction=direction, steps=1 if method == "attribution" else 3, **options)


def reads_first_order(method: Estimator, *, head_offset: int = 0, opposite: bool = False) -> tuple[bool, str]:
    """Whether estimates equal exact patches on the linear model, at every head and position, and in sign.

    Args:
        head_offset: estimate the head that many places further on; anything but 0 is a sabotage.
        opposite: estimate patches in the other direction; a sabotage.
    """
    compiled = compile_model("compiled/linear")
    heads = sorted(compiled.truth.head_types)
    worst = 0.0
    for direction, sign in SIGNS.items():
        estimates = estimated(
            compiled,
            _by_position(heads, offset=head_offset),
            method=method,
            direction=("noise" if direction == "denoise" else "denoise") if opposite else direction,
        ).estimates
        exact = patched(compiled, _by_position(heads), direction=direction).changes
        by_hand = sign * np.array([HEADS[compiled.name].get(head, 0.0) for head in heads])[:, None]
        summed = estimates.reshape(len(heads), -1, N_PAIRS).sum(1)
        worst = max(worst, _largest_gap(estimates, exact), _largest_gap(summed, np.tile(by_hand, N_PAIRS)))
    return worst < LINEAR_TOLERANCE, f"largest gap to exact patches {worst:.1e} logits"


def reads_attention(*, method: Estimator = "atp*") -> tuple[bool, str]:
    """Whether estimates for queries and keys equal exact patches where attention is saturated.

    Args:
        method: without the corrections of AtP* the gradient there is zero; anything else is a sabotage.
    """
    compiled = compile_model("compiled/duplicate-token")
    groups = [[Site.of_head(*head, at=part)] for head in sorted(compiled.truth.head_types) for part in ("q", "k")]
    worst, most = 0.0, 0.0
    for direction in SIGNS:
        estimates = estimated(compiled, groups, method=method, direction=direction).estimates
        exact = patched(compiled, groups, direction=direction).changes
        worst, most = max(worst, _largest_gap(estimates, exact)), max(most, float(np.abs(exact).max()))
    return worst < TOLERANCE < most, f"largest gap {worst:.1e} logits, where patches change up to {most:.1f}"


def _by_position(heads: Sequence[HeadIndex], *, offset: int = 0) -> list[list[Site]]:
    """Return the sites of heads of the linear model at the last three positions, the only ones that differ."""
    moved = [(layer, (head + offset) % 4) for layer, head in heads]
    return [[Site.of_head(*head, position=at)] for head in moved for at in (6, 7, 8)]


def _largest_gap(first: Float[np.ndarray, "row example"], second: Float[np.ndarray, "row example"]) -> float:
    return float(np.abs(first - second).max())


def reads_sums(*, skipped: int = 0) -> tuple[bool, str]:
    """Whether estimates over all positions of the residual stream sum to the total effect, in every layer.

    Args:
        skipped: leave out that many positions at the end; anything but 0 is a sabotage.
    """
    compiled = compile_model("compiled/linear")
    groups = stream_groups(compiled)
    worst, totals = 0.0, []
    for direction in SIGNS:
        found = estimated(compiled, groups, method="attribution", direction=direction)
        by_layer = found.estimates.reshape(3, -1, N_PAIRS)
        sums = by_layer[:, : by_layer.shape[1] - skipped].sum(1)
        worst = max(worst, _largest_gap(sums, np.tile(found.total, (3, 1))))
        totals.append(float(found.total.mean()))
    right = worst < LINEAR_TOLERANCE and np.allclose(totals, [8.0, -8.0], atol=LINEAR_TOLERANCE)
    return bool(right), f"totals {totals[0]:+.3f} and {totals[1]:+.3f}; largest gap {worst:.1e} logits"


def reads_prescreen(
    name: str,
    *,
    parts: Sequence[Part],
    method: Estimator,
    expected: Mapping[str, float],
    direction: PatchDirection = "denoise",
) -> tuple[bool, str]:
    """Whether the sites with the largest estimates are those that matter, by the right amounts, and none is missed.

    Args:
        parts: what is patched in each head.
        expected: what denoising is to add, by name of the site; as many sites are kept.
        direction: `noise` is a sabotage.
    """
    compiled = compile_model(name)
    pairs = compiled.sample_pairs(N_PAIRS, seed=0)
    found = prescreen(
        loaded(name),
        pairs.clean,
        corrupted=pairs.corrupted,
        groups=[[Site.of_head(*head, at=part)] for head in sorted(compiled.truth.head_types) for part in parts],
        metric=logit_difference(*pairs[2:]),
        keep=len(expected),
        method=method,
        direction=direction,
    )
    kept = [found.names[nth] for nth in found.kept]
    gaps = [
        np.abs(change - expected.get(name, 0.0)).max() for name, change in zip(kept, found.exact.changes, strict=True)
    ]
    right = found.recall == 1 and set(kept) == set(expected) and max(gaps) < TOLERANCE
    return bool(right), f"kept {', '.join(kept)}; recall {found.recall:.2f}, largest error {max(gaps):.1e} logits"
