"""What the model answers, and what can be read off on the way: one forward pass for each token of the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.hooks import device_of, masked, record
from interp_lab.production.confidence.asked import Question
from interp_lab.production.sources.answers import log_odds
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.tasks.encoding import continuations, prompts, require_room
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Answered:
    """Answers of the model, and what each says of itself; more is more confident."""

    prompts: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[int, ...], ...]
    log_odds: Float[np.ndarray, " example"]
    """Of the whole answer (nats)."""
    per_token: Float[np.ndarray, " example"]
    """Log of the geometric mean of its tokens' probabilities."""
    entropy: Float[np.ndarray, " example"]
    """Of the predictions, mean over tokens, negative (nats)."""
    margin: Float[np.ndarray, " example"]
    """By how much the logit of its token exceeds the next one, the least of all tokens."""
    agreeing: Float[np.ndarray, " example"]
    """Share of answers drawn at random that are the same."""
    last: Float[np.ndarray, "example hook d"]
    """Activations of the last token of the prompt."""


def answer(
    model: HookedModel,
    ids: Sequence[tuple[int, ...]],
    *,
    n_tokens: int,
    n_samples: int,
    heat: float,
    hooks: Sequence[str],
    batch_size: int,
    seed: int,
) -> Answered:
    """Let the model answer greedily, and read its predictions on the way.

    Answers drawn at random cost no pass: one that leaves the greedy answer never comes back to it, so that all that
    have not left are predicted by what the greedy answer's tokens are.

    Args:
        ids: tokens of prompts.
        n_samples: answers drawn for each prompt.
        heat: the temperature that these are drawn at.
        hooks: where activations are kept.
        seed: of the draws; the same prompt has the same ones, whatever stands beside it.

    Raises: ValueError, for no prompts, one that with its answer does not fit the context, or logits that are NaN or
        inf.
    """
    if not ids:
        raise ValueError("there are no prompts to answer; give at least one")
    for row in ids:
        require_room(model, len(row) + n_tokens - 1, what="a prompt with its answer")
    draws = np.stack([np.random.default_rng([seed, *row]).random((n_samples, n_tokens)) for row in ids])
    found = [
        _batch(model, ids[at : at + batch_size], draws[at : at + batch_size], heat=heat, hooks=hooks)
        for at in range(0, len(ids), batch_size)
    ]
    numbers = (np.concatenate(one) for one in zip(*(values for _, values in found), strict=True))
    return Answered(tuple(ids), tuple(spoken for answers, _ in found for spoken in answers), *numbers)


def _batch(
    model: HookedModel,
    ids: Sequence[tuple[int, ...]],
    draws: Float[np.ndarray, "row sample token"],
    *,
    heat: float,
    hooks: Sequence[str],
) -> tuple[list[tuple[int, ...]], list[np.ndarray]]:
    rows, steps, said, kept = [list(one) for one in ids], [], [], torch.zeros(0)
    end = getattr(getattr(model, "tokenizer", None), "eos_token_id", None)
    open_ = torch.ones(len(ids), dtype=torch.bool)
    real = []
    for nth in range(draws.shape[2]):
        logits, activations = _next(model, rows, hooks if nth == 0 else ())
        kept = activations if nth == 0 else kept
        chosen = logits.argmax(-1)
        steps.append(logits)
        said.append(chosen)
        real.append(open_.clone())
        if end is not None:
            open_ &= chosen != end
        for row, token in zip(rows, chosen.tolist(), strict=True):
            row.append(token)
    logits, tokens, there = torch.stack(steps, 1), torch.stack(said, 1), torch.stack(real, 1)
    answers = [tuple(row[is_one].tolist()) for row, is_one in zip(tokens, there, strict=True)]
    return answers, [
        *_readings(logits, tokens, there),
        _agreeing(logits, tokens, there, draws, heat=heat),
        kept.numpy(),
    ]


def _next(
    model: HookedModel, rows: Sequence[Sequence[int]], hooks: Sequence[str]
) -> tuple[Float[Tensor, "row d_vocab"], Float[Tensor, "row hook d"]]:
    """Return what is predicted next, and activations there, in float64 and float32."""
    tokens, mask = pad_rows(rows, pad=pad_token(model), padding="right")
    device = device_of(model)
    tokens, mask, nth = tokens.to(device), mask.to(device), torch.arange(len(rows), device=device)
    last = mask.long().sum(1) - 1
    with torch.inference_mode(), record(model, list(hooks)) as held:
        logits = model(tokens, **masked(tokens, mask))[nth, last].double().cpu()
    if not torch.isfinite(logits).all():
        raise ValueError("the model's logits are NaN or inf; look at its weights, or compute in float32")
    at = [held[hook][nth, last].float().cpu() for hook in hooks]
    return logits, torch.stack(at, 1) if at else torch.zeros(len(rows), 0, 0)


def _readings(
    logits: Float[Tensor, "row token d_vocab"], tokens: Tensor, there: Bool[Tensor, "row token"]
) -> list[np.ndarray]:
    """Return log odds, log probability per token, negative entropy and margin."""
    own = logits.log_softmax(-1)
    n = there.sum(1)
    spoken = torch.where(there, own.gather(-1, tokens[..., None])[..., 0], 0.0)
    entropy = torch.where(there, -(own.exp() * own).sum(-1), 0.0)
    two = logits.topk(2, -1).values
    margin = torch.where(there, two[..., 0] - two[..., 1], torch.inf).amin(1)
    found = (log_odds(logits, tokens, there), spoken.sum(1) / n, -entropy.sum(1) / n, margin)
    return [one.numpy() for one in found]


def _agreeing(
    logits: Float[Tensor, "row token d_vocab"],
    tokens: Tensor,
    there: Bool[Tensor, "row token"],
    draws: Float[np.ndarray, "row sample token"],
    *,
    heat: float,
) -> Float[np.ndarray, " row"]:
    """Return the share of draws that say each token of the answer: these are the draws below its probability."""
    likely = (logits / heat).softmax(-1).gather(-1, tokens[..., None])[..., 0]
    likely = torch.where(there, likely, 1.0).numpy()
    return (draws < likely[:, None]).all(-1).mean(-1)


def is_right(model: HookedModel, questions: Sequence[Question], answered: Answered, *, n_tokens: int) -> np.ndarray:
    """Return for each answer whether it begins with a right one.

    Raises: ValueError, for a right answer of more tokens than the model may say.
    """
    read = prompts(model, [one.prompt for one in questions])
    pairs = [(one, text) for one, asked in zip(read, questions, strict=True) for text in asked.right]
    spelt = iter(continuations(model, pairs))
    found = []
    for asked, said in zip(questions, answered.answers, strict=True):
        right = [next(spelt) for _ in asked.right]
        longest = max(map(len, right), default=0)
        if longest > n_tokens:
            raise ValueError(
                f"a right answer to {asked.prompt!r} has {longest} tokens, and the model says {n_tokens}; set "
                f"answer_tokens to {longest}"
            )
        found.append(any(said[: len(one)] == one for one in right))
    return np.array(found, dtype=bool)
