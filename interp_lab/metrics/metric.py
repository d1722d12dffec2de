"""What a metric is: one number per example, from a declared part of the logits.

A metric names the positions and vocabulary columns that it reads, so that an engine can compute no more than those
and hand them over with `of_gathered`; `metric(logits)` does both steps on full logits.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from interp_lab.types import Logits

Position = int | Int[Tensor, " batch"]
"""Where to read, for all examples or for each; negative counts from the end of the (padded) sequence."""


@dataclass(frozen=True)
class Metric:
    """A number per example, computed from a declared part of the logits."""

    name: str
    unit: str
    score: Callable[..., Tensor]
    """`(gathered logits of shape (batch, read, column), *data) -> (batch,)`."""
    positions: Int[Tensor, "batch read"] | None = None
    """Positions that are read, negative from the end; `None` for all."""
    columns: Int[Tensor, "batch column"] | None = None
    """Vocabulary entries that are read; `None` for all."""
    data: tuple[Shaped[Tensor, "batch ..."], ...] = ()
    """What `score` needs besides, each with one row per example."""
    min_pos: int = 1
    """Length of the shortest sequence that has all positions that are read."""
    min_vocab: int = 1
    """Size of the smallest vocabulary that has all tokens that are read."""

    @property
    def n_examples(self) -> int | None:
        """Number of examples that the metric was built for; `None` if it fits any batch."""
        held = [part for part in (self.positions, self.columns, *self.data) if part is not None]
        return held[0].shape[0] if held else None

    def rows(self, index: Int[Tensor, " row"] | slice) -> "Metric":
        """Return the metric of a subset or repetition of the examples, in the order of `index`."""

        def take(part: Tensor) -> Tensor:
            return part[index if isinstance(index, slice) else index.to(part.device)]

        return self._with_parts(take)

    def to(self, device: torch.device | str) -> "Metric":
        """Return the metric with its tensors on a device, so that evaluations copy nothing."""
        return self._with_parts(lambda part: part.to(device))

    def absolute_positions(self, n_pos: int) -> Int[Tensor, "batch read"] | None:
        """Return the positions read in sequences of `n_pos` tokens, counted from the start; `None` for all."""
        return None if self.positions is None else torch.where(self.positions < 0, n_pos, 0) + self.positions

    def require_fit(self, *, n_examples: int, n_pos: int, d_vocab: int) -> None:
        """Refuse logits in which something that is read does not exist.

        Raises: ValueError, naming the position, the token or the two numbers of examples.
        """
        if self.n_examples not in (None, n_examples):
            raise ValueError(
                f"metric {self.name!r} was built for {self.n_examples} examples and got logits of {n_examples}; "
                "take the matching ones with metric.rows(index)"
            )
        if self.positions is not None and n_pos < self.min_pos:
            beyond = self.positions[(self.positions >= n_pos) | (self.positions < -n_pos)].unique().tolist()
            raise ValueError(f"metric {self.name!r} reads positions {beyond}, and the sequences have {n_pos} tokens")
        if d_vocab < self.min_vocab:
            raise ValueError(
                f"metric {self.name!r} reads token {self.min_vocab - 1}, which is outside the vocabulary of {d_vocab}; "
                "tokenize the answers with the model's own tokenizer"
            )

    def gather(self, logits: Logits) -> Float[Tensor, "batch read column"]:
        """Return the declared part of the logits, in float32 or better.

        Raises: ValueError, as `require_fit`.
        """
        n_examples, n_pos, d_vocab = logits.shape
        self.require_fit(n_examples=n_examples, n_pos=n_pos, d_vocab=d_vocab)
        example = torch.arange(n_examples, device=logits.device)[:, None]
        positions = self.absolute_positions(n_pos)
        if positions is not None:
            positions = positions.to(logits.device)
        if self.columns is not None:
            at = torch.arange(n_pos, device=logits.device)[None] if positions is None else positions
            logits = logits[example[..., None], at[..., None], self.columns.to(logits.device)[:, None]]
        elif positions is not None:
            logits = logits[example, positions]
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def of_gathered(
        self, gathered: Float[Tensor, "batch read column"], *, checked: bool = True
    ) -> Float[Tensor, " batch"]:
        """Return the metric from logits that hold only what it reads.

        Args:
            gathered: as from `gather`.
            checked: whether to refuse NaN and inf here, which waits for the device; otherwise call `require_finite`
                once at the end.

        Raises: ValueError, unless there is one number per example, and if checked, a finite one.
        """
        values = self.score(gathered, *(part.to(gathered.device) for part in self.data))
        if not isinstance(values, Tensor) or values.shape != gathered.shape[:1]:
            got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"metric {self.name!r} must return one number per example, shape ({gathered.shape[0]},), and returned "
                f"{got}; average over positions if need be, but not over the batch: intervals are made from examples"
            )
        values = values if values.is_floating_point() else values.float()
        if checked:
            require_finite(values, what=f"metric {self.name!r}")
        return values

    def __call__(self, logits: Logits, *, checked: bool = True) -> Float[Tensor, " batch"]:
        """Return the metric from full logits; see `of_gathered`."""
        return self.of_gathered(self.gather(logits), checked=checked)

    def _with_parts(self, change: Callable[[Tensor], Tensor]) -> "Metric":
        positions = None if self.positions is None else change(self.positions)
        columns = None if self.columns is None else change(self.columns)
        return replace(self, positions=positions, columns=columns, data=tuple(change(part) for part in self.data))


def require_finite(values: Float[Tensor, "*site batch"], *, what: str) -> None:
    """Refuse NaN and inf.

    Raises: ValueError, naming the examples (last axis).
    """
    if bool(values.isfinite().all()):
        return
    bad = (~values.isfinite()).reshape(-1, values.shape[-1]).any(0).nonzero().flatten().tolist()
    raise ValueError(
        f"{what} is NaN or inf for {len(bad)} of {values.shape[-1]} examples ({', '.join(map(str, bad[:5]))}"
        f"{', ...' if len(bad) > 5 else ''}); look at the logits of those, or compute in float32"
    )


def user_metric(
    fn: Callable[..., Tensor], *, name: str, unit: str, data: tuple[Shaped[Tensor, "batch ..."], ...] = ()
) -> Metric:
    """Make a metric of any function of the full logits, `fn(logits, *data) -> one number per example`.

    Args:
        fn: sees logits of shape (batch, pos, d_vocab) of some of the examples, in any order.
        name: for tables.
        unit: for axes.
        data: what the function needs per example (answers, say). Pass it here and not in a closure: an engine
            evaluates subsets and repetitions of the examples, and takes the matching rows of `data`.

    Raises: ValueError, if the tensors in `data` have different numbers of rows.
    """
    lengths = [len(part) for part in data]
    if len(set(lengths)) > 1:
        raise ValueError(f"data of metric {name!r} has {lengths} rows; give one row per example in each")
    return Metric(name, unit, fn, data=data)


def declare(
    name: str,
    unit: str,
    *,
    score: Callable[..., Tensor],
    positions: Int[Tensor, "batch read"] | None,
    tokens: Int[Tensor, "batch token"] | None = None,
    columns: Int[Tensor, "batch column"] | None = None,
    data: tuple[Tensor, ...] = (),
) -> Metric:
    """Make a metric that knows how long a sequence and how large a vocabulary it needs.

    The bounds are found here once, so that checking them later never waits for a device.

    Raises: ValueError, for a negative token id.
    """
    tokens = columns if tokens is None else tokens
    if tokens is not None and bool((tokens < 0).any()):
        example, at = (tokens < 0).nonzero()[0].tolist()
        raise ValueError(
            f"token {int(tokens[example, at])} of example {example} is no token id; use a mask for padding"
        )
    min_pos = 1 if positions is None else max(int(positions.max()) + 1, -int(positions.min()))
    min_vocab = 1 if tokens is None else int(tokens.max()) + 1
    return Metric(name, unit, score, positions, columns, data, min_pos, min_vocab)


def position_column(position: Position, *, n_examples: int) -> Int[Tensor, "batch 1"]:
    """Return one position per example, as a column.

    Raises: ValueError, if there are no examples, or not one position for each.
    """
    if n_examples == 0:
        raise ValueError("a metric of no examples has nothing to read; give at least one example")
    if isinstance(position, int):
        return torch.full((n_examples, 1), position)
    if len(position) != n_examples:
        raise ValueError(f"{len(position)} positions for {n_examples} examples; give one per example, or one for all")
    return position[:, None]


def weighted_log_probability(
    logits: Float[Tensor, "batch read d_vocab"], tokens: Int[Tensor, "batch read"], weights: Float[Tensor, "batch read"]
) -> Float[Tensor, " batch"]:
    """Return the weighted sum of the log-probabilities of one token at each position."""
    own = logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
    return (own * weights).sum(-1)
