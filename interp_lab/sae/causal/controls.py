"""What features are compared with: other directions of the same length, and other latents that write as much."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.sae.causal.directions import Prompts


def random_rows(like: Float[Tensor, " d_in"], n: int, *, seed: int) -> Float[Tensor, "draw d_in"]:
    """Return random directions of the length of a latent's row."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n, len(like), generator=generator, dtype=torch.float64).to(like)
    return drawn / drawn.norm(dim=-1, keepdim=True) * like.norm()


def borrowed_rows(
    rows: Float[Tensor, "latent d_in"], latent: int, others: Int[np.ndarray, " _"], *, n: int, seed: int
) -> Float[Tensor, "draw d_in"]:
    """Return rows of other latents, drawn at random, at the length of a latent's own row."""
    drawn = np.random.default_rng(seed).choice(others, size=min(n, len(others)), replace=False)
    found = rows[torch.from_numpy(drawn)]
    return found / found.norm(dim=-1, keepdim=True) * rows[latent].norm()


def along(
    prompts: Prompts, directions: Sequence[Float[Tensor, "draw d_in"]], changes: Sequence[Float[Tensor, "batch pos"]]
) -> Float[np.ndarray, "latent draw example"]:
    """Return what changes along other directions do, as long as each latent's own at every token of every prompt.

    Args:
        directions: of each latent, as many.
        changes: of each latent's value.
    """
    each = [change for drawn, change in zip(directions, changes, strict=True) for _ in drawn]
    found = prompts.measured(prompts.adding(torch.cat(list(directions)), each, what="direction"))
    return found.reshape(len(directions), -1, found.shape[-1])


def matched(
    lengths: Float[np.ndarray, "latent example"],
    chosen: Int[np.ndarray, " chosen"],
    others: Int[np.ndarray, " _"],
    *,
    n: int,
) -> Int[np.ndarray, "chosen matched"]:
    """Return for each latent the others whose changes are most nearly as long, prompt by prompt.

    So a control is active where the latent is, as far as there is such another one: two latents of the same density
    and size that are active on other prompts are no match. Closeness: the sum of the differences over the sum of both.
    """
    found = []
    for own in lengths[chosen]:
        theirs = lengths[others]
        apart = np.abs(theirs - own).sum(-1) / np.maximum((theirs + own).sum(-1), np.finfo(np.float64).tiny)
        found.append(others[np.argsort(apart, kind="stable")[:n]])
    return np.stack(found).astype(np.int64)


def closeness(
    lengths: Float[np.ndarray, "latent example"],
    chosen: Int[np.ndarray, " chosen"],
    controls: Int[np.ndarray, "chosen matched"],
) -> Float[np.ndarray, " chosen"]:
    """Return how long the changes of the matched latents are on average, as a share of a latent's own."""
    own = lengths[chosen].mean(-1)
    return lengths[controls].mean((-1, -2)) / np.where(own == 0, np.nan, own)
