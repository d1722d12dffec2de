"""Read a saved tokenizer without asking the hub anything, and settle whether text starts with BOS."""

import copy
from pathlib import Path
from typing import Any

from interp_lab.types import HookedModel

_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")


def has_tokenizer(directory: Path) -> bool:
    """Whether a directory holds a vocabulary; without one, `transformers` may invent an empty tokenizer."""
    return any((directory / name).is_file() for name in _FILES)


def read_tokenizer(directory: Path) -> Any:  # noqa: ANN401 - any transformers tokenizer
    """Return the tokenizer saved in a directory, set to prepend BOS if it defines one."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    if tokenizer.bos_token is None:
        return tokenizer
    return AutoTokenizer.from_pretrained(directory, local_files_only=True, add_bos_token=True)


def defines_bos(tokenizer: Any) -> bool:  # noqa: ANN401 - any transformers tokenizer, or None
    """Whether a tokenizer, as saved, has a BOS token; to be asked before TransformerLens sees it."""
    return tokenizer is not None and tokenizer.bos_token is not None


def taken_as_is(tokenizer: Any) -> Any:  # noqa: ANN401 - any transformers tokenizer, or None
    """Return a copy that TransformerLens does not replace.

    It reloads every tokenizer that is not marked as prepending BOS by the name written inside, which
    may be a hub call, and fails where there is no name. Whether BOS is prepended it finds out by
    trying, so the mark costs nothing. It also writes to the tokenizer it is given: hence the copy.
    """
    if tokenizer is None:
        return None
    marked = copy.deepcopy(tokenizer)
    # With left padding TransformerLens masks every leading pad id it sees in bare tokens, a BOS that doubles as
    # pad included. Padded batches say so themselves, with an attention mask.
    marked.padding_side = "right"
    marked.init_kwargs = {"name_or_path": "local", **marked.init_kwargs, "add_bos_token": True}
    return marked


def settle_bos(model: HookedModel, *, has_bos: bool) -> None:
    """Give text a BOS by default only where the model was trained with one and the tokenizer defines it.

    TransformerLens knows the first per architecture; the second it overrides, by appointing EOS.
    """
    cfg: Any = model.cfg
    cfg.default_prepend_bos = bool(cfg.default_prepend_bos) and has_bos
