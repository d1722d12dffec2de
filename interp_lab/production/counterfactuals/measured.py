"""One split: what each method finds, what attributes do alone, what was chosen, and what is protected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.production.counterfactuals.cases import Case
from interp_lab.production.counterfactuals.choice import Chosen, attributes_of, flipped_by
from interp_lab.production.counterfactuals.config import CounterfactualsConfig
from interp_lab.production.counterfactuals.outcome import (
    Flip,
    agreement,
    best_flips,
    problems_of,
    random_problems,
    random_shares,
)
from interp_lab.production.counterfactuals.proposals import Lexicon, MethodName
from interp_lab.production.counterfactuals.reading import Reader
from interp_lab.production.counterfactuals.rule import Truth, truth
from interp_lab.production.counterfactuals.search import Searched, searched
from interp_lab.production.counterfactuals.tested import Fairness, Tried, fairness, tried
from interp_lab.runs.fields import KeptFields, as_arrays, from_arrays


@dataclass(frozen=True)
class Found(KeptFields):
    """What methods found, by text; NaN where nothing was found."""

    methods: tuple[str, ...]
    size: Float[np.ndarray, "method example"]
    """Edits of the smallest flip, each of which is needed."""
    turn: Float[np.ndarray, "method example"]
    """Log odds of the other answer over the one before, of the best of them (nats)."""
    estimated: Float[np.ndarray, "method example"]
    """The same, foretold to first order."""
    plausibility: Float[np.ndarray, "method example"]
    """Change of the mean log-probability of tokens under the model (nats per token)."""
    member: Float[np.ndarray, "method example"]
    """1 where a template could have written the edited text, else 0."""
    random: Float[np.ndarray, "method example"]
    """Share of random edits of the same size that flip the answer; of the largest size where nothing was found."""
    agreement: Float[np.ndarray, "method example"]
    """Rank correlation of what single edits should do to first order with what they do."""
    n_tried: Float[np.ndarray, "method example"]
    """Sets of edits that were tried."""
    told: Shaped[np.ndarray, "method example"]
    """The best flip in words; empty where nothing was found."""
    edited: Shaped[np.ndarray, "method example"]
    """Its text."""


@dataclass(frozen=True)
class Texts(KeptFields):
    """The texts of a split."""

    text: Shaped[np.ndarray, " example"]
    template: Shaped[np.ndarray, " example"]
    answer: Shaped[np.ndarray, " example"]
    """That the model prefers."""
    turn: Float[np.ndarray, " example"]
    """Log odds of the best other answer over it (nats), not above 0."""


@dataclass(frozen=True)
class Alone(KeptFields):
    """Whether some value of an attribute alone flips the answer; NaN where it is not in the text."""

    attributes: tuple[str, ...]
    flips: Float[np.ndarray, "attribute example"]


@dataclass(frozen=True)
class CounterfactualSplit:
    """All that was measured on one split."""

    texts: Texts
    found: Found
    alone: Alone
    tried: Tried
    fair: Fairness
    truth: Truth | None
    """`None` where the texts have no rule."""
    foretold: Truth | None
    """The same of a search that trusts the gradient and reads nothing: what measuring is worth."""

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return all of it under a prefix."""
        found: dict[str, np.ndarray] = {}
        for one in fields(self):
            found |= as_arrays(getattr(self, one.name), f"{prefix}_{one.name}")
        return found

    @classmethod
    def from_arrays(cls, prefix: str, arrays: Mapping[str, np.ndarray]) -> "CounterfactualSplit":
        """Rebuild from what `arrays` returned."""
        return cls(
            Texts.from_arrays(f"{prefix}_texts", arrays),
            Found.from_arrays(f"{prefix}_found", arrays),
            Alone.from_arrays(f"{prefix}_alone", arrays),
            Tried.from_arrays(f"{prefix}_tried", arrays),
            Fairness.from_arrays(f"{prefix}_fair", arrays),
            from_arrays(Truth, f"{prefix}_truth", arrays),
            from_arrays(Truth, f"{prefix}_foretold", arrays),
        )


