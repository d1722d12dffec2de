"""Random repeated tokens for any model: which symbols it may be shown, and the loss of the second copy."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from interp_lab import folds
from interp_lab.hooks import device_of
from interp_lab.metrics import Metric, next_token_loss
from interp_lab.organisms.repeats import RepeatedTokens, repeated_twice
from interp_lab.types import HookedModel

_TRIES = 100
"""Times that sequences of one fold are drawn, until there are enough."""


def repeats_for(
    model: HookedModel, n_sequences: int, period: int, *, seed: int, bos_token: int | None = None
) -> RepeatedTokens:
    """Draw `[BOS, x, x]` from the symbols of a model, on the model's device.

    Args:
        bos_token: token to start with; `None` takes the tokenizer's, and 0 where there is no tokenizer.

    Raises: ValueError, if the period does not fit the context, or the vocabulary has too few ordinary tokens, or (of
        symbols too few for the period) too few sequences in one fold.
    """
    if folds.seen_now() == "all":
        return any_repeats(model, n_sequences, period, seed=seed, bos_token=bos_token)
    at_once, found, n_found = n_sequences * folds.more_draws(), [], 0
    for nth in range(_TRIES):
        (own,) = np.random.SeedSequence([seed, nth]).generate_state(1)
        drawn = any_repeats(model, at_once, period, seed=int(own), bos_token=bos_token)
        found.append(drawn.subset([i for i, row in enumerate(drawn.tokens.tolist()) if folds.shows(spelt(row))]))
        n_found += len(found[-1])
        if n_found >= n_sequences:
            parts = zip(*((one.tokens, one.period, one.offset) for one in found), strict=True)
            return RepeatedTokens(*(torch.cat(part)[:n_sequences] for part in parts))
    raise ValueError(f"of {_TRIES * at_once} sequences of period {period} {n_found} are{folds.told()}; lengthen it")


def spelt(row: Sequence[int]) -> str:
    """Return token ids as a text, by which they are in a fold."""
    return " ".join(map(str, row))


def any_repeats(
    model: HookedModel, n_sequences: int, period: int, *, seed: int, bos_token: int | None = None
) -> RepeatedTokens:
    """Draw as `repeats_for` from all sequences, whichever may be seen; for what is made of them."""
    bos = beginning_token(model) if bos_token is None else bos_token
    if bos >= int(model.cfg.d_vocab):
        raise ValueError(f"bos_token={bos} is outside the model's vocabulary (0 to {int(model.cfg.d_vocab) - 1})")
    symbols = ordinary_tokens(model, bos)
    drawn = repeated_twice(n_sequences, period, seed=seed, n_ctx=int(model.cfg.n_ctx), symbols=symbols, bos=bos)
    return RepeatedTokens(drawn.tokens.to(device_of(model)), drawn.period, drawn.offset)


def beginning_token(model: HookedModel) -> int:
    """Return the id that sequences start with: the tokenizer's BOS, or 0 for a model without tokenizer.

    Raises: ValueError, for a model that was trained without BOS: TransformerLens appoints EOS where there is none,
        and to measure on text that begins with it is a choice, not a default.
    """
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:
        return 0
    if tokenizer.bos_token_id is None or not model.cfg.default_prepend_bos:
        appointed = "none" if tokenizer.bos_token_id is None else f"{tokenizer.bos_token_id}, {tokenizer.bos_token!r}"
        raise ValueError(
            f"the model was not trained to start with BOS (its tokenizer offers {appointed}); "
            "say which token sequences are to start with: bos_token="
        )
    return int(tokenizer.bos_token_id)


def ordinary_tokens(model: HookedModel, bos: int) -> range:
    """Return the longest run of token ids that holds neither BOS nor any special token of the tokenizer.

    Ids that the embedding has but the tokenizer has not (padding of the vocabulary) are left out, too.
    """
    tokenizer = getattr(model, "tokenizer", None)
    d_vocab = int(model.cfg.d_vocab) if tokenizer is None else min(int(model.cfg.d_vocab), len(tokenizer))
    special = {bos, *(tokenizer.all_special_ids if tokenizer is not None else ())}
    bounds = [-1, *sorted(token for token in special if 0 <= token < d_vocab), d_vocab]
    runs = [range(low + 1, high) for low, high in pairwise(bounds)]
    return max(runs, key=len)


def second_copy_loss(repeats: RepeatedTokens) -> Metric:
    """Return the mean loss (nats) of predicting the second copy, from its second token on.

    The first token of the second copy is left out: nothing before it says that the segment begins again.
    """
    return _copy_loss(repeats, copy=1, name="second-copy loss")


def first_copy_loss(repeats: RepeatedTokens) -> Metric:
    """Return the mean loss (nats) of predicting the first copy, from its second token on; chance is ln(symbols)."""
    return _copy_loss(repeats, copy=0, name="first-copy loss")


def _copy_loss(repeats: RepeatedTokens, *, copy: int, name: str) -> Metric:
    start = 1 + repeats.offset + copy * repeats.period
    span = next_token_loss(repeats.tokens, first=start + 1, last=start + repeats.period - 1)
    return replace(span, name=name)
