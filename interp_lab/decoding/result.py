"""What decoding yields: a step at a time, and all of it at the end."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from interp_lab.decoding.audit import Audit
from interp_lab.decoding.prompts import tokenizer_of
from interp_lab.decoding.settings import StopReason
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Step:
    """One token for each row that was still going."""

    rows: tuple[int, ...]
    """Which prompts these are."""
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    """Of the tokens under the (steered) model at temperature 1, unfiltered; in nats."""
    stops: tuple[StopReason | None, ...]
    """Rows that end with this token, and why."""
    logits: Float[Tensor, "batch d_vocab"]
    """What the tokens were chosen from, before temperature and filters."""
    watched: tuple[int, ...] = ()
    """Prompts that a watcher ended at this step; they got no token, and are not among `rows`."""


@dataclass(frozen=True)
class Decoded:
    """What was generated, row by row; it outlives the model."""

    prompts: tuple[tuple[int, ...], ...]
    tokens: tuple[tuple[int, ...], ...]
    """Generated ids; the token that stopped a row is included."""
    log_probs: tuple[tuple[float, ...], ...]
    """Of each generated token, as in `Step`."""
    stops: tuple[StopReason | None, ...]
    """Why each row ended; `None` if it had not."""
    audit: Audit
    cached: bool
    """Whether a cache of keys and values was used."""

    @property
    def sequences(self) -> tuple[tuple[int, ...], ...]:
        """Prompt and generated tokens together."""
        return tuple(prompt + new for prompt, new in zip(self.prompts, self.tokens, strict=True))

    def texts(self, model: HookedModel) -> list[str]:
        """Return the generated tokens as text, special tokens left out.

        Raises: ValueError, if the model has no tokenizer.
        """
        tokenizer = tokenizer_of(model)
        if tokenizer is None:
            raise ValueError("the model has no tokenizer; read `tokens`")
        return [tokenizer.decode(list(new), skip_special_tokens=True) for new in self.tokens]
