"""What a model says where the answer of a text stands: many texts at once, padded on the right."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.corpus import encode
from interp_lab.organisms.grammar.vocabulary import BOS_ID, PAD_ID, token_ids
from interp_lab.types import HookedModel

_N_AT_ONCE = 128


def answer_log_probs(model: HookedModel, examples: Sequence[Example]) -> Float[np.ndarray, "example d_vocab"]:
    """Return log-probabilities (nats) of every word where the answer stands, given the words before it."""
    prompts = [[BOS_ID, *encode(example)[: example.answer_at]] for example in examples]
    found = np.zeros((len(prompts), int(model.cfg.d_vocab)), dtype=np.float32)
    for rows, logits in _in_batches(model, prompts):
        last = torch.tensor([len(prompts[row]) - 1 for row in rows])
        found[rows] = logits[torch.arange(len(rows)), last].log_softmax(-1).numpy()
    return found


def word_losses(model: HookedModel, examples: Sequence[Example]) -> list[Float[np.ndarray, " word"]]:
    """Return the loss (nats) of every word of every text, given the words before it."""
    texts = [[BOS_ID, *encode(example)] for example in examples]
    found: list[np.ndarray] = [np.zeros(0)] * len(texts)
    for rows, logits in _in_batches(model, texts):
        log_probs = logits.log_softmax(-1)
        for nth, row in enumerate(rows):
            words = torch.tensor(texts[row][1:])
            found[row] = -log_probs[nth, torch.arange(len(words)), words].numpy()
    return found


def _in_batches(model: HookedModel, texts: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], Tensor]]:
    """Yield row numbers and logits; texts of like length together, so that little of it is padding."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    for start in range(0, len(order), _N_AT_ONCE):
        rows = order[start : start + _N_AT_ONCE]
        longest = len(texts[rows[-1]])
        tokens = torch.tensor([[*texts[row], *[PAD_ID] * (longest - len(texts[row]))] for row in rows])
        with torch.inference_mode():  # attention is causal, so what pads on the right is never seen
            yield rows, model(tokens)


def said(log_probs: Float[np.ndarray, "example d_vocab"], words: Sequence[str]) -> Float[np.ndarray, " example"]:
    """Return the log-probability of one word per example."""
    ids = token_ids()
    return log_probs[np.arange(len(words)), [ids[word] for word in words]]


def is_answered(
    log_probs: Float[np.ndarray, "example d_vocab"], examples: Sequence[Example]
) -> Float[np.ndarray, " example"]:
    """Return 1 where the likeliest of all words is an accepted answer, else 0."""
    ids, best = token_ids(), log_probs.argmax(-1).tolist()
    right = [word in {ids[answer] for answer in one.accepted} for word, one in zip(best, examples, strict=True)]
    return np.array(right, dtype=float)


def mass(
    log_probs: Float[np.ndarray, "example d_vocab"], words: Sequence[Sequence[str]]
) -> Float[np.ndarray, " example"]:
    """Return the probability of any of several words per example."""
    ids = token_ids()
    return np.array(
        [np.exp(row[[ids[word] for word in some]]).sum() for row, some in zip(log_probs, words, strict=True)]
    )


def share(
    log_probs: Float[np.ndarray, "example d_vocab"], words: Sequence[str], others: Sequence[str]
) -> Float[np.ndarray, " example"]:
    """Return the probability of one word per example among it and another: `P(word) / (P(word) + P(other))`."""
    return 1 / (1 + np.exp(said(log_probs, others) - said(log_probs, words)))
