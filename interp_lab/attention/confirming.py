"""What the attention-head experiment leaves to be tested on other examples, and what it says of single heads."""

from interp_lab.attention.measurements import BEHAVIOURS, HeadMeasurements
from interp_lab.attention.statements import head_claims, set_claims
from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.types import HeadIndex, head_name

_UNCERTAIN = (
    "Whether it is by attending as it does that the head matters, and what other heads make up for without it: "
    "{ablation} ablation of one head is blind to those that stand in for it."
)
_SETS_UNCERTAIN = (
    "Which of these heads would do without the others, and whether it is by attending as they do that they matter."
)


def confirmation(found: HeadMeasurements) -> Confirmation | None:
    """Return what is claimed of heads and sets and can be tested on other sequences; `None` if none of it holds.

    Nothing is fixed: what a head looks like is found anew, and must come out the same for the same sentence.
    """
    told = _UNCERTAIN.format(ablation=found.config.ablations[0])
    heads = [ToTest(claim, head_name(head), told) for head, _, claim in head_claims(found)]
    sets = [
        ToTest(claim, " + ".join(map(head_name, one.heads.heads)), _SETS_UNCERTAIN) for one, claim in set_claims(found)
    ]
    return confirmation_of({}, [*heads, *sets])


def _looks(found: HeadMeasurements, head: HeadIndex) -> list[Component]:
    """Return the scores of the types of a head."""
    rows = []
    for text, looks in found.looks.on.items():
        for nth, kind in enumerate(found.looks.types[text]):
            if looks[nth][head]:
                score = found.looks.intervals[text].at(nth, *head)
                method = f"looks like {kind.replace('_', '-')} on {text}"
                rows.append(Component(head_name(head), method, False, score, "share of attention", None, True))
    return rows


def components(found: HeadMeasurements) -> list[Component]:
    """Return how much heads look like the types they are of (descriptive), and what is lost without each head."""
    rows = [row for head in found.looks.of_heads for row in _looks(found, head)]
    claims = {(head, behaviour): claim for head, behaviour, claim in head_claims(found)}
    for behaviour, tested in found.evidence.items():
        for head, (effect, _) in tested.items():
            claim = claims.get((head, behaviour))
            method = f"{found.config.ablations[0]} ablation, {BEHAVIOURS[behaviour]}"
            rows.append(
                Component(
                    name=head_name(head),
                    method=method,
                    causal=True,
                    effect=effect.effect,
                    unit=effect.unit,
                    grade=None if claim is None else claim.grade,
                    selected=found.acts(head, behaviour),
                )
            )
    return rows
