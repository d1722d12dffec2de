"""Tables of monitors."""

import pandas as pd

from interp_lab.production.monitors.claimed import WAYS, MonitorsClaims


def detection_table(found: MonitorsClaims) -> pd.DataFrame:
    """Return a row per part and score: area under the ROC curve, and error rates at the threshold."""
    rows = []
    for part, held in found.parts.items():
        for name, group in found.groups.items():
            row: dict[str, object] = {"score": name, "part": part, "texts": int(held.labels.sum())}
            row |= {"controls": int(held.controls.sum()), **found.area(held, group).columns("auroc")}
            if len(group) == 1:
                row |= found.false_positives(held, group[0]).columns("false_positives")
                row |= found.recall(held, group[0]).columns("recall")
                row |= found.strict_recall(held, group[0]).columns("strict_recall")
                row["tokens_ahead"] = found.ahead(held, group[0])
            rows.append(row)
    return pd.DataFrame(rows)


def beyond_table(found: MonitorsClaims) -> pd.DataFrame:
    """Return by how much the monitor's area exceeds that of each other score, corrected over all of these."""
    rows = []
    for part, held in found.parts.items():
        names, difference = found.beyond(held)
        for nth, (name, p) in enumerate(zip(names, difference.p_adjusted(), strict=True)):
            own = difference.intervals.at(nth).columns("beyond")
            rows.append({"beside": name, "part": part, **own, "p_adjusted": float(p)})
    return pd.DataFrame(rows)


def calibration_table(found: MonitorsClaims) -> pd.DataFrame:
    """Return how far probabilities are off, and whether the controls' scores drifted, by part."""
    rows = []
    for part, held in found.parts.items():
        error, drifted = found.calibration(held), found.drift(held)
        row: dict[str, object] = {
            "part": part,
            "calibration_error": error.ece,
            "of_a_calibrated_one": error.of_calibrated,
        }
        row |= found.miscalibration(held).columns("beyond_chance")
        rows.append(row | {"drift_distance": float(drifted.distance[0]), "drift_p": float(drifted.p[0])})
    return pd.DataFrame(rows)


def choice_table(found: MonitorsClaims) -> pd.DataFrame:
    """Return the monitors that were fitted, with their areas on the texts that choose."""
    chosen = [name == found.chosen for name in found.choice.names]
    return pd.DataFrame({"monitor": found.choice.names, "auroc": found.choice.auroc, "chosen": chosen})


def alarms_table(found: MonitorsClaims) -> pd.DataFrame:
    """Return what is written under alarms, by part; random responses by their mean."""
    rows = []
    for part, held in found.parts.items():
        if not len(held.says):
            continue
        for nth, way in enumerate(WAYS):
            row = {"under": way, "part": part, **found.said(held, nth).columns("says")}
            rows.append(row | found.disturbed(held, nth).columns("controls_changed"))
        n = len(held.says) - len(WAYS)
        row = {"under": f"random responses (mean of {n})", "part": part, **found.said_at_random(held).columns("says")}
        rows.append(row | found.disturbed_at_random(held).columns("controls_changed"))
    return pd.DataFrame(rows)
