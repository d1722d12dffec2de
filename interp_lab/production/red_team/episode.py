"""The search from one text: what may be tried, what was tried, and whether it was a hit."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab import folds
from interp_lab.production.red_team.calls import Calls
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.space import Space, State, States, text_of
from interp_lab.production.red_team.target import Target, embedding_of, likely_at, read, rows_of, slopes
from interp_lab.types import HookedModel

REJECTED = -np.inf
"""Score of an input that is not allowed, or was not run."""
_IDLE = 50
"""Rounds without an input that is new, after which a text is given up."""


@dataclass(frozen=True)
class Before:
    """What a text reads before it is edited."""

    value: float
    turn: float
    fluency: float
    answers: tuple[int, int]
    """The answer that is not preferred, and the one that is."""


@dataclass
class Episode:
    """Scores inputs made from one text; inputs that were run are not run again, nor paid for again."""

    model: HookedModel
    target: Target
    config: RedTeamConfig
    space: Space
    before: Before
    threshold: float
    calls: Calls
    until: int
    """Model calls used at which the text is given up."""
    hit: State | None = None
    idle: int = 0
    scores: dict[bytes, float] = field(default_factory=dict)
    turns: dict[bytes, float] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether there is a hit, or nothing left to spend or to try."""
        return self.hit is not None or self.idle > _IDLE or self.calls.used >= self.until or self.calls.left < 1

    @property
    def floor(self) -> float:
        """Least log-probability that is allowed (nats per token)."""
        return self.before.fluency - self.config.max_drop

    @property
    def slack(self) -> float:
        """By how much the log-probability of all tokens together may fall (nats)."""
        return self.config.max_drop * (len(self.space.start.ids) - 1)

    def score(self, states: States) -> Float[np.ndarray, " candidate"]:
        """Return the target for inputs; `REJECTED` for those of too many edits, too unlikely, hidden, or not paid for.

        The first hit among them ends the search from this text.
        """
        fresh = self._fresh(states)
        granted = self.calls.take(len(fresh))
        self.idle = 0 if granted else self.idle + 1
        if granted:
            self._run(np.stack(fresh[:granted]))
        return np.array([self.scores.get(state.tobytes(), REJECTED) for state in states])

    def _fresh(self, states: States) -> list[State]:
        n_edits = (states != 0).sum(1)
        new: dict[bytes, State] = {}
        for state, n in zip(states, n_edits, strict=True):
            key = state.tobytes()
            if 0 < n <= self.config.max_edits and key not in self.scores and key not in new and self._visible(state):
                new[key] = state
        return list(new.values())

    def _visible(self, state: State) -> bool:
        return folds.seen_now() == "all" or folds.shows(text_of(self.model, self.space.tokens(state[None])[0]))

    def _run(self, states: States) -> None:
        inputs = self.space.tokens(states).tolist()
        rows = rows_of(self.model, inputs, [self.before.answers] * len(inputs))
        found = read(self.model, self.target, rows, batch_size=self.config.batch_size)
        allowed = np.where(found.fluency >= self.floor, found.value, REJECTED)
        for state, value, turn in zip(states, allowed.tolist(), found.turn.tolist(), strict=True):
            self.scores[state.tobytes()], self.turns[state.tobytes()] = value, turn
        if self.hit is None and allowed.max() >= self.threshold:
            self.hit = states[int(allowed.argmax())]

    def first_order(self, state: State) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
        """Return how far each option of each slot should move the target, to first order, and which are likely enough.

        `None`, if there is no budget for it.
        """
        if not self.calls.take_gradient():
            return None
        tokens = self.space.tokens(state[None])
        rows = rows_of(self.model, tokens.tolist(), [self.before.answers])
        found = slopes(self.model, self.target, rows)
        per_token = found.gradient @ embedding_of(self.model).to(found.gradient).T
        return self._of_options(per_token, tokens[0]), self._likely(found.log_probs, tokens[0])

    def likely(self, state: State) -> list[Bool[np.ndarray, " _"]] | None:
        """Return the options of each slot that the model finds likely enough; `None`, if there is no budget for it."""
        if not self.calls.take(1):
            return None
        tokens = self.space.tokens(state[None])
        log_probs = likely_at(self.model, rows_of(self.model, tokens.tolist(), [self.before.answers]))
        return self._likely(log_probs, tokens[0])

    def _likely(self, log_probs: Tensor, tokens: np.ndarray) -> list[Bool[np.ndarray, " _"]]:
        return [change >= -self.slack for change in self._of_options(log_probs, tokens)]

    def _of_options(self, per_token: Float[Tensor, "pos d_vocab"], tokens: np.ndarray) -> list[np.ndarray]:
        """Return for each option of each slot the sum over its places of a number per token, less that of now."""
        table = per_token.cpu().double()
        own = table[torch.arange(len(tokens)), torch.as_tensor(tokens)]
        found = []
        for slot in self.space.slots:
            places = torch.tensor(slot.places)
            gained = table[places, torch.as_tensor(slot.options)] - own[places]
            found.append(gained.sum(1).numpy())
        return found


def needed(episode: Episode) -> tuple[State, bool]:
    """Undo every edit of a hit that is not needed: as long as one can be undone, that which leaves the target highest.

    Returns: what is left, and whether each of its edits is known to be needed (there was budget to ask).
    """
    assert episode.hit is not None, "there is something to take away from"
    state = episode.hit
    while (state != 0).sum() > 1:
        undone = np.repeat(state[None], int((state != 0).sum()), axis=0)
        undone[np.arange(len(undone)), np.flatnonzero(state)] = 0
        scores = episode.score(undone)
        if scores.max() < episode.threshold:
            return state, all(one.tobytes() in episode.scores for one in undone)
        state = undone[int(scores.argmax())]
    return state, True
