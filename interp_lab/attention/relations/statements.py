"""What the experiment on relations found, in words: claims and a summary."""

from collections.abc import Sequence

import numpy as np

from interp_lab.attention.head_sets import SetFinding
from interp_lab.attention.relations.measurements import WORSE, RelationMeasurements, Where
from interp_lab.claims import Claim, Grade, Split
from interp_lab.types import HeadIndex, Interval, head_name


def claims(found: RelationMeasurements) -> list[Claim]:
    """Return a claim per head and relation that it looks along or acts for, per set, and per contrasted role."""
    heads, sets = told_claims(found).values(), [claim for _, claim in set_claims(found)]
    return [*heads, *sets, *(claim for nth in range(len(found.contrasts)) for claim in _contrast_claims(found, nth))]


def told_claims(found: RelationMeasurements) -> dict[Where, Claim]:
    """Return the claims of single heads, by relation and head."""
    return {at: _head_claim(found, at, others) for at, others in _told_once(found).items()}


def set_claims(found: RelationMeasurements) -> list[tuple[tuple[HeadIndex, ...], Claim]]:
    """Return the claims of sets, under the first kind of ablation, with the heads of each."""
    first = found.config.ablations[0]
    return [(one.heads.heads, _set_claim(found, one)) for one in found.sets if one.ablation is first]


def _told_once(found: RelationMeasurements) -> dict[Where, list[str]]:
    """Return the heads to speak of, each with the relations that it was not found to attend along.

    Relations may be asked of the same prompts. A head that acts and does not look has one effect on them, not several.
    """
    told: dict[Where, list[str]] = {}
    first: dict[object, Where] = {}
    for at in sorted(found.verdicts, key=lambda at: not found.looks[at]):
        part = found.effects[Split.REPORT][at[0]]
        owner = first.setdefault((found.tasks[at[0]], part.metric, part.baseline.tobytes(), at[1:]), at)
        if found.looks[at]:
            told[at] = []
        elif owner == at:
            told[at] = [found.relations[at[0]]]
        elif told.get(owner):
            told[owner].append(found.relations[at[0]])
    return {at: told[at] for at in found.verdicts if at in told}


def _head_claim(found: RelationMeasurements, at: Where, unseen: Sequence[str]) -> Claim:
    """Return what is said of a head; `unseen` are the relations that it acts for and was not found to attend along."""
    nth, layer, head = at
    kind, model = found.config.ablations[0], found.model
    effect, again = found.evidence[kind].get(at), found.replications[kind].get(at)
    relation = found.relations[nth]
    own = found.attention[Split.REPORT][nth].to_key[layer, head].mean()
    observed = f"attention along it {own:.3f}, beyond other places by {found.carriers.excess(nth).at(layer, head)}"
    if found.looks[at] and again is not None and not _looks_again(found, at):
        again, observed = None, f"{observed}; not seen on held-out templates"
    if found.why_not[nth]:
        observed += f"; {found.why_not[nth]}"
    elif found.agreeing(at):
        observed += f"; clear under {found.agreeing(at)} other ablations"
    answer = f"the expected answer of {found.tasks[nth]}" if unseen else "the expected answer"
    acts = f"prefers {answer} {_how(effect.effect)}" if effect and found.grade(at) >= Grade.CAUSAL else ""
    whose = head_name((layer, head))
    if unseen:
        statement = f"Without {whose} {model} {acts}, and it was not found to attend along {' or '.join(unseen)}"
    else:
        statement = f"{whose} of {model} attends along {relation}" + (
            f", and without it the model {acts}" if acts else ""
        )
    return Claim(statement, observed, effect, again, alpha=found.config.fdr)


def _looks_again(found: RelationMeasurements, at: Where) -> bool:
    """Whether a head that carries a relation was seen to on held-out templates, or these are too few to tell."""
    return not found.carriers.can_hold(at[0]) or bool(found.carriers.holds(Split.HELD_OUT)[at])


def _how(effect: Interval) -> str:
    return "less" if WORSE * effect.estimate > 0 else "more"


def _set_claim(found: RelationMeasurements, one: SetFinding) -> Claim:
    relation, model = one.heads.behaviour, found.model
    statement = f"Several heads of {model} attend along {relation} ({one.heads})"
    if one.grade >= Grade.CAUSAL:
        statement = (
            f"Without all heads that attend along {relation} ({one.heads}) {model} prefers the expected answer "
            f"{_how(one.together)}"
        )
    observed = f"alone {one.alone} in sum, together {one.together} {one.unit}, excess {one.excess}: {one.kind}"
    return Claim(statement, observed, one.effect, one.replication, alpha=found.config.fdr)


def _contrast_claims(found: RelationMeasurements, nth: int) -> list[Claim]:
    """Return one claim per role to which attention differs."""
    asked, contrast = found.config.contrasts[nth], found.contrasted[nth]
    made = []
    for role, differs in zip(contrast.contrasts, contrast.differs, strict=True):
        if not differs.any():
            continue
        size = np.where(differs, np.abs(role.hedges_g.estimate), -1.0)
        top = np.unravel_index(int(size.argmax()), size.shape)
        most = (int(top[0]), int(top[1]))
        heads = ", ".join(head_name((layer, head)) for layer, head in np.argwhere(differs).tolist())
        statement = (
            f"{heads} of {found.model} attend{'s' if differs.sum() == 1 else ''} to {role.role} differently "
            f"where {asked.latent} is {asked.first} and where it is {asked.second} ({asked.task})"
        )
        observed = (
            f"{head_name(most)} the most: {role.first[most]:.3f} against {role.second[most]:.3f}, difference "
            f"{role.difference.at(*most)}, Hedges' g {role.hedges_g.at(*most)}"
        )
        made.append(Claim(statement, observed, alpha=found.config.fdr))
    return made


def summary(found: RelationMeasurements) -> str:
    """Return a line per relation and contrast, and how many claims hold."""
    lines = [f"{found.model}: heads that attend along {len(found.relations)} relations, and what they do"]
    for nth, relation in enumerate(found.relations):
        part = found.effects[Split.REPORT][nth]
        heads = [f"{head_name(at[1:])} {one}" for at, one in found.verdicts.items() if at[0] == nth]
        why = f"; {found.why_not[nth]}" if found.why_not[nth] else f"; {part.metric} {found.baseline(nth)} {part.unit}"
        lines.append(f"{relation}: {', '.join(heads) or 'no head looks or acts'}{why}")
    for one in found.sets:
        if one.ablation is found.config.ablations[0]:
            lines.append(
                f"{one.heads.behaviour}, {one.heads} together: {one.together} {one.unit}, alone they add up to "
                f"{one.alone} ({one.kind})"
            )
    for asked, contrast in zip(found.config.contrasts, found.contrasted, strict=True):
        lines.append(f"{asked.title}: {contrast.differs.sum()} of {contrast.differs.size} heads and roles differ")
    graded = [claim for claim in claims(found) if claim.grade]
    replicated = sum(claim.grade >= Grade.REPLICATED for claim in graded)
    lines.append(f"{len(graded)} of {len(claims(found))} claims are causal, {replicated} also on held-out templates")
    return "\n".join(lines)
