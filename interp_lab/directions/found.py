"""Activations of both sides of a contrast, from which directions are made: each text read once, at all hook points."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.directions.vectors import width_at
from interp_lab.hooks import capture, device_of, require_hook
from interp_lab.identity import ModelIdentity
from interp_lab.linear.readouts import require_finite
from interp_lab.models import identity_of
from interp_lab.tasks.batch import Padding, pad_rows, pad_token
from interp_lab.tasks.contrast import Contrast, Index, chosen_sides
from interp_lab.tasks.encoding import prompts, tokenizer_of
from interp_lab.types import HookedModel

Read = Literal["last", "all", "answer"]
"""Of a text: the last token; the mean over all tokens that are not special ones (BOS, EOS, padding, marks of a chat);
or the last token of a text that ends with the answer: read like `last`, and named apart because the texts are other."""


@dataclass(frozen=True)
class ContrastActivations:
    """What was read of a contrast's texts: one vector per hook point and text."""

    positive: Float[Tensor, "hook example d"]
    negative: Float[Tensor, "hook other d"]
    """Of a paired contrast, partners stand in the same place."""
    hooks: tuple[str, ...]
    model: ModelIdentity
    name: str
    """Of the contrast."""
    paired: bool
    positive_templates: tuple[str, ...]
    negative_templates: tuple[str, ...]
    read: Read = "last"
    background: Float[Tensor, "hook d"] | None = None
    """Mean over texts that have nothing to do with the contrast, each counting alike."""
    n_background: int = 0
    texts: str = ""
    """Checksum of all texts that were read, in order, and of how."""
    chat: bool = False
    """Whether texts stood in the tokenizer's chat template, as what a user says."""

    def __post_init__(self) -> None:
        n_positive, n_negative = self.positive.shape[1], self.negative.shape[1]
        if not n_positive or not n_negative:
            raise ValueError(
                f"contrast {self.name!r} has {n_positive} positive and {n_negative} negative activations; give at "
                "least one of each"
            )
        if self.paired and n_positive != n_negative:
            raise ValueError(
                f"contrast {self.name!r} is paired, and has {n_positive} positive and {n_negative} negative "
                "activations; give as many of each, or paired=False"
            )
        if self.positive.shape[0] != len(self.hooks):
            raise ValueError(f"{self.positive.shape[0]} sets of activations for {len(self.hooks)} hook points")
        for side, values in (("positive", self.positive), ("negative", self.negative)):
            for hook, found in zip(self.hooks, values, strict=True):
                require_finite(found.mT, what=f"{side} activations of {self.name!r} at {hook}")

    def rows(self, positive: Index, negative: Index | None = None) -> "ContrastActivations":
        """Return what was read of some of the texts; the background stays.

        Args:
            negative: which negative ones; `None` takes the partners of the positive ones.

        Raises: ValueError, if there are no partners and `negative` is not given, or a side would be empty.
        """
        chosen = chosen_sides(self.name, positive, negative, paired=self.paired)
        return replace(
            self,
            positive=self.positive[:, chosen.positive],
            negative=self.negative[:, chosen.negative],
            positive_templates=tuple(self.positive_templates[i] for i in chosen.positive),
            negative_templates=tuple(self.negative_templates[i] for i in chosen.negative),
            paired=chosen.paired,
            texts=_checksum([self.texts, chosen.positive, chosen.negative]),
        )

    def plain(self) -> dict[str, Any]:
        """Return how it was read, as plain data."""
        return {
            "contrast": self.name, "read": self.read, "chat": self.chat, "paired": self.paired,
            "n_positive": self.positive.shape[1], "n_negative": self.negative.shape[1],
            "n_background": self.n_background, "texts": self.texts,
        }  # fmt: skip


