"""The residual stream as named subspaces, and heads written down as what they compare and what they carry.

A head's attention score is a sum of products of linear readings of the query and key positions (the QK circuit), its
output a sum of linear maps from one subspace to another (the OV circuit). Both are put into weights channel by channel.

Source: the QK / OV description is that of Elhage et al. 2021, A Mathematical Framework for Transformer Circuits; that
such programs can be compiled into weights, Lindner et al. 2023, arXiv 2301.05062. The construction is our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Subspaces of the residual stream, side by side: one coordinate for each thing that a subspace can hold."""

    widths: dict[str, int]

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return sum(self.widths.values())

    def read(
        self, name: str, through: Float[Tensor, "width channel"] | None = None
    ) -> Float[Tensor, "d_model channel"]:
        """Return the map that reads a subspace, and then goes `through` a matrix if there is one."""
        names = list(self.widths)
        assert name in self.widths, f"no subspace {name!r} among {names}"
        start = sum(self.widths[before] for before in names[: names.index(name)])
        block = torch.eye(self.widths[name]) if through is None else through
        full = torch.zeros(self.d_model, block.shape[1])
        full[start : start + self.widths[name]] = block
        return full

    def write(self, name: str) -> Float[Tensor, "channel d_model"]:
        """Return the map that writes a subspace."""
        return self.read(name).T.contiguous()


@dataclass(frozen=True)
class Score:
    """One term of an attention score: `strength` times the product of what is read at query and key."""

    key: Float[Tensor, "d_model channel"]
    strength: float
    query: Float[Tensor, "d_model channel"] | None = None
    """`None`: every query reads 1 in every channel, by a bias."""


@dataclass(frozen=True)
class Write:
    """One term of an attention output: what is read at the attended position, and where it is written."""

    value: Float[Tensor, "d_model channel"]
    output: Float[Tensor, "channel d_model"]


@dataclass(frozen=True)
class Head:
    """An attention head. Without scores it attends evenly to everything it can see; without writes it is silent."""

    scores: tuple[Score, ...] = ()
    writes: tuple[Write, ...] = ()

    @property
    def n_channels(self) -> int:
        """The least `d_head` that holds this head."""
        compared = sum(score.key.shape[1] for score in self.scores)
        return max(compared, sum(write.value.shape[1] for write in self.writes))


def parameters(
    layout: Layout, layers: Sequence[Sequence[Head]], *, unembed: Float[Tensor, "d_model d_vocab"]
) -> dict[str, Tensor]:
    """Return the parameters of an attention-only transformer, by their TransformerLens names.

    Tokens are embedded one-hot in the subspace `tok`, positions in `pos`.
    """
    d_head = max(head.n_channels for heads in layers for head in heads)
    state = {
        "embed.W_E": layout.write("tok"),
        "pos_embed.W_pos": layout.write("pos"),
        "unembed.W_U": unembed.clone(),
        "unembed.b_U": torch.zeros(unembed.shape[1]),
    }
    for index, heads in enumerate(layers):
        for name, value in _attention(heads, layout.d_model, d_head).items():
            state[f"blocks.{index}.attn.{name}"] = value
    return state


def _attention(heads: Sequence[Head], d_model: int, d_head: int) -> dict[str, Tensor]:
    n_heads = len(heads)
    weights = {name: torch.zeros(n_heads, d_model, d_head) for name in ("W_Q", "W_K", "W_V")}
    weights["W_O"] = torch.zeros(n_heads, d_head, d_model)
    weights |= {name: torch.zeros(n_heads, d_head) for name in ("b_Q", "b_K", "b_V")}
    weights["b_O"] = torch.zeros(d_model)
    for index, head in enumerate(heads):
        start = 0
        for score in head.scores:
            channels = slice(start, start := start + score.key.shape[1])
            weights["W_K"][index, :, channels] = score.key
            if score.query is None:
                weights["b_Q"][index, channels] = score.strength
            else:
                weights["W_Q"][index, :, channels] = score.strength * score.query
        start = 0
        for write in head.writes:
            channels = slice(start, start := start + write.value.shape[1])
            weights["W_V"][index, :, channels] = write.value
            weights["W_O"][index, channels, :] = write.output
    return weights
