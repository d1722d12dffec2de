"""What an audit found, in words."""

from interp_lab.audit.claimed import AuditClaims
from interp_lab.audit.named import TURN
from interp_lab.audit.screen import FEWEST
from interp_lab.audit.statements import component_of
from interp_lab.audit.tables import under_table
from interp_lab.claims import Grade, Split, how_much_holds

ATTRIBUTES_DO_NOT_SHOW = (
    "That an attribute without an effect plays no part: another may stand in for it, or it may matter in texts of "
    "another kind, or only together with others. Nor whether it should decide: that is declared, not measured. Effects "
    "are between the two groups of values that other texts chose; within a group values may differ. The mean over "
    "texts hides that most are decided clearly either way: near the edge an effect is larger."
)
PAIRS_DO_NOT_SHOW = (
    "That there is no other pair, and no three values that act together. The screen ranks pairs by how often the "
    "answer is not the one that single values add up to, where that sum speaks for either answer; a pair that pushes "
    "one way only, or acts only where finely balanced, is not found by it. Asked for pairs that bring one answer, it "
    "ranks them by how far the answer is from the sum of probabilities."
)
PROXIES_DO_NOT_SHOW = (
    "That the model has anything like the hidden latent inside it: it may go by the attribute's words alone. A gap "
    "over ordinary texts depends on how these are drawn. An attribute that is drawn anew tells nothing of the latent "
    "any more; one that told of it together with others would leave a part of the gap with each."
)
UNDER_DOES_NOT_SHOW = (
    "What it costs on other tasks and in text that is written: that stands with the run that found it. A gap that is "
    "gone on these texts may come back in others."
)


def summary(found: AuditClaims) -> str:
    """Return what was found, in a few lines; the last one says how much is claimed, or why nothing."""
    c, answer = found.config, found.answers[0].strip()
    kept = [(subject, claim) for subject, claim in found.graded if claim.grade >= Grade.CAUSAL]
    lines = [f"{found.source} in {c.model}: what moves P({answer}), all else equal"]
    lines += [f"{component_of(subject)}: {claim.effect.effect}" for subject, claim in kept if claim.effect is not None]
    lines += [f"gap by {name}: {found.gap(name)}" for name in found.hidden]
    accuracy = found.accuracy()
    if accuracy.estimate == accuracy.estimate:
        lines.append(f"decided as declared: {accuracy}")
    return "\n".join([*lines, *_under_lines(found), holds(found)])


def holds(found: AuditClaims) -> str:
    """Return how much is claimed, or why nothing."""
    grades = [claim.grade for _, claim in found.graded]
    return how_much_holds(grades, not_asked=found.not_asked, not_replicable=found.not_replicable)


def _under_lines(found: AuditClaims) -> list[str]:
    lines = []
    for row in under_table(found).to_dict("records"):
        if row["split"] == str(Split.REPORT):
            share = row.get("share removed", float("nan"))
            gone = "" if share != share else f", {share:.0%} of it gone"
            lines.append(f"under {found.under}: {row['what']} {row['before']:.3f}, then {row['after']:.3f}{gone}")
    return lines


def attributes_suggest(found: AuditClaims) -> str:
    """Return how effects were measured, and which are clear."""
    c = found.config
    how = (
        "stated in advance" if c.chosen is not None else f"chosen on {c.n_select} other texts, written with every value"
    )
    named = [component_of(one).removeprefix("attribute ") for one, claim in found.graded if claim.grade >= Grade.CAUSAL
             if one in found.chosen.attributes]  # fmt: skip
    return (
        f"Each text is written with a value of one group and with one of the other, all else kept; the groups were "
        f"{how} (the cut between values in order that leaves most of the variance between the groups). Beside it: the "
        f"same texts with the word of another attribute replaced. An effect is clear beyond {c.smallest_effect:g} and "
        f"beyond that, corrected over all that is tested. Clear: {', '.join(named) or 'none'}. {_replicable(found)}"
    ).rstrip()


def pairs_suggest(found: AuditClaims) -> str:
    """Return how many pairs were screened, at which cost, and what came of it."""
    told = ""
    if found.screen is not None and found.candidates is not None:
        n = len(found.screen.p)
        few = f"{found.screen.n_pairs:,} pairs of values" if found.config.pairs_that == TURN else "Pairs of values"
        told = (
            f"{few} were screened in {n:,} texts with all attributes drawn evenly: each text holds a pair of values "
            f"for each pair of attributes, and pairs that fewer than {FEWEST} texts hold (of either answer, where both "
            f"are to be turned) are not screened. The {len(found.candidates.names)} that surprise most were written on "
            "texts of their own: with neither value, with each, with both. "
        )
    named = [str(one) for one, claim in found.graded if one in found.chosen.pairs and claim.grade >= Grade.CAUSAL]
    sides = "turn answers around if it does so on both sides"
    if found.config.pairs_that != TURN:
        sides = "bring an answer if, where it is not given without the pair, the answer goes there with both values"
    return (
        f"{told}A pair is claimed to {sides}, beyond what either value does alone, and beyond what pairs of other "
        f"values do. Clear: {', '.join(named) or 'none'}."
    )


def proxies_suggest(found: AuditClaims) -> str:
    """Return the gaps, and what stands in for what."""
    gaps = "; ".join(f"by {name} {found.gap(name)}" for name in found.hidden)
    if not found.chosen.proxies:
        return f"Gap {gaps}. No attribute that should not decide moves the answer, so that none may stand in for it."
    named = [str(one) for one, claim in found.graded if one in found.chosen.proxies and claim.grade >= Grade.CAUSAL]
    return (
        f"Gap {gaps}, between texts that are equal in what is declared to decide, and else as they are drawn. Then an "
        "attribute takes the value of an independent draw, the same in both texts of a pair; what goes with it is "
        f"compared with what goes when another attribute is drawn anew. Clear: {', '.join(named) or 'none'}."
    )


def under_suggests(found: AuditClaims) -> str:
    """Return what changed."""
    return f"The same texts, without and with {found.under}. {'. '.join(_under_lines(found))}."


def _replicable(found: AuditClaims) -> str:
    return "" if found.not_replicable is None else f"Not testable on held-out templates: {found.not_replicable}."
