"""What ablations found, in words."""

from interp_lab.claims import Split, how_much_holds
from interp_lab.patching.ablating.claimed import AblationClaims, Subject, Verdict
from interp_lab.patching.ablating.tables import backups_table, cumulative_table, rank_correlation

DIRECT_DOES_NOT_SHOW = (
    "That the answer needs any of it: nothing was changed here. Later parts may cancel what a part writes, or make up "
    "for it; the final norm would rescale all the rest; and a part that writes nothing may act through later ones."
)
ABLATED_DOES_NOT_SHOW = (
    "That a part without an effect plays no part: another may stand in for it. Nor through which path an effect comes "
    "about. Parts are ablated at all positions, and each kind of ablation is another question: zero is a value the "
    "model may never have seen, a mean keeps what all prompts of a template have in common, and another prompt's value "
    "says something else. Where a map has too few other parts, controls are parts of all maps: a whole output is then "
    "compared with heads, which write less. The map shows every part; framed ones were {chosen}."
)
SETS_DOES_NOT_SHOW = (
    "That there are no other stand-ins: {stand_ins}. Parts that do not add up may work through each other, or be "
    "needed at once."
)
_LOOKED_FOR = (
    "they were looked for only for heads that write the answer and are missed by less than half of that, one other "
    "head at a time, and not for heads that act through others"
)
DIRECTIONS_DO_NOT_SHOW = (
    "That the model uses a direction as its name says. What is projected out takes its mean over prompts with it, as "
    "zero ablation does; and a random direction of a space of many dimensions carries little of anything."
)
PRESCREEN_DOES_NOT_SHOW = (
    "What estimates would miss on other prompts or in another model. Patches put the value of the corrupted prompt in "
    "the place of the clean one; that is another intervention than the ablation beside it."
)


def summary(found: AblationClaims) -> str:
    """Return what was found, in a few lines; the last one says how much is claimed, or why nothing."""
    c, unit = found.config, found.unit
    clean = found.interval(found.report.clean).at()
    lines = [f"{c.task} in {c.model}: {found.metric} {clean} {unit}; the corruption costs {found.total}"]
    for verdict in (one for one in Verdict if one):
        names = found.with_verdict(verdict)
        if names:
            lines.append(f"{verdict}: {', '.join(names)}")
    backups = backups_table(found)
    for row in [] if backups.empty else backups[backups["finding"] == "backup"].to_dict("records"):
        lines.append(
            f"{row['stand_in']} stands in for {row['head']} ({row['ablation']} ablation): both together "
            f"{row['together']:.2f}, sum of both alone {row['sum_of_members']:.2f} {unit}"
        )
    if found.direct_refused:
        lines.append(f"no direct logit attribution: {found.direct_refused}")
    return "\n".join([*lines, _holds(found)])


def direct_suggests(found: AblationClaims) -> str:
    """Return how much of the metric the parts shown write."""
    held = found.report
    shown = found.interval(held.direct[found.sites.apart].sum(0)).at()
    told = (
        f"The parts shown write {shown} of the {held.clean.mean():.3f} {found.unit}; embeddings, biases and parts not "
        "shown the rest. Held at the scale that the final norm has on each prompt, this is exact."
    )
    one = found.agreements[0]
    if one is None:
        return told
    return (
        f"{told} Over parts, it goes with what {found.config.ablations[0]} ablation takes at a correlation of "
        f"{one.pearson} (by rank {one.spearman})."
    )


def ablated_suggests(found: AblationClaims) -> str:
    """Return what was tested, and on what terms."""
    c = found.config
    total = f"The corruption costs {found.total} {found.unit}. "
    if found.not_asked is not None:
        return f"{total}Nothing is claimed. Not asked: {found.not_asked}."
    told = (
        f"{total}A part is needed if {c.ablations[0]} ablation of it loses more than {c.smallest_effect:.1%} of that, "
        "and that much more than ablating the average part that was not chosen, corrected over all parts. Values come "
        f"from other pairs of the template ({c.reference} prompts)."
    )
    if found.direct_refused:
        told += f" What parts write themselves cannot be said: {found.direct_refused}."
    if found.not_replicable is not None:
        told += f" Not testable on held-out templates: {found.not_replicable}."
    return told


def sets_suggests(found: AblationClaims) -> str:
    """Return how fast the metric falls, and what stands in for what."""
    table = cumulative_table(found)
    last = table.iloc[-1]
    stated = found.config.chosen is not None
    told = (
        f"Without the {int(last['step'])} {'' if stated else 'most needed '}parts together {last['lost']:.3f} "
        f"{found.unit} are lost, in random orders {last['random_orders']:.3f} on average. The order was "
        f"{'stated in advance' if stated else 'chosen on other prompts'}."
    )
    backups = backups_table(found)
    if stated:
        n = 0 if backups.empty else int((backups["finding"] == "backup").sum())
        return f"{told} Stand-ins stated in advance: {len(backups)}; that clearly are: {n}."
    if found.direct_refused:
        return f"{told} Stand-ins were not looked for: nothing says which heads write the answer."
    if not found.config.n_backups:
        return told
    if backups.empty:
        return f"{told} Every head that writes the answer is missed, so that none has a stand-in to look for."
    n = int((backups["finding"] == "backup").sum())
    return (
        f"{told} Heads that write the answer and are missed by less than half of that, counted for each kind of "
        f"ablation: {len(backups)}; with another head that clearly stands in for them: {n}."
    )


def ablated_does_not_show(found: AblationClaims) -> str:
    """Return what effects of single parts leave open."""
    stated = found.config.chosen is not None
    return ABLATED_DOES_NOT_SHOW.format(chosen="stated in advance" if stated else "chosen on other prompts")


def sets_do_not_show(found: AblationClaims) -> str:
    """Return what parts ablated together leave open."""
    stated = found.config.chosen is not None
    return SETS_DOES_NOT_SHOW.format(stand_ins="none were looked for" if stated else _LOOKED_FOR)


def directions_suggest(found: AblationClaims) -> str:
    """Return how many of the directions handed in the answer needs."""
    tested = {name: one for (kind, name), one in found.evidence.get(Split.REPORT, {}).items()
              if kind is Subject.DIRECTION}  # fmt: skip
    n = sum(one.is_clear(alpha=found.config.fdr) and one.effect.estimate > 0 for one in tested.values())
    return (
        f"The answer needs {n} of {len(found.directions)} directions: without them more is lost than without random "
        "directions at the same place."
    )


def prescreen_suggests(found: AblationClaims) -> str:
    """Return what the prescreen kept, what it missed, and at what price."""
    screen = found.screen
    assert screen is not None, "the section asks"
    forward, backward, everything = screen.passes.tolist()
    recall = "not defined: no patch does anything" if screen.recall is None else f"{screen.recall:.0%}"
    missed = ", ".join(found.names[nth] for nth in screen.missed) or "none"
    return (
        f"Of the {len(screen.kept)} largest exact patches, the estimates by {found.config.prescreen} kept {recall} "
        f"(missed: {missed}), with {forward} forward and {backward} backward passes of one prompt instead of "
        f"{everything}. Rank correlation of sizes over parts: {rank_correlation(found)}."
    )


def _holds(found: AblationClaims) -> str:
    grades = [claim.grade for claim in found.claims()] if found.not_asked is None else []
    return how_much_holds(grades, not_asked=found.not_asked, not_replicable=found.not_replicable)
