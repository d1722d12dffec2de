"""What stands on the first page: everything asked and claimed, counted and sorted over all results."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.experiment import Result
from interp_lab.registry import EXPERIMENTS
from interp_lab.reports.groups import claim_groups
from interp_lab.reports.reasons import Reason, short_of_causal, short_of_replicated


@dataclass(frozen=True)
class Asked:
    """One result: what was asked, of which model, on which data, and how many claims it came to."""

    number: int
    name: str
    """Task and model."""
    question: str
    data: str
    """Where it says more than the task."""
    examples: str
    """How many the evidence stands on, by split."""
    result: Result
    claims: tuple[Claim, ...]

    @property
    def heading(self) -> str:
        """Number, experiment, task and model."""
        return f"{self.number}. {self.result.provenance.experiment.replace('_', ' ')}: {self.name}"

    @property
    def counts(self) -> Counter[Grade]:
        """Claims by grade."""
        return Counter(claim.grade for claim in self.claims)


@dataclass(frozen=True)
class Supported:
    """A claim, and where it stands."""

    claim: Claim
    asked: Asked


@dataclass(frozen=True)
class SupportedGroup:
    """Claims of one result in one unit."""

    asked: Asked
    unit: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Uncertain:
    """Claims that lack the same."""

    lacks: str
    """What comes first; the numbers tell the rest."""
    claims: tuple[tuple[Supported, str], ...]
    """Each with the numbers that failed."""


@dataclass(frozen=True)
class Control:
    """What effects were compared with, and where."""

    control: str
    behaviours: tuple[str, ...]
    n_claims: int
    numbers: tuple[int, ...]
    """Of the results."""


@dataclass(frozen=True)
class Question:
    """A question, and the results that answer it."""

    question: str
    data: str
    asked: tuple[Asked, ...]


def asked_of(number: int, result: Result) -> Asked:
    """Return what one result answers."""
    origin, config, claims = result.provenance, result.config, tuple(result.claims())
    about, _, data = (" ".join(part.split()) for part in (type(config).__doc__ or "").strip().partition("\n\n"))
    task = getattr(config, "task", None)
    known = EXPERIMENTS.get(origin.experiment)
    measured = [one for claim in claims for one in (claim.effect, claim.replication) if one is not None]
    return Asked(
        number=number,
        name=f"{task} in {origin.model.name}" if task else origin.model.name,
        question=known.question if known else about,
        data=data.replace("`", ""),
        examples=_sizes(measured) or "no intervention",
        result=result,
        claims=claims,
    )


def _sizes(measured: Iterable[Evidence]) -> str:
    """Return how many examples there are of each split, such as `40-48 (report), 24 (held-out templates)`."""
    sizes: dict[Split, list[int]] = {}
    for one in measured:
        sizes.setdefault(one.split, []).append(one.n_examples)
    ends = {split: dict.fromkeys((min(own), max(own))) for split, own in sizes.items()}
    return ", ".join(f"{'-'.join(map(str, own))} ({split})" for split, own in ends.items())


def questions(asked: Sequence[Asked]) -> list[Question]:
    """Return the results by what they answer, in the order of the first of each."""
    held: dict[tuple[str, str], list[Asked]] = {}
    for one in asked:
        held.setdefault((one.question, one.data), []).append(one)
    return [Question(question, data, tuple(members)) for (question, data), members in held.items()]


def by_grade(asked: Sequence[Asked]) -> dict[Grade, list[Supported]]:
    """Return all claims by grade, the most supported first; every grade is there."""
    every = [Supported(claim, one) for one in asked for claim in one.claims]
    return {grade: [s for s in every if s.claim.grade is grade] for grade in sorted(Grade, reverse=True)}


def by_result(supported: Iterable[Supported]) -> list[SupportedGroup]:
    """Return claims that interventions were made for by result and unit, in their order."""
    held: dict[tuple[int, str], list[Supported]] = {}
    for one in supported:
        held.setdefault((one.asked.number, one.claim.effect.unit if one.claim.effect else ""), []).append(one)
    return [
        SupportedGroup(members[0].asked, unit, tuple(one.claim for one in members))
        for (_, unit), members in held.items()
    ]


def stayed_descriptive(asked: Sequence[Asked]) -> list[Uncertain]:
    """Return the claims that no intervention supports, by what they lack."""
    return _lacking(asked, Grade.DESCRIPTIVE, short_of_causal)


def not_replicated(asked: Sequence[Asked]) -> list[Uncertain]:
    """Return the causal claims that held-out templates do not confirm, by what they lack."""
    return _lacking(asked, Grade.CAUSAL, short_of_replicated)


def _lacking(asked: Sequence[Asked], grade: Grade, missing: Callable[[Claim], list[Reason]]) -> list[Uncertain]:
    groups: dict[str, list[tuple[Supported, str]]] = {}
    for supported in by_grade(asked)[grade]:
        reasons = missing(supported.claim)
        told = "; ".join(reason.detail for reason in reasons if reason.detail)
        groups.setdefault(reasons[0].kind, []).append((supported, told))
    return [Uncertain(lacks, tuple(claims)) for lacks, claims in groups.items()]


def controls(asked: Sequence[Asked]) -> list[Control]:
    """Return what effects were compared with, the most used first."""
    found: dict[str, list[tuple[int, str, int]]] = {}
    for one in asked:
        for group in claim_groups(one.claims):
            if group.control:
                found.setdefault(group.control, []).append((one.number, group.behaviour, len(group.rows)))
    made = [
        Control(
            control,
            behaviours=tuple(dict.fromkeys(behaviour for _, behaviour, _ in uses if behaviour)),
            n_claims=sum(n for _, _, n in uses),
            numbers=tuple(dict.fromkeys(number for number, _, _ in uses)),
        )
        for control, uses in found.items()
    ]
    return sorted(made, key=lambda control: -control.n_claims)


def shared_origin(asked: Sequence[Asked]) -> dict[str, str]:
    """Return commit, versions, device, weights and seed that all results have in common, by name."""
    each = [origin_facts(one.result) for one in asked]
    return {name: value for name, value in each[0].items() if all(facts.get(name) == value for facts in each)}


def origin_facts(result: Result) -> dict[str, str]:
    """Return where a result comes from, as text by name; the fold of its examples, where not all were drawn."""
    origin, fold = result.provenance, getattr(result.config, "fold", "all")
    return {
        "commit": origin.commit or "unknown (not run in a git checkout)",
        "versions": ", ".join(f"{name} {version}" for name, version in origin.versions.items()),
        "weights": f"{origin.model.processing}, {origin.dtype} on {origin.device}",
        "seed": str(origin.seed),
        **({} if fold == "all" else {"fold": f"{fold}: every example is in it, those of held-out templates too"}),
        **({"used, of no fold": "; ".join(origin.beyond_fold)} if origin.beyond_fold else {}),
        "stands on": "; ".join(f"{one.authors} {one.year}, {one.title}" for one in origin.sources) or "nothing cited",
    }


def split_label(evidence: Evidence) -> str:
    """Return the split and how many examples of it there were."""
    return f"{evidence.split}, n = {evidence.n_examples}"
