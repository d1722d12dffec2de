"""What latents write straight to the logits, and the output score: does amplifying one bring its own tokens about?"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.hooks import masked
from interp_lab.interventions import applied
from interp_lab.models.readings import reaches_stream, unembedding, writes
from interp_lab.sae.causal.directions import Prompts
from interp_lab.types import HookedModel

N_TOKENS = 20
"""Tokens that a latent's direction raises most, which the output score is about."""
ROWS = 256
"""Prompts in one pass."""


def logit_effects(
    model: HookedModel, rows: Float[Tensor, "latent d_in"], *, hook: str
) -> Float[Tensor, "latent d_vocab"]:
    """Return what each latent's direction adds to every logit (centred), up to the scale of the final norm.

    Raises: ValueError, for a hook point from which nothing is written to the residual stream by a fixed matrix, or a
        final norm that cannot be taken apart.
    Source: nostalgebraist 2020 (logit lens).
    """
    written = writes(model, hook)
    stream = rows if written is None else rows @ written.to(rows)
    if not reaches_stream(hook) or stream.shape[-1] != int(model.cfg.d_model):
        raise ValueError(
            f"what latents at {hook!r} write is no part of the residual stream, so that it cannot be read as logits; "
            "choose latents by 'exact', 'attribution' or 'difference'"
        )
    with torch.no_grad():
        return stream @ unembedding(model).to(stream)


def output_scores(
    prompts: Prompts,
    rows: Float[Tensor, "latent d_in"],
    *,
    at: Int[Tensor, " batch"],
    amplification: float,
    unit: float,
) -> Float[np.ndarray, " latent"]:
    """Return for each latent how far amplifying it at one token brings about the tokens that it writes.

    The share of the vocabulary that its best token outranks, times the largest probability among its tokens, mean over
    prompts; from 0 to 1. What it does not show: whether a behaviour on real prompts hangs on the latent.

    Args:
        at: the token of each prompt at which it is amplified and read.
        amplification: how many times `unit` are added along the latent's row.
        unit: value of a strongly active latent.

    Raises: ValueError, as `logit_effects`.
    Source: Arad et al. 2025, arXiv 2505.20063 (output score; one neutral prompt there, prompts of the task here).
    """
    top = logit_effects(prompts.model, rows, hook=prompts.hook).topk(N_TOKENS, dim=-1).indices
    n_prompts, found = len(prompts.tokens), []
    everything = torch.cartesian_prod(torch.arange(len(rows)), torch.arange(n_prompts))
    for part in everything.split(ROWS):
        latent, prompt = part[:, 0].to(rows.device), part[:, 1].to(rows.device)
        added = torch.zeros(*prompts.tokens[prompt].shape, rows.shape[-1], dtype=rows.dtype, device=rows.device)
        place = at.to(rows.device)[prompt]
        added[torch.arange(len(part)), place] = amplification * unit * rows[latent]
        found.append(_scores(prompts, prompt, place, added, top[latent]))
    return torch.cat(found).view(len(rows), n_prompts).mean(1).double().cpu().numpy()


def _scores(prompts: Prompts, prompt: Tensor, place: Tensor, added: Tensor, top: Tensor) -> Float[Tensor, " row"]:
    tokens, mask = prompts.tokens[prompt], prompts.mask[prompt]
    made = Prompts(prompts.model, prompts.hook, tokens, mask, prompts.metric).adding_vectors(added, what="amplified")
    assert made is not None, "rows of a dictionary are not zero"
    with torch.no_grad(), applied(prompts.model, made):
        logits = prompts.model(tokens, **masked(tokens, mask))[torch.arange(len(tokens)), place]
    own = logits.gather(-1, top)
    best = (logits > own.amax(-1, keepdim=True)).sum(-1)
    return (1 - best / logits.shape[-1]) * logits.softmax(-1).gather(-1, top).amax(-1)
