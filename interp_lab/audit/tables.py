"""Tables of what an audit measured."""

import pandas as pd

from interp_lab.audit.claimed import AuditClaims
from interp_lab.audit.measurements import shares_of_change, turning
from interp_lab.audit.named import TwoGroups
from interp_lab.audit.proxies import gap_of
from interp_lab.audit.single import differences
from interp_lab.audit.turned import interaction
from interp_lab.claims import Split


def attributes_table(found: AuditClaims) -> pd.DataFrame:
    """Return a row per attribute, the largest effect first."""
    chosen = {one.attribute for one in found.chosen.attributes}
    grades = {one.name: one.grade for one in found.components()}
    rows = []
    for groups in found.groups:
        grade = grades.get(f"attribute {groups.attribute}")
        rows.append(
            {
                "attribute": groups.attribute,
                "declared": "should decide" if groups.attribute in found.legitimate else "",
                **found.effect_of(groups).columns("effect"),
                **found.rewording(groups).columns("other words"),
                "chosen": groups.attribute in chosen,
                "evidence": "" if grade is None else str(grade),
                "likelier with": ", ".join(groups.upper),
                "than with": ", ".join(groups.lower),
            }
        )
    table = pd.DataFrame(rows)
    return table if table.empty else table.sort_values("effect", key=abs, ascending=False, kind="stable")


def values_table(found: AuditClaims) -> pd.DataFrame:
    """Return a row per value: how much likelier the positive answer is with it than with others, where that chose."""
    if found.scan is None:
        return pd.DataFrame()
    rows = []
    for groups in found.groups:
        names = [found.scan.values[nth] for nth in found.scan.columns(groups.attribute)]
        for value, deviation in zip(names, found.scan.deviations(groups.attribute), strict=True):
            group = "upper" if value in groups.upper else "lower" if value in groups.lower else ""
            rows.append({"attribute": groups.attribute, "value": value, "deviation": deviation, "group": group})
    return pd.DataFrame(rows)


def pairs_table(found: AuditClaims) -> pd.DataFrame:
    """Return a row per pair of values that the screen passed on, or that was tested, the most turning first."""
    tested, rows = {str(one): one for one in found.chosen.pairs}, []
    asked = found.report.pairs if found.candidates is None else found.candidates
    for row, name in enumerate(asked.names):
        on, held = (found.report.pairs, found.report.pairs.row(name)) if name in tested else (asked, row)
        own, clusters, turns = on.plain[held], on.clusters(held), turning(on, held)
        rows.append(
            {
                "pair": name,
                "split": str(Split.REPORT if name in tested else Split.SELECT),
                f"{found.answers[0].strip()} turned by": turns[1],
                f"{found.answers[1].strip()} turned by": turns[-1],
                **found.interval(interaction(own), clusters).columns("interaction"),
                "in log odds": float(interaction(own, log_odds=True).mean()),
                "evidence": _grade(found, name),
            }
        )
    table = pd.DataFrame(rows)
    return table if table.empty else table.sort_values("evidence", ascending=False, kind="stable")


def _grade(found: AuditClaims, name: str) -> str:
    return next((str(claim.grade) for subject, claim in found.graded if str(subject) == name), "")


def proxies_table(found: AuditClaims) -> pd.DataFrame:
    """Return a row per proxy and split: the gap, what is left with the attribute redrawn, and the share removed."""
    rows = []
    for split in splits(found):
        for proxy in found.chosen.proxies:
            gap, left, share = found.remaining(str(proxy), split=split)
            rows.append(
                {
                    "attribute": proxy.attribute,
                    "for": proxy.hidden,
                    "split": str(split),
                    **gap.columns("gap"),
                    **left.columns("left"),
                    **share.columns("share removed"),
                    "evidence": _grade(found, str(proxy)) if split is Split.REPORT else "",
                }
            )
    return pd.DataFrame(rows)


def gaps_table(found: AuditClaims) -> pd.DataFrame:
    """Return a row per hidden latent and split: the gap between its two sides, over ordinary texts."""
    return pd.DataFrame(
        [
            {"hidden": name, "split": str(split), **found.gap(name, split=split).columns("gap")}
            for split in splits(found)
            for name in found.hidden
        ]
    )


def under_table(found: AuditClaims) -> pd.DataFrame:
    """Return before and after what was measured under, on the same texts, with what changed example by example."""
    if found.under is None:
        return pd.DataFrame()
    rows = []
    for split in splits(found):
        for name, plain, steered, clusters in _compared(found, split):
            level, seed = found.config.level, found.config.seed
            gone = shares_of_change(plain, steered, clusters, level=level, seed=seed)
            is_right = name.startswith("decided")
            rows.append(
                {
                    "what": name,
                    "split": str(split),
                    **found.interval(plain, clusters).columns("before"),
                    **found.interval(steered, clusters).columns("after"),
                    **found.interval(steered - plain, clusters).columns("change"),
                    **({} if is_right else gone.columns("share removed")),
                }
            )
    return pd.DataFrame(rows)


def _compared(found: AuditClaims, split: Split):  # noqa: ANN202 - name, two arrays and clusters, for the loop above
    asked = found.split(split)
    for groups in found.groups:
        if str(groups) in asked.singles.names and groups in found.chosen.attributes:
            row = asked.singles.row(str(groups))
            held = (differences(asked.singles.plain[row]), differences(asked.singles.steered[row]))
            yield f"effect of {groups.attribute}", *held, asked.singles.clusters(row)
    for name in found.hidden:
        row = asked.gaps.row(name)
        yield f"gap by {name}", gap_of(asked.gaps.plain[row]), gap_of(asked.gaps.steered[row]), asked.gaps.clusters(row)
    before, clusters = found.right(split=split)
    if len(before):
        yield "decided as declared", before, found.right(split=split, steered=True)[0], clusters


def splits(found: AuditClaims) -> list[Split]:
    """Return the splits that were measured."""
    return [Split.REPORT] if found.held_out is None else [Split.REPORT, Split.HELD_OUT]


def kind_of(found: AuditClaims, groups: TwoGroups) -> str:
    """Return what figures call an attribute: by its name, and whether it is declared to decide."""
    if groups.attribute in found.legitimate:
        return f"{groups.attribute} (declared)"
    return groups.attribute
