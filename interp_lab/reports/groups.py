"""Claims in groups that share how they were tested, so that a page says it once."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interp_lab.claims import Claim, Evidence
from interp_lab.reports.cells import number_text

_NOTE = re.compile(r"(?P<control>.*?)\s*\((?P<note>[^()]*)\)", re.DOTALL)
"""A control with a remark on this one claim, such as `mean of 4 heads (larger than 3 of them)`."""


@dataclass(frozen=True)
class ClaimRow:
    """A claim, and what is said of it alone."""

    claim: Claim
    remarks: tuple[str, ...]
    """Intervention, observation and rank among controls, where the group does not say them."""

    @property
    def lines(self) -> tuple[Evidence, ...]:
        """Evidence on the report split, then on held-out templates; nothing where no intervention was made."""
        return tuple(one for one in (self.claim.effect, self.claim.replication) if one is not None)


@dataclass(frozen=True)
class ClaimGroup:
    """Claims that were tested on the same behaviour against the same control."""

    behaviour: str
    unit: str
    control: str
    """Empty for claims that no intervention tests."""
    margins: tuple[float, ...]
    """Smallest effect of interest: on the report split, then on held-out templates where it is another."""
    observed: str
    """What was observed, where it is the same for all."""
    rows: tuple[ClaimRow, ...]


def claim_groups(claims: Iterable[Claim]) -> list[ClaimGroup]:
    """Return the claims by how they were tested; groups and rows with the most supported first."""
    held: dict[tuple[str, ...], list[Claim]] = {}
    for claim in sorted(claims, key=lambda claim: -claim.grade):
        held.setdefault(_tested_by(claim), []).append(claim)
    return [_group(members) for members in held.values()]


def _tested_by(claim: Claim) -> tuple[str, ...]:
    effect = claim.effect
    if effect is None:
        return ()
    margins = ", ".join(map(number_text, _margins(claim)))
    return (_split_what(effect)[1], effect.unit, _split_control(effect)[0], margins)


def _group(claims: Sequence[Claim]) -> ClaimGroup:
    effect, observed = claims[0].effect, {claim.observed for claim in claims}
    common = observed.pop() if len(observed) == 1 and len(claims) > 1 else ""
    return ClaimGroup(
        behaviour=_split_what(effect)[1] if effect else "",
        unit=effect.unit if effect else "",
        control=_split_control(effect)[0] if effect else "",
        margins=_margins(claims[0]),
        observed=common,
        rows=tuple(ClaimRow(claim, _remarks(claim, common)) for claim in claims),
    )


def _remarks(claim: Claim, common: str) -> tuple[str, ...]:
    own = [] if claim.effect is None else [_split_what(claim.effect)[0]]
    own += [claim.observed] if claim.observed != common else []
    own += [] if claim.effect is None else [_split_control(claim.effect)[1]]
    return tuple(remark for remark in own if remark)


def _margins(claim: Claim) -> tuple[float, ...]:
    found = [one.margin for one in (claim.effect, claim.replication) if one is not None]
    return tuple(found[:1]) if len(set(map(number_text, found))) == 1 else tuple(found)


def _split_what(evidence: Evidence) -> tuple[str, str]:
    """Return intervention and behaviour of `mean ablation of 1.0: change of second-copy loss`."""
    intervention, colon, behaviour = evidence.what.rpartition(": ")
    return (intervention, behaviour) if colon else (evidence.what, "")


def _split_control(evidence: Evidence) -> tuple[str, str]:
    """Return the control, and what is remarked on it in brackets."""
    found = _NOTE.fullmatch(evidence.control)
    return (found["control"], found["note"]) if found else (evidence.control, "")
