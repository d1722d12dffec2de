"""What ablations found, as tables; of the report split, in the unit of the metric."""

import numpy as np
import pandas as pd

from interp_lab.claims import Split
from interp_lab.patching.ablating.claimed import AblationClaims, Subject
from interp_lab.stats import site_correlation
from interp_lab.types import UNMEASURED, Interval


def sites_table(found: AblationClaims) -> pd.DataFrame:
    """Return one row per site.

    `direct` is what it writes straight to the metric (descriptive), `ablated` what is lost without it under the first
    ablation (causal), `verdict` both in words. Then the grade (of a claim, if the site is chosen), the difference to
    the control, the corrected p-value, and what is lost on held-out templates. Columns named after other ablations are
    what is lost under these.
    """
    rows = []
    first, *others = zip(found.config.ablations, found.ablated, strict=True)
    for nth, name in enumerate(found.names):
        direct = UNMEASURED if found.direct is None else found.direct.at(nth)
        row: dict[str, object] = {"map": found.sites.maps[nth], "site": name, "chosen": bool(nth in found.plan.chosen)}
        row |= direct.columns("direct") | first[1].at(nth).columns("ablated") | {"verdict": str(found.verdicts[nth])}
        row |= _graded(found, Subject.SITE, name)
        for kind, intervals in others:
            row |= intervals.at(nth).columns(str(kind).replace(" ", "_"))
        rows.append(row)
    return pd.DataFrame(rows)


def _graded(found: AblationClaims, kind: Subject, name: str) -> dict[str, object]:
    """Return the evidence on something that was tested; empty cells where it was not."""
    effect, again = (found.evidence.get(split, {}).get((kind, name)) for split in (Split.REPORT, Split.HELD_OUT))
    grade = found.grade(kind, name)
    row: dict[str, object] = {"grade": "" if grade is None else str(grade)}
    row |= (effect.versus_control if effect else UNMEASURED).columns("versus_control")
    row |= {"p_adjusted": effect.p_adjusted if effect else np.nan}
    return row | (again.effect if again else UNMEASURED).columns("held_out")


def sets_table(found: AblationClaims) -> pd.DataFrame:
    """Return one row per map whose chosen sites were ablated together: the set, its members, random sets, the grade."""
    kept = [nth for nth, own in enumerate(found.report.sets) if np.isfinite(own[0]).all()]
    if not kept:
        return pd.DataFrame()
    members = [[int(s) for s in found.plan.chosen if found.sites.maps[s] == found.config.sites[nth]] for nth in kept]
    effects = found.together([(0, own) for own in members], found.report.sets[kept, 0])
    rows = []
    for place, (nth, finding) in enumerate(zip(kept, found.findings(effects), strict=True)):
        own, name, drawn = members[place], found.config.sites[nth], found.report.sets[nth, 1:]
        random = found.interval(found.lost(drawn[np.isfinite(drawn).all(-1)].mean(0))).at()
        row: dict[str, object] = {"map": name, "sites": "+".join(found.names[site] for site in own)}
        row |= _beside_members(found, effects.together.changes[place], effects.sum_of_members[place])
        row |= {"finding": str(finding)} | random.columns("random_sets")
        rows.append(row | _graded(found, Subject.SET, name))
    return pd.DataFrame(rows)


def _beside_members(found: AblationClaims, together: np.ndarray, members: np.ndarray) -> dict[str, object]:
    both, alone = found.lost(together), found.lost(members)
    row = found.interval(both).at().columns("together") | found.interval(alone).at().columns("sum_of_members")
    return row | found.interval(both - alone).at().columns("beyond_the_sum")


def cumulative_table(found: AblationClaims) -> pd.DataFrame:
    """Return one row per step: the site that is ablated besides, what is lost and left, and what in random orders.

    `random_orders` is the mean over random orders, with the quantiles between which the config's share of them lies.
    """
    held, level = found.report, found.config.level
    own, random = held.cumulative[0], found.lost(held.cumulative[1:]).mean(-1)
    gone, left = found.interval(found.lost(own)), found.interval(held.clean + own)
    alone = np.cumsum(found.lost(held.changes[0])[found.plan.orders[0]].mean(-1))
    low, high = np.quantile(random, [(1 - level) / 2, (1 + level) / 2], axis=0)
    rows = []
    for step, site in enumerate(found.plan.orders[0]):
        row: dict[str, object] = {"step": step + 1, "besides": found.names[site]}
        row |= gone.at(step).columns("lost") | {"sum_of_members": float(alone[step])} | left.at(step).columns("left")
        drawn = Interval(float(random[:, step].mean()), float(low[step]), float(high[step]), level)
        rows.append(row | drawn.columns("random_orders"))
    return pd.DataFrame(rows)


