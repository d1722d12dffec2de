"""What may be changed in a text, and for what: the inputs that a search may come to."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from interp_lab.organisms.grammar import Behaviour
from interp_lab.production.red_team.edits import Edit
from interp_lab.production.red_team.starts import Start
from interp_lab.tasks.encoding import Prompt, continuations, pieces, prepends_bos, tokenizer_of
from interp_lab.types import HookedModel

State = Int[np.ndarray, " slot"]
"""An input: for each slot the number of its option, 0 where the text is as it was."""
States = Int[np.ndarray, "candidate slot"]


@dataclass(frozen=True)
class Slot:
    """Tokens that are changed together."""

    name: str
    """The attribute that stands there; of the template's own words, the word in quotes."""
    places: tuple[int, ...]
    """Positions in the text."""
    options: Int[np.ndarray, "option place"]
    """Tokens that may stand there; the first are those that do."""


@dataclass(frozen=True)
class Space:
    """All inputs that a text can be turned into."""

    start: Start
    slots: tuple[Slot, ...]

    @property
    def n_options(self) -> Int[np.ndarray, " slot"]:
        """Options of each slot, what stands there included."""
        return np.array([len(slot.options) for slot in self.slots], dtype=np.int64)

    def unchanged(self) -> State:
        """Return the text as it is."""
        return np.zeros(len(self.slots), dtype=np.int64)

    def tokens(self, states: States) -> Int[np.ndarray, "candidate pos"]:
        """Return the tokens of inputs."""
        rows = np.tile(np.array(self.start.ids, dtype=np.int64), (len(states), 1))
        for nth, slot in enumerate(self.slots):
            rows[:, list(slot.places)] = slot.options[states[:, nth]]
        return rows

    def edit(self, model: HookedModel, state: State) -> Edit:
        """Return what was put where."""
        changed = [(self.slots[nth], int(state[nth])) for nth in np.flatnonzero(state)]
        return tuple(sorted((slot.name, words(model, slot.options[option])) for slot, option in changed))


def text_of(model: HookedModel, ids: Sequence[int] | np.ndarray) -> str:
    """Return an input as text, without special tokens."""
    tokens = [int(one) for one in ids]
    return tokenizer_of(model).decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def words(model: HookedModel, tokens: Sequence[int] | np.ndarray) -> str:
    """Return tokens as text, without spaces around it."""
    return " ".join(piece.strip() for piece in pieces(model, [int(one) for one in tokens]))


def named_slots(model: HookedModel, source: Behaviour, start: Start) -> tuple[Slot, ...]:
    """Return a slot for each attribute that stands in a text, with every value that keeps its number of tokens.

    Nothing but the text itself, and words behind it, is tokenized: other texts may belong to another fold.

    Raises: ValueError, if two attributes share a token, so that they cannot be changed apart.
    """
    written = _written(source, start)
    spelt = words_behind(model, start, {word for rows in written.values() for row in rows for word in row.values()})
    places = _places_of_words(model, start)
    slots = []
    for name, rows in written.items():
        changed = sorted({nth for row in rows for nth in row})
        own = tuple(place for nth in changed for place in places[nth])
        options = [_option(start, places, spelt, changed, row) for row in rows]
        fitting = [one for one in options if len(one) == len(own)]
        if fitting:
            slots.append(_slot(name, own, [tuple(start.ids[place] for place in own), *fitting]))
    every = [place for slot in slots for place in slot.places]
    if len(set(every)) < len(every):
        raise ValueError(f"two attributes of {source.name} share a token of {start.text!r}; keep one of them")
    return tuple(slots)


def words_behind(model: HookedModel, start: Start, put: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the tokens of words, each as it would be written behind a text."""
    different = sorted(set(put))
    prompt = Prompt(start.text, start.ids, prepends_bos(model))
    return dict(zip(different, continuations(model, [(prompt, f" {word}") for word in different]), strict=True))


def _written(source: Behaviour, start: Start) -> dict[str, list[dict[int, str]]]:
    """Return, by attribute, the words that other values would put in place of which ones."""
    template = next(one for one in source.templates if one.id == start.template)
    own, n_words = start.text.split(), len(source.text(template, start.latents).split())
    found: dict[str, list[dict[int, str]]] = {}
    for name, values in source.varied.items():
        for value in values:
            if value == start.latents[name]:
                continue
            other = source.text(template, {**start.latents, name: value}).split()
            if len(other) != n_words:
                continue
            changed = {nth: word for nth, word in enumerate(other[: len(own)]) if word != own[nth]}
            if changed:
                found.setdefault(name, []).append(changed)
    return found


def _places_of_words(model: HookedModel, start: Start) -> list[list[int]]:
    """Return for each word of a text the positions of its tokens."""
    starts = [found.start() for found in re.finditer(r"\S+", start.text)]
    spans = tokenizer_of(model)(start.text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    first = len(start.ids) - len(spans)
    places: list[list[int]] = [[] for _ in starts]
    for nth, (_, end) in enumerate(spans):
        places[max(bisect_left(starts, end) - 1, 0)].append(first + nth)
    return places


def _option(
    start: Start,
    places: Sequence[Sequence[int]],
    spelt: Mapping[str, tuple[int, ...]],
    changed: Sequence[int],
    row: Mapping[int, str],
) -> tuple[int, ...]:
    """Return the tokens of a value; none, where one of its words has another number of them than stand there."""
    found: list[int] = []
    for nth in changed:
        own = tuple(start.ids[place] for place in places[nth])
        new = spelt[row[nth]] if nth in row else own
        if len(new) != len(own):
            return ()
        found += new
    return tuple(found)


def slot_space(model: HookedModel, source: Behaviour, start: Start, *, keep: Sequence[str]) -> Space:
    """Return the inputs of a template: every attribute may take its other values, but those that are kept."""
    return Space(start, tuple(slot for slot in named_slots(model, source, start) if slot.name not in keep))


def token_space(model: HookedModel, source: Behaviour, start: Start, *, keep: Sequence[str]) -> Space:
    """Return all inputs of as many tokens: any token in any place, but for those that are kept.

    The names of slots are for whoever reads what was found: nothing in the search uses them.
    """
    named = named_slots(model, source, start)
    kept = [slot for slot in named if slot.name in keep]
    closed = {place for slot in kept for place in slot.places}
    barred = {int(token) for slot in kept for token in slot.options.ravel()}
    tokenizer = tokenizer_of(model)
    allowed = np.array(sorted(set(range(len(tokenizer))) - barred - set(tokenizer.all_special_ids)), dtype=np.int64)
    of_place = {place: slot.name for slot in named for place in slot.places}
    spelt = pieces(model, start.ids)
    slots = []
    for place in range(int(prepends_bos(model)), len(start.ids)):
        if place in closed:
            continue
        own = start.ids[place]
        options = np.concatenate([[own], allowed[allowed != own]])[:, None]
        slots.append(Slot(of_place.get(place, repr(spelt[place].strip())), (place,), options))
    return Space(start, tuple(slots))


def _slot(name: str, places: tuple[int, ...], rows: Sequence[tuple[int, ...]]) -> Slot:
    return Slot(name, places, np.array(list(dict.fromkeys(rows)), dtype=np.int64))
