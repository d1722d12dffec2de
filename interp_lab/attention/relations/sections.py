"""What a report shows of the experiment on relations."""

import pandas as pd

from interp_lab.attention.relations import contrast as contrasting
from interp_lab.attention.relations.figures import acts_figures, contrast_figures, looks_figures
from interp_lab.attention.relations.measurements import RelationMeasurements
from interp_lab.attention.relations.places import DOES_NOT_SHOW
from interp_lab.attention.relations.tables import contrast_tables, effects_table, relations_table, sets_table
from interp_lab.attention.verdicts import counted
from interp_lab.experiment import Section

_LOOKS = ("relation", "head", "looks_on_held_out", "attention", "excess", "p_looks")
_ACTS = (
    "relation",
    "head",
    "verdict",
    "change",
    "versus_control",
    "p_acts",
    "larger_than",
    "also_under",
    "change_on_held_out",
    "acts",
)
_FEW_TEMPLATES = (
    " Where no answer is given for held-out templates, fewer than four of them have the relation: too few to tell."
)


def looks_section(found: RelationMeasurements) -> Section:
    """Return where heads look."""
    table = relations_table(found)
    n = int(found.looks.sum())
    come_by = "chosen on other prompts of the same templates" if found.config.chosen is None else "stated in advance"
    return Section(
        title=f"Which heads of {found.model} attend along relations",
        causal=False,
        suggests=f"{n} heads attend along a relation (framed): more to its place than to others of its kind and to "
        f"those beside it, by at least {found.config.at_least:.0%} of attention. They were {come_by}.{_FEW_TEMPLATES}",
        does_not_show=DOES_NOT_SHOW,
        figures=looks_figures(found),
        tables={"heads that look": _of(table[table["looks"]], _LOOKS)},
    )


def acts_section(found: RelationMeasurements) -> Section:
    """Return what ablating heads does to the answers that the relations predict."""
    table, effects, sets = relations_table(found), effects_table(found), sets_table(found)
    shown = {(found.relations[nth], f"{layer}.{head}") for nth, layer, head in found.verdicts}
    is_shown = [pair in shown for pair in zip(effects["relation"], effects["head"], strict=True)]
    kept = [pair in shown for pair in zip(table["relation"], table["head"], strict=True)]
    tables = {"looks and acts": _of(table[kept], _ACTS), "every kind of ablation": effects[is_shown]}
    return Section(
        title=f"What ablating the heads of {found.model} does to the answers",
        causal=True,
        suggests=_acts_suggest(found),
        does_not_show="That a head without an effect does nothing: another may back it up, which shows only where "
        "heads that look alike are ablated together. Nor through which path an effect comes about, nor that it has to "
        "do with the relation: a head that many answers need acts for all of them. The maps show every head, framed "
        "where the effect is beyond its control after correction. Of three or more that are backed up, one may do "
        "nothing.",
        figures=acts_figures(found),
        tables=tables | ({"heads of one relation together": sets} if len(sets) else {}),
    )


def _acts_suggest(found: RelationMeasurements) -> str:
    c = found.config
    why = "".join(
        f" {relation} was not asked: {reason}."
        for relation, reason in zip(found.relations, found.why_not, strict=True)
        if reason
    )
    told = counted(found.verdicts.values()) or "no head does either"
    return (
        f"A head acts if {c.ablations[0]} ablation of it changes how much the model prefers the answer by more than "
        f"{c.smallest_effect:.0%}, and by that much more than ablating the average other head that does not attend "
        "along the relation does, wherever the spread of these may put that average. Looks and acts: "
        f"{told}.{why}"
    )


def contrast_section(found: RelationMeasurements, nth: int) -> Section:
    """Return how attention differs between the two sets of a contrast."""
    asked, contrast = found.config.contrasts[nth], found.contrasted[nth]
    table = list(contrast_tables(found).values())[nth]
    figures = list(contrast_figures(found).items())[nth : nth + 1]
    return Section(
        title=f"Attention in two sets of prompts: {asked.title}",
        causal=False,
        suggests=f"Attention of {int(contrast.differs.any(0).sum())} heads differs between the sets in "
        f"{int(contrast.differs.sum())} of {contrast.differs.size} places (framed), corrected over all of them. Effect "
        "sizes are in standard deviations over prompts.",
        does_not_show=contrasting.DOES_NOT_SHOW,
        figures=dict(figures),
        tables={"where attention differs": _strongest(table)},
    )


def _strongest(table: pd.DataFrame) -> pd.DataFrame:
    found = table[table["differs"]].drop(columns=["differs"])
    return found.reindex(found["hedges_g"].abs().sort_values(ascending=False, kind="stable").index)


def _of(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    ends = [f"{name}_{end}" for name in columns for end in ("low", "high") if f"{name}_{end}" in table]
    return table[[*columns, *ends]]
