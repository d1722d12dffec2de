"""What silencing latents costs on text."""

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.effects import metric_values
from interp_lab.metrics import next_token_loss
from interp_lab.sae.activations import ActivationsConfig, stream_activations
from interp_lab.sae.causal.config import FeatureEffectsConfig
from interp_lab.sae.causal.controls import as_long, matched
from interp_lab.sae.causal.directions import Prompts
from interp_lab.sae.causal.operations import lengths
from interp_lab.sae.causal.reading import Dictionary, read, rows_of
from interp_lab.sae.causal.selecting import Selected
from interp_lab.sae.causal.splits import TextEffects
from interp_lab.types import HookedModel


def text_effects(
    model: HookedModel, codec: Dictionary, selected: Selected, *, config: FeatureEffectsConfig
) -> TextEffects | None:
    """Return the rise of the loss with each chosen latent silent at every token but special ones, beside others.

    Returns: `None` if the config names no text.

    Raises: ValueError, for text that is not there, or too little of it.
    """
    if config.text is None:
        return None
    tokens, kept = _windows(model, codec.hook, config)
    loss = next_token_loss(tokens)
    prompts = Prompts(model, codec.hook, tokens, torch.ones_like(kept), loss, config.memory_budget)
    rows = rows_of(codec)
    found = read(model, codec, tokens, hook=codec.hook, mask=prompts.mask).latents
    silenced = torch.where(kept[..., None], -found, torch.zeros_like(found))
    sizes = lengths(silenced[..., torch.from_numpy(selected.considered)], rows[torch.from_numpy(selected.considered)])
    n = min(config.n_matched, len(selected.others))
    controls = matched(sizes.double().cpu().numpy(), selected.chosen, selected.others, n=n)
    of, places = np.repeat(selected.chosen, n), controls.ravel()
    others, chosen = (torch.from_numpy(selected.considered[these]) for these in (places, selected.chosen))
    scaled = [
        as_long(silenced[..., latent], sizes[place], sizes[own])
        for latent, place, own in zip(others.tolist(), places, of, strict=True)
    ]
    beside = prompts.measured(prompts.adding(rows[others], scaled, what="others on text"))
    alone = prompts.measured(prompts.adding(rows[chosen], silenced[..., chosen].unbind(-1), what="silent on text"))
    own = found[..., chosen][kept]
    return TextEffects(
        loss=metric_values(model, tokens, loss),
        silent=alone,
        controls=beside.reshape(*controls.shape, -1),
        density=(own != 0).float().mean(0).double().cpu().numpy(),
    )


def _windows(
    model: HookedModel, hook: str, config: FeatureEffectsConfig
) -> tuple[Int[Tensor, "window pos"], Bool[Tensor, "window pos"]]:
    """Return whole windows of text, and the tokens of them at which latents are changed."""
    assert config.text is not None, "asked for"
    length = config.text.length or int(model.cfg.n_ctx)
    wanted = ActivationsConfig(
        hooks=(hook,), text=config.text, n_tokens=config.n_windows * length, exclude_special=config.exclude_special
    )
    streamed = stream_activations(model, wanted)
    n = config.n_windows
    if len(streamed.tokens) < n:
        raise ValueError(
            f"the text has {len(streamed.tokens)} windows of {length} tokens, and n_windows={n}; give more text, or "
            "set n_windows lower, or text to null"
        )
    return streamed.tokens[:n].long(), streamed.kept[:n]
