"""One run of a search: text after text, until its budget is used up."""

from dataclasses import dataclass, field

import numpy as np

from interp_lab.experiment import Progress, silent
from interp_lab.organisms.grammar import Behaviour
from interp_lab.production.red_team.calls import FORWARD, Calls
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.edits import edit_name
from interp_lab.production.red_team.episode import Before, Episode, needed
from interp_lab.production.red_team.methods import METHODS
from interp_lab.production.red_team.space import Space, State, slot_space, text_of, token_space, words
from interp_lab.production.red_team.starts import Drawing, Start, kept_of
from interp_lab.production.red_team.target import Readings, Target, read, rows_of
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Hit:
    """An input that drives the target over the threshold, and what of it is needed."""

    text: str
    """As it was."""
    found: str
    """With all edits."""
    edited: str
    """With those that are needed."""
    edit: str
    """What was put where, of those; see `edits.edit_from`."""
    template: str
    n_found: int
    """Edits of the input as it was found."""
    minimal: bool
    """Whether each edit that is left was seen to be needed."""
    calls: int
    """Model calls of the run when it was found."""
    paid: int
    """Model calls of the run when it was minimised."""
    before: float
    """Target of the text."""
    value: float
    """Target of the input with the edits that are needed."""
    turn: float
    """Log odds of the other answer there (nats)."""
    toward: str
    """The answer that the text did not prefer."""
    away: str
    """The one that it did."""


@dataclass(frozen=True)
class Searched:
    """What one run of a search came to."""

    search: str
    seed: int
    calls: int
    """Used in all."""
    texts: tuple[str, ...]
    """That were edited."""
    hits: tuple[Hit, ...]


@dataclass
class SearchRun:
    """One run."""

    model: HookedModel
    source: Behaviour
    target: Target
    threshold: float
    config: RedTeamConfig
    search: str
    seed: int
    calls: Calls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = Calls(self.config.budget)

    def run(self, *, progress: Progress = silent) -> Searched:
        """Search until the budget is used up, or enough was found.

        The texts of a seed are the same for every search.

        Raises: ValueError, as `Drawing.starts` and the spaces.
        """
        c, hits, texts = self.config, [], []
        drawing = Drawing(self.model, self.source, np.random.default_rng([c.seed, self.seed, 0]))
        rng = np.random.default_rng([c.seed, self.seed, 1])
        for start in drawing.starts():
            if not self.calls.left or (c.most_hits is not None and len(hits) >= c.most_hits):
                break
            progress(self.calls.used, c.budget, f"{self.search}, seed {self.seed}: {len(hits)} hits")
            episode = self._opened(start)
            if episode is None:
                continue
            texts.append(start.text)
            METHODS[self.search.partition("/")[2]](episode, rng)  # ty: ignore[invalid-argument-type] - the config checks it
            if episode.hit is not None:
                hits.append(self._kept(episode, episode.hit))
        return Searched(self.search, self.seed, self.calls.used, tuple(texts), tuple(hits))

    def _opened(self, start: Start) -> Episode | None:
        """Read a text and make its space; `None`, if its answer is not clear, or it is a hit already."""
        if not self.calls.take(1):
            return None
        found = read_starts(self.model, self.target, [start], batch_size=1)[0]
        if found.turn > -self.config.clear or found.value >= self.threshold:
            return None
        until = self.calls.used - FORWARD + self.config.per_start
        return Episode(
            self.model, self.target, self.config, self._space(start), found, self.threshold, self.calls, until
        )

    def _space(self, start: Start) -> Space:
        make = slot_space if self.search.startswith("slots/") else token_space
        return make(self.model, self.source, start, keep=kept_of(self.source, self.config.keep))

    def _kept(self, episode: Episode, hit: State) -> Hit:
        calls = self.calls.used
        left, minimal = needed(episode)
        space, key = episode.space, left.tobytes()
        return Hit(
            text=space.start.text,
            found=text_of(self.model, space.tokens(hit[None])[0]),
            edited=text_of(self.model, space.tokens(left[None])[0]),
            edit=edit_name(space.edit(self.model, left)),
            template=space.start.template,
            n_found=int((hit != 0).sum()),
            minimal=minimal,
            calls=calls,
            paid=self.calls.used,
            before=episode.before.value,
            value=episode.scores[key],
            turn=episode.turns[key],
            toward=words(self.model, episode.before.answers[:1]),
            away=words(self.model, episode.before.answers[1:]),
        )


def read_starts(model: HookedModel, target: Target, starts: list[Start], *, batch_size: int) -> list[Before]:
    """Run texts once each, and say which answer each prefers."""
    found = read(model, target, rows_of(model, [one.ids for one in starts], [one.answers for one in starts]),
                 batch_size=batch_size)  # fmt: skip
    return [_settled(found, nth, one, is_answer=target.vector is None) for nth, one in enumerate(starts)]


def _settled(found: Readings, nth: int, start: Start, *, is_answer: bool) -> Before:
    turn = float(found.turn[nth])
    answers = start.answers if turn <= 0 else (start.answers[1], start.answers[0])
    value = -abs(turn) if is_answer else float(found.value[nth])
    return Before(value, -abs(turn), float(found.fluency[nth]), answers)
