"""Tables of a sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.sweeps.config import number_text
from interp_lab.sweeps.found import Found
from interp_lab.sweeps.searched import COMPLETE, STATES

MOST_BEST = 10
"""Trials in the table of the best."""


def trials_table(found: Found) -> pd.DataFrame:
    """Return every trial: its values, how it ended, its metric, and whether it is on the front."""
    s = found.searched
    columns: dict[str, Any] = {"trial": s.numbers, "state": [STATES[state] for state in s.states]}
    columns |= _values(found, range(len(found.known)), taken=_OWN)
    columns |= {
        _free(found.config.metric, (*columns, *_OWN)): s.metric,
        "on_front": found.front,
        "seconds": s.seconds,
        "attempts": s.attempts,
        "reason": list(s.reasons),
    }
    return pd.DataFrame(columns)


_OWN = ("trial", "state", "on_front", "seconds", "attempts", "reason")


def _values(found: Found, which: Sequence[int], *, taken: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of some parameters by name; a name that is taken gets a mark."""
    held: dict[str, list[Any]] = {}
    for nth in which:
        known = found.known[nth]
        name = _free(known.name, (*taken, *held))
        held[name] = [known.value_of(code) for code in found.searched.values[:, nth]]
    return held


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += " *"
    return name


def metrics_table(found: Found) -> pd.DataFrame:
    """Return every final metric of every trial."""
    s = found.searched
    return pd.DataFrame({"trial": s.numbers, **dict(zip(s.other_names, s.others.T, strict=True))})


def parameters_table(found: Found) -> pd.DataFrame:
    """Return what was searched, and the best trial's values."""
    best, values = found.best, found.searched.values
    chosen = {} if best is None else {"of the best trial": _texts(found, values[best])}
    rows = {"parameter": [one.name for one in found.known], "searched": [str(one) for one in found.known]}
    rows["values tried"] = [str(len(np.unique(column[~np.isnan(column)]))) for column in values.T]
    return pd.DataFrame({**rows, **chosen})


def _texts(found: Found, codes: np.ndarray) -> list[str]:
    return [one.text_of(code) for one, code in zip(found.known, codes, strict=True)]


def best_table(found: Found) -> pd.DataFrame:
    """Return the best trials, with the values of what varied and what the metric is weighed against."""
    s = found.searched
    order = [nth for nth in np.argsort(-found.config.sign * s.metric, kind="stable").tolist() if s.comparable[nth]][
        :MOST_BEST
    ]
    return _rows(found, order)


def front_table(found: Found) -> pd.DataFrame:
    """Return the trials on the front, the best first."""
    order = np.argsort(-found.gains[:, 0], kind="stable").tolist()
    return _rows(found, [nth for nth in order if found.front[nth]])


def _rows(found: Found, rows: Sequence[int]) -> pd.DataFrame:
    s, chosen = found.searched, list(rows)
    columns: dict[str, Any] = {"trial": [str(s.numbers[nth]) for nth in chosen]}
    columns[_free(found.config.metric, tuple(columns))] = s.metric[chosen]
    for one in found.objectives:
        columns[_free(one.name, tuple(columns))] = s.measured(one.name)[chosen]
    for nth in found.varied:
        known = found.known[nth]
        columns[_free(known.name, tuple(columns))] = [known.text_of(code) for code in s.values[chosen, nth]]
    return pd.DataFrame(columns)


def ended_badly_table(found: Found) -> pd.DataFrame:
    """Return the trials that did not run to their end, with the reason."""
    s = found.searched
    chosen = np.flatnonzero(~s.comparable).tolist()
    rows = {
        "trial": [str(s.numbers[nth]) for nth in chosen],
        "state": [STATES[s.states[nth]] if s.states[nth] != COMPLETE else "no finite metric" for nth in chosen],
        "attempts": [str(s.attempts[nth]) for nth in chosen],
        "reason": [s.reasons[nth] for nth in chosen],
    }
    for nth in found.varied:
        name = _free(found.known[nth].name, tuple(rows))
        rows[name] = [found.known[nth].text_of(code) for code in s.values[chosen, nth]]
    return pd.DataFrame(rows)


def importance_table(found: Found) -> pd.DataFrame:
    """Return the importance of each parameter beside that with the metric shuffled, the clearest first."""
    held = found.importance
    if held is None:
        return pd.DataFrame()
    columns = {
        "parameter": list(held.names),
        "importance": held.observed,
        "metric_shuffled": held.null_median,
        f"metric_shuffled_{number_text(100 * held.level)}%": held.null_high,
        "p": held.p,
        "adjusted_p": held.adjusted_p,
        "stands_out": held.stands_out,
    }
    return pd.DataFrame(columns).sort_values(["p", "importance"], ascending=[True, False], ignore_index=True)


def again_table(found: Found) -> pd.DataFrame:
    """Return every run of winner and base after the search."""
    rows = [_again_row(vars(one)) for one in found.again]
    return pd.DataFrame(rows)


def _again_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "setting": one["name"],
        "fold": one["fold"].replace("_", " "),
        "seed": "that of the trials" if one["seed"] is None else str(one["seed"]),
        "metric": np.nan if one["metric"] is None else one["metric"],
        "reason": one["reason"],
    }


def shrinkage_table(found: Found) -> pd.DataFrame:
    """Return how winner and base differ on the held-out fold, and from the search; positive is (or looked) better."""
    held = found.remeasured
    if held is None:
        return pd.DataFrame()
    rows = {
        "winner better than base, held out": held.difference,
        "winner looked better in the search": held.shrinkage,
        "base looked better in the search": held.shrinkage_of_base,
        "winner looked better, beyond the base": held.excess,
    }
    return pd.DataFrame([{"what": name, **one.columns("by")} for name, one in rows.items()])
