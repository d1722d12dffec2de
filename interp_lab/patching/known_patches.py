"""What exact patches must read on the compiled models; each check takes its own sabotage."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from interp_lab.engine import Effects, sweep
from interp_lab.interventions import patches
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.organisms.compiled import CompiledModel, Truth, compile_model
from interp_lab.patching.gradients import PatchDirection
from interp_lab.patching.worked import HEADS, stream_effects
from interp_lab.types import HeadIndex, HookedModel, Site, head_name

TOLERANCE = 1e-3
"""Of logit differences; attention is saturated to about one part in ten thousand."""
SIGNS: Mapping[PatchDirection, int] = {"denoise": 1, "noise": -1}
N_PAIRS = 8

Groups = Sequence[Sequence[Site]]


def on_resample_edges(truth: Truth) -> frozenset[HeadIndex]:
    """Return the heads that an edge starts or ends at whose resampling makes a difference."""
    nodes = {node for edge in truth.edges_resample for node in (edge.source, edge.target_node)}
    return frozenset(head for head in truth.head_types if head_name(head) in nodes)


@cache
def loaded(name: str) -> HookedModel:
    """Return a compiled model, loaded once for all rows."""
    return load_model(name)


def patched(compiled: CompiledModel, groups: Groups, *, direction: PatchDirection, swapped: bool = False) -> Effects:
    """Return what patching groups of sites does to the logit difference on the model's own pairs.

    Args:
        swapped: put what should be patched in the place of what patches are taken from; a sabotage.
    """
    pairs = compiled.sample_pairs(N_PAIRS, seed=0)
    clean_first = (direction == "denoise") != swapped
    source, base = (pairs.clean, pairs.corrupted) if clean_first else (pairs.corrupted, pairs.clean)
    model = loaded(compiled.name)
    return sweep(model, base, patches(model, groups, source, base=base), logit_difference(*pairs[2:]))


def reads_heads(name: str, *, swapped: bool = False, head_offset: int = 0) -> tuple[bool, str]:
    """Whether exactly the heads on resample edges have an effect, by the amounts worked by hand, both ways.

    Args:
        swapped: clean and corrupted prompts change places; a sabotage.
        head_offset: patch the head that many places further on; anything but 0 is a sabotage.
    """
    compiled = compile_model(name)
    n_heads = compiled.config["n_heads"]
    heads = sorted(compiled.truth.head_types)
    groups = [[Site.of_head(layer, (head + head_offset) % n_heads)] for layer, head in heads]
    expected = np.array([HEADS[name].get(head, 0.0) for head in heads])[:, None]
    worst, moved = 0.0, []
    for direction, sign in SIGNS.items():
        changes = patched(compiled, groups, direction=direction, swapped=swapped).changes
        worst = max(worst, float(np.abs(changes - sign * expected).max()))
        moved.append({head for head, change in zip(heads, changes, strict=True) if np.abs(change).max() > TOLERANCE})
    right = worst < TOLERANCE and all(found == on_resample_edges(compiled.truth) for found in moved)
    told = ", ".join(head_name(head) for head in sorted(moved[0] | moved[1])) or "no head"
    return bool(right), f"{told} matter; largest error {worst:.1e} logits"


def reads_stream(name: str, *, swapped: bool = False, offset: int = 0) -> tuple[bool, str]:
    """Whether the residual stream carries what was worked by hand, layer by layer and position by position.

    Args:
        swapped: as in `reads_heads`.
        offset: patch that many positions further on; anything but 0 is a sabotage.
    """
    compiled = compile_model(name)
    expected = stream_effects(name, compiled.sample_pairs(N_PAIRS, seed=0)).numpy()
    groups = stream_groups(compiled, offset=offset)
    worst, n_moved = 0.0, 0
    for direction, sign in SIGNS.items():
        changes = patched(compiled, groups, direction=direction, swapped=swapped).changes.reshape(expected.shape)
        worst = max(worst, float(np.abs(changes - sign * expected).max()))
        n_moved = int((np.abs(changes) > TOLERANCE).any(-1).sum())
    places = f"{n_moved} of {len(groups)} places matter in some pair"
    return worst < TOLERANCE, f"{places}; largest error {worst:.1e} logits"


def stream_groups(compiled: CompiledModel, *, offset: int = 0) -> list[list[Site]]:
    """Return the residual stream at each position, before each layer and after the last."""
    n_layers, n_pos = compiled.config["n_layers"], compiled.sample_pairs(1, seed=0).clean.shape[1]
    hooks = [f"blocks.{layer}.hook_resid_pre" for layer in range(n_layers)]
    hooks.append(f"blocks.{n_layers - 1}.hook_resid_post")
    return [[Site(hook, position=(at + offset) % n_pos)] for hook in hooks for at in range(n_pos)]


def reads_backup(*, pair: Sequence[HeadIndex] = ((1, 0), (2, 1))) -> tuple[bool, str]:
    """Whether a set of patches shows what its members hide: keys of both heads that find the answer, noised.

    With another prompt's keys either head finds nothing, and the other one has the answer; with both, there is none.
    """
    compiled = compile_model("compiled/backup")
    keys = [Site.of_head(*head, at="k") for head in pair]
    noised = patched(compiled, [[keys[0]], [keys[1]], keys], direction="noise")
    first, second, together = noised.changes
    alone = max(float(np.abs(first).max()), float(np.abs(second).max()))
    left = float(np.abs(together + noised.baseline).max())
    return max(
        alone, left
    ) < TOLERANCE, f"alone at most {alone:.3f}, together {together.mean():+.1f} of {noised.baseline.mean():.1f} logits"
