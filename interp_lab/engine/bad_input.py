"""What a sweep refuses before anything is run."""

from collections.abc import Sequence

import torch
from torch import Tensor

from interp_lab.engine.support import entry_of, shape_at
from interp_lab.interventions import Intervention
from interp_lab.interventions.intervention import all_heads
from interp_lab.types import Codec, HookedModel, Tokens


def checked_mask(mask: Tensor | None, tokens: Tokens) -> Tensor | None:
    """Return the mask on the device of the tokens; refuse another shape, and prompts that are padding only."""
    if mask is None:
        return None
    if mask.shape != tokens.shape:
        raise ValueError(f"the mask has shape {tuple(mask.shape)}, and the tokens {tuple(tokens.shape)}; give one each")
    empty = (~mask.any(1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"prompt {empty[0]} is padding only; leave it out")
    return mask.to(tokens.device)


def require_no_padding(intervention: Intervention, mask: Tensor | None) -> None:
    """Refuse a position that is padding in a prompt that is acted upon, and tokens that are padding in every prompt."""
    if mask is None:
        return
    if intervention.tokens is not None and not (intervention.tokens.cpu() & mask.cpu()).any():
        raise ValueError(f"{intervention.name!r} selects nothing but padding, so it would touch nothing")
    acted = torch.ones(len(mask), dtype=torch.bool) if intervention.gate is None else intervention.gate.cpu()
    fixed = {site.position for site in intervention.sites} - {None}
    for at in fixed if intervention.positions is None else (intervention.positions.cpu(),):
        position = torch.as_tensor(at).expand(len(mask)).remainder(mask.shape[1])
        bad = acted & ~mask.cpu().gather(1, position[:, None])[:, 0]
        if intervention.tokens is not None:
            bad &= intervention.tokens.cpu().gather(1, position[:, None])[:, 0]
        if bool(bad.any()):
            row = int(bad.nonzero()[0])
            raise ValueError(
                f"{intervention.name!r} acts at position {int(position[row])} of prompt {row}, which is padding; give "
                "positions= prompt by prompt, or close its gate there"
            )


def require_latents(model: HookedModel, interventions: Sequence[Intervention], *, n_pos: int) -> None:
    """Refuse an index beyond the last axis, or beyond a codec's latents, where their number is known."""
    sizes: dict[tuple[str, int, bool], int] = {}
    for intervention in interventions:
        codec = intervention.codec
        for site in intervention.sites:
            if site.latent is None or entry_of(model, site.hook) is None:
                continue
            together = codec is not None and all_heads(site)
            key = (site.hook, id(codec), together)
            if key not in sizes:
                shape = shape_at(model, site.hook, n_pos=n_pos)
                size = shape[-1] * shape[-2] if together else shape[-1]
                sizes[key] = size if codec is None else _n_latents(codec, model, d_in=size)
            if not 0 <= site.latent < sizes[key]:
                raise ValueError(
                    f"{intervention.name!r} acts on entry {site.latent} of {site.hook!r}"
                    f"{'' if codec is None else ' under its codec'}, outside the {sizes[key]} there are; "
                    f"use 0 to {sizes[key] - 1}"
                )


def _n_latents(codec: Codec, model: HookedModel, *, d_in: int) -> int:
    with torch.inference_mode():
        return codec.encode(next(iter(model.parameters())).new_zeros(1, d_in)).shape[-1]
