"""Values of units for examples, where an example is a token, or all tokens of a text together."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.sae.concepts.sides import Activations, Side
from interp_lab.sae.concepts.tokens import ConceptTokens

TEXTS_AT_ONCE = 64


@dataclass(frozen=True)
class Reader:
    """Activations of tokens, read as examples."""

    x: Activations
    begins: Int[Tensor, " text_and_end"] | None = None
    """Where the tokens of each example begin, and where the last ones end; `None` where each token is an example."""

    def tokens_of(self, some: Int[Tensor, " some"]) -> Int[Tensor, " token"]:
        """Return the tokens of some examples."""
        if self.begins is None:
            return some
        return torch.cat([torch.arange(int(self.begins[nth]), int(self.begins[nth + 1])) for nth in some])

    def encode(self, side: Side, some: Int[Tensor, " some"]) -> Float[Tensor, "some unit"]:
        """Return the values of all units, the mean over its tokens for an example of several."""
        if self.begins is None:
            return side.encode({hook: values[some] for hook, values in self.x.items()})
        return torch.cat([self._means(side, part) for part in some.split(TEXTS_AT_ONCE)])

    def _means(self, side: Side, some: Int[Tensor, " some"]) -> Float[Tensor, "some unit"]:
        assert self.begins is not None, "asked where examples are texts"
        at, sizes = self.tokens_of(some), self.begins[some + 1] - self.begins[some]
        values = side.encode({hook: read[at] for hook, read in self.x.items()})
        owner = torch.repeat_interleave(torch.arange(len(some)), sizes)
        return torch.zeros(len(some), values.shape[-1]).index_add_(0, owner, values) / sizes[:, None]


def by_token(tokens: ConceptTokens, x: Activations) -> tuple[ConceptTokens, Reader]:
    """Return every token as an example."""
    return tokens, Reader(x)


def by_text(tokens: ConceptTokens, x: Activations) -> tuple[ConceptTokens, Reader]:
    """Return every text as an example, all of whose tokens count alike."""
    texts, begins = np.unique(tokens.documents, return_index=True)
    ends = torch.as_tensor(np.append(begins, len(tokens.documents)))
    parts = {
        split: np.flatnonzero(np.isin(texts, tokens.documents[at])) for split, at in tokens.parts.items()
    }  # fmt: skip
    whole = replace(tokens, member=tokens.member[:, begins], documents=texts, places=tokens.places[begins], parts=parts)
    return whole, Reader(x, ends)
