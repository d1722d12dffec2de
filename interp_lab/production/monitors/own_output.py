"""What the model's own output tells without a monitor: what it would write next, how likely it found what stands."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.hooks import device_of
from interp_lab.hooks.record import masked
from interp_lab.production.monitors.cases import Cases
from interp_lab.production.monitors.over import over_of
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.types import HookedModel

NEXT, SURPRISE = "the model's next word", "the model's surprise"
"""Log odds that the next token begins one of the words that texts to be warned of go on with; how improbable the token
was that was written last (nats)."""


def output_scores(
    model: HookedModel, cases: Cases, words: Sequence[int], *, over: str, batch_size: int
) -> dict[str, Float[np.ndarray, " text"]]:
    """Return what the output says of each text, aggregated over tokens as a monitor's scores are, at its highest.

    The next word is read where a monitor of the reply reads, the surprise at the tokens that were written; it is left
    out where some text has none.

    Args:
        words: ids of the tokens that those words begin with.
    """
    found = []
    for start in range(0, len(cases), batch_size):
        rows = cases.ids[start : start + batch_size]
        lengths = torch.tensor(cases.prompt_lengths[start : start + batch_size])
        found.append(_peaks(*token_scores(model, rows, words, prompt_lengths=lengths), over=over))
    both = dict(zip((NEXT, SURPRISE), torch.cat(found).double().T.numpy(), strict=True))
    return {name: scores for name, scores in both.items() if not np.isnan(scores).any()}


def token_scores(
    model: HookedModel, rows: Sequence[Sequence[int]], words: Sequence[int], *, prompt_lengths: Tensor
) -> tuple[Float[Tensor, "text pos 2"], Bool[Tensor, "text pos 2"]]:
    """Return both scores of every token, and where each is read."""
    tokens, real = pad_rows(rows, pad=pad_token(model), padding="right")
    given = tokens.to(device_of(model))
    with torch.inference_mode():
        log_probs = model(given, **masked(given, real)).float().log_softmax(-1).cpu()
    own = torch.tensor(sorted(set(words)))
    odds = log_probs[..., own].logsumexp(-1) - log_probs.index_fill(-1, own, -torch.inf).logsumexp(-1)
    taken = -log_probs[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]
    surprise = torch.nn.functional.pad(taken, (1, 0))
    position = torch.arange(tokens.shape[1])
    read = [real & (position >= prompt_lengths[:, None] - before) for before in (1, 0)]
    return torch.stack([odds, surprise], -1), torch.stack(read, -1)


def _peaks(
    scores: Float[Tensor, "text pos 2"], read: Bool[Tensor, "text pos 2"], *, over: str
) -> Float[Tensor, "text 2"]:
    way = over_of(over)
    running, _ = way.update(scores, read, way.initial(len(scores), scores.shape[-1]))
    unread = running.isnan()
    return running.masked_fill(unread, -torch.inf).amax(1).masked_fill(unread.all(1), torch.nan)
