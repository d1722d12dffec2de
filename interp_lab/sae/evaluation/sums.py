"""Numbers of tokens added up by document, as they come."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


class DocumentSums:
    """Sums by document, in float64: all that a ratio of sums and its interval over documents need.

    Equal texts are one document: they are not independent.
    """

    def __init__(self) -> None:
        self._index: dict[int, int] = {}
        self._sums: dict[str, Tensor] = {}
        """With room for more documents: it doubles, so that nothing is copied again for every batch."""

    def __len__(self) -> int:
        """Count the documents."""
        return len(self._index)

    def rows(self, documents: Int[Tensor, " row"], digests: Mapping[int, int]) -> Int[Tensor, " row"]:
        """Return at which place each token's document stands; tokens of no document share one.

        Args:
            digests: of the documents, by their number.
        """
        numbers, where = documents.cpu().unique(return_inverse=True)
        texts = [digests.get(number, -1) for number in numbers.tolist()]
        return torch.tensor([self._index.setdefault(text, len(self._index)) for text in texts])[where]

    def add(self, name: str, rows: Int[Tensor, " row"], values: Float[Tensor, "row ..."]) -> None:
        """Add one value, or several side by side, for each token."""
        new = values.detach().to("cpu", torch.float64)
        there = self._sums.get(name, new.new_zeros(0, *new.shape[1:]))
        if len(there) < len(self._index):
            there = torch.cat([there, new.new_zeros(2 * len(self._index) - len(there), *new.shape[1:])])
        self._sums[name] = there.index_add_(0, rows, new)

    def totals(self) -> dict[str, Float[np.ndarray, "document ..."]]:
        """Return the sums by name, documents first."""
        return {name: there[: len(self)].numpy() for name, there in self._sums.items()}
