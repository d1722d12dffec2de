"""Does the answer follow? Edits that were found, put into other texts, beside as many random ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from interp_lab import folds
from interp_lab.organisms.grammar import Behaviour
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.edits import Edit, edit_from
from interp_lab.production.red_team.measured import Followed
from interp_lab.production.red_team.searching import read_starts
from interp_lab.production.red_team.space import Slot, Space, named_slots, text_of, words_behind
from interp_lab.production.red_team.starts import Drawing, Start, kept_of
from interp_lab.production.red_team.target import Readings, Target, read, rows_of
from interp_lab.types import HookedModel

_ROUNDS = 60
"""Rounds in which texts are drawn for one edit, each as many as are wanted."""


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
    """Texts that searches began from, and those used here."""

    def followed(self, names: Sequence[str], *, n: int, reserved: bool) -> Followed:
        """Read edits in texts of ordinary or of held-out templates.

        Args:
            n: texts for each edit; all have a clear answer and none of the edit's words in place.

        Raises: ValueError, if no template has the slots, a word does not fit, or too few texts can be drawn.
        """
        found = [self._one(edit_from(name), nth, n=n, reserved=reserved) for nth, name in enumerate(names)]
        shape = (len(names), self.config.n_controls, n)
        if not found:
            return Followed((), *(np.zeros(shape[::2] if axes == 2 else shape) for axes in (2, 2, 3, 2, 2, 3)),
                            np.zeros(shape[::2], dtype=str))  # fmt: skip
        turn, value, templates = (np.stack(parts) for parts in zip(*found, strict=True))
        return Followed(
            tuple(names), turn[:, 0], turn[:, 1], turn[:, 2:], value[:, 0], value[:, 1], value[:, 2:], templates
        )

    def _one(self, edit: Edit, nth: int, *, n: int, reserved: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.config.seed, 1 + reserved, nth])
        contexts, answers = self._contexts(edit, rng, n=n, reserved=reserved)
        inputs = [ids for one in contexts for ids in (one.start.ids, one.edited, *one.random)]
        each = 2 + self.config.n_controls
        rows = rows_of(self.model, inputs, [own for own in answers for _ in range(each)])
        found: Readings = read(self.model, self.target, rows, batch_size=self.config.batch_size)
        templates = np.array([one.start.template for one in contexts], dtype=str)
        return found.turn.reshape(n, each).T, found.value.reshape(n, each).T, templates

    def _contexts(
        self, edit: Edit, rng: np.random.Generator, *, n: int, reserved: bool
    ) -> tuple[list[Context], list[tuple[int, int]]]:
        drawing = Drawing(self.model, self.source, rng, reserved, self.taken)
        drawn = self._drawn(edit, drawing)
        kept: list[Context] = []
        answers: list[tuple[int, int]] = []
        for _ in range(_ROUNDS):
            some = [next(drawn) for _ in range(n)]
            before = read_starts(
                self.model, self.target, [one.start for one in some], batch_size=self.config.batch_size
            )
            clear = [
                (one, own.answers) for one, own in zip(some, before, strict=True) if own.turn <= -self.config.clear
            ]
            kept += [one for one, _ in clear]
            answers += [own for _, own in clear]
            if len(kept) >= n:
                return kept[:n], answers[:n]
        raise ValueError(
            f"only {len(kept)} of {_ROUNDS * n} texts of {self.source.name} have a clear answer{folds.told()}, and {n} "
            "are asked for; ask for fewer, or set clear lower"
        )

    def _drawn(self, edit: Edit, drawing: Drawing) -> Iterator[Context]:
        """Yield texts in which an edit changes every slot that it names; such as may be seen."""
        keep, n_tried = kept_of(self.source, self.config.keep), 0
        for start in drawing.starts(showing=tuple(slot for slot, _ in edit)):
            n_tried += 1
            if n_tried > 10_000:
                raise ValueError(f"none of the last 10000 texts can take {edit}{folds.told()}; leave that edit out")
            slots = named_slots(self.model, self.source, start)
            edited = self._edited(start, slots, edit)
            if edited is None:
                continue
            free = Space(start, tuple(slot for slot in slots if slot.name not in keep))
            random = [self._at_random(free, len(edit), drawing.rng) for _ in range(self.config.n_controls)]
            if all(one is not None for one in random):
                n_tried = 0
                yield Context(start, edited, tuple(one for one in random if one is not None))

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
