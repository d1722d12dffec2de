"""What the attention-head experiment found, in words: claims and a summary."""

from collections.abc import Sequence

import numpy as np

from interp_lab.attention.head_sets import SetFinding
from interp_lab.attention.measurements import BEHAVIOURS, WORSE, HeadMeasurements
from interp_lab.attention.verdicts import UNTOLD, Verdict
from interp_lab.claims import Claim, Grade, Split
from interp_lab.types import HeadIndex, Interval, head_name


def claims(found: HeadMeasurements) -> list[Claim]:
    """Return a claim per behaviour that a head acts on, one per typed head that acts on none, and one per set."""
    heads = [claim for _, _, claim in head_claims(found)]
    return [*heads, *(claim for _, claim in set_claims(found))]


def head_claims(found: HeadMeasurements) -> list[tuple[HeadIndex, str | None, Claim]]:
    """Return what is claimed of single heads: the head, and the behaviour that it was ablated for, if any."""
    return [
        (head, behaviour, _head_claim(found, head, behaviour))
        for head in np.ndindex(*found.looks.n_heads)
        for behaviour in _spoken_of(found, head)
    ]


def set_claims(found: HeadMeasurements) -> list[tuple[SetFinding, Claim]]:
    """Return what is claimed of heads together."""
    together = [one for one in found.set_findings if one.backs_up or one.heads.is_of_a_type]
    return [(one, _set_claim(found, one)) for one in together]


def _spoken_of(found: HeadMeasurements, head: HeadIndex) -> list[str | None]:
    predicted, typed = found.predicted(head), head in found.looks.of_heads
    acting = sorted(
        (name for name in found.behaviours if found.acts(head, name)), key=lambda name: name not in predicted
    )
    if not acting and typed:
        return [next((name for name in predicted if found.evidence.get(name)), None)]
    return [*acting]


def _head_claim(found: HeadMeasurements, head: HeadIndex, behaviour: str | None) -> Claim:
    kinds = found.looks.of_heads.get(head)
    effect, again = (None, None) if behaviour is None else found.evidence[behaviour][head]
    said = f"{head_name(head)} of {found.config.model} attends like "
    said += f"{_a(kinds)} head" if kinds else "no known type"
    if effect is not None and behaviour is not None and found.acts(head, behaviour):
        said += f", and the model predicts {BEHAVIOURS[behaviour]} {_how(effect.effect)} without it"
    observed = found.looks.told(head) or "no score above its null and the threshold"
    return Claim(said, observed, effect, again, alpha=found.config.fdr)


def _set_claim(found: HeadMeasurements, one: SetFinding) -> Claim:
    names, behaviour = " and ".join(map(head_name, one.heads.heads)), BEHAVIOURS[one.heads.behaviour]
    what = f"{names} of {found.config.model} ({one.heads.label})"
    if one.effect is None:
        said = f"{what} together: too few heads of no type are left to compare them with random sets"
    elif one.grade >= Grade.CAUSAL:
        more = ": more than the sum of each alone, one stands in for the other" if one.backs_up else ""
        said = f"the model predicts {behaviour} {_how(one.together)} without {what} together{more}"
    else:
        said = f"ablating {what} together is not shown to matter for {behaviour}"
    observed = f"alone {one.alone} in sum, together {one.together}, excess {one.excess}: {one.kind}"
    return Claim(said, observed, one.effect, one.replication, alpha=found.config.fdr)


def _how(effect: Interval) -> str:
    return "worse" if WORSE * effect.estimate > 0 else "better"


def _a(kinds: Sequence[str]) -> str:
    kind = " and ".join(kinds).replace("_", "-")
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


def acts_suggest(found: HeadMeasurements, behaviour: str) -> str:
    """Return what is at stake on a behaviour, and what counts as an effect."""
    report = found.effects[Split.REPORT, behaviour]
    stake = f"On {BEHAVIOURS[behaviour]} there are {found.at_stake(behaviour)} {report.unit} to lose. "
    why = found.why_not(behaviour)
    if why is not None:
        return f"{stake}No head was tested ({why})."
    return (
        f"{stake}A head matters if ablating it costs more than {found.margin(report):.3f} {report.unit}, and by that "
        "much more than ablating the average head of no type does, wherever the spread of these may put that average."
    )


def summary(found: HeadMeasurements) -> str:
    """Return what was found, in a few lines."""
    typed = ", ".join(f"{head_name(head)} {'+'.join(kinds)}" for head, kinds in found.looks.of_heads.items())
    lines = [f"{found.config.model}: look like a type: {typed or 'none'}"]
    for behaviour in found.behaviours:
        said = [f"{head_name(head)} {found.says(head, behaviour)}" for head in told_heads(found, behaviour)]
        why = found.why_not(behaviour) or "no head looks or acts the part"
        stake = f"{found.at_stake(behaviour)} {found.effects[Split.REPORT, behaviour].unit} to lose"
        lines.append(f"{BEHAVIOURS[behaviour]} ({stake}): {', '.join(said) or why}")
    c = found.config
    margin = f"effects above {c.smallest_effect:.0%} of that and above the average head of no type"
    return "\n".join([*lines, f"({c.level:.0%} intervals, claims at {c.fdr:g} after correction, {margin})"])


def told_heads(found: HeadMeasurements, behaviour: str) -> list[HeadIndex]:
    """Return the heads that look or act the part."""
    return [head for head in found.evidence[behaviour] if found.verdict(head, behaviour) not in UNTOLD]


def verdicts(found: HeadMeasurements) -> list[Verdict]:
    """Return the verdict on every head that looks or acts, behaviour by behaviour."""
    return [found.verdict(head, name) for name in found.behaviours for head in told_heads(found, name)]
