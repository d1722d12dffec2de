"""What a model trained on repeats does, and which heads do it: every number per sequence, for the model card."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from interp_lab.attention.heads import pattern_hooks
from interp_lab.attention.masks import induction_mask, previous_token_mask
from interp_lab.attention.scores import attention_to
from interp_lab.attention.weights import composition_scores, head_weights, random_composition
from interp_lab.hooks import capture, replace
from interp_lab.organisms.repeats import RepeatedTokens, repeated_twice
from interp_lab.tasks.repeats import first_copy_loss, second_copy_loss
from interp_lab.training.composition import key_site, keys_without
from interp_lab.training.config import CardConfig
from interp_lab.types import HeadIndex, HookedModel

WRITING, READING = 0, 1
"""The layers of a two-layer induction circuit."""
_N_RANDOM = 200


@dataclass(frozen=True)
class Anatomy:
    """Behaviour, attention and composition of one two-layer model on fresh text."""

    first_copy_loss: Float[np.ndarray, "condition example"]
    """Nats; nothing but guessing is possible, so about the logarithm of the number of symbols."""
    second_copy_loss: Float[np.ndarray, "condition example"]
    """Nats, from the second token of the second copy on."""
    induction: Float[np.ndarray, "reported layer head"]
    """Attention to the token after the previous occurrence, on sequences not used to choose heads."""
    previous_token: Float[np.ndarray, "reported layer head"]
    """Attention to the token before, on the same sequences."""
    chosen: Int[np.ndarray, "role 2"]
    """`(layer, head)` of the previous-token head and of the induction head, chosen on other sequences."""
    composition: Float[np.ndarray, "writer reader"]
    """K-composition scores of all heads of the first layer with all of the second."""
    random_composition: Float[np.ndarray, " draw"]
    """The same score of random matrices of that shape."""
    induction_without: Float[np.ndarray, "writer reported"]
    """Induction score of the induction head when this head of the first layer, taken from another
    sequence, is all that changes in its keys."""

    @property
    def previous_head(self) -> HeadIndex:
        """The best previous-token head of the first layer."""
        return int(self.chosen[0, 0]), int(self.chosen[0, 1])

    @property
    def induction_head(self) -> HeadIndex:
        """The best induction head of the second layer."""
        return int(self.chosen[1, 0]), int(self.chosen[1, 1])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every field by name."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Anatomy":
        """Rebuild from `arrays`; other entries are left alone."""
        return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})


def dissect(model: HookedModel, config: CardConfig, *, symbols: range) -> Anatomy:
    """Measure a model of two attention layers on text drawn from `config.seed`.

    Heads are chosen on one half of the sequences and scored on the other.

    Raises: ValueError, if a condition does not fit the context, or the model has not two layers.
    """
    if model.cfg.n_layers != 2:
        raise ValueError(f"an induction circuit is looked for in 2 layers, the model has {model.cfg.n_layers}")
    texts = list(_texts(config, symbols=symbols, n_ctx=int(model.cfg.n_ctx)))
    select, report = texts[0].split(config.seed)
    previous, induction = (scores.mean(0) for scores in _attention(model, select))
    writer, reader = (WRITING, int(previous[WRITING].argmax())), (READING, int(induction[READING].argmax()))
    reported_previous, reported_induction = _attention(model, report)
    weights = head_weights(model)
    losses = [_losses(model, text) for text in texts]
    return Anatomy(
        first_copy_loss=np.stack([first for first, _ in losses]),
        second_copy_loss=np.stack([second for _, second in losses]),
        induction=reported_induction,
        previous_token=reported_previous,
        chosen=np.array([writer, reader]),
        composition=composition_scores(weights, kind="k")[WRITING, :, READING].numpy(),
        random_composition=random_composition(weights, n_draws=_N_RANDOM, seed=config.seed).numpy(),
        induction_without=_induction_without(model, report, reader=reader),
    )


def _texts(config: CardConfig, *, symbols: range, n_ctx: int) -> Iterator[RepeatedTokens]:
    for nth, (period, offset) in enumerate(config.conditions):
        # Training draws from seed sequences of (seed, step), never from a bare seed.
        yield repeated_twice(
            config.n_examples, period, offset=offset, seed=config.seed + nth, n_ctx=n_ctx, symbols=symbols
        )


def _losses(
    model: HookedModel, text: RepeatedTokens
) -> tuple[Float[np.ndarray, " example"], Float[np.ndarray, " example"]]:
    with torch.inference_mode():
        logits = model(text.tokens)
        return first_copy_loss(text)(logits).numpy(), second_copy_loss(text)(logits).numpy()


def _attention(
    model: HookedModel, text: RepeatedTokens
) -> tuple[Float[np.ndarray, "example layer head"], Float[np.ndarray, "example layer head"]]:
    """Return previous-token and induction scores, on every query that has such a token.

    `attention.heads.head_scores` leaves out the queries whose token is new: of the bundled model's previous-token head
    it says 0.594, where this is 0.735. The card is about the whole text.
    """
    names = pattern_hooks(model)
    kept = capture(model, text.tokens, names)
    masks = torch.stack([previous_token_mask(text.tokens), induction_mask(text.tokens)])
    previous, induction = torch.stack([attention_to(kept[name], masks) for name in names], dim=2)
    return previous.numpy(), induction.numpy()


def _induction_without(
    model: HookedModel, text: RepeatedTokens, *, reader: HeadIndex
) -> Float[np.ndarray, "writer example"]:
    return np.stack(
        [_induction_with_keys(model, text, writer=(WRITING, head), reader=reader) for head in range(model.cfg.n_heads)]
    )


def _induction_with_keys(
    model: HookedModel, text: RepeatedTokens, *, writer: HeadIndex, reader: HeadIndex
) -> Float[np.ndarray, " example"]:
    keys = keys_without(model, text.tokens, writer=writer, reader=reader)
    with replace(model, key_site(reader), keys):
        return _attention(model, text)[1][:, reader[0], reader[1]]
