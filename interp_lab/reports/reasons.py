"""Why a claim has no higher grade, computed from the evidence that the grade is computed from."""

from dataclasses import dataclass

from interp_lab.claims import Claim, Evidence, Split


@dataclass(frozen=True)
class Reason:
    """One thing that a claim lacks."""

    kind: str
    """The same for all claims that lack the same."""
    detail: str = ""
    """The interval or the p-value that failed."""


UNTESTED = Reason("no intervention tests it")
UNCLEAR_OF_MARGIN = (
    "an interval (of the effect, or of effect minus control) reaches below the smallest effect of interest"
)
UNCLEAR_OF_ZERO = "an interval (of the effect, or of effect minus control) covers zero"
NOT_REPEATED = Reason("not measured on held-out templates")


def short_of_causal(claim: Claim) -> list[Reason]:
    """Return why a claim stayed descriptive: nothing, exactly if its grade is causal or better."""
    if claim.effect is None:
        return [UNTESTED]
    return _wrong_split(claim.effect, Split.REPORT) + _unclear(claim.effect, alpha=claim.alpha)


def short_of_replicated(claim: Claim) -> list[Reason]:
    """Return why a claim is not replicated: nothing, exactly if its grade is."""
    missing = short_of_causal(claim)
    if missing or claim.effect is None:
        return missing
    again = claim.replication
    if again is None:
        return [NOT_REPEATED]
    found = _wrong_split(again, Split.HELD_OUT) + _unclear(again, alpha=claim.alpha)
    if not found and not claim.effect.effect.estimate * again.effect.estimate > 0:
        return [Reason("the effect has the opposite sign on held-out templates", f"{again.effect} {again.unit}")]
    return found


def _wrong_split(evidence: Evidence, wanted: Split) -> list[Reason]:
    if evidence.split is wanted:
        return []
    return [Reason(f"measured on the {evidence.split} split only, which cannot support it")]


def _unclear(evidence: Evidence, *, alpha: float) -> list[Reason]:
    """Return what `Evidence.is_clear` fails on."""
    found, margin = [], evidence.margin
    measured = {"effect": evidence.effect, "effect minus control": evidence.versus_control}
    sides = {name: (one.low > margin) - (one.high < -margin) for name, one in measured.items()}
    inside = [f"{name} {measured[name]}" for name, side in sides.items() if side == 0]
    if inside:
        limit = f"the smallest effect of interest, {margin:.3g} {evidence.unit}" if margin else "zero"
        found.append(
            Reason(UNCLEAR_OF_MARGIN if margin else UNCLEAR_OF_ZERO, f"{', '.join(inside)}; needed: beyond {limit}")
        )
    elif len(set(sides.values())) > 1:
        detail = f"effect {evidence.effect}, minus control {evidence.versus_control} {evidence.unit}"
        found.append(Reason("the control moves the behaviour further than the intervention", detail))
    if not evidence.p_adjusted < alpha:
        found.append(Reason("not significant after correction", f"p = {evidence.p_adjusted:.3g}, level {alpha:g}"))
    return found
