"""What the experiment on relations leaves to be tested on other examples, and what it says of single heads."""

from interp_lab.attention.relations.measurements import RelationMeasurements, Where
from interp_lab.attention.relations.statements import set_claims, told_claims
from interp_lab.claims import Claim, Split
from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.types import UNMEASURED, Interval, head_name

_UNCERTAIN = (
    "Whether it is by attending along this relation that the head matters, and what other heads make up for without "
    "it: {ablation} ablation of one head is blind to those that stand in for it."
)
_SETS_UNCERTAIN = (
    "Which of these heads would do without the others, and whether it is by attending along this relation that they "
    "matter."
)


def confirmation(found: RelationMeasurements) -> Confirmation | None:
    """Return how what is claimed of heads and sets is tested on other examples; `None` if none of it holds.

    Heads that act and were not found to look are tested as well, with nothing to be fixed about them.
    """
    told = _UNCERTAIN.format(ablation=found.config.ablations[0])
    heads = [ToTest(claim, head_name(at[1:]), told) for at, claim in told_claims(found).items()]
    sets = [ToTest(claim, " + ".join(map(head_name, heads)), _SETS_UNCERTAIN) for heads, claim in set_claims(found)]
    carried = [found.carriers.named(*at) for at in _found(found)]
    return confirmation_of({"chosen": carried}, [*heads, *sets])


def _found(found: RelationMeasurements) -> list[Where]:
    return [(int(nth), int(layer), int(head)) for nth, layer, head in zip(*found.carriers.found.nonzero(), strict=True)]


def components(found: RelationMeasurements) -> list[Component]:
    """Return where each head that looks or acts attends (descriptive), and what the answer loses without it."""
    claims, rows = told_claims(found), list[Component]()
    for at in found.verdicts:
        nth, relation = at[0], found.relations[at[0]]
        excess = found.carriers.excess(nth).at(*at[1:])
        looks = bool(found.looks[at])
        name, unit = head_name(at[1:]), found.effects[Split.REPORT][nth].unit
        rows.append(Component(name, f"attention along {relation}", False, excess, "share", None, looks))
        effect = found.evidence[found.config.ablations[0]].get(at)
        lost = UNMEASURED if effect is None else _turned(effect.effect)
        claim: Claim | None = claims.get(at)
        grade = None if claim is None or effect is None else claim.grade
        method = f"{found.config.ablations[0]} ablation, answers of {relation}"
        rows.append(Component(name, method, True, lost, unit, grade, looks))
    return rows


def _turned(one: Interval) -> Interval:
    return Interval(-one.estimate, -one.high, -one.low, one.level, one.n_clusters)
