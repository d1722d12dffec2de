"""Contexts that labels are written from and judged on: known activity at every token, and the two kept apart."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import capture
from interp_lab.types import Codec, HookedModel, Tokens


@dataclass(frozen=True)
class Contexts:
    """Stretches of text with the value of some latents at each of their tokens.

    Unlike a folder of features, which keeps where a latent was active, this knows where it was not: what a judge must
    say no to.
    """

    texts: tuple[tuple[str, ...], ...]
    """Tokens of each context, all of the same length."""
    documents: Int[np.ndarray, " context"]
    """Which document each is from, by `sae.activations.documents.digest` of its text. Contexts of one document stay on
    one side of a split, and a latent is asked about in one of them only."""
    latents: tuple[int, ...]
    values: Float[np.ndarray, "latent context pos"]
    """Never negative; 0 is not active."""

    def __post_init__(self) -> None:
        shape = (len(self.latents), len(self.texts), len(self.texts[0]) if self.texts else 0)
        if self.values.shape != shape or len(self.documents) != len(self.texts):
            raise ValueError(
                f"{self.values.shape} values and {len(self.documents)} documents do not fit {len(self.latents)} "
                f"latents in {len(self.texts)} contexts; give one per latent, context and token: {shape}"
            )

    def of(self, latent: int) -> Float[np.ndarray, "context pos"]:
        """Return one latent's values.

        Raises: ValueError, if it is not among those read.
        """
        if latent not in self.latents:
            raise ValueError(f"latent {latent} was not read here; those that were are {_some(self.latents)}")
        return self.values[self.latents.index(latent)]

    def among(self, kept: Bool[np.ndarray, " context"]) -> "Contexts":
        """Return some of the contexts."""
        texts = tuple(text for text, keep in zip(self.texts, kept, strict=True) if keep)
        return Contexts(texts, self.documents[kept], self.latents, self.values[:, kept])

    def distinct(self) -> "Contexts":
        """Return the contexts without those whose text an earlier one has."""
        first = {text: place for place, text in reversed(list(enumerate(self.texts)))}
        return self.among(np.array([first[text] == place for place, text in enumerate(self.texts)]))

    def require_apart(self, others: "Contexts") -> None:
        """Refuse contexts that share a text or a document with others.

        Raises: ValueError, with how many do.
        """
        texts = len(set(self.texts) & set(others.texts))
        documents = len(np.intersect1d(self.documents, others.documents))
        if texts or documents:
            raise ValueError(
                f"{texts} texts and {documents} documents to judge labels on are also those they were written from; "
                "divide the contexts with split_contexts"
            )

    def require_none_of(self, documents: Collection[int]) -> None:
        """Refuse contexts of these documents.

        Args:
            documents: digests of their texts, such as `described_documents` returns.

        Raises: ValueError, with how many of its documents are among them.
        """
        shared = len(set(self.documents.tolist()) & set(documents))
        if shared:
            raise ValueError(
                f"{shared} of {len(np.unique(self.documents))} documents to judge labels on are also those "
                "the features were described on; read the other part of the text (part='train' or part='held_out')"
            )


def read_contexts(
    model: HookedModel,
    codec: Codec,
    tokens: Tokens,
    *,
    hook: str,
    latents: Sequence[int],
    texts: Mapping[int, str],
    documents: Sequence[int],
    skipped: int = 1,
    at_once: int = 64,
) -> Contexts:
    """Run the model over windows of text and keep what some latents do at every token.

    Args:
        tokens: windows of equal length, without padding.
        texts: of tokens by id.
        documents: of each window, the digest of its document's text (`sae.activations.documents.digest`): by it labels
            are kept from being judged on what they were written from.
        skipped: tokens at the start of each window that are left out (BOS).
        at_once: windows in one forward pass.

    Raises: ValueError, unless there is one document per window.
    """
    if len(documents) != len(tokens):
        raise ValueError(f"{len(documents)} documents for {len(tokens)} windows; give the document of each window")
    chosen = torch.tensor(list(latents))
    kept: list[Float[Tensor, "batch pos latent"]] = []
    for start in range(0, len(tokens), at_once):
        activation = capture(model, tokens[start : start + at_once], [hook])[hook]
        with torch.inference_mode():
            values = codec.encode(activation.flatten(2))
        kept.append(values[:, skipped:, chosen.to(values.device)].float().cpu())
    words = tuple(tuple(texts[number] for number in row) for row in tokens[:, skipped:].tolist())
    return Contexts(
        words, np.asarray(documents, dtype=np.int64), tuple(latents), torch.cat(kept).permute(2, 0, 1).numpy()
    )


@dataclass(frozen=True)
class SplitContexts:
    """Contexts to write labels from, and others to judge them on."""

    explaining: Contexts
    scoring: Contexts


def split_contexts(contexts: Contexts, *, share: float = 0.5, seed: int = 0) -> SplitContexts:
    """Divide contexts by document; of contexts with equal text, only the first is kept.

    Args:
        share: of the documents, to write labels from.

    Raises: ValueError, unless both sides get a document.
    """
    distinct = contexts.distinct()
    documents = np.random.default_rng(seed).permutation(np.unique(distinct.documents))
    n = round(share * len(documents))
    if not 0 < n < len(documents):
        raise ValueError(
            f"share={share} of {len(documents)} documents leaves one side empty; read more text or change the share"
        )
    explains = np.isin(distinct.documents, documents[:n])
    return SplitContexts(distinct.among(explains), distinct.among(~explains))


def _some(latents: Sequence[int]) -> str:
    return ", ".join(map(str, latents[:8])) + (", ..." if len(latents) > 8 else "")