def backups_table(found: AblationClaims) -> pd.DataFrame:
    """Return one row per head whose stand-in was looked for, and kind of ablation; graded under the first kind."""
    held, heads = found.report, found.sites.heads.tolist()
    at = [(kind, head, partner) for kind, head, partner in found.plan.backups.tolist()]
    if not at:
        return pd.DataFrame()
    changes = np.stack([held.pairs[nth, heads.index(partner)] for nth, (_, _, partner) in enumerate(at)])
    effects = found.together([(kind, (head, partner)) for kind, head, partner in at], changes)
    rows = []
    for nth, ((kind, head, partner), finding) in enumerate(zip(at, found.findings(effects), strict=True)):
        name = f"{found.names[head]}+{found.names[partner]}"
        direct = UNMEASURED if found.direct is None else found.direct.at(head)
        row: dict[str, object] = {"head": found.names[head], "stand_in": found.names[partner]}
        row |= {"ablation": str(found.config.ablations[kind])} | direct.columns("direct")
        row |= found.ablated[kind].at(head).columns("alone")
        row |= _beside_members(found, effects.together.changes[nth], effects.sum_of_members[nth])
        row |= {"p_beyond": float(effects.p_adjusted[nth]), "finding": str(finding)}
        grade = found.grade(Subject.BACKUP, name) if kind == 0 else None
        rows.append(row | {"grade": "" if grade is None else str(grade)})
    return pd.DataFrame(rows)


def agreement_table(found: AblationClaims) -> pd.DataFrame:
    """Return one row per kind of ablation: how what sites write goes with what is lost without them, over sites."""
    rows = []
    for kind, one in zip(found.config.ablations, found.agreements, strict=True):
        if one is not None:
            row: dict[str, object] = {"ablation": str(kind)} | one.pearson.columns("pearson")
            row |= one.spearman.columns("rank_correlation")
            listed = {"writes_only": one.direct_only, "needed_only": one.ablation_only, "opposed": one.opposed}
            rows.append(row | {name: ", ".join(sites) for name, sites in listed.items()})
    return pd.DataFrame(rows)


def directions_table(found: AblationClaims) -> pd.DataFrame:
    """Return one row per direction: what is lost without it, without random ones, and the grade."""
    rows = []
    for name, drawn in zip(found.directions, found.lost(found.report.directions), strict=True):
        random = found.interval(drawn[1:].mean(0)).at()
        row: dict[str, object] = {"direction": name} | found.interval(drawn[0]).at().columns("lost")
        rows.append(row | random.columns("random_directions") | _graded(found, Subject.DIRECTION, name))
    return pd.DataFrame(rows)


def prescreen_table(found: AblationClaims) -> pd.DataFrame:
    """Return one row per site, the largest estimate first: estimated and exact loss when it is patched, and ablated."""
    screen = found.screen
    assert screen is not None, "tables asks"
    estimated, exact = (found.interval(found.lost(values)) for values in (screen.estimates, screen.exact))
    order = np.argsort(-np.abs(estimated.estimate), kind="stable")
    rows = []
    for nth in map(int, order):
        row: dict[str, object] = {"site": found.names[nth], "kept": nth in screen.kept, "missed": nth in screen.missed}
        row |= estimated.at(nth).columns("estimated") | exact.at(nth).columns("patched")
        rows.append(row | found.ablated[0].at(nth).columns("ablated"))
    return pd.DataFrame(rows)


def rank_correlation(found: AblationClaims) -> Interval | None:
    """Return Spearman's correlation, over sites, of estimated and exact sizes; `None` without a prescreen."""
    screen = found.screen
    if screen is None:
        return None
    return site_correlation(
        screen.estimates, screen.exact, found.report.clusters, of="size ranks", level=found.config.level,
        seed=found.config.seed,
    )  # fmt: skip
