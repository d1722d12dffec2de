"""Where a setting acts: position policies by name, for a batch and for decoding alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.decoding.batch import Window
from interp_lab.decoding.positions import Positions, everywhere, from_position, last_prompt_token, matching
from interp_lab.tasks.encoding import encode, tokenizer_of
from interp_lab.types import HookedModel

WHERE = ("all", "all+bos", "last", "from K", "tokens WORD ...")
"""Position policies: every token but special ones; these too; the last token of the prompt; tokens from position K on
(special ones left out; negative counts from the end of the prompt, so `from -1` acts on every generated prediction);
tokens that are one of these words."""


@dataclass(frozen=True)
class Prompted:
    """Tokens, with a place in each row at which the prompt ends."""

    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    """True at tokens, False at padding."""
    last: Int[Tensor, " batch"]
    """Column of the last token of the prompt."""

    def rows(self, index: Int[Tensor, " row"]) -> "Prompted":
        """Return some of the rows."""
        index = index.to(self.tokens.device)
        return Prompted(self.tokens[index], self.mask[index], self.last[index])

    @property
    def window(self) -> Window:
        """As position policies of decoding see it."""
        mask, tokens = self.mask.cpu(), self.tokens.cpu()
        positions = torch.where(mask, mask.long().cumsum(1) - 1, -1)
        lengths = positions.gather(1, self.last.cpu()[:, None]) + 1
        return Window(tokens, positions, lengths, torch.arange(len(tokens)))


def words(where: str) -> tuple[str, ...]:
    """Return the words of a `tokens` policy; none for another one.

    Raises: ValueError, for what is no policy.
    """
    kind, *rest = where.split() or [""]
    if kind == "tokens" and rest:
        return tuple(rest)
    counts = kind == "from" and len(rest) == 1 and rest[0].removeprefix("-").isdigit()
    if where not in ("all", "all+bos", "last") and not counts:
        raise ValueError(f"where={where!r} is no position policy; use one of {', '.join(WHERE)}")
    return ()


def policy_of(model: HookedModel, where: str) -> Positions:
    """Return the position policy that a setting names.

    Raises: ValueError, for what is no policy, or a word that is not one token for this tokenizer.
    """
    named = words(where)
    if named:
        return matching(_token_of(model, named))
    if where == "all+bos":
        return everywhere()
    if where == "last":
        return last_prompt_token()
    special = special_ids(model)
    plain = ~matching(special) if special else everywhere()
    return (everywhere() if where == "all" else from_position(int(where.split()[1]))) & plain


def special_ids(model: HookedModel) -> tuple[int, ...]:
    """Return the ids of BOS, end and padding; none without a tokenizer."""
    tokenizer = getattr(model, "tokenizer", None)
    named = (getattr(tokenizer, f"{kind}_token_id", None) for kind in ("bos", "eos", "pad"))
    return tuple(sorted({int(token) for token in named if token is not None}))


def _token_of(model: HookedModel, named: Sequence[str]) -> list[int]:
    unknown, found = tokenizer_of(model).unk_token_id, []
    for word in named:
        rows = encode(model, [word, f" {word}"], bos=False)
        single = {row[0] for row in rows if len(row) == 1} - {unknown}
        if not single:
            raise ValueError(f"{word!r} is not one token for this tokenizer; name words that are")
        found += sorted(single)
    return found
