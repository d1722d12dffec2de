"""Tokens with what is known of the text they stand in: what probes and features are scored on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import device_of
from interp_lab.organisms.grammar import Example, Value
from interp_lab.tasks.batch import Padding, pad_rows, pad_token
from interp_lab.tasks.encoding import prepends_bos, require_known, require_room, tokenizer_of
from interp_lab.types import HookedModel, nearest

Span = Literal["text", "after", "slots"]
"""Which tokens get a label: all; those from the first one that the latent stands behind; or only those it is behind."""

MIN_EXCESS, MIN_Z = 0.1, 4.0
"""A token reveals a label that is this much likelier (share of texts) beside it than elsewhere, by so many standard
errors."""


@dataclass(frozen=True)
class LabelledTokens:
    """Texts as tokens, each with the value of one latent, where it has one."""

    latent: str
    values: tuple[Value, ...]
    """The values that occur, sorted; labels are places in this list."""
    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    """True at tokens, False at padding."""
    labels: Int[Tensor, "batch pos"]
    """Place of the value in `values`, or -1 for tokens without a label (BOS and padding among them)."""
    reveals: Bool[Tensor, "batch pos"]
    """Where the token itself gives the label away: it stands in a slot that the latent stands behind, or the same word
    goes with that label more than chance allows. What is read there is no evidence of computation."""
    documents: Int[Tensor, " batch"]
    """Number of the text of each row."""
    templates: tuple[str, ...]
    reserved: tuple[bool, ...]

    @property
    def scored(self) -> Bool[Tensor, "batch pos"]:
        """Where there is a label that the token does not reveal: what to score on."""
        return (self.labels >= 0) & ~self.reveals

    def rows(self, index: Sequence[int] | Int[np.ndarray, " row"]) -> "LabelledTokens":
        """Return some of the texts, in the order of `index`; padding stays as it is."""
        chosen = [int(i) for i in index]
        return replace(
            self,
            tokens=self.tokens[chosen],
            mask=self.mask[chosen],
            labels=self.labels[chosen],
            reveals=self.reveals[chosen],
            documents=self.documents[chosen],
            templates=tuple(self.templates[i] for i in chosen),
            reserved=tuple(self.reserved[i] for i in chosen),
        )

    def numbers(self) -> Float[Tensor, "batch pos"]:
        """Return the values themselves, for numeric latents; NaN where there is no label.

        Raises: ValueError, for a latent whose values are words.
        """
        if any(isinstance(value, str) for value in self.values):
            raise ValueError(f"{self.latent!r} takes the values {self.values[:3]}, which are no numbers; use `labels`")
        table = torch.tensor([*map(float, self.values), float("nan")], device=self.labels.device)
        return table[self.labels]


def labelled_tokens(
    model: HookedModel,
    examples: Sequence[Example],
    latent: str,
    *,
    span: Span = "text",
    padding: Padding = "right",
) -> LabelledTokens:
    """Tokenize texts of the grammar and label their tokens with a latent; any tokenizer with character offsets will do.

    Args:
        latent: any latent of all these texts, one that never appears in them included.
        span: tokens before the first cue cannot know the label, in a model that reads from left to right; `after`
            leaves them out.

    Raises: ValueError, for no texts, an unknown latent, words that the tokenizer does not know, a text longer than the
        context, or (spans `after` and `slots`) a latent that stands behind no slot.
    """
    if not examples:
        raise ValueError("no texts to label; give at least one")
    for example in examples:
        if latent not in example.latents:
            known = example.latents
            raise ValueError(
                f"{example.template} has no latent {latent!r}{nearest(latent, known)}; it has {list(known)}"
            )
    values = tuple(sorted({example.latents[latent] for example in examples}))
    rows, words = zip(*_tokens_and_words(model, [example.text for example in examples]), strict=True)
    cues = [_cues(example, latent) for example in examples]
    if span != "text" and not any(map(any, cues)):
        raise ValueError(f"{latent!r} stands behind no slot of these texts; label all tokens, with span='text'")
    labels, shown = [], []
    for example, places, cue in zip(examples, words, cues, strict=True):
        code, first = values.index(example.latents[latent]), cue.index(True) if any(cue) else len(cue)
        labels.append([code if place >= 0 and _has_label(place, first, cue, span) else -1 for place in places])
        shown.append([int(place >= 0 and cue[place]) for place in places])
    tokens, mask = pad_rows(rows, pad=pad_token(model), padding=padding)
    label, _ = pad_rows(labels, pad=-1, padding=padding)
    in_slot, _ = pad_rows(shown, pad=0, padding=padding)
    reveals = (in_slot.bool() & (label >= 0)) | _telling(tokens, label, n_values=len(values))
    device = device_of(model)
    return LabelledTokens(
        latent=latent,
        values=values,
        tokens=tokens.to(device),
        mask=mask.to(device),
        labels=label.to(device),
        reveals=reveals.to(device),
        documents=torch.arange(len(examples), device=device),
        templates=tuple(example.template for example in examples),
        reserved=tuple(example.reserved for example in examples),
    )


def _cues(example: Example, latent: str) -> list[bool]:
    return [latent in labels for labels in example.labels]


def _has_label(place: int, first: int, cue: list[bool], span: Span) -> bool:
    return span == "text" or (place >= first if span == "after" else cue[place])


def _tokens_and_words(model: HookedModel, texts: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield token ids, and for each the number of the word it belongs to (-1 for BOS)."""
    tokenizer = tokenizer_of(model)
    head = [tokenizer.bos_token_id] if prepends_bos(model) else []
    encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    for text, ids, spans in zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        require_known(model, text, ids, what="text")
        require_room(model, len(head) + len(ids), what=f"the text {text!r}")
        word_of = np.cumsum([character == " " for character in text])
        yield [*head, *ids], [-1 for _ in head] + [int(word_of[stop - 1]) for _, stop in spans]


def _telling(
    tokens: Int[Tensor, "batch pos"], labels: Int[Tensor, "batch pos"], *, n_values: int
) -> Bool[Tensor, "batch pos"]:
    """Return where some label is clearly likelier beside this token than in general, every text counted once."""
    if n_values < 2:
        return torch.zeros_like(labels, dtype=torch.bool)
    document = torch.arange(len(tokens))[:, None].expand_as(tokens)
    kept = labels >= 0
    seen = torch.stack([document[kept], tokens[kept], labels[kept]], 1).unique(dim=0)
    counts = torch.zeros(int(tokens.max()) + 1, n_values)
    counts.index_put_((seen[:, 1], seen[:, 2]), torch.ones(len(seen)), accumulate=True)
    texts = torch.stack([document[kept], labels[kept]], 1).unique(dim=0)
    base = torch.bincount(texts[:, 1], minlength=n_values) / len(texts)
    total = counts.sum(1, keepdim=True).clamp(min=1)
    excess = counts / total - base
    z = excess / (base * (1 - base) / total).clamp(min=1e-12).sqrt()
    telling = ((excess >= MIN_EXCESS) & (z >= MIN_Z)).any(1)
    return telling[tokens] & kept
