"""Text that has nothing to do with a trait: what steering does to it is its price."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.folds import shows, told
from interp_lab.organisms.grammar.corpus import texts
from interp_lab.steering.setting import Prompted
from interp_lab.steering.traits import neutral_behaviours
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.tasks.encoding import prompts
from interp_lab.tasks.streams import read_documents
from interp_lab.types import HookedModel

Split = Literal["select", "report"]
"""Which half of the texts: those that choose a setting, or those it is reported on. No text is in both."""
LENGTH = 64
"""Most tokens of a document from a file."""
AT_ONCE = 512
"""Texts of the grammar drawn together."""


@dataclass(frozen=True)
class NeutralTexts:
    """Documents, each with a place that counts as the end of its prompt."""

    tokens: Int[Tensor, "batch pos"]
    """Right-padded."""
    mask: Bool[Tensor, "batch pos"]
    last: Int[Tensor, " batch"]
    """Where a prompt would end: before the answer of the grammar's texts, halfway in a document of a file. What is
    steered at the last token of a prompt is steered here, and the price is paid behind it."""
    templates: tuple[str, ...]
    """The independent units: templates of the grammar; each document of a file is its own."""
    texts: tuple[str, ...]

    def __len__(self) -> int:
        """Count the documents."""
        return len(self.texts)

    @property
    def batch(self) -> Prompted:
        """The tokens, as settings see them."""
        return Prompted(self.tokens, self.mask, self.last)

    def rows(self, index: Int[Tensor, " row"]) -> "NeutralTexts":
        """Return some of the documents."""
        there, chosen = index.to(self.tokens.device), index.tolist()
        return NeutralTexts(
            self.tokens[there],
            self.mask[there],
            self.last[there],
            tuple(self.templates[i] for i in chosen),
            tuple(self.texts[i] for i in chosen),
        )


def neutral_texts(
    model: HookedModel, trait: str, n: int, *, seed: int, part: Split, path: Path | None = None
) -> NeutralTexts:
    """Return documents that do not show a trait.

    Args:
        part: of two disjoint halves of all texts.
        path: of text to read, for models that were not trained on the grammar; it is for the caller to know that the
            trait is not in it. `None` takes the grammar without the trait's behaviour and those near to it
            (`traits.RELATED`).

    Raises: ValueError, for `n` below 1, an unknown trait, or a file with too little text.
    """
    if n < 1:
        raise ValueError(f"n={n} makes no neutral text; ask for at least one document")
    drawn = _from_grammar(trait, seed=seed) if path is None else _from_file(model, path, n, seed=seed)
    chosen = list(islice(islice(_unique(drawn), int(part == "report"), None, 2), n))
    if len(chosen) < n:
        raise ValueError(
            f"{path} holds {len(chosen)} different documents{told()} of two tokens or more for the {part!r} half, "
            f"and {n} are asked for; give more text, or ask for fewer"
        )
    rows = [prompt.ids for prompt in prompts(model, [text for text, _, _ in chosen])]
    tokens, mask = pad_rows(rows, pad=pad_token(model), padding="right")
    heads = prompts(model, [head for _, head, _ in chosen])
    last = torch.minimum(torch.tensor([len(head.ids) - 1 for head in heads]), mask.sum(1) - 2)  # it predicts something
    device = next(iter(model.parameters())).device
    return NeutralTexts(
        tokens.to(device), mask.to(device), last.to(device),
        templates=tuple(template for _, _, template in chosen), texts=tuple(text for text, _, _ in chosen),
    )  # fmt: skip


_Drawn = Iterator[tuple[str, str, str]]
"""Text, its beginning up to where a prompt would end, template."""


def _unique(drawn: _Drawn) -> _Drawn:
    seen: set[str] = set()
    for text, head, template in drawn:
        if text not in seen:
            seen.add(text)
            yield text, head, template


def _from_grammar(trait: str, *, seed: int) -> _Drawn:
    names = neutral_behaviours(trait)
    for nth in count():
        for example in texts(AT_ONCE, seed=int(np.random.default_rng([seed, nth]).integers(2**31)), behaviours=names):
            if shows(example.prompt):
                yield example.text, example.prompt, example.template


def _from_file(model: HookedModel, path: Path, n: int, *, seed: int) -> _Drawn:
    """Yield the first documents of a file in a random order, cut to `LENGTH` tokens."""
    from interp_lab.tasks.encoding import encode, tokenizer_of

    found = list(islice(read_documents(path), 4 * n))
    longest = min(LENGTH, int(model.cfg.n_ctx)) - 1
    for i in np.random.default_rng(seed).permutation(len(found)):
        ids = encode(model, [found[i].text], bos=False)[0][:longest]
        if len(ids) >= 2:
            text, head = (tokenizer_of(model).decode(list(part)) for part in (ids, ids[: len(ids) // 2]))
            yield text, head, found[i].name
