"""What was chosen, on texts that did not choose it: does the answer flip, and by random edits of the same size?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.production.counterfactuals.cases import Case
from interp_lab.production.counterfactuals.choice import AnyValue, Chosen, Directed, answers_before
from interp_lab.production.counterfactuals.reading import Reader
from interp_lab.production.counterfactuals.words import Edit, may_be_seen, written
from interp_lab.runs.fields import KeptFields


@dataclass(frozen=True)
class Tried(KeptFields):
    """Whether answers flip, 1 or 0; NaN where something cannot be asked of a text."""

    names: tuple[str, ...]
    """Of what was chosen, as a config states it."""
    flipped: Float[np.ndarray, "chosen example"]
    controls: Float[np.ndarray, "chosen control example"]
    """By random edits of other attributes: as many words, and for any value of an attribute as many tries."""


@dataclass(frozen=True)
class Fairness(KeptFields):
    """Texts with only a protected attribute changed; all else, what should decide among it, stays."""

    names: tuple[str, ...]
    """Protected attributes."""
    any_value: Float[np.ndarray, "attribute example"]
    """Whether some other value flips the answer."""
    across: Float[np.ndarray, "attribute example"]
    """Share of values that flip the answer, of those that tell of another hidden group; NaN where none is known."""
    within: Float[np.ndarray, "attribute example"]
    """The same, of values that tell of the same group."""
    against: Float[np.ndarray, "attribute example"]
    """Whether some other value flips the answer of the other model; NaN where there is none."""


def edits_of(case: Case, attribute: str) -> list[Edit]:
    """Return every other value of an attribute whose text may be seen."""
    own = [edit for edit in case.vocabulary if edit.what == attribute]
    return [edit for edit in own if may_be_seen(case.words, [edit])]


def tried(
    reader: Reader,
    cases: Sequence[Case],
    chosen: Chosen,
    *,
    n_controls: int,
    legitimate: Sequence[str],
    protected: Sequence[str],
    rng: np.random.Generator,
) -> Tried:
    """Read what was chosen, and its controls, on some texts."""
    answers, shape = answers_before(reader, cases), (len(chosen), len(cases))
    flipped, controls = np.full(shape, np.nan), np.full((len(chosen), n_controls, len(cases)), np.nan)
    asked: dict[tuple[int, int], list[list[Edit]]] = {}
    for row, one in enumerate(chosen):
        barred = {one.attribute, *legitimate, *protected} if isinstance(one, AnyValue) else {one.attribute}
        for column, (case, answer) in enumerate(zip(cases, answers, strict=True)):
            own = _asked(one, case, answer)
            pool = [edit for name in _others(case, barred) for edit in edits_of(case, name)]
            if own and len(pool) >= len(own):
                drawn = [rng.choice(len(pool), size=len(own), replace=False) for _ in range(n_controls)]
                asked[row, column] = [own, *([pool[nth] for nth in some] for some in drawn)]
    _read(reader, [(cases[column], edit) for (_, column), sets in asked.items() for some in sets for edit in some])
    for (row, column), sets in asked.items():
        found = [any(flips(reader, cases[column], some)) for some in sets]
        flipped[row, column], controls[row, :, column] = found[0], found[1:]
    return Tried(tuple(map(str, chosen)), flipped, controls)


def _read(reader: Reader, asked: Sequence[tuple[Case, Edit]]) -> None:
    """Read texts in common batches, so that whoever asks for one of them afterwards finds it there."""
    reader.read([(case, written(case.words, [edit])) for case, edit in asked])


def _asked(one: Directed | AnyValue, case: Case, answer: str) -> list[Edit]:
    if isinstance(one, AnyValue):
        return edits_of(case, one.attribute)
    edit = one.edit(case, answer)
    return [edit] if edit is not None and may_be_seen(case.words, [edit]) else []


def _others(case: Case, barred: set[str]) -> list[str]:
    return [name for name in dict.fromkeys(edit.what for edit in case.vocabulary) if name not in barred]


def flips(reader: Reader, case: Case, edits: Sequence[Edit]) -> list[bool]:
    """Return for each edit alone whether it flips the answer."""
    before, *reads = reader.read([(case, case.words.text), *((case, written(case.words, [edit])) for edit in edits)])
    return [read.turn(before.answer) > 0 for read in reads]


def fairness(
    reader: Reader,
    against: Reader | None,
    cases: Sequence[Case],
    protected: Sequence[str],
    *,
    name: str,
    hidden: str | None,
) -> Fairness:
    """Change protected attributes alone.

    Args:
        against: of another model.
        name: of the behaviour.
        hidden: the latent that a protected attribute tells of.
    """
    shape = (len(protected), len(cases))
    found = {key: np.full(shape, np.nan) for key in ("any_value", "across", "within", "against")}
    every = [(case, edit) for attribute in protected for case in cases for edit in edits_of(case, attribute)]
    for one in (reader, against):
        if one is not None:
            one.read([(case, case.words.text) for case in cases])
            _read(one, every)
    for row, attribute in enumerate(protected):
        for column, case in enumerate(cases):
            edits = edits_of(case, attribute)
            if not edits:
                continue
            own = np.array(flips(reader, case, edits))
            found["any_value"][row, column] = float(own.any())
            if against is not None:
                found["against"][row, column] = float(any(flips(against, case, edits)))
            if hidden is not None:
                moves = np.array([_moves(name, case, edit, hidden) for edit in edits])
                for key, side in (("across", own[moves]), ("within", own[~moves])):
                    found[key][row, column] = float(side.mean()) if len(side) else np.nan
    return Fairness(tuple(protected), **found)


def _moves(name: str, case: Case, edit: Edit, hidden: str) -> bool:
    """Whether a value tells of another hidden group than the present one."""
    settle = behaviour(name).settle
    assert settle is not None, "a hidden latent follows from others"
    assert edit.value is not None, "the edit is one of an attribute"
    return settle({**case.latents, edit.what: edit.value})[hidden] != settle(case.latents)[hidden]
