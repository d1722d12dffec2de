"""Tables of confidence."""

import pandas as pd

from interp_lab.production.confidence.claimed import MEASURES, ConfidenceClaims
from interp_lab.production.confidence.levels import level_of, ranges
from interp_lab.production.confidence.names import BASE_RATE, PROBABILITY
from interp_lab.stats import benjamini_hochberg, share_interval
from interp_lab.stats.brier import brier_parts


def probabilities_table(found: ConfidenceClaims) -> pd.DataFrame:
    """Return a row per part and probability: how far off, how sharp, how well it sorts answers."""
    rows = []
    for part, held in found.parts.items():
        measured = {name: found.measured(name, held) for name in MEASURES}
        for nth, name in enumerate(found.confidences):
            error, inner = found.calibration(name, held)
            row: dict[str, object] = {"probability": name, "part": part, "calibration_error": error.ece}
            row |= {"of_a_calibrated_one": error.of_calibrated, **inner.columns("without_chance")}
            for measure in MEASURES:
                row |= measured[measure][nth].columns(measure)
            draws = found.given(name, held.signals)
            parts = brier_parts(draws[0], held.right.astype(float), n_bins=found.config.n_bins)
            row |= {one: getattr(parts, one) for one in ("reliability", "resolution", "uncertainty", "within")}
            rows.append(row)
    return pd.DataFrame(rows)


def differences_table(found: ConfidenceClaims) -> pd.DataFrame:
    """Return by how much measures of one probability exceed another's, corrected over all differences of a part."""
    rows = []
    for part, held in found.parts.items():
        own: list[dict[str, object]] = []
        for against in (PROBABILITY, BASE_RATE):
            for measure in ("brier", "aurc"):
                names, difference = found.beyond(measure, held, against=against)
                if difference is None:
                    continue
                for nth, name in enumerate(names):
                    columns = difference.intervals.at(nth).columns("beyond")
                    row = {"probability": name, "against": against, "measure": measure, "part": part, **columns}
                    own.append(row | {"p": float(difference.p[nth])})
        table = pd.DataFrame(own)
        rows.append(table.assign(p_adjusted=benjamini_hochberg(table["p"].to_numpy())))
    return pd.concat(rows, ignore_index=True)


def left_out_table(found: ConfidenceClaims) -> pd.DataFrame:
    """Return by how much the combination's Brier score rises without each signal."""
    rows = []
    for part, held in found.parts.items():
        names, difference = found.without(held)
        for nth, (name, p) in enumerate(zip(names, difference.p_adjusted(), strict=True)):
            columns = difference.intervals.at(nth).columns("rise")
            rows.append({"left_out": name, "part": part, **columns, "p_adjusted": float(p)})
    return pd.DataFrame(rows)


def levels_table(found: ConfidenceClaims) -> pd.DataFrame:
    """Return for each word how often answers that it would be said of are right; whether it may be said, by part."""
    rows, c = [], found.config
    for part, held in found.parts.items():
        said = [level_of(float(one), c.levels) for one in found.given(c.primary, held.signals)[0]]
        for name, (low, high) in ranges(c.levels).items():
            own = held.right[[one == name for one in said]]
            row: dict[str, object] = {"level": name, "part": part, "from": low, "to": high, "answers": len(own)}
            if len(own):
                right = share_interval(own, level=c.level)
                row |= {**right.columns("right"), "within_range": right.low <= high and right.high >= low}
            rows.append(row | {"refused": found.refused(held) is not None})
    return pd.DataFrame(rows)


def parts_table(found: ConfidenceClaims) -> pd.DataFrame:
    """Return how many answers are right, and whether a part differs from the prompts that calibrate."""
    rows = []
    for part, held in {"calibrate": found.calibrate, **found.parts}.items():
        row: dict[str, object] = {"part": part, "answers": len(held.right), **found.share_right(held).columns("right")}
        if part != "calibrate":
            shifted = found.shift(held)
            row |= {"strangeness_distance": float(shifted.distance[0]), "strangeness_p": float(shifted.p_adjusted[0])}
            row |= {"probability_distance": float(shifted.distance[1]), "probability_p": float(shifted.p_adjusted[1])}
            row |= found.strange(held).columns("strange")
            row["levels_refused"] = found.refused(held) or ""
        rows.append(row)
    return pd.DataFrame(rows)


def probes_table(found: ConfidenceClaims) -> pd.DataFrame:
    """Return where a probe was tried, with its cross-validated loss; empty where the probe is another run's."""
    usual = found.usual
    if not len(usual.losses):
        return pd.DataFrame()
    taken = [hook == usual.hook for hook in usual.hooks]
    return pd.DataFrame({"hook": usual.hooks, "loss": usual.losses, "taken": taken})
