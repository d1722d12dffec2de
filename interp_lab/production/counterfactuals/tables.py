"""Tables of what was found."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from interp_lab.claims import Split
from interp_lab.production.counterfactuals.choice import AnyValue
from interp_lab.production.counterfactuals.claimed import CounterfactualClaims
from interp_lab.production.counterfactuals.rule import Truth
from interp_lab.stats import SIGNED
from interp_lab.types import Interval


def methods_table(found: CounterfactualClaims) -> pd.DataFrame:
    """Return a row per method and split: how often a flip is found, how small, how far, how plausible."""
    rows, most = [], (0.0, float(found.config.most_edits))
    for split, held in found.splits.items():
        templates = held.texts.template
        for nth, method in enumerate(held.found.methods):
            own = held.found
            rows.append(
                {
                    "method": method,
                    "split": str(split),
                    **found.interval(np.isfinite(own.size[nth]).astype(float), templates).columns("flip found"),
                    **found.interval(own.random[nth], templates).columns("random edits"),
                    **found.interval(own.size[nth], templates, within=most).columns("edits"),
                    **found.interval(own.turn[nth], templates, within=None).columns("turn"),
                    "foretold turn": _mean(own.estimated[nth]),
                    **found.interval(own.agreement[nth], templates, within=SIGNED).columns("rank correlation"),
                    **found.interval(own.plausibility[nth], templates, within=None).columns("plausibility"),
                    **found.interval(own.member[nth], templates).columns("as a template"),
                    "tried": _mean(own.n_tried[nth]),
                }
            )
    return pd.DataFrame(rows)


def attributes_table(found: CounterfactualClaims) -> pd.DataFrame:
    """Return a row per attribute and split: in how many texts some value of it alone flips the answer."""
    rows = []
    for split, held in found.splits.items():
        for name, flips in zip(held.alone.attributes, held.alone.flips, strict=True):
            declared = "should decide" if name in found.legitimate else "protected" if name in found.protected else ""
            row = {"attribute": name, "split": str(split), "declared": declared, "texts": _count(flips)}
            rows.append(row | found.interval(flips, held.texts.template).columns("flips"))
    table = pd.DataFrame(rows)
    return table if table.empty else table.sort_values(["split", "flips"], ascending=[False, False], kind="stable")


def tested_table(found: CounterfactualClaims) -> pd.DataFrame:
    """Return a row for each of what was chosen and each split: the share of texts that flip, beside random edits."""
    grades, rows = {str(one): str(claim.grade) for one, claim in found.graded}, []
    for split, held in found.splits.items():
        for nth, one in enumerate(found.chosen):
            rows.append(
                {
                    "changed": f"{one.attribute}, any value" if isinstance(one, AnyValue) else one.attribute,
                    "split": str(split),
                    "texts": _count(held.tried.flipped[nth]),
                    **found.share(one, split).columns("flips"),
                    **found.control(one, split).columns("random edits"),
                    "evidence": grades.get(str(one), ""),
                    "stated": str(one),
                }
            )
    return pd.DataFrame(rows)


def fairness_table(found: CounterfactualClaims) -> pd.DataFrame:
    """Return a row per protected attribute and split."""
    rows = []
    for split, held in found.splits.items():
        for nth, name in enumerate(held.fair.names):
            row: dict[str, object] = {
                "protected": name, "split": str(split), "texts": _count(held.fair.any_value[nth]),
            }  # fmt: skip
            for key, interval in fairness_of(found, split, nth).items():
                row |= interval.columns(key)
            rows.append(row)
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def fairness_of(found: CounterfactualClaims, split: Split, nth: int) -> dict[str, Interval]:
    """Return what changing a protected attribute alone does: intervals by name, of what was measured or not."""
    held = found.splits[split]
    own, templates = held.fair, held.texts.template
    return {
        "any value flips": found.interval(own.any_value[nth], templates),
        "the same in the other model": found.interval(own.against[nth], templates),
        "difference": found.interval(own.any_value[nth] - own.against[nth], templates, within=SIGNED),
        "values of another group": found.interval(own.across[nth], templates),
        "values of the same group": found.interval(own.within[nth], templates),
        "across minus within": found.interval(own.across[nth] - own.within[nth], templates, within=SIGNED),
    }


def truth_table(found: CounterfactualClaims) -> pd.DataFrame:
    """Return two rows per split: flips by values of attributes, measured and foretold, beside the rule."""
    rows = []
    for split, held in found.splits.items():
        for label, truth in (("measured", held.truth), ("foretold by the gradient", held.foretold)):
            if truth is not None:
                row: dict[str, object] = {"split": str(split), "flips": label, "texts": _count(truth.size)}
                for key, interval in truth_of(found, split, truth).items():
                    row |= interval.columns(key)
                rows.append(row)
    return pd.DataFrame(rows)


def truth_of(found: CounterfactualClaims, split: Split, truth: Truth) -> dict[str, Interval]:
    """Return precision, recall, and how often the smallest flip has the size of the smallest true one."""
    same = np.where(np.isfinite(truth.size), (truth.size == truth.found_size).astype(float), np.nan)
    values = {"precision": truth.precision, "recall": truth.recall, "same size": same}
    return {name: found.interval(own, found.splits[split].texts.template) for name, own in values.items()}


def flips_table(found: CounterfactualClaims) -> pd.DataFrame:
    """Return a row per text and method of the report split: what flips it, the largest turn first."""
    held, rows = found.report, []
    for nth, method in enumerate(held.found.methods):
        for column in np.flatnonzero(np.isfinite(held.found.size[nth])):
            rows.append(
                {
                    "method": method,
                    "edit": str(held.found.told[nth, column]),
                    "answer before": str(held.texts.answer[column]),
                    "turn": float(held.found.turn[nth, column]),
                    "foretold turn": float(held.found.estimated[nth, column]),
                    "plausibility": float(held.found.plausibility[nth, column]),
                    "text": str(held.found.edited[nth, column]),
                }
            )
    table = pd.DataFrame(rows)
    return table if table.empty else table.sort_values("turn", ascending=False, kind="stable")


def _count(values: Float[np.ndarray, " example"]) -> int:
    """Return of how many texts there is a value."""
    return int(np.isfinite(values).sum())


def _mean(values: Float[np.ndarray, " example"]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
