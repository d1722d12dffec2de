"""The prompt baseline: text that shows the trait, put before the prompt, in place of steering."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.effects import metric_values
from interp_lab.hooks import masked
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.measured import Target, between_partners
from interp_lab.steering.neutral import NeutralTexts
from interp_lab.steering.prompts import TraitPrompts
from interp_lab.steering.traits import contrast_of
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.tasks.encoding import encode, prepends_bos
from interp_lab.types import HookedModel

SHORTEST = 24
"""Texts of the contrast that prefixes are taken from, the shortest ones: context is short."""
Ids = tuple[int, ...]


@dataclass(frozen=True)
class Prefix:
    """A text, and where it is from."""

    text: str
    ids: Ids
    """Without BOS."""
    template: str


def prefixes_of(model: HookedModel, config: SteeringConfig, sign: int) -> list[Prefix]:
    """Return the texts that are to move prompts to one side: the config's own, or texts of the contrast with answers.

    Raises: ValueError, as `contrast_of`.
    """
    if config.prefixes is not None:
        own = config.prefixes[0 if sign > 0 else 1]
        return [Prefix(own, encode(model, [own], bos=False)[0], "")]
    contrast = contrast_of(config.trait, config.n_contrast, seed=config.seed, reserved=False, part="answered")
    texts = contrast.positive if sign > 0 else contrast.negative
    templates = contrast.positive_templates if sign > 0 else contrast.negative_templates
    rows = encode(model, texts, bos=False)
    found = {text: Prefix(text, ids, name) for text, ids, name in zip(texts, rows, templates, strict=True)}
    by_template: dict[str, list[Prefix]] = {}
    for one in sorted(found.values(), key=lambda one: len(one.ids)):
        by_template.setdefault(one.template, []).append(one)
    each = -(-SHORTEST // len(by_template))
    return [one for own in by_template.values() for one in own[:each]]


def with_prefixes(model: HookedModel, prompts: TraitPrompts, prefixes: Sequence[Prefix]) -> TraitPrompts | None:
    """Return prompts with a text before each, of another template if there is one; `None` if one has no room."""
    chosen = []
    for nth, (length, template) in enumerate(zip(prompts.mask.sum(1).tolist(), prompts.templates, strict=True)):
        others = [one for one in prefixes if one.template != template] or prefixes
        fitting = [one for one in others if len(one.ids) + length <= model.cfg.n_ctx]
        if not fitting:
            return None
        chosen.append(fitting[nth % len(fitting)].ids)
    tokens, mask = _prepended(model, prompts.tokens, prompts.mask, chosen)
    shifts = torch.tensor([len(ids) for ids in chosen], device=prompts.last.device)
    partners = None if prompts.partners is None else with_prefixes(model, prompts.partners, prefixes)
    if prompts.partners is not None and partners is None:
        return None
    return replace(prompts, tokens=tokens, mask=mask, last=prompts.last + shifts, partners=partners)


def _prepended(model: HookedModel, tokens: Tensor, mask: Tensor, chosen: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    head = int(prepends_bos(model))
    rows = [
        (*own[:head], *ids, *own[head:])
        for own, ids in zip((row[keep].tolist() for row, keep in zip(tokens, mask, strict=True)), chosen, strict=True)
    ]
    padded, kept = pad_rows(rows, pad=pad_token(model), padding="right")
    return padded.to(tokens.device), kept.to(tokens.device)


def prefixed_values(
    model: HookedModel, prompts: TraitPrompts, prefixes: Sequence[Prefix], target: Target
) -> Float[np.ndarray, " example"]:
    """Return the target behind a prefix; NaN for all if some prompt has no room for one."""
    longer = with_prefixes(model, prompts, prefixes)
    if longer is None:
        return np.full(len(prompts), np.nan)

    def values(of: TraitPrompts) -> Float[np.ndarray, " example"]:
        return metric_values(model, of.tokens, target.of(model, of), mask=of.mask)

    return between_partners(values(longer), values(longer.partner())) if target.scale == "gap" else values(longer)


def prefixed_kl(
    model: HookedModel, neutral: NeutralTexts, prefixes: Sequence[Prefix]
) -> Float[np.ndarray, " document"]:
    """Return KL(without || behind a prefix) on neutral text, over as much of each text as the context has room for.

    Mean over the tokens that are predicted (nats per token); BOS predicts nothing here, as it stands elsewhere.
    """
    n_ctx, head = int(model.cfg.n_ctx), int(prepends_bos(model))
    found = np.full(len(neutral), np.nan)
    for nth in range(len(neutral)):
        ids = prefixes[nth % len(prefixes)].ids
        row = neutral.tokens[nth : nth + 1][:, neutral.mask[nth]]
        own = row[:, : n_ctx - len(ids)]
        if own.shape[1] < head + 2:
            continue
        keep = torch.ones_like(own, dtype=torch.bool)
        longer, kept = _prepended(model, own, keep, [ids])
        with torch.inference_mode():
            clean = model(own, **masked(own, keep))[0, head:-1].float().log_softmax(-1)
            behind = model(longer, **masked(longer, kept))[0, head + len(ids) : -1].float().log_softmax(-1)
        found[nth] = float((clean.exp() * (clean - behind)).sum(-1).mean())
    return found
