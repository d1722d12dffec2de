"""For each example another one of its kind: where values of an independent prompt come from."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment


def draw_partners(
    kinds: Sequence[Hashable],
    *,
    clean: Sequence[Hashable],
    corrupted: Sequence[Hashable],
    seed: int,
    apart: bool = False,
) -> Int[np.ndarray, " example"]:
    """Return for each example another one of its kind, clean and corrupted prompt both different; -1 if there is none.

    Within a kind each example is the partner of one other example, as far as that can be; who is whose partner is
    drawn at random, and partners whose clean prompt is one's own corrupted prompt (or the other way round) only taken
    where there is no way around it, or (`apart`) never.
    """
    rng = np.random.default_rng(seed)
    members: dict[Hashable, list[int]] = defaultdict(list)
    for i, kind in enumerate(kinds):
        members[kind].append(i)
    number: dict[Hashable, int] = {}
    codes = np.array([[number.setdefault(side[i], len(number)) for i in range(len(kinds))]
                      for side in (clean, corrupted)])  # fmt: skip
    partners = np.full(len(kinds), -1)
    for group in map(np.array, members.values()):
        partners[group] = _drawn(group, _costs(*codes[:, group], rng=rng, apart=apart))
    return partners


def _costs(
    clean: Int[np.ndarray, " example"], corrupted: Int[np.ndarray, " example"], *, rng: np.random.Generator, apart: bool
) -> Float[np.ndarray, "example example"]:
    """Return what it costs to take one (column) as partner of another (row).

    Less than 1, by chance; more than all of that together for a prompt in the other role; infinity for the same prompt.
    """
    n = len(clean)
    costs = rng.random((n, n))
    costs[(clean[:, None] == corrupted) | (corrupted[:, None] == clean)] += np.inf if apart else n + 1
    costs[(clean[:, None] == clean) | (corrupted[:, None] == corrupted)] = np.inf
    return costs


def _drawn(group: Int[np.ndarray, " example"], costs: Float[np.ndarray, "example example"]) -> list[int]:
    """Return the cheapest assignment; who comes away empty-handed shares the partner that is cheapest for them."""
    n = len(group)
    forbidden = np.isinf(costs)
    _, columns = linear_sum_assignment(np.where(forbidden, (n + 1.0) * (n + 2.0), costs))
    shared = np.where(forbidden, np.inf, costs).argmin(1)
    taken = np.where(forbidden[np.arange(n), columns], shared, columns)
    return [-1 if forbidden[i, j] else int(group[j]) for i, j in enumerate(taken)]
