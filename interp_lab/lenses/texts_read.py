"""Text for lenses: windows to train on, and other documents to be judged on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.folds import reserved_closed, told
from interp_lab.hooks import device_of
from interp_lab.tasks import Document, grammar_documents, pairs_for, read_documents, task_names, token_windows
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.tasks.encoding import encode, prepends_bos
from interp_lab.types import HookedModel

GRAMMAR = "grammar"
"""Name of the text of the organisms' own grammar."""
_TOKENS_PER_DOCUMENT = 12
"""Of the grammar, on average at least."""


@dataclass(frozen=True)
class HeldOutText:
    """Documents that were not trained on, one per row, each cut to the length of a window."""

    tokens: Int[Tensor, "document pos"]
    mask: Bool[Tensor, "document pos"]
    """True at tokens that are scored or read, False at padding."""
    scored: Bool[Tensor, "document pos"]
    """True where predictions are compared: at tokens, but for BOS."""
    clusters: tuple[str, ...]
    """Independent units: templates of the grammar or of a task, else the documents themselves."""


@dataclass(frozen=True)
class LensText:
    """What a tuned lens is trained on, and what it is judged on."""

    name: str
    train: Int[Tensor, "window pos"]
    held_out: HeldOutText


def lens_text(
    model: HookedModel, text: str, *, n_windows: int, n_held_out: int, length: int = 64, seed: int = 0
) -> LensText:
    """Draw text to train a lens on, and documents to judge it on.

    Of the grammar and of tasks, held-out documents are of reserved templates, which training never sees (other
    documents of the same templates while those are closed, see `folds`); of files, they are the first documents, and
    training begins behind them. A document that is held out is not trained on where it comes again, word for word.

    Args:
        text: `grammar`, a file or folder (see `tasks.read_documents`), or a task by name.
        length: tokens of a window; at most the context.

    Raises: ValueError, for text that there is not, or too little of it.
    """
    length, apart = min(length, int(model.cfg.n_ctx)), not reserved_closed()
    if text == GRAMMAR:
        n = max(n_windows * length // _TOKENS_PER_DOCUMENT, 64)
        train: Iterable[Document] = grammar_documents(n, seed=seed, reserved=False)
        held_out = grammar_documents(n_held_out, seed=seed + 1, reserved=apart)
        clusters = [document.name for document in held_out]
    elif _is_task(text):
        n = max(n_windows * length // _TOKENS_PER_DOCUMENT, 64)
        train, _ = _of_task(model, text, n, seed=seed, reserved=False)
        held_out, clusters = _of_task(model, text, n_held_out, seed=seed + 1, reserved=apart)
    else:
        stream = iter(read_documents(Path(text)))
        held_out, train = list(islice(stream, n_held_out)), stream
        clusters = [document.name for document in held_out]
    judged_on = {_words(document) for document in held_out}
    batches = token_windows(model, (one for one in train if _words(one) not in judged_on), length=length)
    windows = list(islice((row for batch in batches for row in batch.tokens), n_windows))
    if len(windows) < n_windows:
        raise ValueError(
            f"{text!r}{told()} makes {len(windows)} windows of {length} tokens besides {n_held_out} held-out documents "
            f"and what repeats them, and {n_windows} are asked for; give more text, or lower n_windows or length"
        )
    judged = _rows(model, held_out, clusters, length=length)
    return LensText(text, torch.stack(windows).to(device_of(model)), judged)


def _words(document: Document) -> str:
    return " ".join(document.text.split())


def _is_task(text: str) -> bool:
    return text.split("/")[0] in {name.split("/")[0] for name in task_names()} and not Path(text).exists()


def _of_task(
    model: HookedModel, task: str, n: int, *, seed: int, reserved: bool
) -> tuple[list[Document], Sequence[str]]:
    pairs = pairs_for(model, task, n, seed=seed, reserved=reserved)
    documents = [Document(nth, name, text) for nth, (name, text) in enumerate(zip(pairs.templates, pairs.clean_texts))]  # noqa: B905 - equal by construction
    return documents, pairs.templates


def _rows(model: HookedModel, documents: Sequence[Document], clusters: Sequence[str], *, length: int) -> HeldOutText:
    rows = [row[:length] for row in encode(model, [document.text for document in documents])]
    first = int(prepends_bos(model))
    kept = [nth for nth, row in enumerate(rows) if len(row) > first]
    if len({clusters[nth] for nth in kept}) < 2:
        raise ValueError(f"{len(kept)} held-out documents hold text of one template or none; give at least two")
    tokens, mask = pad_rows([rows[nth] for nth in kept], pad=pad_token(model), padding="right")
    scored = mask & (torch.arange(tokens.shape[1]) >= first)
    device = device_of(model)
    return HeldOutText(tokens.to(device), mask.to(device), scored.to(device), tuple(str(clusters[nth]) for nth in kept))
