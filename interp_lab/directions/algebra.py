"""Directions from directions: differences, parts along others and beside them, and random ones to compare with."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.directions.vectors import Directions

_NOTHING = 1e-6
"""A share of its length below which what is left of a vector is rounding."""


def difference(a: Directions, b: Directions) -> Directions:
    """Return `a` less `b`, at the hook points of `a`.

    Raises: ValueError, for directions of different models or widths, hook points of `a` that `b` lacks, or directions
        that are equal somewhere.
    """
    other = _matching(a, b)
    return _derived(a, a.vectors - other, how="difference", beside=[b])


def orthogonalised(a: Directions, *, against: Sequence[Directions]) -> Directions:
    """Return what is left of `a`, at each hook point, without its part in the space that the others span.

    Raises: ValueError, as `difference`; for no others; or where nothing is left.
    """
    return _derived(a, a.vectors - _part_within(a, against), how="orthogonalised", beside=against)


def projected(a: Directions, *, onto: Sequence[Directions]) -> Directions:
    """Return the part of `a` that lies in the space which the others span: `a` less `orthogonalised(a, ...)`.

    Raises: ValueError, as `orthogonalised`.
    """
    return _derived(a, _part_within(a, onto), how="projected", beside=onto)


def cosines(a: Directions, b: Directions) -> Float[Tensor, " hook"]:
    """Return the cosine between `a` and `b` at the hook points of `a` (-1 to 1).

    Raises: ValueError, as `difference`.
    """
    return torch.cosine_similarity(a.vectors.double(), _matching(a, b).double(), dim=-1).to(a.vectors.dtype)


def random_like(
    d: Directions, n: int, *, generator: torch.Generator, orthogonal: bool = False
) -> Float[Tensor, "draw hook d"]:
    """Draw random vectors that are to each other as the given ones are: of the same lengths, at the same angles.

    Each draw is a random rotation of the whole set. Directions at neighbouring layers are alike, and what they do adds
    up; vectors drawn for every layer on its own would not add up, and make too weak a control.

    Args:
        orthogonal: to the given ones, all of them: nothing of these is left in any draw.

    Raises: ValueError, for `n` below 1, or (`orthogonal`) too few dimensions to have any others.
    """
    if n < 1:
        raise ValueError(f"n={n} random directions are none; draw at least one")
    basis, mixing = torch.linalg.qr(d.vectors.double().T)
    width, rank = basis.shape
    if orthogonal and width < 2 * rank:
        raise ValueError(
            f"{len(d.hooks)} directions in {width} dimensions leave too little room for as many that are orthogonal to "
            "all of them; take fewer hook points, or orthogonal=False"
        )
    drawn = torch.randn(n, width, rank, dtype=torch.float64, generator=generator).to(basis.device)
    if orthogonal:
        drawn = drawn - basis @ (basis.T @ drawn)
    frames, triangles = torch.linalg.qr(drawn)
    frames = frames * triangles.diagonal(dim1=-2, dim2=-1).sign()[:, None]  # uniform: QR alone prefers some
    return (frames @ mixing).mT.to(d.vectors.dtype)


def _matching(a: Directions, b: Directions) -> Float[Tensor, "hook d"]:
    """Return the vectors of `b` at the hook points of `a`."""
    a.model.require_same(b.model, what=f"directions {b.name!r}", hooks=a.hooks)
    found = b.only(a.hooks).vectors
    if found.shape != a.vectors.shape:
        raise ValueError(
            f"directions {a.name!r} have {a.width} entries and {b.name!r} have {b.width}; combine those of one width"
        )
    return found.to(a.vectors)


def _part_within(a: Directions, others: Sequence[Directions]) -> Float[Tensor, "hook d"]:
    """Return the part of `a` in the span of the others, which may depend on each other."""
    if not others:
        raise ValueError(f"no directions to compare {a.name!r} with; give at least one")
    span = torch.stack([_matching(a, other) for other in others], dim=1).double()
    span = torch.nn.functional.normalize(span, dim=-1)
    _, sizes, basis = torch.linalg.svd(span, full_matrices=False)
    basis = basis * (sizes > 1e-6 * sizes[:, :1])[..., None]
    return torch.einsum("hkd,hk->hd", basis, torch.einsum("hkd,hd->hk", basis, a.vectors.double()))


def _derived(a: Directions, vectors: Tensor, *, how: str, beside: Sequence[Directions]) -> Directions:
    names = ", ".join(other.name for other in beside)
    for hook, left, whole in zip(a.hooks, vectors.norm(dim=-1), a.norms, strict=True):
        if not bool(left > _NOTHING * whole):
            raise ValueError(
                f"{how}: nothing is left of {a.name!r} at {hook} beside {names}; leave that hook point out, or take "
                "other directions"
            )
    name = _NAMES[how](a.name, names)
    about = {"of": [_plain(one) for one in (a, *beside)]}
    return replace(a, vectors=vectors.to(a.vectors.dtype), method=how, name=name, about=about)


def _plain(d: Directions) -> dict[str, object]:
    return {"name": d.name, "method": d.method, "about": dict(d.about)}


_NAMES: dict[str, Callable[[str, str], str]] = {
    "difference": lambda one, others: f"{one} less {others}",
    "orthogonalised": lambda one, others: f"{one} beside {others}",
    "projected": lambda one, others: f"{one} within {others}",
}
