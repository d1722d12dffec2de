"""One pass over text: windows with what stands at every row, and the activations that a model has there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from interp_lab.folds import told
from interp_lab.hooks import NonFiniteActivationError, capture, device_of, record, require_hook
from interp_lab.hooks.record import stopping_after
from interp_lab.sae.activations.config import DTYPES, ActivationsConfig
from interp_lab.sae.activations.documents import digest, documents_of
from interp_lab.tasks import Document, Windows, token_windows
from interp_lab.types import HookedModel, Site


class TooLittleTextError(ValueError):
    """Text that ends before as many tokens as were asked for."""


@dataclass(frozen=True)
class Labels:
    """What stands at each row of activations."""

    tokens: Int32[Tensor, " row"]
    documents: Int32[Tensor, " row"]
    """Number of the document in its stream; -1 for tokens of none (BOS, and the end token between documents)."""
    places: Int32[Tensor, " row"]
    """Place of the token in its document, from 0; -1 where there is no document."""
    positions: Int32[Tensor, " row"]
    """Position in the window that the model read. Windows follow each other, so that where this does not rise a new
    window begins."""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.tokens)


@dataclass(frozen=True)
class Piece:
    """Windows that are read in one forward pass, and which of their tokens are kept."""

    number: int
    """From 0."""
    tokens: Int32[Tensor, "batch pos"]
    kept: Bool[Tensor, "batch pos"]
    labels: Labels
    digests: Mapping[int, int]
    """Of the documents here, by their number."""

    def activations(self, model: HookedModel, config: ActivationsConfig) -> dict[str, Float[Tensor, "row _"]]:
        """Run the model; raises as `activations_at`."""
        return activations_at(model, self.tokens, self.kept, config=config, what=f"batch {self.number}")


def pieces(
    model: HookedModel, config: ActivationsConfig, *, documents: Sequence[Document] | None = None
) -> Iterator[Piece]:
    """Read text in windows; the model is not run.

    Raises: ValueError, for text that there is not; TooLittleTextError, for less of it than `n_tokens`.
    """
    seen: dict[int, int] = {}

    def noted() -> Iterator[Document]:
        for document in documents_of(config, documents):
            seen[document.id] = digest(document.text)
            yield document

    length = config.text.length or int(model.cfg.n_ctx)
    n_kept, wanted, special = 0, config.n_tokens, special_tokens(model)
    stream = token_windows(model, noted(), length=length, batch_size=config.windows_at_once, packed=config.text.packed)
    for number, windows in enumerate(stream):
        kept = _kept(windows, special) if config.exclude_special else torch.ones_like(windows.tokens, dtype=torch.bool)
        if wanted is not None:
            kept &= kept.flatten().cumsum(0).view_as(kept) <= wanted - n_kept
        yield _piece(number, windows, kept, seen)
        n_kept += int(kept.sum())
        if n_kept == wanted:
            return
    if not n_kept or wanted is not None:
        raise TooLittleTextError(
            f"the text{told()} has {n_kept} tokens to keep, and n_tokens asks for {wanted or 'any'}; give more text, "
            "shorter windows (text.length), or lower n_tokens"
        )


def _piece(number: int, windows: Windows, kept: Bool[Tensor, "batch pos"], seen: dict[int, int]) -> Piece:
    position = torch.arange(kept.shape[1]).expand_as(kept)
    columns = (windows.tokens, windows.documents, windows.places, position)
    labels = Labels(*(column[kept].to(torch.int32) for column in columns))
    here = [document for document in labels.documents.unique().tolist() if document >= 0]
    digests = {document: seen[document] for document in here}
    _forget_read(seen, windows)
    return Piece(number, windows.tokens.to(torch.int32), kept, labels, digests)


def _forget_read(seen: dict[int, int], windows: Windows) -> None:
    """Drop the documents before the last of these windows, which no later window holds."""
    present = windows.documents[windows.documents >= 0]
    while len(present) and next(iter(seen)) != int(present[-1]):
        del seen[next(iter(seen))]


def special_tokens(model: HookedModel) -> Tensor:
    """Return BOS, EOS and padding, none without a tokenizer; the unknown token stands for a word, and stays."""
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:
        return torch.empty(0, dtype=torch.int64)
    special = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id} - {None}
    return torch.tensor(sorted(special), dtype=torch.int64)


def _kept(windows: Windows, special: Tensor) -> Bool[Tensor, "batch pos"]:
    return (windows.documents >= 0) & ~torch.isin(windows.tokens, special)


def activations_at(
    model: HookedModel,
    tokens: Int32[Tensor, "batch pos"],
    kept: Bool[Tensor, "batch pos"],
    *,
    config: ActivationsConfig,
    what: str,
) -> dict[str, Float[Tensor, "row _"]]:
    """Run the model and return its activations at the tokens that are kept, on the CPU, by hook point.

    Args:
        what: names the batch in errors.

    Raises: NonFiniteActivationError, for NaN, inf, or numbers that the dtype of the config cannot hold.
    """
    try:
        found = capture(model, tokens.long(), config.hooks)
    except NonFiniteActivationError as error:
        raise NonFiniteActivationError(f"{what}: {error}") from error
    mask, rows = kept.to(device_of(model)), {}
    for name, activation in found.items():
        wide = activation.flatten(2)[mask]
        narrow = wide.to(DTYPES[config.dtype])
        if not torch.isfinite(narrow).all():
            raise NonFiniteActivationError(
                f"{what}: {name!r} reaches {float(wide.abs().max()):.0f}, more than {config.dtype} can hold; keep the "
                "activations as bfloat16 or float32"
            )
        rows[name] = narrow.cpu()
    return rows


def widths(model: HookedModel, hooks: Sequence[str]) -> dict[str, int]:
    """Return the number of entries of an activation at each hook point, heads laid side by side.

    Raises: ValueError, for a hook point that the model has not (with the nearest), or with no activation per token.
    """
    for name in hooks:
        require_hook(model, name)
    probe = torch.zeros(1, 2, dtype=torch.long, device=device_of(model))
    with torch.inference_mode(), record(model, hooks) as found:
        model(probe, **stopping_after(model, hooks))
    for name, activation in found.items():
        if Site(name).by_query or activation.ndim < 3 or activation.shape[:2] != probe.shape:
            raise ValueError(
                f"{name!r} has no activation per token (its shape is {tuple(activation.shape)} for one prompt of two "
                "tokens); use a hook point such as 'blocks.0.hook_resid_post'"
            )
    return {name: found[name][0, 0].numel() for name in hooks}
