"""How inputs are looked for from one text: six ways, all through `Episode.score`, which pays for them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from interp_lab.production.red_team.config import MethodName
from interp_lab.production.red_team.episode import REJECTED, Episode
from interp_lab.production.red_team.space import State, States

Method = Callable[[Episode, np.random.Generator], None]
"""Searches from one text until the episode is done."""
Allowed = Sequence[Int[np.ndarray, " _"]]
"""For each slot the options to choose among."""


def random_search(episode: Episode, rng: np.random.Generator) -> None:
    """Try inputs drawn evenly: the number of edits, their slots, and what is put there."""
    allowed = _others(episode)
    while not episode.done:
        episode.score(_drawn(episode, allowed, rng))


def likely_search(episode: Episode, rng: np.random.Generator) -> None:
    """Draw in the same way, among what the model itself finds likely in each place: the fluency without the gradient.

    One forward pass of the text says what is likely there, given the words before.
    """
    found = episode.likely(episode.space.unchanged())
    if found is None:
        return
    allowed = _where(found)
    while not episode.done:
        episode.score(_drawn(episode, allowed, rng))


def mutation(episode: Episode, rng: np.random.Generator) -> None:
    """Climb: change one slot or two of the best input so far, at random, and keep what is better."""
    allowed = [np.arange(n) for n in episode.space.n_options]
    _climb(episode, lambda _: allowed, rng)


def likely_mutation(episode: Episode, rng: np.random.Generator) -> None:
    """Climb in the same way among what the model finds likely there: `gradient` but for the gradient.

    A forward pass of the best input so far says what is likely.
    """

    def allowed_at(state: State) -> Allowed | None:
        likely = episode.likely(state)
        return None if likely is None else [np.append(one, 0) for one in _where(likely)]

    _climb(episode, allowed_at, rng)


def gradient(episode: Episode, rng: np.random.Generator) -> None:
    """Climb by the options that to first order raise the target most, one slot or two at a time.

    Each candidate changes one slot or two, drawn evenly, to one of their `top_k` options by the gradient at the best
    input so far, among those that the model finds likely there.

    Source: Zou et al. 2023, arXiv 2307.15043 (greedy coordinate gradient); here with moves of two slots at once, only
        what is likely in its place (one forward pass says both), and the best input never given up for a worse one.
    """

    def allowed_at(state: State) -> Allowed | None:
        told, k = episode.first_order(state), episode.config.top_k
        return None if told is None else [np.append(_top(*both, k), 0) for both in zip(*told, strict=True)]

    _climb(episode, allowed_at, rng)


def evolution(episode: Episode, rng: np.random.Generator) -> None:
    """Breed: each child takes every slot from one of two parents that won a tournament, then one slot or two change."""
    allowed = [np.arange(n) for n in episode.space.n_options]
    size = episode.config.n_candidates
    living = _drawn(episode, _others(episode), rng)
    fit = episode.score(living)
    while not episode.done:
        children = np.stack([_child(episode, living, fit, allowed, rng) for _ in range(size)])
        every = np.concatenate([living, children])
        scores = np.concatenate([fit, episode.score(children)])
        order = np.argsort(-scores, kind="stable")[:size]
        living, fit = every[order], scores[order]


METHODS: Mapping[MethodName, Method] = {
    "gradient": gradient,
    "mutation": mutation,
    "evolution": evolution,
    "likely_mutation": likely_mutation,
    "likely": likely_search,
    "random": random_search,
}


def _others(episode: Episode) -> Allowed:
    return [np.arange(1, n) for n in episode.space.n_options]


def _where(likely: Sequence[Bool[np.ndarray, " _"]]) -> Allowed:
    return [1 + np.flatnonzero(one[1:]) for one in likely]


def _climb(episode: Episode, allowed_at: Callable[[State], Allowed | None], rng: np.random.Generator) -> None:
    """Move from the best input so far to a better one, until the episode is done or cannot pay for what is allowed."""
    state, best = episode.space.unchanged(), episode.before.value
    while not episode.done:
        allowed, before = allowed_at(state), state
        if allowed is None:
            return
        while not episode.done and np.array_equal(state, before):
            tried = _moved(episode, state, allowed, rng)
            state, best = _better(state, best, tried, episode.score(tried))


def _drawn(episode: Episode, allowed: Allowed, rng: np.random.Generator) -> States:
    """Draw inputs: 1 to `max_edits` slots that have options, each with one of them."""
    open_slots = np.array([nth for nth, options in enumerate(allowed) if len(options)], dtype=np.int64)
    found = np.zeros((episode.config.n_candidates, len(allowed)), dtype=np.int64)
    if not len(open_slots):
        return found
    most = min(episode.config.max_edits, len(open_slots))
    for row in found:
        for nth in rng.choice(open_slots, size=int(rng.integers(1, most + 1)), replace=False):
            row[nth] = rng.choice(allowed[nth])
    return found


def _moved(episode: Episode, state: State, allowed: Allowed, rng: np.random.Generator) -> States:
    """Change one slot of an input, or (a share `pairs`) two; an edit too many is undone, at random."""
    found = np.repeat(state[None], episode.config.n_candidates, axis=0)
    for row in found:
        _move(row, allowed, episode, rng)
    return found


def _move(row: State, allowed: Allowed, episode: Episode, rng: np.random.Generator) -> None:
    n = 2 if rng.random() < episode.config.pairs and len(row) > 1 else 1
    moved = rng.choice(len(row), size=n, replace=False)
    for nth in moved:
        if len(allowed[nth]):
            row[nth] = rng.choice(allowed[nth])
    too_many = int((row != 0).sum()) - episode.config.max_edits
    if too_many > 0:
        old = [nth for nth in np.flatnonzero(row) if nth not in moved] or list(np.flatnonzero(row))
        row[rng.choice(old, size=min(too_many, len(old)), replace=False)] = 0


def _better(state: State, best: float, tried: States, scores: Float[np.ndarray, " candidate"]) -> tuple[State, float]:
    nth = int(scores.argmax())
    return (tried[nth], float(scores[nth])) if scores[nth] > best else (state, best)


def _top(gains: Float[np.ndarray, " option"], likely: Bool[np.ndarray, " option"], k: int) -> Int[np.ndarray, " best"]:
    ranked = np.argsort(-np.where(likely, gains, REJECTED), kind="stable")[: min(k, int(likely.sum()))]
    return ranked[ranked != 0]


def _child(
    episode: Episode, living: States, fit: Float[np.ndarray, " candidate"], allowed: Allowed, rng: np.random.Generator
) -> State:
    parents = [living[max(rng.integers(len(living), size=3), key=lambda nth: fit[nth])] for _ in range(2)]
    row = np.where(rng.random(living.shape[1]) < 0.5, *parents)
    too_many = int((row != 0).sum()) - episode.config.max_edits
    if too_many > 0:
        row[rng.choice(np.flatnonzero(row), size=too_many, replace=False)] = 0
    _move(row, allowed, episode, rng)
    return row
