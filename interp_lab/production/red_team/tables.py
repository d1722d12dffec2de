"""What searches found, in tables."""

import numpy as np
import pandas as pd

from interp_lab.production.red_team.claimed import PER, RedTeamClaims
from interp_lab.production.red_team.clusters import parts_of
from interp_lab.production.red_team.edits import edit_from, edit_name
from interp_lab.production.red_team.measured import Followed

MOST_HITS = 200
"""Rows of the table of hits."""


def searches_table(found: RedTeamClaims) -> pd.DataFrame:
    """Return a row per search: what it cost, and what it found."""
    rows = []
    for search in found.searches:
        runs, firsts = found.rows_of(search), found.first_planted(search)
        row = {
            "search": search,
            "runs": len(runs),
            "model calls": int(found.runs.calls[runs].sum()),
            "texts edited": int(found.runs.n_starts[runs].sum()),
            "hits": int(found.counts(search).sum()),
            **found.rate(search).columns(f"hits per {PER} calls"),
            **found.above(search, "random").columns("more than random search"),
            "edits as found": _mean(found, search, found.hits.n_found),
            "edits needed": _mean(found, search, np.array([len(parts_of(one)) for one in found.hits.edit.tolist()])),
        }
        if found.config.planted is not None:
            row |= {
                "runs that found the planted edits": int(np.isfinite(firsts).sum()),
                **found.share_planted(search).columns("share of runs"),
                "calls until then, median": float(np.nanmedian(firsts)) if np.isfinite(firsts).any() else np.nan,
                "calls until then, most": float(np.nanmax(firsts)) if np.isfinite(firsts).any() else np.nan,
                **found.rate(search, found.is_planted).columns(f"planted edits per {PER} calls"),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _mean(found: RedTeamClaims, search: str, values: np.ndarray) -> float:
    own = np.isin(found.hits.run, found.rows_of(search))
    return float(values[own].mean()) if own.any() else np.nan


def clusters_table(found: RedTeamClaims) -> pd.DataFrame:
    """Return a row per kind of input."""
    tried = {edit_name(edit_from(name)) for name in found.report.names}
    return pd.DataFrame(
        [
            {
                "shared": one.shares,
                "hits": len(one.members),
                "commonest edit": one.edit,
                "tried on other texts": one.edit in tried,
                "found by": ", ".join(
                    name for name in found.searches if np.isin(found.hits.run[one.members], found.rows_of(name)).any()
                ),
                "example": str(found.hits.edited[one.members[0]]),
            }
            for one in found.clusters
        ]
    )


def hits_table(found: RedTeamClaims) -> pd.DataFrame:
    """Return a row per hit, the first ones of each search first."""
    hits = found.hits
    rows = [
        {
            "search": str(found.runs.search[hits.run[nth]]),
            "seed": int(found.runs.seed[hits.run[nth]]),
            "calls": int(hits.calls[nth]),
            "edit": str(hits.edit[nth]),
            "target before": float(hits.before[nth]),
            "target": float(hits.value[nth]),
            "each edit needed": bool(hits.minimal[nth]),
            "input": str(hits.edited[nth]),
        }
        for nth in range(min(len(hits), MOST_HITS))
    ]
    return pd.DataFrame(rows)


def followed_table(found: RedTeamClaims) -> pd.DataFrame:
    """Return a row per edit and split: what becomes of answers and of the target, beside random edits."""
    splits: dict[str, Followed] = {"report": found.report}
    if found.held_out is not None:
        splits["held-out templates"] = found.held_out
    rows = []
    for split, held in splits.items():
        for nth, name in enumerate(held.names):
            (own, control), (rise, by_random) = found.shares(held, nth), found.rises(held, nth)
            rows.append(
                {
                    "edit": name,
                    "split": split,
                    "texts": held.turn.shape[1],
                    **own.columns("share turned"),
                    **control.columns("share turned by random edits"),
                    **rise.columns("rise of the target"),
                    **by_random.columns("rise by random edits"),
                }
            )
    return pd.DataFrame(rows)
