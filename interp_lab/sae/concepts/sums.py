"""What is known of every unit of a dictionary after one pass: sums by kind of token, and nothing per token."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Encode = Callable[[Int[Tensor, " some"]], Float[Tensor, "some unit"]]
"""Values of all units for some of the examples."""
ROWS_AT_ONCE = 512
"""Examples whose units are held at once."""


@dataclass(frozen=True)
class Sums:
    """Over examples: of all, and of the members of each kind."""

    n: int
    n_members: Float[Tensor, " kind"]
    total: Float[Tensor, " unit"]
    squares: Float[Tensor, " unit"]
    members: Float[Tensor, "kind unit"]
    fired: Float[Tensor, " unit"]
    """How many examples a unit is not zero for."""
    fired_members: Float[Tensor, "kind unit"]

    def of_kinds(self, n: int) -> "Sums":
        """Return the sums of the first kinds alone."""
        return replace(
            self, n_members=self.n_members[:n], members=self.members[:n], fired_members=self.fired_members[:n]
        )

    def difference(self) -> Float[Tensor, "kind unit"]:
        """Return the mean over members less the mean over the others."""
        return self._apart(self.members, self.total)

    def in_spreads(self) -> Float[Tensor, "kind unit"]:
        """Return the same in standard deviations of the unit over all examples; 0 for a unit that never changes."""
        variance = (self.squares / self.n - (self.total / self.n).square()).clamp(min=0)
        spread = variance.sqrt()
        moves = spread > 1e-7 * (self.squares / self.n).sqrt()
        return torch.where(moves, self.difference() / spread.clamp(min=1e-300), 0.0)

    def firing(self) -> Float[Tensor, "kind unit"]:
        """Return the share of members for which a unit is not zero, less that of the others."""
        return self._apart(self.fired_members, self.fired)

    def _apart(self, members: Tensor, total: Tensor) -> Float[Tensor, "kind unit"]:
        own = self.n_members[:, None]
        return members / own - (total - members) / (self.n - own)


def sums_by_kind(encode: Encode, rows: Int[Tensor, " example"], member: Bool[Tensor, "kind example"]) -> Sums:
    """Go once through examples and keep what tells kinds apart; memory goes with units and kinds, not with examples.

    Args:
        rows: the examples to count.
        member: of these, which belong to each kind.

    Raises: ValueError, for a kind that holds all of them or none.
    """
    sizes = member.sum(-1)
    if not bool(((sizes > 0) & (sizes < len(rows))).all()):
        raise ValueError(f"kinds of {sizes.tolist()} among {len(rows)} examples; each needs some, and not all")
    parts: list[tuple[Tensor, ...]] = []
    for some in torch.arange(len(rows)).split(ROWS_AT_ONCE):
        x = encode(rows[some]).double()
        own, fired = member[:, some].double(), (x != 0).double()
        parts.append((x.sum(0), x.square().sum(0), own @ x, fired.sum(0), own @ fired))
    total, squares, members, fired, fired_members = (sum(one[1:], one[0]) for one in zip(*parts, strict=True))
    return Sums(len(rows), sizes.double(), total, squares, members, fired, fired_members)


def candidates(sums: Sums, kind: int, *, n: int) -> Int[Tensor, " candidate"]:
    """Return the units that may tell a kind apart best, in order: half by mean in spreads, half by how often they fire.

    All units, where there are no more than `n`.
    """
    width = sums.total.shape[-1]
    if width <= n:
        return torch.arange(width)
    first = sums.in_spreads()[kind].abs().topk(n - n // 2).indices
    rest = sums.firing()[kind].abs()
    rest[first] = -1.0
    return torch.cat([first, rest.topk(n // 2).indices]).sort().values


def columns(
    encode: Encode, rows: Int[Tensor, " example"], units: Int[Tensor, " chosen"]
) -> Float[Tensor, "example chosen"]:
    """Return the values of some units, without ever holding those of all for all examples."""
    return torch.cat([encode(some)[:, units] for some in rows.split(ROWS_AT_ONCE)])