def contrast_activations(
    model: HookedModel,
    contrast: Contrast,
    hooks: Sequence[str],
    *,
    read: Read = "last",
    batch_size: int = 64,
    background: Sequence[str] = (),
    padding: Padding = "right",
    chat: bool = False,
    system: str | None = None,
) -> ContrastActivations:
    """Read the texts of a contrast at hook points where a token has one vector.

    Neither batch size nor padding changes what is read, but for rounding. A mean over tokens is taken in each text
    first, so that long texts count no more than short ones.

    Args:
        background: texts for `mean_centred`, read in the same way.
        chat: read each text as what a user says, in the tokenizer's chat template: `last` is then the token from which
            the reply is predicted, and words of the template that are no special tokens count to `all`.
        system: what every chat begins with.

    Returns:
        Activations on the CPU, at least float32.

    Raises:
        ValueError, for no or unknown hook points, hook points of different widths or without one vector per token,
            a `batch_size` below 1, a text that is empty, too long or unknown to the tokenizer, partners that are the
            same tokens, (`all`) a text of special tokens only, a chat without chat template, or the `answer` of one.
        NonFiniteActivationError, for NaN or inf, naming where it begins.
    """
    _require_hooks(model, hooks)
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} reads nothing; take at least one text at a time")
    if chat and read == "answer":
        raise ValueError(
            "a chat ends with its template, behind what the user says, so that there is no answer to read; take "
            "read='last', or write the chats out and give chat=False"
        )
    texts = [*contrast.positive, *contrast.negative, *background]
    rows = [prompt.ids for prompt in prompts(model, texts, chat=chat, system=system)]
    n, other = len(contrast.positive), len(contrast.negative)
    if contrast.paired:
        _require_different(contrast, rows)
    values = _values(model, rows, texts, hooks, read=read, batch_size=batch_size, padding=padding)
    return ContrastActivations(
        positive=values[:, :n],
        negative=values[:, n : n + other],
        hooks=tuple(hooks),
        model=identity_of(model),
        name=contrast.name,
        paired=contrast.paired,
        positive_templates=contrast.positive_templates,
        negative_templates=contrast.negative_templates,
        read=read,
        background=values[:, n + other :].mean(1) if background else None,
        n_background=len(background),
        texts=_checksum([texts, n, other, read, *([system] if chat else [])]),
        chat=chat,
    )


def _require_hooks(model: HookedModel, hooks: Sequence[str]) -> None:
    if not hooks:
        raise ValueError("no hook point to read at; name at least one, such as 'blocks.0.hook_resid_post'")
    for hook in hooks:
        require_hook(model, hook)
    widths = {hook: width_at(model, hook) for hook in hooks}
    if len(set(widths.values())) > 1:
        told = ", ".join(f"{hook}: {width}" for hook, width in widths.items())
        raise ValueError(f"activations have different widths ({told}); read those of one width at a time")


def _require_different(contrast: Contrast, rows: Sequence[tuple[int, ...]]) -> None:
    for nth, text in enumerate(contrast.positive):
        if rows[nth] == rows[nth + len(contrast.positive)]:
            raise ValueError(
                f"contrast {contrast.name!r} has partners that the tokenizer writes as the same tokens, {text!r} and "
                f"{contrast.negative[nth]!r}; leave the pair out"
            )


def _values(
    model: HookedModel,
    rows: Sequence[tuple[int, ...]],
    texts: Sequence[str],
    hooks: Sequence[str],
    *,
    read: Read,
    batch_size: int,
    padding: Padding,
) -> Float[Tensor, "hook text d"]:
    """Return one vector per hook point and text; equal texts are read once, texts of like length together."""
    unique = sorted(dict.fromkeys(rows), key=len)
    special = torch.tensor(sorted(set(tokenizer_of(model).all_special_ids)), dtype=torch.long)
    found: dict[tuple[int, ...], Tensor] = {}
    for start in range(0, len(unique), batch_size):
        batch = unique[start : start + batch_size]
        tokens, mask = pad_rows(batch, pad=pad_token(model), padding=padding)
        weights = _weights(tokens, mask, special, read=read)
        if not bool(weights.any(1).all()):
            empty = texts[rows.index(batch[int((~weights.any(1)).nonzero()[0])])]
            raise ValueError(f"the text {empty!r} has no token that is not special; leave it out, or read its last one")
        kept = capture(model, tokens.to(device_of(model)), hooks, mask=mask.to(device_of(model)))
        stacked = torch.stack([_pooled(kept[hook], weights) for hook in hooks], dim=1).cpu()
        found.update(zip(batch, stacked, strict=True))
    return torch.stack([found[row] for row in rows], dim=1)


def _weights(
    tokens: Int[Tensor, "batch pos"], mask: Bool[Tensor, "batch pos"], special: Int[Tensor, " id"], *, read: Read
) -> Bool[Tensor, "batch pos"]:
    """Return which tokens of each row are read."""
    if read == "all":
        return mask & ~torch.isin(tokens, special)
    place = torch.arange(tokens.shape[1])
    return place == torch.where(mask, place, -1).amax(1, keepdim=True)


def _pooled(activation: Float[Tensor, "batch pos d"], weights: Bool[Tensor, "batch pos"]) -> Float[Tensor, "batch d"]:
    """Return the mean over the tokens that are read; others may hold anything, NaN included."""
    chosen = weights.to(activation.device)
    exact = activation.to(torch.promote_types(activation.dtype, torch.float32))
    return exact.masked_fill(~chosen[..., None], 0).sum(1) / chosen.sum(1, keepdim=True)


def _checksum(data: object) -> str:
    return hashlib.blake2b(json.dumps(data).encode(), digest_size=16).hexdigest()
