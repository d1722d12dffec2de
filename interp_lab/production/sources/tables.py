"""What methods say of sources, as tables."""

import numpy as np
import pandas as pd

from interp_lab.production.sources.claimed import SourcesClaims
from interp_lab.production.sources.config import OVERLAP
from interp_lab.production.sources.scores import LOOKS
from interp_lab.stats import SIGNED
from interp_lab.types import UNMEASURED


def kind_of(name: str) -> str:
    """Return what a method's numbers come from."""
    return "no model" if name == OVERLAP else "descriptive" if name in LOOKS else "leaves sources out"


def methods_table(found: SourcesClaims) -> pd.DataFrame:
    """Return, for each method and split, how often it is right, what its first source is worth, and what it foretells.

    `accuracy` is the share of prompts whose answer comes from the source that it ranks first, `accuracy_if_wrong` that
    of those whose answer is known to be wrong, and comes from another source than is asked for.
    `lost` is the fall of the log odds without its first sources, left out the way that tests methods; `foretold` the
    rank correlation of its sums with the log odds over held-out subsets, left out the way of the scores.
    """
    rows = []
    for split, held in found.splits.items():
        for nth, name in enumerate(found.names):
            row: dict[str, object] = {"method": name, "split": str(split), "kind": kind_of(name)}
            row |= found.share(held.hits[nth], held).columns("accuracy")
            row |= found.share(np.where(held.right == 0, held.hits[nth], np.nan), held).columns("accuracy_if_wrong")
            row |= found.over(held.needed[1, nth], held).columns("lost")
            row |= found.over(held.foretold[nth], held, within=SIGNED).columns("foretold")
            rows.append({**row, "grade": _graded(found, nth)})
        row = {"method": "at random", "split": str(split), "kind": "control"}
        dealt = held.shuffled_hits.mean(0)
        row |= found.share(dealt, held).columns("accuracy")
        row |= found.share(np.where(held.right == 0, dealt, np.nan), held).columns("accuracy_if_wrong")
        row |= found.over(held.by_lot[1].mean(0), held).columns("lost")
        rows.append({**row, **UNMEASURED.columns("foretold"), "grade": ""})
    return pd.DataFrame(rows)


def _graded(found: SourcesClaims, nth: int) -> str:
    """Return the grade of the claim on a method, in words."""
    if nth == len(found.names) - 1:
        return "the test itself"
    grade = found.grade(found.names[nth])
    return "" if grade is None else str(grade)


def agreement_table(found: SourcesClaims) -> pd.DataFrame:
    """Return how each method agrees with leaving one source out, and who is right where they name different ones."""
    judge = found.names.index(found.config.scoring.causal[0])
    rows = []
    for split, held in found.splits.items():
        for nth, name in enumerate(found.names):
            if nth == judge:
                continue
            apart = np.where(held.same[nth, judge] < 1, 1.0, np.nan)
            row: dict[str, object] = {"method": name, "split": str(split)}
            row |= found.over(held.tau[nth, judge], held, within=SIGNED).columns("tau")
            row |= found.share(held.same[nth, judge], held).columns("same_first")
            row["n_apart"] = int(np.nansum(apart))
            row |= found.share(held.hits[nth] * apart, held).columns("right_where_apart")
            row |= found.share(held.hits[judge] * apart, held).columns("ablation_right_where_apart")
            rows.append(row)
    return pd.DataFrame(rows)


def answers_table(found: SourcesClaims) -> pd.DataFrame:
    """Return how sure the model is of its answers with all sources and with none, and what it cost to ask."""
    rows = []
    for split, held in found.splits.items():
        told = {
            "log odds of the answer": found.over(held.clean, held),
            "log odds without any source": found.over(held.corrupted, held),
            "share of answers that are right": found.share(held.right, held),
            "share of answers that one source is known to state": found.share((held.truth >= 0).astype(float), held),
            "integrated gradients: share that is missing": found.over(held.missing, held),
        }
        rows += [
            {"what": name, "split": str(split), **one.columns("value")}
            for name, one in told.items()
            if np.isfinite(one.estimate)
        ]
        share = held.n_tokens / held.n_whole
        rows.append({"what": "tokens run, of those of whole prompts", "split": str(split), "value": share})
    return pd.DataFrame(rows)
