"""What probes are fitted and scored on: tokens with a label each, and what words say of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.hooks import device_of
from interp_lab.organisms.grammar import Behaviour, Example, Value
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.probes.statements import slots_of_all, statements
from interp_lab.tasks import labelled_tokens
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.tasks.encoding import prompts, require_room
from interp_lab.tasks.grammar import slot_places
from interp_lab.tasks.labels import MOST_CLASSES, RANDOM, LabelName, distinct_texts
from interp_lab.tasks.roles import token_indices
from interp_lab.types import HookedModel, nearest

_SAMPLE = 200
_EACH = ("types", "templates", "topics", "statements")
"""What is said of each example, beside its label and its text."""


@dataclass(frozen=True)
class ProbeExamples:
    """Labelled examples: one per text, read at one or more places, or one per token."""

    label: str
    values: tuple[Value, ...]
    """The classes; empty where labels are numbers."""
    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    positions: tuple[str, ...]
    """Names of the places."""
    documents: Int[np.ndarray, " example"]
    """Row of each example's text."""
    places: Int[np.ndarray, "position example"]
    """Token that is read."""
    labels: np.ndarray
    """Place of the value in `values`, or the number itself; one per example."""
    types: Int[np.ndarray, " example"]
    """Word type by which control tasks label: see `controls.control_labels`."""
    typed_by: str
    """The slot that word types are of, or `token` where each token is its own."""
    templates: np.ndarray
    topics: np.ndarray
    """Values of the latent that was asked for as topic, as text; all empty if none was."""
    statements: np.ndarray
    """What the text says, apart from its template: see `statements.statements`."""
    texts: tuple[str, ...]
    """Of the rows of `tokens`."""

    def __post_init__(self) -> None:
        n = len(self.labels)
        for what in ("documents", *_EACH):
            if len(getattr(self, what)) != n:
                raise ValueError(f"{len(getattr(self, what))} {what} for {n} labels of {self.label!r}; give one each")
        if self.places.shape != (len(self.positions), n):
            raise ValueError(f"places of shape {self.places.shape} for {len(self.positions)} positions of {n} labels")

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.labels)

    @property
    def n_classes(self) -> int | None:
        """How many classes there are; `None` for numbers."""
        return len(self.values) or None

    def rows(self, index: Sequence[int] | np.ndarray) -> "ProbeExamples":
        """Return some of the examples; texts stay as they are."""
        at = np.asarray(index, dtype=np.int64)
        each = {name: getattr(self, name)[at] for name in ("documents", "labels", *_EACH)}
        return replace(self, places=self.places[:, at], **each)

    def read_tokens(self) -> Int[np.ndarray, "position example"]:
        """Return the token that is read at each place."""
        return self.tokens.cpu().numpy()[self.documents, self.places]


def draw_examples(
    model: HookedModel,
    name: LabelName,
    n: int,
    *,
    positions: Sequence[str],
    reserved: bool,
    values: Sequence[Value] | None = None,
    target: str = "auto",
    topic: str | None = None,
    each: bool = True,
    typed_by: str | None = None,
    seed: int = 0,
) -> ProbeExamples:
    """Draw labelled examples of the grammar, no text twice.

    Args:
        n: texts of reserved templates, or of the others.
        positions: as in the config.
        values: of the latent, in the order that classes take; `None` for all that occur.
        each: refuse values that do not occur.
        typed_by: slot whose words are the types, as another draw chose it; `None` chooses the one that varies most.

    Raises: ValueError, for values that never occur, a slot that a text has not, or a label that does not vary.
    """
    source = behaviour(name.behaviour)
    _require_known(source, name, topic=topic, values=values)
    drawn = distinct_texts(name, n, reserved=reserved, values=values, seed=seed)
    found = {example.latents[name.latent] for example in drawn}
    if values is not None and each and set(values) != found:
        raise ValueError(f"values {list(values)} of {name} were asked for, and texts have {sorted(found, key=str)}")
    if len(found) < 2:
        raise ValueError(f"every text has {name} = {next(iter(found))!r}; a probe needs labels that vary")
    words = sorted(str(value) for value in found if isinstance(value, str))
    if target == "number" and words:
        raise ValueError(f"{name} takes words such as {words[0]!r}, which are no numbers; set target to classes")
    numeric = target == "number" or (target == "auto" and _is_number(found))
    known = () if numeric else tuple(values) if values is not None else tuple(sorted(found))
    by_token = positions[0] in ("all", "label")
    made = (
        _by_token(model, name, drawn, positions[0])
        if by_token
        else _by_text(model, drawn, positions, typed_by=typed_by)
    )
    rows = made["documents"]
    latents = [example.latents[name.latent] for example in drawn]
    codes = np.array([float(one) for one in latents] if numeric else [known.index(one) for one in latents])
    return ProbeExamples(
        label=str(name), values=known, positions=tuple(positions), labels=codes[rows],
        templates=np.array([example.template for example in drawn])[rows],
        topics=np.array(["" if topic is None else str(example.latents[topic]) for example in drawn])[rows],
        statements=statements(drawn, name)[rows], texts=tuple(example.prompt for example in drawn), **made,
    )  # fmt: skip


