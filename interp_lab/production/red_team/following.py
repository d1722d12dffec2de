"""Does the answer follow? Edits that were found, put into other texts, beside as many random ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from interp_lab import folds
from interp_lab.organisms.grammar import Behaviour
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.edits import Edit, edit_from, edit_name
from interp_lab.production.red_team.measured import Followed
from interp_lab.production.red_team.searching import read_starts
from interp_lab.production.red_team.space import Slot, Space, named_slots, text_of, words_behind
from interp_lab.production.red_team.starts import Drawing, Start, kept_of
from interp_lab.production.red_team.target import Readings, Target, read, rows_of
from interp_lab.types import HookedModel

_TRIES = 20
"""Random edits drawn for one that may be seen."""
_ROUNDS = 60
"""Rounds in which texts are drawn for one edit, each as many as are wanted."""


class TooFewTextsError(ValueError):
    """Other texts that could take an edit were not found in the number that was asked for."""


@dataclass(frozen=True)
class Context:
    """A text, with an edit and with random ones."""

    start: Start
    edited: tuple[int, ...]
    random: tuple[tuple[int, ...], ...]


@dataclass
class Following:
    """Puts edits into texts that no search began from."""

    model: HookedModel
    source: Behaviour
    target: Target
    config: RedTeamConfig
    taken: set[str]
    """Texts that searches began from."""

    def followed(self, names: Sequence[str], *, n: int, reserved: bool) -> Followed:
        """Read edits in texts of ordinary or of held-out templates.

        Args:
            n: texts for each edit; all have a clear answer and none of the edit's words in place.

        Raises: ValueError, if no template has the slots; TooFewTextsError, if too few texts can take an edit.
        """
        found = [self._one(edit_from(name), n=n, reserved=reserved) for name in names]
        shape = (len(names), self.config.n_controls, n)
        if not found:
            return Followed((), *(np.zeros(shape[::2] if axes == 2 else shape) for axes in (2, 2, 3, 2, 2, 3)),
                            np.zeros(shape[::2], dtype=str))  # fmt: skip
        turn, value, templates = (np.stack(parts) for parts in zip(*found, strict=True))
        return Followed(
            tuple(names), turn[:, 0], turn[:, 1], turn[:, 2:], value[:, 0], value[:, 1], value[:, 2:], templates
        )

    def _one(self, edit: Edit, *, n: int, reserved: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        contexts, answers = self.contexts(edit, n=n, reserved=reserved)
        inputs = [ids for one in contexts for ids in (one.start.ids, one.edited, *one.random)]
        each = 2 + self.config.n_controls
        rows = rows_of(self.model, inputs, [own for own in answers for _ in range(each)])
        found: Readings = read(self.model, self.target, rows, batch_size=self.config.batch_size)
        templates = np.array([one.start.template for one in contexts], dtype=str)
        return found.turn.reshape(n, each).T, found.value.reshape(n, each).T, templates

    def contexts(self, edit: Edit, *, n: int, reserved: bool) -> tuple[list[Context], list[tuple[int, int]]]:
        """Draw texts with a clear answer, and put an edit and random ones into each; also return the answers of each.

        Raises: as `followed`.
        """
        rng = np.random.default_rng([self.config.seed, 4, int(reserved)])
        drawing = Drawing(self.model, self.source, rng, reserved, set(self.taken))
        drawn = drawing.starts(showing=tuple(slot for slot, _ in edit))
        kept: list[Context] = []
        answers: list[tuple[int, int]] = []
        for _ in range(_ROUNDS):
            some = [next(drawn) for _ in range(n)]
            before = read_starts(self.model, self.target, some, batch_size=self.config.batch_size)
            for start, own in zip(some, before, strict=True):
                made = self._made(start, edit, rng) if own.turn <= -self.config.clear and len(kept) < n else None
                if made is not None:
                    kept.append(made)
                    answers.append(own.answers)
            if len(kept) == n:
                return kept, answers
        raise TooFewTextsError(
            f"only {len(kept)} of {_ROUNDS * n} texts of {self.source.name} have a clear answer and can take "
            f"{edit_name(edit)}{folds.told()}, and {n} are asked for; ask for fewer, or set clear lower"
        )

    def _made(self, start: Start, edit: Edit, rng: np.random.Generator) -> Context | None:
        """Put an edit into a text, and random ones; `None`, if it changes not every slot, or one may not be seen."""
        keep, slots = kept_of(self.source, self.config.keep), named_slots(self.model, self.source, start)
        edited = self._edited(start, slots, edit)
        free = Space(start, tuple(slot for slot in slots if slot.name not in keep))
        if edited is None:
            return None
        random = (self._at_random(free, len(edit), rng) for _ in range(_TRIES * self.config.n_controls))
        seen = tuple(islice((one for one in random if one is not None), self.config.n_controls))
        return Context(start, edited, seen) if len(seen) == self.config.n_controls else None

    def _edited(self, start: Start, slots: Sequence[Slot], edit: Edit) -> tuple[int, ...] | None:
        ids, by_name = list(start.ids), {slot.name: slot for slot in slots}
        for name, put in edit:
            if name not in by_name:
                return None
            spelt, slot = words_behind(self.model, start, put.split()), by_name[name]
            new = tuple(token for word in put.split() for token in spelt[word])
            if len(new) != len(slot.places) or tuple(slot.options[0].tolist()) == new:
                return None
            for place, token in zip(slot.places, new, strict=True):
                ids[place] = token
        return self._seen(tuple(ids))

    def _at_random(self, space: Space, n: int, rng: np.random.Generator) -> tuple[int, ...] | None:
        """Return a text with as many random edits; `None`, if it may not be seen."""
        state = space.unchanged()
        chosen = rng.choice(len(space.slots), size=min(n, len(space.slots)), replace=False)
        state[chosen] = [rng.integers(1, space.n_options[nth]) for nth in chosen]
        return self._seen(tuple(space.tokens(state[None])[0].tolist()))

    def _seen(self, ids: tuple[int, ...]) -> tuple[int, ...] | None:
        return ids if folds.seen_now() == "all" or folds.shows(text_of(self.model, ids)) else None
