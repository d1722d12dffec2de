"""Answers without some of the sources: prompts are run once, and of what is left of each only what is new.

Up to the first source that is left out, what is left is what the prompt itself begins with, and keys and values are
taken from there. Prompts that are left with equally long beginnings are run together, answers of any length in the
same pass.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.decoding.cache import KeyValueCache
from interp_lab.decoding.forward import caches_exactly
from interp_lab.hooks import device_of, edited, ready_tokens, require_editable
from interp_lab.models import forward_from, is_bridge
from interp_lab.production.sources.answers import Forced, forced, log_odds
from interp_lab.production.sources.prompts import Kept, SourcedPrompt
from interp_lab.types import HookedModel

Way = Literal["text", "mask"]
"""How sources are left out. `text`: their tokens are taken out and the rest moves up, as if they had not been found;
`mask`: they stay where they are, and nothing behind them can attend to them. `text` is what would have been asked
without the source, and the way of ContextCite; `mask` moves nothing, but leaves gaps that no text has."""
Asked = tuple[int, Kept]
"""A prompt, by its number, and which of its sources are kept."""


def other_way(way: Way) -> Way:
    """Return the one that is not this."""
    return "mask" if way == "text" else "text"


@dataclass(frozen=True)
class Left:
    """What is left of a prompt."""

    asked: Asked
    tokens: tuple[int, ...]
    """Of the prompt without what is taken out."""
    hidden: tuple[int, ...]
    """Positions that nothing behind them may attend to."""
    n_shared: int
    """Tokens at its beginning that are those of the whole prompt, and see what they see there."""


class Ablations:
    """Log odds of answers with some sources left out; what was asked once is known.

    Counts the tokens that it runs, padding left out: `n_tokens`, beside `n_whole`, those of the same prompts each run
    from its beginning.
    """

    def __init__(
        self,
        model: HookedModel,
        prompts: Sequence[SourcedPrompt],
        *,
        way: Way = "text",
        batch_size: int = 64,
        shared: bool = True,
    ) -> None:
        """Run the whole prompts, all at once.

        Args:
            batch_size: prompts that are left, per forward pass.
            shared: take beginnings from the whole prompts, where the model's cache is exact; else run everything.

        Raises: ValueError, for no prompts, tokens that the model cannot read, or a source that `mask` cannot hide.
        """
        if not prompts:
            raise ValueError("there are no prompts to leave sources out of; give at least one")
        if way == "mask":
            _require_hideable(model, prompts)
        self._model, self._prompts, self._way, self._batch_size = model, tuple(prompts), way, batch_size
        self._known: dict[Asked, float] = {}
        self._whole: KeyValueCache | None = None
        self.n_tokens = self.n_whole = self.n_forwards = 0
        batch = forced(model, [one.spoken for one in prompts])
        ready_tokens(model, batch.tokens)
        if shared and caches_exactly(model):
            sizes = {"n_rows": len(prompts), "width": batch.tokens.shape[1]}
            self._whole = KeyValueCache(model.cfg, **sizes, padded=False, like=next(iter(model.parameters())).detach())
        whole = ((row, one.whole) for row, one in enumerate(prompts))
        self._note(dict(zip(whole, self._run(batch), strict=True)))
        self._count(int(batch.mask.sum()), int(batch.mask.sum()))

    def log_odds(self, asked: Sequence[Asked]) -> Float[np.ndarray, " asked"]:
        """Return the log odds of the answer for prompts and what is kept of them, running those that are not known.

        Raises: ValueError, if nothing is left of a prompt.
        """
        new = [self._left(*one) for one in dict.fromkeys(asked) if one not in self._known]
        new.sort(key=lambda left: left.n_shared)
        for n_shared, group in groupby(new, key=lambda left: left.n_shared):
            together = list(group)
            for start in range(0, len(together), self._batch_size):
                some = together[start : start + self._batch_size]
                values = self._run_left(some, n_shared)
                self._note(dict(zip((left.asked for left in some), values, strict=True)))
        return np.array([self._known[one] for one in asked], dtype=np.float64)

    def _left(self, row: int, kept: Kept) -> Left:
        prompt = self._prompts[row]
        gone = prompt.left_out(kept)
        n_shared = 0 if self._whole is None or not gone else gone[0]
        if self._way == "mask":
            return Left((row, kept), prompt.tokens, gone, _behind(gone) if n_shared else 0)
        left = tuple(token for at, token in enumerate(prompt.tokens) if at not in set(gone))
        if not left:
            raise ValueError(f"nothing is left of prompt {row} without its sources; ask something of them")
        return Left((row, kept), left, (), min(n_shared, len(left) - 1))

    def _run_left(self, some: Sequence[Left], n_shared: int) -> list[float]:
        """Return the log odds of prompts that are left with equally long beginnings."""
        batch = forced(self._model, [(left.tokens, self._prompts[left.asked[0]].answer) for left in some])
        n_all = int(batch.mask.sum())
        with self._hidden(some, batch.tokens.shape[1]):
            values = self._run(batch, rows=[left.asked[0] for left in some], n_shared=n_shared)
        self._count(n_all - n_shared * len(some), n_all)
        return values

    def _run(self, batch: Forced, *, rows: Sequence[int] | None = None, n_shared: int = 0) -> list[float]:
        """Run a batch without the beginning that is known; the whole prompts, if no rows are named."""
        options: dict[str, Any] = {"attention_mask": torch.ones_like(batch.tokens[:, n_shared:], dtype=torch.long)}
        if rows is None and self._whole is not None:
            options["past_kv_cache"] = self._whole
        elif n_shared:
            assert self._whole is not None, "nothing is shared without it"
            index = torch.tensor(rows, device=batch.tokens.device)
            width = batch.tokens.shape[1]
            options["past_kv_cache"] = self._whole.branched(index, n_tokens=n_shared, width=width)
        with torch.inference_mode():
            logits = _logits_at(self._model, batch.tokens[:, n_shared:], batch.positions - n_shared, options)
            self.n_forwards += 1
            return log_odds(logits.double(), batch.answers, batch.real).tolist()

    def _hidden(self, some: Sequence[Left], n_pos: int) -> AbstractContextManager[Any]:
        if not any(left.hidden for left in some):
            return nullcontext()
        hidden = torch.zeros(len(some), n_pos, dtype=torch.bool)
        for row, left in enumerate(some):
            hidden[row, list(left.hidden)] = True
        return edited(self._model, hiding(self._model, hidden.to(device_of(self._model))))

    def _note(self, values: dict[Asked, float]) -> None:
        bad = [one for one, value in values.items() if not np.isfinite(value)]
        if bad:
            raise ValueError(
                f"the log odds of the answer of prompt {bad[0][0]} are not finite; look at its logits, or compute in "
                "float32"
            )
        self._known |= values

    def _count(self, n_tokens: int, n_whole: int) -> None:
        self.n_tokens += n_tokens
        self.n_whole += n_whole


def hiding(model: HookedModel, hidden: Bool[Tensor, "batch key"]) -> dict[str, Any]:
    """Return edits under which no query attends to a key that is hidden, but for a hidden one to itself.

    The queries may be the last ones of the sequence only, the others being in a cache.
    """

    def edit(scores: Float[Tensor, "batch head query key"]) -> Float[Tensor, "batch head query key"]:
        n_queries, n_keys = scores.shape[-2:]
        at = torch.arange(n_keys - n_queries, n_keys, device=scores.device)
        itself = at[:, None] == torch.arange(n_keys, device=scores.device)
        return scores.masked_fill(hidden[:, None, None, :] & ~itself, -torch.inf)

    return {f"blocks.{layer}.attn.hook_attn_scores": edit for layer in range(int(model.cfg.n_layers))}


def _require_hideable(model: HookedModel, prompts: Sequence[SourcedPrompt]) -> None:
    for layer in range(int(model.cfg.n_layers)):
        require_editable(model, f"blocks.{layer}.attn.hook_attn_scores")
    for row, one in enumerate(prompts):
        if any(len(one.tokens) - 1 in part for part in one.parts):
            raise ValueError(
                f"prompt {row} ends with a source, and cannot be answered from a token that is hidden; let something "
                "stand behind the sources, such as the query or 'answer :'"
            )


def _behind(gone: tuple[int, ...]) -> int:
    """Return how many tokens see nothing that is hidden, or are hidden themselves."""
    at = gone[0]
    while at + 1 in gone:
        at += 1
    return at + 1


def _logits_at(
    model: HookedModel, tokens: Int[Tensor, "batch pos"], positions: Int[Tensor, "batch read"], options: dict[str, Any]
) -> Float[Tensor, "batch read d_vocab"]:
    """Run all layers, and what follows at the places alone that predict the answer."""
    n_layers, rows = int(model.cfg.n_layers), torch.arange(len(tokens), device=tokens.device)[:, None]
    if is_bridge(model):
        return model(tokens, **options)[rows, positions]
    resid = model(tokens, stop_at_layer=n_layers, **options)
    return forward_from(model, resid[rows, positions], n_layers)


__all__ = ["Ablations", "Asked", "Left", "Way", "hiding", "other_way"]
