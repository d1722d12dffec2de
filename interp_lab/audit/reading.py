"""The model's answer to texts: P(positive) / (P(positive) + P(negative)) at the end of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from interp_lab.decoding.where import Prompted
from interp_lab.effects.under import Under, in_force
from interp_lab.hooks import masked, require_finite
from interp_lab.tasks.batch import tokenize
from interp_lab.tasks.encoding import continuations, prompts
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Reader:
    """Reads answers; a text that comes twice is read once."""

    model: HookedModel
    answers: tuple[int, int]
    """Tokens, the positive one first."""
    batch_size: int
    under: Under | None = None

    def read(self, texts: Sequence[str], *, steered: bool = False) -> Float[np.ndarray, " text"]:
        """Return the share of the positive answer, a probability, for each text.

        Raises: ValueError, for a text that the tokenizer cannot express; NonFiniteActivationError.
        """
        different = list(dict.fromkeys(texts))
        different.sort(key=len)  # little padding
        found: dict[str, float] = {}
        for start in range(0, len(different), self.batch_size):
            batch = different[start : start + self.batch_size]
            found.update(zip(batch, self._batch(batch, steered=steered), strict=True))
        return np.array([found[text] for text in texts], dtype=np.float64)

    def both(self, texts: Sequence[str]) -> tuple[Float[np.ndarray, " text"], Float[np.ndarray, " text"]]:
        """Return the same without and with what is measured under; NaN where there is nothing."""
        plain = self.read(texts)
        return plain, self.read(texts, steered=True) if self.under is not None else np.full(len(texts), np.nan)

    def _batch(self, texts: list[str], *, steered: bool) -> list[float]:
        read = tokenize(self.model, texts)
        mask = None if bool(read.mask.all()) else read.mask
        with (
            torch.inference_mode(),
            in_force(self.model, self.under if steered else None, Prompted(read.tokens, read.mask, read.last)),
        ):
            logits = self.model(read.tokens, **masked(read.tokens, mask))
        at = logits[torch.arange(len(texts), device=logits.device), read.last]
        odds = (at[:, self.answers[0]] - at[:, self.answers[1]]).double()
        if not bool(torch.isfinite(odds).all()):
            require_finite(self.model, read.tokens, mask=mask)
        return torch.sigmoid(odds).tolist()


def answer_tokens(model: HookedModel, text: str, answers: tuple[str, str]) -> tuple[int, int]:
    """Return the first token of each answer behind a text.

    Raises: ValueError, if both begin with the same token.
    """
    (prompt,) = prompts(model, [text])
    first, second = (ids[0] for ids in continuations(model, [(prompt, one) for one in answers]))
    if first == second:
        raise ValueError(
            f"{answers[0]!r} and {answers[1]!r} begin with the same token, so that nothing tells them apart there; "
            "name answers that differ at once"
        )
    return first, second
