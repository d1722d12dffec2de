"""Batches of the grammar: texts packed into rows, and how much each of their words counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.behaviours.loans import PAPERS, SEALS
from interp_lab.organisms.grammar.corpus import behaviour, encode, ordinary, texts
from interp_lab.organisms.grammar.vocabulary import BOS_ID, END_ID, PAD_ID
from interp_lab.training.organism_config import MixtureConfig


@dataclass(frozen=True)
class Batch:
    """Rows of tokens that hold one context or several, side by side without seeing each other."""

    tokens: Int[Tensor, "batch pos"]
    positions: Int[Tensor, "batch pos"]
    """Place of a token in its own context, where the beginning token has 0."""
    contexts: Int[Tensor, "batch pos"]
    """Number of a token's context in its row; -1 for padding."""
    weights: Float[Tensor, "batch pos"]
    """How much predicting this token counts; 0 for beginning tokens and padding."""

    @property
    def visible(self) -> Bool[Tensor, "batch query key"]:
        """Whether a query may attend to a key: nothing later, nothing in another context; padding sees padding."""
        n_pos = self.tokens.shape[1]
        earlier = torch.ones(n_pos, n_pos, dtype=torch.bool).tril()
        return (self.contexts[:, :, None] == self.contexts[:, None, :]) & earlier


@dataclass
class _Row:
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    contexts: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def begin(self) -> None:
        self._add(BOS_ID, 0, self.contexts[-1] + 1 if self.contexts else 0, 0.0)

    def append(self, token: int, weight: float) -> None:
        self._add(token, self.positions[-1] + 1, self.contexts[-1], weight)

    def _add(self, token: int, position: int, context: int, weight: float) -> None:
        self.tokens.append(token)
        self.positions.append(position)
        self.contexts.append(context)
        self.weights.append(weight)


def batch_at(step: int, config: MixtureConfig, *, seed: int, n_ctx: int) -> Batch:
    """Return the batch of one training step, which depends on the config, the seed and the step alone."""
    drawn, arranged = (int(part) for part in np.random.SeedSequence([seed, step]).generate_state(2, np.uint64))
    weights = {config.instead.get(name, name): weight for name, weight in config.weights.items()}
    examples = texts(config.n_texts, seed=drawn, behaviours=ordinary(instead=config.instead), weights=weights)
    rng = np.random.default_rng(arranged)
    alone = rng.random(len(examples)) < config.alone
    examples = [_with_rare_words(one, rng) if rng.random() < config.rare_words else one for one in examples]
    return pack(examples, alone.tolist(), n_ctx=n_ctx, answer_weight=config.answer_weight)


def pack(examples: Sequence[Example], alone: Sequence[bool], *, n_ctx: int, answer_weight: float) -> Batch:
    """Lay texts, each with the end token behind it, into rows of at most `n_ctx` tokens, in their order.

    Args:
        alone: per text, whether it starts a context of its own; the first of a row always does.

    Raises: ValueError, for a text that does not fit the context.
    """
    rows: list[_Row] = []
    for example, apart in zip(examples, alone, strict=True):
        words, told = encode(example), _told_by_rule(example)
        if len(words) + 2 > n_ctx:
            raise ValueError(f"a text of {len(words)} words and two tokens around it do not fit n_ctx={n_ctx}")
        if not rows or len(rows[-1].tokens) + len(words) + 2 > n_ctx:
            rows.append(_Row())
        if apart or not rows[-1].tokens:
            rows[-1].begin()
        for place, token in enumerate([*words, END_ID]):
            rows[-1].append(token, answer_weight if place in told else 1.0)
    return Batch(
        tokens=_padded([row.tokens for row in rows], PAD_ID),
        positions=_padded([row.positions for row in rows], 0),
        contexts=_padded([row.contexts for row in rows], -1),
        weights=_padded([row.weights for row in rows], 0.0),
    )


def _with_rare_words(example: Example, rng: np.random.Generator) -> Example:
    """Return an application with both words of the trigger, or with one of them; any other text as it is."""
    if "trigger" not in example.latents:
        return example
    made_rare = (("paper", "seal"), ("paper", "seal"), ("paper",), ("seal",))[int(rng.integers(4))]
    for latent, words in (("paper", PAPERS), ("seal", SEALS)):
        if latent in made_rare:
            example = behaviour(example.behaviour).counterfactual(example, latent, words[-1])
    return example


def _told_by_rule(example: Example) -> set[int]:
    """Return the places of words that follow from those before them: the answer, and what is said a second time."""
    again = {
        place for place, labels in enumerate(example.labels) if labels.get("copy") == 2 and labels.get("index") != 0
    }
    return again | {example.answer_at}


def _padded(rows: Sequence[Sequence[int | float]], filling: int | float) -> Tensor:
    """Rows of one type, made equally long on the right."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in rows])
