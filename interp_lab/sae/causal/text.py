"""What silencing latents costs on text."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.effects import metric_values
from interp_lab.metrics import next_token_loss
from interp_lab.sae.activations import ActivationsConfig, stream_activations
from interp_lab.sae.causal.config import FeatureEffectsConfig
from interp_lab.sae.causal.controls import matched
from interp_lab.sae.causal.directions import Prompts
from interp_lab.sae.causal.operations import lengths
from interp_lab.sae.causal.reading import Dictionary, read, rows_of
from interp_lab.sae.causal.selecting import Selected
from interp_lab.sae.causal.splits import TextEffects
from interp_lab.types import HookedModel


def text_effects(
    model: HookedModel, codec: Dictionary, selected: Selected, *, config: FeatureEffectsConfig
) -> TextEffects | None:
    """Return the rise of the loss with each chosen latent silent at every token, beside other latents.

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

    def measured(places: Int[np.ndarray, " _"]) -> Float[np.ndarray, "_ window"]:
        latents = torch.from_numpy(selected.considered[places])
        made = prompts.adding(rows[latents], silenced[..., latents].unbind(-1), what="silent on text")
        return prompts.measured(made)

    places = np.unique(controls)
    beside = measured(places)[np.searchsorted(places, controls)]
    own = found[..., torch.from_numpy(selected.latents)][kept]
    return TextEffects(
        loss=metric_values(model, tokens, loss),
        silent=measured(selected.chosen),
        controls=beside,
        density=(own != 0).float().mean(0).double().cpu().numpy(),
    )


def _windows(
    model: HookedModel, hook: str, config: FeatureEffectsConfig
) -> tuple[Int[Tensor, "window pos"], Bool[Tensor, "window pos"]]:
    """Return whole windows of text, and the tokens of them that are no special ones."""
    assert config.text is not None, "asked for"
    length = config.text.length or int(model.cfg.n_ctx)
    wanted = ActivationsConfig(hooks=(hook,), text=config.text, n_tokens=config.n_windows * length)
    streamed = stream_activations(model, wanted)
    n = config.n_windows
    if len(streamed.tokens) < n:
        raise ValueError(
            f"the text has {len(streamed.tokens)} windows of {length} tokens, and n_windows={n}; give more text, or "
            "set n_windows lower, or text to null"
        )
    return streamed.tokens[:n].long(), streamed.kept[:n]
