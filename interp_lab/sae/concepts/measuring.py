"""Measure the concepts of one label: the best units of every side, probes, and what chance makes of choosing."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.hooks import capture_at
from interp_lab.sae.concepts.choosing import Choice, choose_units, readings, shuffled_among_texts
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.measured import FULL, Measured, Scores
from interp_lab.sae.concepts.probing import full_probe, sparse_probes
from interp_lab.sae.concepts.reading import Reader, by_text, by_token
from interp_lab.sae.concepts.sides import Activations, Kind, Side, neuron_hooks, random_dictionaries, sides_at
from interp_lab.sae.concepts.sums import ROWS_AT_ONCE, Encode, Sums, sums_by_kind
from interp_lab.sae.concepts.tokens import ConceptTokens
from interp_lab.stats.auroc import auroc_by_document
from interp_lab.types import Codec, HookedModel

PROBED = (Kind.FEATURE, Kind.NEURON, Kind.COORDINATE, Kind.RANDOM)
"""Sides that probes read; principal components are coordinates, turned."""


@dataclass(frozen=True)
class _Looked:
    """A side after the texts that choose."""

    side: Side
    encode: Encode
    sums: Sums
    choices: list[Choice]
    """Of every concept, and then of every shuffling."""
    values: Float[np.ndarray, "choice test"]
    """Of the chosen units, at the other tokens."""


def measure_label(
    model: HookedModel, tokens: ConceptTokens, *, hook: str, codec: Codec, config: ConceptsConfig
) -> list[Measured]:
    """Read a model at the tokens of a label and measure every concept of it.

    Raises: ValueError, for a hook point that the model has not; as `measure_concepts`.
    """
    neurons = neuron_hooks(model, hook)
    kept = capture_at(
        model, tokens.tokens, [*dict.fromkeys([hook, *neurons])], mask=tokens.mask,
        rows=torch.as_tensor(tokens.documents), places=torch.as_tensor(tokens.places), batch_size=config.batch_size,
    )  # fmt: skip
    x = {name: activation.flatten(1).float() for name, activation in kept.items()}
    return measure_concepts(tokens, x, hook=hook, codec=codec, neurons=neurons, config=config)


def measure_concepts(
    tokens: ConceptTokens,
    x: Activations,
    *,
    hook: str,
    codec: Codec,
    neurons: Sequence[str] = (),
    config: ConceptsConfig,
) -> list[Measured]:
    """Measure every concept of a label on activations that were read.

    Units are chosen, and probes are trained, on the select split; all that is returned of them is of other texts.

    Raises: ValueError, as the fits.
    """
    tokens, reader = (by_token if config.per == "token" else by_text)(tokens, x)
    c, rows = config, torch.as_tensor(tokens.parts[Split.SELECT])
    own, documents = tokens.member[:, rows.numpy()], tokens.documents[rows.numpy()]
    tested = torch.as_tensor(np.concatenate([at for split, at in tokens.parts.items() if split is not Split.SELECT]))
    shuffled = shuffled_within_splits(tokens, n=c.n_shuffled, seed=c.seed)
    look = partial(_look, reader=reader, rows=rows, tested=tested, n_candidates=c.n_candidates)
    at = reader.tokens_of(rows)
    first, *others = sides_at(x, at, hook=hook, codec=codec, neurons=neurons)
    features = look(first, member=np.concatenate([own, shuffled[:, rows.numpy()]]))
    sides = [features, *(look(side, member=own) for side in others)]
    drawn = random_dictionaries(
        x[hook][at], hook, n=c.n_random, width=first.n_units, n_active=_n_active(first, x, at), seed=c.seed
    )
    random = [look(side, member=own) for side in drawn]
    probed = [one for one in [*sides, random[0]] if one.side.kind in PROBED]
    probes = np.stack([_probes(one, own, documents, rows, tested, c) for one in probed])
    return [
        _measured(
            tokens,
            nth,
            sides,
            random,
            [str(one.side.kind) for one in probed],
            probes[:, nth],
            tested,
            shuffled[nth :: len(own)],
            c.k,
        )
        for nth in range(len(tokens.concepts))
    ]


def _n_active(features: Side, x: Activations, at: Int[Tensor, " token"]) -> float:
    """Return how many features fire on a token, on average."""
    parts = [
        (features.encode({hook: values[some] for hook, values in x.items()}) != 0).sum()
        for some in at.split(ROWS_AT_ONCE)
    ]
    return float(torch.stack(parts).sum()) / len(at)


def _look(
    side: Side, *, reader: Reader, rows: Tensor, tested: Tensor, member: np.ndarray, n_candidates: int
) -> _Looked:
    encode, kinds = partial(reader.encode, side), torch.as_tensor(member)
    sums = sums_by_kind(encode, rows, kinds)
    choices = choose_units(encode, rows, kinds, sums, n_candidates=n_candidates)
    return _Looked(side, encode, sums, choices, readings(encode, tested, choices))


def _probes(
    one: _Looked, own: np.ndarray, documents: np.ndarray, rows: Tensor, tested: Tensor, config: ConceptsConfig
) -> Float[np.ndarray, "concept k test"]:
    """Return what probes of one side read: for every `k`, and of all units."""
    member, n = torch.as_tensor(own), len(own)
    sums = one.sums.of_kinds(n)
    few = sparse_probes(one.encode, rows, member, sums, tested=tested, k=config.k, penalty=config.penalty)
    full = full_probe(
        one.encode, rows, member, sums, tested=tested, documents=documents, most=config.n_full,
        penalties=config.penalties, seed=config.seed,
    )  # fmt: skip
    return np.concatenate([few, full[:, None]], axis=1)


def _measured(
    tokens: ConceptTokens,
    nth: int,
    sides: Sequence[_Looked],
    random: Sequence[_Looked],
    probed: Sequence[str],
    probes: Float[np.ndarray, "probed k test"],
    tested: Tensor,
    shuffled: Bool[np.ndarray, "draw example"],
    k: Sequence[int],
) -> Measured:
    n = len(tokens.concepts)
    off = range(n + nth, n * (1 + len(shuffled)), n)
    values = {
        "best": np.stack([one.values[nth] for one in sides]),
        "random": np.stack([one.values[nth] for one in random]),
        "shuffled": sides[0].values[list(off)],
        "probes": probes,
    }
    chosen = [one.choices[nth] for one in sides]
    return Measured(
        concept=tokens.concepts[nth],
        sides=tuple(str(one.side.kind) for one in sides),
        units=tuple(one.side.unit(choice.unit) for one, choice in zip(sides, chosen, strict=True)),
        signs=np.array([one.sign for one in chosen]),
        chosen=np.array([one.score for one in chosen]),
        chosen_random=np.array([one.choices[nth].score for one in random]),
        chosen_shuffled=np.array([sides[0].choices[at].score for at in off]),
        probed=tuple(probed),
        k=(*map(str, k), FULL),
        scores=_by_split(tokens, nth, values, tested, shuffled),
    )


def shuffled_within_splits(
    tokens: ConceptTokens, *, n: int, seed: int
) -> Bool[np.ndarray, "shuffling_concept example"]:
    """Deal labels out anew among the texts of each split; see `shuffled_among_texts`."""
    found = np.empty((n * len(tokens.concepts), len(tokens.documents)), dtype=bool)
    for nth, at in enumerate(tokens.parts.values()):
        found[:, at] = shuffled_among_texts(tokens.member[:, at], tokens.documents[at], n=n, seed=seed + 1000 * nth)
    return found


def _by_split(
    tokens: ConceptTokens,
    nth: int,
    values: dict[str, np.ndarray],
    tested: Tensor,
    shuffled: Bool[np.ndarray, "draw example"],
) -> dict[Split, Scores]:
    """Share scores out among the texts of each split that has the concept, does without it, and has two templates."""
    found = {}
    for split, at in tokens.parts.items():
        positive = tokens.member[nth, at]
        texts, codes = np.unique(tokens.documents[at], return_inverse=True)
        templates = tokens.templates[texts]
        if split is Split.SELECT or positive.all() or not positive.any() or len(np.unique(templates)) < 2:
            continue
        here = np.isin(tested.numpy(), at)
        shares = {
            name: auroc_by_document(read[..., here].reshape(-1, len(at)), positive, codes).reshape(
                *read.shape[:-1], len(texts)
            )
            for name, read in values.items() if name != "shuffled"
        }  # fmt: skip
        off = zip(values["shuffled"][:, here], shuffled[:, at], strict=True)
        shares["shuffled"] = np.concatenate([auroc_by_document(read[None], own, codes) for read, own in off])
        fired = values["best"][0, here] != 0
        fires = np.array([fired[positive].mean(), fired[~positive].mean()])
        found[split] = Scores(**shares, templates=templates, fires=fires, share=float(positive.mean()))
    return found
