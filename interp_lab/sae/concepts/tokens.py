"""Tokens of the grammar's texts with the concepts they go with, where the token itself does not reveal them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.organisms.grammar import Value
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.stats import split_by_template
from interp_lab.tasks import LabelledTokens, labelled_tokens
from interp_lab.tasks.labels import MOST_CLASSES, LabelName, distinct_texts
from interp_lab.types import HookedModel

FEWEST = 6
"""Texts with a concept, and as many without, that choosing and reporting each need."""


@dataclass(frozen=True)
class ConceptTokens:
    """What features are scored on: tokens that could know a label and do not give it away themselves."""

    label: str
    concepts: tuple[str, ...]
    """Names, `LABEL = VALUE`."""
    member: Bool[np.ndarray, "concept example"]
    """Whether an example has each concept; the same for all tokens of a text."""
    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    documents: Int[np.ndarray, " example"]
    """Row of each example's text."""
    places: Int[np.ndarray, " example"]
    templates: np.ndarray
    """Of each row of `tokens`."""
    parts: Mapping[Split, Int[np.ndarray, " part"]]
    """Examples of each split; whole texts."""


def draw_tokens(
    model: HookedModel, name: LabelName, config: ConceptsConfig
) -> tuple[ConceptTokens, list[tuple[str, str]]]:
    """Draw texts of a label, none twice, and split them; texts of reserved templates stay apart.

    Returns: the tokens, and the concepts that too few texts have, each with why it is left out.
    Raises: ValueError, for a label of one value, or of many words, that every token gives away, or of whose concepts
        none has texts enough.
    """
    c = config
    ordinary = distinct_texts(name, c.n_documents, reserved=False, seed=c.seed)
    away = [] if c.n_held_out is None else distinct_texts(name, c.n_held_out, reserved=True, seed=c.seed + 1)
    drawn = [*ordinary, *away]
    shown = any(name.latent in labels for example in drawn for labels in example.labels)
    labelled = labelled_tokens(model, drawn, name.latent, span="after" if shown else "text")
    rows, places = (part.cpu().numpy() for part in labelled.scored.nonzero().T)
    if not len(rows):
        raise ValueError(f"every token of these texts gives {name} away; take another label")
    concepts, of_text = concepts_of(name, [example.latents[name.latent] for example in drawn], labelled)
    half = split_by_template([one.template for one in ordinary], held_out=None, seed=c.seed)
    of_split = {Split.SELECT: half.select, Split.REPORT: half.report}
    of_split |= {Split.HELD_OUT: np.arange(len(ordinary), len(drawn))} if away else {}
    parts = {split: np.flatnonzero(np.isin(rows, at)) for split, at in of_split.items()}
    kept, left_out = _with_texts_enough(concepts, of_text[:, rows], rows, parts)
    return ConceptTokens(
        label=str(name), concepts=tuple(concepts[nth] for nth in kept), member=of_text[kept][:, rows],
        tokens=labelled.tokens, mask=labelled.mask, documents=rows, places=places,
        templates=np.array(labelled.templates), parts=parts,
    ), left_out  # fmt: skip


def concepts_of(
    name: LabelName, values: Sequence[Value], labelled: LabelledTokens
) -> tuple[list[str], Bool[np.ndarray, "concept text"]]:
    """Return the concepts that a label makes, and which texts have each.

    Two values make one concept (the second), three or more one each, and many numbers one: above their median.

    Raises: ValueError, for one value, or many that are words.
    """
    known = labelled.values
    if len(known) < 2:
        raise ValueError(f"every text has {name} = {known[0]!r}; a concept needs texts with it and texts without")
    if len(known) <= MOST_CLASSES:
        wanted = known[1:] if len(known) == 2 else known
        return [f"{name} = {value}" for value in wanted], np.array([[one == v for one in values] for v in wanted])
    if any(isinstance(value, str) for value in known):
        raise ValueError(
            f"{name} takes {len(known)} words such as {known[0]!r}; concepts are made of labels of at most "
            f"{MOST_CLASSES} values, or of numbers"
        )
    middle = median(float(value) for value in values)
    return [f"{name} > {middle:g}"], np.array([[float(one) > middle for one in values]])


def _with_texts_enough(
    concepts: Sequence[str],
    member: Bool[np.ndarray, "concept example"],
    documents: Int[np.ndarray, " example"],
    parts: Mapping[Split, np.ndarray],
) -> tuple[list[int], list[tuple[str, str]]]:
    kept: list[int] = []
    left_out: list[tuple[str, str]] = []
    for nth, concept in enumerate(concepts):
        few = min(
            (len(np.unique(documents[at][member[nth, at] == has])), split, has)
            for split, at in parts.items() if split is not Split.HELD_OUT for has in (True, False)
        )  # fmt: skip
        if few[0] >= FEWEST:
            kept.append(nth)
        else:
            kind = "have it" if few[2] else "do not"
            left_out.append((concept, f"only {few[0]} texts of the {few[1]} split {kind}; draw more texts"))
    if not kept:
        raise ValueError(f"{left_out[0][0]}: {left_out[0][1]}")
    return kept, left_out
