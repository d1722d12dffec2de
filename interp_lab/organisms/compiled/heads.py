"""The parts that several compiled models are made of.

Scores are set so far apart (30 and more) that the softmax puts all but 1e-11 of the attention on the winner: in float32
a head that finds its token looks nowhere else. A head that finds nothing rests on BOS, where there is nothing to carry.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.organisms.compiled.model import BOS, D_VOCAB, N_CTX
from interp_lab.organisms.compiled.residual import Head, Layout, Score, Write

MATCH = 60.0
"""Score of the token that a head looks for."""
REST = 30.0
"""Score of BOS, which wins where no token matches and loses where one does."""
LOGIT = 10.0
"""Logit of a predicted token; all other logits are 0."""


def layout(*extra: str) -> Layout:
    """Return a residual stream with the subspaces that every model has, and `extra` ones as wide as the vocabulary.

    `tok` and `pos` hold the embeddings; the unembedding reads `out`, and nothing reads `scratch`.
    """
    widths = {"tok": D_VOCAB, "pos": N_CTX, "out": D_VOCAB, "scratch": D_VOCAB}
    return Layout(widths | dict.fromkeys(extra, D_VOCAB))


def pick(*tokens: int) -> Float[Tensor, "d_vocab 1"]:
    """Return a column that is 1 for the given tokens: read through it, a token becomes yes or no."""
    column = torch.zeros(D_VOCAB, 1)
    column[list(tokens)] = 1.0
    return column


def only(*tokens: int) -> Float[Tensor, "d_vocab d_vocab"]:
    """Return the identity on the given tokens, and zero on all others."""
    return torch.diag(pick(*tokens)[:, 0])


SYMBOLS = tuple(token for token in range(D_VOCAB) if token != BOS)
"""Everything but BOS."""


def copy(residual: Layout, source: str, *, to: str, weight: float = 1.0, tokens: tuple[int, ...] = SYMBOLS) -> Write:
    """Carry a token from one subspace to another; tokens that are not among `tokens` are not carried."""
    return Write(residual.read(source, only(*tokens)), weight * residual.write(to))


def rest_on_bos(residual: Layout) -> Score:
    """Look at BOS if nothing scores higher."""
    return Score(residual.read("tok", pick(BOS)), REST)


def same_symbol(residual: Layout, key: str) -> Score:
    """Look where subspace `key` holds the query's own token: `tok` finds itself again, `prev` what came after it."""
    return Score(residual.read(key), MATCH, residual.read("tok"))


def not_itself(residual: Layout) -> Score:
    """Do not look at the query's own position."""
    return Score(residual.read("pos"), -2 * MATCH, residual.read("pos"))


def look_back(residual: Layout, *writes: Write, by: int = 1) -> Head:
    """Look `by` positions back, whatever is there (and at BOS, where that would be before it)."""
    target = (torch.arange(N_CTX) - by).clamp(min=0)
    shift = torch.nn.functional.one_hot(target, N_CTX).float()
    return Head((Score(residual.read("pos"), MATCH, residual.read("pos", shift)),), writes)


def evenly(*writes: Write) -> Head:
    """Look at everything alike; silent without `writes`."""
    return Head((), writes)


def to_scratch(residual: Layout) -> Write:
    """Carry the token to where nothing reads it."""
    return Write(residual.read("tok"), residual.write("scratch"))


def bystander(residual: Layout) -> Head:
    """Rest on BOS always, and write what nothing reads."""
    return Head((rest_on_bos(residual),), (to_scratch(residual),))


def unembed(residual: Layout) -> Float[Tensor, "d_model d_vocab"]:
    """Read the prediction in `out`."""
    return LOGIT * residual.read("out")
