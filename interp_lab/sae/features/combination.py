"""A classifier on few features of a behaviour that takes several contexts, beside simpler and richer ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from interp_lab.experiment import Steps
from interp_lab.folds import shows, told
from interp_lab.linear import folds_of_groups, ridge_in_folds
from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.sae.features.config import CombinationConfig
from interp_lab.sae.features.dictionary import Dictionary
from interp_lab.sae.features.greedy import FewFeatures, add_features, choose_number
from interp_lab.sae.features.monitor import (
    FEATURE,
    PROBE,
    READING,
    Documented,
    Monitors,
    given_monitors,
    monitors_of,
    of_feature,
    of_probe,
)
from interp_lab.sae.features.per_document import DocumentReadings, read_per_document
from interp_lab.stats import split_by_template
from interp_lab.types import HookedModel, nearest

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of ridge classifiers, as shares of the mean eigenvalue; chosen in inner folds."""
SINGLE, PAIR, FEW, WORDS, DENSE, COMMONEST = (
    "best feature", "two features", "few features", "bag of words", "activations", "commonest label",
)  # fmt: skip
SHUFFLED = "shuffled labels"


@dataclass(frozen=True)
class Told:
    """What classifiers say of documents that they were not trained on."""

    right: Bool[np.ndarray, "classifier document"]
    says: Bool[np.ndarray, "classifier document"]
    """Whether the second label was said."""
    labels: Int[np.ndarray, " document"]
    templates: tuple[str, ...]
    contexts: tuple[str, ...]
    """Of each document the values of what its label may follow from, such as `late, repeated`."""


@dataclass(frozen=True)
class Combination:
    """Classifiers of one reading: trained on one half, told on the other and on held-out templates."""

    reading: str
    values: tuple[str, str]
    """The two labels, the one that is told last."""
    names: tuple[str, ...]
    """Of the classifiers; the last ones had shuffled labels."""
    few: FewFeatures
    n_features: int
    """Chosen on the training half."""
    losses: Float[np.ndarray, "fold step"]
    """On inner folds of the training half (nats)."""
    report: Told
    held_out: Told | None
    """`None` where no held-out templates were asked for."""
    monitors: Monitors | None = None
    """Of the reading at the last token."""

    @property
    def tested(self) -> Told:
        """What is said of documents that stand furthest from the training ones: held-out templates, if there are."""
        return self.report if self.held_out is None else self.held_out

    @property
    def tested_on(self) -> str:
        """Their name."""
        return "other documents" if self.held_out is None else "held-out templates"


@dataclass(frozen=True)
class Documents:
    """Prompts with labels."""

    texts: tuple[str, ...]
    labels: Int[np.ndarray, " document"]
    templates: tuple[str, ...]
    contexts: tuple[str, ...]


def combinations(
    model: HookedModel, dictionary: Dictionary, config: CombinationConfig, *, seed: int, steps: Steps
) -> list[Combination]:
    """Train and tell, for every way of reading a document.

    Raises: ValueError, for a label that does not take two values in these texts, or too few of them.
    """
    given = given_monitors(config.monitors, model, hook=dictionary.hook)
    values, own = draw_documents(config, config.n_documents, reserved=False, seed=seed)
    drawn = [own]
    if config.n_held_out is not None:
        drawn.append(draw_documents(config, config.n_held_out, reserved=True, seed=seed + 1)[1])
    read = [
        read_per_document(
            model, dictionary, one.texts, poolings=config.readings, words=True, progress=steps.next("classifier")
        )
        for one in drawn
    ]
    splits = split_by_template(own.templates, held_out=None, together=own.texts, seed=seed)
    halves = (splits.select, splits.report)
    found = [_one(reading, config, values, drawn, read, halves, seed=seed) for reading in config.readings]
    return [
        replace(one, monitors=_monitors(one, config, dictionary, given, drawn, read, halves, seed=seed))
        if one.reading == READING
        else one
        for one in found
    ]


def _monitors(
    found: Combination, config: CombinationConfig, dictionary: Dictionary, given: Mapping[str, np.ndarray],
    drawn: Sequence[Documents], read: Sequence[DocumentReadings], halves: tuple[np.ndarray, np.ndarray], *, seed: int,
) -> Monitors:  # fmt: skip
    told = [
        Documented(one.activations[READING], own.labels, own.templates, own.contexts)
        for own, one in zip(drawn, read, strict=True)
    ]
    train = halves[0]
    folds = folds_of_groups([drawn[0].templates[nth] for nth in train], n_folds=config.n_folds, seed=seed).numpy()
    directions = {
        FEATURE: of_feature(dictionary, int(found.few.chosen[0]), sign=float(found.few.weights[0, 0])),
        PROBE: of_probe(told[0].x[train], told[0].labels[train], folds=folds, penalties=PENALTIES),
        **given,
    }
    return monitors_of((told[0], told[1] if len(told) > 1 else None), halves, directions, config.contexts)


