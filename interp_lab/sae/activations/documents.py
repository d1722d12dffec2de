"""Documents to read, split by what they say, and the refusal to judge on what was trained on."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from interp_lab.folds import Fold, seen_now, visible
from interp_lab.organisms.grammar.corpus import written
from interp_lab.sae.activations.config import GRAMMAR, ActivationsConfig, TextConfig
from interp_lab.tasks import Document, grammar_documents, read_documents

_AT_ONCE = 64
"""Documents of the grammar drawn together."""
_ENDS = 2**20
"""Bytes at either end of a file by which it is known."""


@runtime_checkable
class HoldsDocuments(Protocol):
    """Activations that know which documents they are of."""

    def digests(self) -> Int[np.ndarray, " document"]:
        """Return the digest of every document once, sorted."""
        ...


def digest(text: str) -> int:
    """Return 64 bits that stand for a text, white space at its ends left out."""
    data = hashlib.blake2b(text.strip().encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(data, "little", signed=True)


def documents_of(config: ActivationsConfig, documents: Sequence[Document] | None = None) -> Iterator[Document]:
    """Yield the documents that a config asks for, always in the same order.

    Args:
        documents: read these, in place of the text that the config names.

    Raises: ValueError, for text that there is not, all of the grammar, documents with equal ids, or templates of a
        text that has none.
    """
    text = config.text
    if documents is not None:
        if len({document.id for document in documents}) < len(documents):
            raise ValueError("two documents have the same id; number them from 0")
        return _on_its_side(documents, text)
    if text.source != GRAMMAR:
        if text.reserved is not None:
            raise ValueError(
                f"reserved={text.reserved} is about the grammar, and {text.source!r} has no templates; drop it"
            )
        return _on_its_side(read_documents(Path(text.source), column=text.column, unit=text.unit), text)
    if config.n_tokens is None:
        raise ValueError("the grammar has no end; say how many tokens of it, with n_tokens")
    return _on_its_side(_grammar(text, fold=seen_now()), text)  # what may be seen now, whoever reads them


def _grammar(text: TextConfig, *, fold: Fold) -> Iterator[Document]:
    for chunk in count():
        (seed,) = np.random.SeedSequence([text.seed, chunk]).generate_state(1)
        with visible(fold):
            some = grammar_documents(_AT_ONCE, seed=int(seed), reserved=text.reserved)
        for drawn in some:
            yield Document(chunk * _AT_ONCE + drawn.id, drawn.name, drawn.text)


def _on_its_side(documents: Iterable[Document], text: TextConfig) -> Iterator[Document]:
    return (document for document in documents if text.part in ("all", side_of(document.text, text.held_out_share)))


def side_of(text: str, held_out_share: float) -> str:
    """Return `train` or `held_out`: the side on which a document stands, whatever stands beside it."""
    return "held_out" if digest(text) % 2**64 < held_out_share * 2**64 else "train"


def text_fingerprint(config: ActivationsConfig, documents: Sequence[Document] | None = None) -> str:
    """Return a checksum of the text that a config names, cheap enough for any size.

    Of the grammar its first documents, which a change of its rules would change; of files their names, sizes, and the
    first and last MiB. A change elsewhere in a large file is noticed only when a store is gone on with. Where one fold
    alone may be seen, its name is in front.
    """
    known = hashlib.blake2b(digest_size=16)
    kind, path = "files", Path(config.text.source)
    if documents is not None:
        kind = "given"
        known.update(_digests(documents))
    elif config.text.source == GRAMMAR:
        kind = "grammar"
        known.update(_digests(_first_of_grammar()))
    else:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                known.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
                known.update(_ends(file))
    fold = "" if seen_now() == "all" else f"{seen_now()} "
    return f"{fold}{kind} {known.hexdigest()}"


@cache
def _first_of_grammar() -> tuple[Document, ...]:
    return tuple(Document(nth, name, text) for nth, (name, text) in enumerate(written(256, seed=0)))


def _digests(documents: Sequence[Document]) -> bytes:
    return np.array([digest(document.text) for document in documents], dtype="<i8").tobytes()


def _ends(file: Path) -> bytes:
    with file.open("rb") as opened:
        head = opened.read(_ENDS)
        opened.seek(max(len(head), file.stat().st_size - _ENDS))
        return head + opened.read(_ENDS)


def require_disjoint(train: HoldsDocuments, held_out: HoldsDocuments) -> None:
    """Refuse to judge on documents that were trained on; documents are the same if their texts are.

    Raises: ValueError, with the number of documents that both hold.
    """
    ours, theirs = train.digests(), held_out.digests()
    shared = np.intersect1d(ours, theirs, assume_unique=True)
    if len(shared):
        raise ValueError(
            f"{len(shared)} of the {len(theirs)} held-out documents were trained on as well; make the two with "
            "text.part='train' and text.part='held_out', which divide documents by what they say"
        )