def _require_known(source: Behaviour, name: LabelName, *, topic: str | None, values: Sequence[Value] | None) -> None:
    """Refuse a topic that no text has, and values that the latent never takes."""
    some = source.sample(_SAMPLE, seed=0)
    if topic is not None and topic not in some[0].latents:
        known = some[0].latents
        raise ValueError(f"{source.name} has no latent {topic!r}{nearest(topic, known)}; it has {', '.join(known)}")
    if values is None or name.latent == RANDOM:
        return
    taken = {example.latents[name.latent] for example in some}
    if not set(values) & taken:
        raise ValueError(
            f"no text has {name} among {list(values)}; it takes {', '.join(map(repr, sorted(taken, key=str)))}"
        )


def _is_number(found: set[Value]) -> bool:
    return len(found) > MOST_CLASSES and not any(isinstance(value, (str, bool)) for value in found)


def _by_token(model: HookedModel, name: LabelName, drawn: Sequence[Example], position: str) -> dict[str, Any]:
    """Return examples for many tokens of each text."""
    shown = any(name.latent in labels for example in drawn for labels in example.labels)
    if position == "label":
        labelled = labelled_tokens(model, drawn, name.latent, span="slots")
        kept = labelled.labels >= 0
    else:
        labelled = labelled_tokens(model, drawn, name.latent, span="after" if shown else "text")
        kept = labelled.scored
    rows, places = (part.cpu().numpy() for part in kept.nonzero().T)
    if not len(rows):
        raise ValueError(f"every token of these texts gives {name} away; read another place, or another label")
    return {
        "tokens": labelled.tokens, "mask": labelled.mask, "documents": rows, "places": places[None],
        "types": labelled.tokens.cpu().numpy()[rows, places], "typed_by": "token",
    }  # fmt: skip


def _by_text(
    model: HookedModel, drawn: Sequence[Example], positions: Sequence[str], *, typed_by: str | None
) -> dict[str, Any]:
    """Return one example per text, read at named places."""
    whole = "last" in positions
    texts = [example.text if whole else example.prompt for example in drawn]
    read = prompts(model, texts)
    for one in read:
        require_room(model, len(one.ids), what=f"the text {one.text!r}")
    slots = token_indices(model, read, texts, [slot_places(example) for example in drawn])
    ends = prompts(model, [example.prompt for example in drawn])
    given = [{**row, "end": len(end.ids) - 1, "last": len(one.ids) - 1}
             for row, end, one in zip(slots, ends, read, strict=True)]  # fmt: skip
    common = [place for place in given[0] if all(place in row for row in given)]
    missing = next((place for place in positions if place not in common), None)
    if missing is not None:
        raise ValueError(f"not every text has a place {missing!r}; all have {', '.join(common)}")
    tokens, mask = pad_rows([one.ids for one in read], pad=pad_token(model), padding="right")
    rows, ids = np.arange(len(drawn)), tokens.numpy()
    at = {place: np.array([row[place] for row in given]) for place in common}
    before = [place for place in common if place not in ("start", "end", "last")] or ["end"]
    shared = slots_of_all(behaviour(drawn[0].behaviour))
    before = [place for place in before if place in shared] or before
    words = {place: ids[rows, at[place]] for place in before}
    chosen = typed_by or max(before, key=lambda place: len(set(words[place].tolist())))
    if chosen not in words:
        raise ValueError(
            f"not every text has the slot {chosen!r}, whose words control tasks are of; read another place"
        )
    device = device_of(model)
    return {
        "tokens": tokens.to(device), "mask": mask.to(device), "documents": rows,
        "places": np.stack([at[place] for place in positions]), "types": words[chosen], "typed_by": chosen,
    }  # fmt: skip