@dataclass(frozen=True)
class Asking:
    """What is the same on all splits."""

    reader: Reader
    against: Reader | None
    config: CounterfactualsConfig
    lexicon: Lexicon
    legitimate: tuple[str, ...]
    protected: tuple[str, ...]
    hidden: str | None
    rule: str | None
    """Whose rule the texts have."""


def split_of(asking: Asking, cases: Sequence[Case], chosen: Chosen, *, rng: np.random.Generator) -> CounterfactualSplit:
    """Measure all of it on some texts."""
    c, reader = asking.config, asking.reader
    reads = reader.read([(case, case.words.text) for case in cases])
    searches, found = _found(asking, cases, rng)
    names, trusting = tuple(attributes_of(cases)), replace(c.reach, by_estimate=True)
    return CounterfactualSplit(
        texts=Texts(
            np.array([case.words.text for case in cases]),
            np.array([case.template for case in cases]),
            np.array([case.answers[read.answer].strip() for case, read in zip(cases, reads, strict=True)]),
            np.array([read.turn(read.answer) for read in reads]),
        ),
        found=found,
        alone=Alone(names, flipped_by(searches, names)),
        tried=tried(
            reader, cases, chosen, n_controls=c.n_controls, legitimate=asking.legitimate, protected=asking.protected,
            rng=rng,
        ),
        fair=fairness(
            reader, asking.against, cases, asking.protected, name=c.behaviour, hidden=asking.hidden,
        ),
        truth=_truth(asking, searches),
        foretold=_truth(asking, searched(reader, [one.problem for one in searches], trusting)),
    )  # fmt: skip


def _truth(asking: Asking, found: Sequence[Searched]) -> Truth | None:
    c = asking.config
    return None if asking.rule is None else truth(found, rule=asking.rule, most_edits=c.most_edits)


def _found(asking: Asking, cases: Sequence[Case], rng: np.random.Generator) -> tuple[list[Searched], Found]:
    """Return the search by values of attributes, and what all methods that are asked for come to."""
    c = asking.config
    slopes = asking.reader.slopes(cases)
    methods: tuple[MethodName, ...] = tuple(dict.fromkeys(("vocabulary", *c.methods)))
    every: dict[MethodName, list[Searched]] = {}
    rows: list[tuple[list[Searched], list[Flip | None], Float[np.ndarray, " example"]]] = []
    for method in methods:
        told = {"n": c.n_proposed, "rng": rng}
        problems = problems_of(asking.reader, cases, slopes, method, asking.lexicon, **told)
        every[method], best = best_flips(asking.reader, problems, c.reach)
        drawn = random_problems(asking.reader, problems, slopes, method, asking.lexicon, **told)
        sizes = [c.most_edits if one is None else one.n_edits for one in best]
        shares = random_shares(asking.reader, drawn, sizes, n=c.n_controls, rng=rng)
        if method in c.methods:
            rows.append((every[method], best, shares))
    return every["vocabulary"], _as_found(c.methods, rows)


def _as_found(
    methods: Sequence[MethodName],
    rows: Sequence[tuple[list[Searched], list[Flip | None], Float[np.ndarray, " example"]]],
) -> Found:
    def numbers(name: str) -> np.ndarray:
        return np.array([[_number(one, name) for one in best] for _, best, _ in rows], dtype=np.float64)

    return Found(
        methods=tuple(methods),
        size=numbers("n_edits"),
        turn=numbers("turn"),
        estimated=numbers("estimated"),
        plausibility=numbers("plausibility"),
        member=numbers("member"),
        random=np.stack([shares for _, _, shares in rows]),
        agreement=np.array([[agreement(one) for one in own] for own, _, _ in rows]),
        n_tried=np.array([[float(one.n_tried) for one in own] for own, _, _ in rows]),
        told=np.array([["" if one is None else one.told for one in best] for _, best, _ in rows]),
        edited=np.array([["" if one is None else one.text for one in best] for _, best, _ in rows]),
    )


def _number(flip: Flip | None, name: str) -> float:
    value = None if flip is None else getattr(flip, name)
    return np.nan if value is None else float(value)