def draw_documents(
    config: CombinationConfig, n: int, *, reserved: bool, seed: int
) -> tuple[tuple[str, str], Documents]:
    """Draw prompts of a behaviour whose label takes two values.

    Raises: ValueError, as `combinations`.
    """
    name, _, latent = config.label.partition("/")
    source, kept, times = behaviour(name), list[Example](), 4
    while len(kept) < n and times <= 256:
        drawn = source.sample(times * n, seed=seed, reserved=reserved)
        known = drawn[0].latents
        for one in (latent, *config.where, *config.contexts):
            if one not in known:
                raise ValueError(f"{name} has no latent {one!r}{nearest(one, known)}; it has {list(known)}")
        kept = [
            one
            for one in drawn
            if shows(one.prompt) and all(str(one.latents[key]) == value for key, value in config.where.items())
        ]
        times *= 4
    kept = kept[:n]
    found = sorted({str(one.latents[latent]) for one in kept}, key=lambda value: (value == config.value, value))
    if len(kept) < n or len(found) != 2 or found[1] != config.value:
        raise ValueError(
            f"{len(kept)} texts of {config.label}{told()} where {dict(config.where)} take the values {found}; a "
            f"classifier tells {config.value!r} from one other value, on {n} texts"
        )
    labels = np.array([found.index(str(one.latents[latent])) for one in kept])
    contexts = tuple(", ".join(str(one.latents[key]) for key in config.contexts) for one in kept)
    documents = Documents(
        tuple(one.prompt for one in kept), labels, tuple(one.template for one in kept), contexts
    )  # fmt: skip
    return (found[0], found[1]), documents


def _one(
    reading: str,
    config: CombinationConfig,
    values: tuple[str, str],
    documents: Sequence[Documents],
    read: Sequence[DocumentReadings],
    halves: tuple[np.ndarray, np.ndarray],
    *,
    seed: int,
) -> Combination:
    own, (train, report) = documents[0], halves
    x, y = read[0].latents[reading], own.labels
    groups = [own.templates[nth] for nth in train]
    folds = folds_of_groups(groups, n_folds=config.n_folds, seed=seed).numpy()
    n_features, losses = choose_number(x[train], y[train], folds=folds, most=config.most_features)
    few = add_features(x[train], y[train], most=config.most_features)
    shuffled = [
        add_features(x[train], labels, most=n_features)
        for labels in _shuffled(y[train], groups, n=config.n_shuffled, seed=seed)
    ]
    told, counted = [], [one.words for one in read if one.words is not None]
    for nth, (one, source) in enumerate(zip(documents, read, strict=True)):
        at = np.arange(len(one.texts)) if nth else report
        said = _said(few, n_features, source.latents[reading][at])
        for name, inputs in ((WORDS, counted), (DENSE, [one.activations[reading] for one in read])):
            test = inputs[nth][at]
            said[name] = _ridge(inputs[0][train], y[train], test, folds=folds)
        said[COMMONEST] = np.full(len(at), np.bincount(y[train]).argmax() == 1)
        said |= {f"{SHUFFLED} {number}": found.score(source.latents[reading][at])[-1] > 0
                 for number, found in enumerate(shuffled)}  # fmt: skip
        told.append(_told(said, one, at))
    return Combination(
        reading, values, tuple(said), few, n_features, losses, told[0], told[1] if len(told) > 1 else None
    )


def _said(few: FewFeatures, n_features: int, x: np.ndarray) -> dict[str, np.ndarray]:
    scores = few.score(x)
    steps = {SINGLE: 0, PAIR: min(1, len(scores) - 1), FEW: n_features - 1}
    return {name: scores[step] > 0 for name, step in steps.items()}


def _ridge(x: np.ndarray, y: np.ndarray, test: np.ndarray, *, folds: np.ndarray) -> np.ndarray:
    train, labels = torch.from_numpy(np.asarray(x, np.float32)), torch.from_numpy(y)[None]
    found = ridge_in_folds(train, labels, folds=torch.from_numpy(folds), penalties=PENALTIES, n_classes=2)
    return (found.readout.score(torch.from_numpy(np.asarray(test, np.float32)))[0] > 0).numpy()


def _shuffled(
    y: Int[np.ndarray, " label"], groups: Sequence[str], *, n: int, seed: int
) -> list[Int[np.ndarray, " label"]]:
    """Return labels shuffled within their templates."""
    rng, at = np.random.default_rng(seed), np.array(groups)
    found = []
    for _ in range(n):
        labels = y.copy()
        for group in dict.fromkeys(groups):
            here = np.flatnonzero(at == group)
            labels[here] = rng.permutation(y[here])
        found.append(labels)
    return found


def _told(said: Mapping[str, np.ndarray], documents: Documents, at: np.ndarray) -> Told:
    labels, says = documents.labels[at], np.stack(list(said.values()))
    return Told(
        says == (labels == 1), says, labels, tuple(documents.templates[nth] for nth in at),
        tuple(documents.contexts[nth] for nth in at),
    )  # fmt: skip
