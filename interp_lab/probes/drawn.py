"""Examples of a label, split into what is trained on, chosen by and reported, with the labels of controls."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.linear import folds_of_groups
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.controls import control_labels, shuffled_labels
from interp_lab.probes.examples import ProbeExamples, draw_examples
from interp_lab.stats import split_by_template
from interp_lab.tasks.labels import LabelName
from interp_lab.types import HookedModel

TRAIN = "train"
"""What probes are fitted on; the other parts are named by their split."""


@dataclass(frozen=True)
class Drawn:
    """Examples of all parts, which of them belongs where, and the labels of controls on all of them."""

    examples: ProbeExamples
    parts: Mapping[str, Int[np.ndarray, " example"]]
    """Indices by part: `train`, and the splits."""
    control: np.ndarray
    """One row per control task."""
    shuffled: np.ndarray
    """Of the training part, one row per shuffling."""
    folds: Int[Tensor, " fold"]
    """Inner folds of the training part."""

    def part(self, name: str) -> ProbeExamples:
        """Return the examples of a part."""
        return self.examples.rows(self.parts[name])

    @property
    def splits(self) -> tuple[Split, ...]:
        """Parts that are tested."""
        return tuple(split for split in Split if split in self.parts)


def draw(model: HookedModel, name: LabelName, config: ProbesConfig) -> Drawn:
    """Draw examples and split them, by document within templates; reserved templates stay apart.

    Raises: ValueError, as `draw_examples` and `control_labels`, or for a class that the training part lacks.
    """
    c = config
    ordinary = draw_examples(
        model, name, c.n_documents, positions=c.positions, reserved=False, values=c.values, target=c.target,
        topic=c.topic, seed=c.seed,
    )  # fmt: skip
    every = ordinary
    if c.n_held_out is not None:
        away = draw_examples(
            model, name, c.n_held_out, positions=c.positions, reserved=True, values=ordinary.values or None,
            target="classes" if ordinary.values else "number", topic=c.topic, each=False, typed_by=ordinary.typed_by,
            seed=c.seed + 1,
        )  # fmt: skip
        every = joined(ordinary, away)
    parts = _parts(ordinary, seed=c.seed) | (
        {} if len(every) == len(ordinary) else {Split.HELD_OUT: np.arange(len(ordinary), len(every))}
    )
    few = next((name for name, at in parts.items() if len(set(every.templates[at].tolist())) < 2), None)
    if few is not None:
        raise ValueError(
            f"the {few} part of {name} has examples of fewer than two templates, and intervals need their spread; "
            "read another place"
        )
    train = every.rows(parts[TRAIN])
    n_classes = every.n_classes
    if n_classes is not None and len(np.unique(train.labels)) < n_classes:
        raise ValueError(f"the training split of {name} lacks a class of {every.values}; draw more texts")
    if n_classes is not None and n_classes >= len(train):
        raise ValueError(f"{name} has {n_classes} classes and {len(train)} examples to train on; draw more texts")
    control = control_labels(
        every.types, every.labels, n=c.n_controls, seed=c.seed, n_classes=n_classes, parts=list(parts.values())
    )
    shuffled = shuffled_labels(train.labels, train.documents, n=c.n_controls, seed=c.seed)
    groups = train.templates if c.folds_by == "template" else train.documents
    return Drawn(every, parts, control, shuffled, folds_of_groups(groups.tolist(), n_folds=c.n_folds, seed=c.seed))


def joined(first: ProbeExamples, second: ProbeExamples) -> ProbeExamples:
    """Return the examples of two draws of the same label as one.

    Raises: ValueError, if they take other values.
    """
    if first.values != second.values or first.positions != second.positions:
        raise ValueError(
            f"{first.label} takes the values {first.values} in one part and {second.values} in the other; draw more "
            "texts, or name the values"
        )
    width = max(first.tokens.shape[1], second.tokens.shape[1])
    tokens, mask = (
        torch.cat([torch.nn.functional.pad(part, (0, width - part.shape[1])) for part in pair])
        for pair in ((first.tokens, second.tokens), (first.mask, second.mask))
    )
    each = ("labels", "types", "templates", "topics", "statements")
    return ProbeExamples(
        label=first.label, values=first.values, typed_by=first.typed_by, tokens=tokens, mask=mask,
        positions=first.positions,
        documents=np.concatenate([first.documents, second.documents + len(first.tokens)]),
        places=np.concatenate([first.places, second.places], axis=1), texts=first.texts + second.texts,
        **{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in each},
    )  # fmt: skip


def _parts(examples: ProbeExamples, *, seed: int) -> dict[str, np.ndarray]:
    """Split documents within templates: half to train, a quarter to select, a quarter to report."""
    documents, first = np.unique(examples.documents, return_index=True)
    templates = examples.templates[first]
    half = split_by_template(templates.tolist(), held_out=None, seed=seed)
    rest = split_by_template(templates[half.report].tolist(), held_out=None, seed=seed + 1)
    own = {TRAIN: half.select, Split.SELECT: half.report[rest.select], Split.REPORT: half.report[rest.report]}
    return {name: np.flatnonzero(np.isin(examples.documents, documents[at])) for name, at in own.items()}
