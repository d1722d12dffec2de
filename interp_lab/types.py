"""The vocabulary: axis names, tensor aliases, and the nouns that every floor shares.

Axis glossary (the names used in every `Float[Tensor, "..."]` of the package):

    batch      prompts                       query, key   positions of an attention pattern
    pos        token positions               d_model      residual stream
    layer      transformer blocks            d_head       one head's q, k, v or z
    head       attention heads               d_mlp        MLP neurons
    kv_head    key / value heads (GQA)       d_vocab      vocabulary
    latent     codec (SAE) latents           site         places an intervention can act on
    read       positions a metric reads      column       vocabulary entries a metric reads
    example    units of measurement          cluster      units the bootstrap resamples (templates)
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

Tokens = Int[Tensor, "batch pos"]
Logits = Float[Tensor, "batch pos d_vocab"]
Pattern = Float[Tensor, "*batch query key"]

HookFunction = Callable[..., Tensor | None]
"""`(activation, hook) -> replacement or None`, as TransformerLens calls it."""

HeadIndex = tuple[int, int]
"""`(layer, head)`; written "1.3" in text, as in the circuits literature."""

_BLOCK = re.compile(r"^blocks\.(\d+)\.")
_SITE = re.compile(
    r"(?:(?P<layer>\d+)\.(?P<z>\d+)|(?P<hook>[a-z\d][\w.]*?hook_\w+|hook_\w+)(?:\[(?P<head>\d+)\])?)"
    r"(?:@(?P<position>-?\d+))?(?:#(?P<latent>\d+))?"
)
_HEADED = re.compile(r"\.(attn\.hook_(z|q|k|v|rot_q|rot_k|pattern|attn_scores|result)|hook_([qkv]_input|attn_in))$")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as `; did you mean 'x'?` for an error message, or nothing if nothing is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def head_name(index: HeadIndex) -> str:
    """Return the usual short name of a head, "layer.head"."""
    return f"{index[0]}.{index[1]}"


@runtime_checkable
class HookedModel(Protocol):
    """What interp_lab needs of a model: satisfied by `HookedTransformer` and by `TransformerBridge`."""

    cfg: Any
    """Shape of the model: `n_layers`, `n_heads`, `d_model`, `d_head`, `d_vocab`, `n_ctx`, ..."""

    @property
    def hook_dict(self) -> dict[str, Any]:
        """Hook points by their full name."""
        ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - TransformerLens's own signature
        """Run the model."""
        ...

    def hooks(self, *args: Any, **kwargs: Any) -> AbstractContextManager[Any]:  # noqa: ANN401
        """Install hooks for the length of a `with` block."""
        ...

    def run_with_cache(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Run and keep activations."""
        ...

    def parameters(self) -> Iterable[Tensor]:
        """Return the weights."""
        ...

    def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Run under temporary hooks."""
        ...


@dataclass(frozen=True, order=True)
class Site:
    """A place in a model: a hook point, and optionally one head, position or codec latent of it."""

    hook: str
    """Full hook name, such as `blocks.3.attn.hook_z`."""
    head: int | None = None
    """Index on the head axis (the key / value heads for k and v of a GQA model)."""
    position: int | None = None
    """Absolute token position; negative counts from the end of the prompt."""
    latent: int | None = None
    """Index on the last axis: an MLP neuron, or a latent when a codec is attached."""

    def __post_init__(self) -> None:
        if self.head is not None and not self.has_head_axis:
            raise ValueError(
                f"head={self.head} needs a hook point with a head axis, and {self.hook!r} has none; "
                "use e.g. 'blocks.0.attn.hook_z'"
            )

    @classmethod
    def of_head(
        cls, layer: int, head: int, *, at: Literal["z", "q", "k", "v", "pattern"] = "z", position: int | None = None
    ) -> "Site":
        """Return the site of one attention head's output (or its q, k, v or pattern)."""
        return cls(f"blocks.{layer}.attn.hook_{at}", head=head, position=position)

    @classmethod
    def named(cls, name: str) -> "Site":
        """Return the site that `str` of one names: `1.3` for a head's output, else a hook with its indices.

        Raises: ValueError, for anything else.
        """
        found = _SITE.fullmatch(name)
        if found is None:
            raise ValueError(
                f"{name!r} names no site; write a head as '1.3', or a hook point such as '0.hook_mlp_out', "
                "'0.attn.hook_k[2]@5' or '0.mlp.hook_post#7'"
            )
        index = {key: int(value) for key, value in found.groupdict().items() if value and key not in ("hook", "layer")}
        if found["layer"] is not None:
            number = index.pop("z")
            return cls(f"blocks.{found['layer']}.attn.hook_z", head=number, **index)
        hook = found["hook"]
        return cls(f"blocks.{hook}" if hook[0].isdigit() else hook, **index)

    @property
    def layer(self) -> int | None:
        """Index of the block; `None` for hook points outside the blocks."""
        found = _BLOCK.match(self.hook)
        return int(found.group(1)) if found else None

    @property
    def has_head_axis(self) -> bool:
        """Whether activations here are split by head."""
        return _HEADED.search(self.hook) is not None

    @property
    def by_query(self) -> bool:
        """Whether activations here are attention scores or patterns, so that a position is that of the query."""
        return self.hook.endswith(("hook_pattern", "hook_attn_scores"))

    def __str__(self) -> str:
        """Short name for tables: `1.3` for a head's output, else the hook with its indices."""
        if self.hook.endswith("attn.hook_z") and self.head is not None:
            name = head_name((self.layer or 0, self.head))
        else:
            name = self.hook.removeprefix("blocks.") + ("" if self.head is None else f"[{self.head}]")
        at = "" if self.position is None else f"@{self.position}"
        return name + at + ("" if self.latent is None else f"#{self.latent}")


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float
    level: float = 0.95
    n_clusters: int = 0
    """Independent units that were resampled; 0 where the interval was not estimated from data."""

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside the closed interval."""
        return value < self.low or value > self.high

    def columns(self, name: str) -> dict[str, object]:
        """Return the three columns of a table that an interval takes."""
        return {name: self.estimate, f"{name}_low": self.low, f"{name}_high": self.high}

    def __str__(self) -> str:
        """`0.123 [0.100, 0.150]`."""
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


UNMEASURED = Interval(math.nan, math.nan, math.nan)
"""What was not measured: empty cells of a table."""


@runtime_checkable
class Codec(Protocol):
    """A dictionary over activations (an SAE, a PCA, a rotation): what an intervention on latents goes through."""

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return the latents of an activation."""
        ...

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the reconstruction."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """Anything that gives tokens a number each: a probe, a lens, a monitor, a feature."""

    def __call__(self, activations: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos"]:
        """Return one score per token."""
        ...


def require_tokens(tokens: Tensor, *, what: str = "tokens") -> None:
    """Refuse an empty batch.

    Raises: ValueError.
    """
    if tokens.numel() == 0:
        raise ValueError(
            f"{what} is empty (shape {tuple(tokens.shape)}); give at least one sequence of at least one token"
        )
