"""Hypotheses as rows of the table of claims: refuted ones stand beside those that hold."""

from dataclasses import dataclass

from interp_lab.claims import Claim, Evidence, Split
from interp_lab.hypotheses import Hypothesis
from interp_lab.investigation.found import Decided, Investigated
from interp_lab.investigation.outcomes import Outcome, missing, outcome_beside, outcome_of, reason_of


@dataclass(frozen=True)
class ClaimRow:
    """A hypothesis and what its test made of it."""

    hypothesis: Hypothesis
    outcome: Outcome
    claim: Claim | None
    beside: Claim | None
    reason: str
    """Why it holds no further; empty where it is replicated."""
    run: str
    """Folder of the test; empty where none was made."""
    outcome_beside: Outcome = Outcome.UNTESTED
    """In the model that stands beside; not tested, where there is none."""

    @property
    def lines(self) -> tuple[Evidence, ...]:
        """Evidence on held-out examples, then on held-out templates; nothing where the test made no such claim."""
        return _evidence(self.claim)

    @property
    def lines_beside(self) -> tuple[Evidence, ...]:
        """The same in the model that stands beside."""
        return _evidence(self.beside)

    @property
    def lacks(self) -> str:
        """The reason as a sentence begins, without the numbers, which stand beside it."""
        if not self.reason:
            return ""
        kinds = "; ".join(one.kind for one in missing(self.claim)) if self.claim else self.reason
        return f"{'Not replicated' if self.outcome is Outcome.CAUSAL else 'Why'}: {kinds}"

    @property
    def control(self) -> str:
        """What the effect was compared with."""
        return self.lines[0].control if self.lines else ""

    @property
    def sort_keys(self) -> dict[str, float | str]:
        """By column, what it is sorted by; without a key it stands last."""
        keys: dict[str, float | str] = {
            "id": float(self.hypothesis.id.lstrip("H")) if self.hypothesis.id.lstrip("H").isdigit() else 0.0,
            "statement": self.hypothesis.statement,
            "component": self.hypothesis.component,
            "grade": float(list(Outcome).index(self.outcome)),
        }
        if self.lines:
            first = self.lines[0]
            keys |= {"effect": first.effect.estimate, "control": first.versus_control.estimate, "p": first.p_adjusted,
                     "n": float(first.n_examples)}  # fmt: skip
        return keys


def claim_rows(found: Investigated) -> list[ClaimRow]:
    """Return every hypothesis that was written down, in their order."""
    decided = {one.hypothesis.id: one for one in found.decided}
    return [_row(found, one, decided.get(one.id)) for one in found.hypotheses]


def _row(found: Investigated, hypothesis: Hypothesis, decided: Decided | None) -> ClaimRow:
    if decided is None:
        return ClaimRow(hypothesis, Outcome.UNTESTED, None, None, "not all tests have run, so that none is decided", "")
    outcome = outcome_of(decided)
    there = outcome_beside(decided)
    return ClaimRow(hypothesis, outcome, decided.claim, decided.beside, reason_of(found, decided), decided.run, there)


def _evidence(claim: Claim | None) -> tuple[Evidence, ...]:
    return () if claim is None else tuple(one for one in (claim.effect, claim.replication) if one is not None)


def examples(evidence: Evidence) -> str:
    """Return how many examples evidence stands on, and of which kind, in the words of an investigation."""
    kinds = {Split.REPORT: "examples", Split.HELD_OUT: "of templates"}
    return f"{evidence.n_examples} {kinds.get(evidence.split, evidence.split)}"


def compared(row: ClaimRow, *, model: str, beside: str) -> str:
    """Return in which of two models a hypothesis holds, in words; what is not shown in one is not said to be gone."""
    holding = (Outcome.REPLICATED, Outcome.CAUSAL)
    here, there = row.outcome in holding, row.outcome_beside in holding
    if here and there:
        return "in both"
    if not here and not there:
        return "in neither"
    holds, lacks, why = (model, beside, row.outcome_beside) if here else (beside, model, row.outcome)
    return f"in {holds} only" if why is Outcome.REFUTED else f"in {holds}; {why} in {lacks}"
