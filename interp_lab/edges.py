"""Edges of a transformer: what one node writes, as it is read at one place."""

import re
from dataclasses import dataclass

_SOURCE = re.compile(r"embed|pos_embed|(?P<head>\d+)\.\d+|m(?P<mlp>\d+)")
_TARGET = re.compile(r"logits|(?P<head>\d+)\.\d+\.[qkv]|m(?P<mlp>\d+)")


@dataclass(frozen=True, order=True)
class Edge:
    """What one node writes, as it is read at one place: in a residual network every pair of these is an edge."""

    source: str
    """`embed`, `pos_embed`, a head such as `0.1`, or an MLP such as `m0`."""
    target: str
    """`logits`, an MLP, or an input of a head of a later layer such as `1.0.q` (or `k`, `v`; of these two the index is
    that of the key-value head, which several query heads may share)."""

    def __post_init__(self) -> None:
        source, target = _SOURCE.fullmatch(self.source), _TARGET.fullmatch(self.target)
        if source is None or target is None:
            raise ValueError(
                f"no edge {self.source!r} -> {self.target!r}; sources are 'embed', 'pos_embed', heads such as '0.1' "
                "and MLPs such as 'm0', targets are 'logits', head inputs such as '1.0.q' and MLPs"
            )
        if _depth(source) >= _depth(target):
            raise ValueError(f"no edge {self}: a node reads only what was written before it (heads, then the MLP)")

    @property
    def target_node(self) -> str:
        """The node that the target belongs to: `1.0` for `1.0.q`."""
        return self.target.rpartition(".")[0] or self.target

    def __str__(self) -> str:
        """`0.0->1.0.k`."""
        return f"{self.source}->{self.target}"


def _depth(place: re.Match[str]) -> int:
    """Return when a node writes, or reads."""
    if place["head"] is not None:
        return 2 * int(place["head"])
    if place["mlp"] is not None:
        return 2 * int(place["mlp"]) + 1
    return -1 if place.re is _SOURCE else 2**31


def edges(*lines: str) -> frozenset[Edge]:
    """Read edges from lines such as `"embed -> 0.0.q 0.0.k"`: one source, its targets.

    Raises: ValueError, for a line without an arrow or an edge that cannot be.
    """
    found: set[Edge] = set()
    for line in lines:
        source, arrow, targets = line.partition("->")
        if not arrow or not targets.split():
            raise ValueError(f"{line!r} is no list of edges; write 'embed -> 0.0.q 0.0.k'")
        found.update(Edge(source.strip(), target) for target in targets.split())
    return frozenset(found)
