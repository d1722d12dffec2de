"""Documents cut into windows of equal length, every token with its document and its place in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab.tasks.encoding import encode, prepends_bos, tokenizer_of
from interp_lab.tasks.streams import Document
from interp_lab.types import HookedModel

_AT_ONCE = 64
"""Documents tokenized together."""
Token = tuple[int, int, int]
"""Token id, document id, place in the document."""


@dataclass(frozen=True)
class Windows:
    """Some windows of a stream."""

    tokens: Int[Tensor, "batch pos"]
    documents: Int[Tensor, "batch pos"]
    """Id of the document of each token; -1 for BOS, and for the token that stands between documents."""
    places: Int[Tensor, "batch pos"]
    """Place of each token in its document, from 0; -1 where there is no document."""

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.tokens)


def token_windows(
    model: HookedModel,
    documents: Iterable[Document],
    *,
    length: int,
    batch_size: int = 32,
    packed: bool = True,
) -> Iterator[Windows]:
    """Cut documents into windows that are full; what is left at the end is not used.

    Every window begins with BOS if the model was trained so. The order is that of the documents, and no more than one
    batch and a few documents are held at a time. Tensors are on the CPU.

    Args:
        length: tokens of a window, BOS included.
        batch_size: windows yielded together; the last batch may have fewer.
        packed: let documents follow each other in a window, with the end token between them (the tokenizer's EOS);
            else a window holds one document, and what is left of a document is not used.

    Raises: ValueError, for a length that does not fit the context or holds no text, a batch size below 1, or text that
        fills not even one window.
    """
    head = [(int(tokenizer_of(model).bos_token_id), -1, -1)] if prepends_bos(model) else []
    if not len(head) < length <= int(model.cfg.n_ctx):
        raise ValueError(
            f"length={length} must be above {len(head)} (the BOS token) and at most {model.cfg.n_ctx}, the context"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} must be at least 1")
    rows = _rows(model, documents, room=length - len(head), packed=packed)
    return _batches(([*head, *row] for row in rows), length=length, batch_size=batch_size)


def _batches(rows: Iterator[list[Token]], *, length: int, batch_size: int) -> Iterator[Windows]:
    any_row = False
    while batch := list(islice(rows, batch_size)):
        any_row = True
        tokens, documents, places = torch.tensor(batch).unbind(-1)
        yield Windows(tokens, documents, places)
    if not any_row:
        raise ValueError(f"the text does not fill one window of {length} tokens; give more text, or a shorter length")


def _rows(model: HookedModel, documents: Iterable[Document], *, room: int, packed: bool) -> Iterator[list[Token]]:
    """Yield the contents of one window after another."""
    end = tokenizer_of(model).eos_token_id if packed else None
    between = [] if end is None else [(int(end), -1, -1)]
    waiting: list[Token] = []
    for tokens in _tokenized(model, documents):
        waiting = [*waiting, *tokens, *between] if packed else tokens
        n_full = len(waiting) // room
        yield from (waiting[start * room : (start + 1) * room] for start in range(n_full))
        waiting = waiting[n_full * room :]


def _tokenized(model: HookedModel, documents: Iterable[Document]) -> Iterator[list[Token]]:
    remaining = iter(documents)
    while some := list(islice(remaining, _AT_ONCE)):
        rows = encode(model, [document.text for document in some], bos=False)
        yield from (
            [(token, document.id, place) for place, token in enumerate(row)]
            for document, row in zip(some, rows, strict=True)
        )
