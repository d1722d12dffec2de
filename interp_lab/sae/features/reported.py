"""Tables of what was found: features in numbers, differences and classifiers with their intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from interp_lab.sae.features.combination import COMMONEST, DENSE, FEW, PAIR, SHUFFLED, SINGLE, WORDS, Combination, Told
from interp_lab.sae.features.differing import Difference
from interp_lab.sae.features.overview import Overview
from interp_lab.stats import SIGNED, bounded_interval, paired_difference
from interp_lab.types import Interval

N_DENSE = 12
"""Rows of the table of dense features."""


def dense_table(overview: Overview) -> pd.DataFrame:
    """Return the features that are active most often."""
    order = np.argsort(-overview.n_active, kind="stable")[:N_DENSE]
    numbers, words = overview.numbers, overview.words
    return pd.DataFrame({
        "latent": order,
        "density": numbers["density"][order],
        "mean_active": numbers["mean_active"][order],
        "max": numbers["max"][order],
        "documents": numbers["n_documents"][order].astype(int),
        "top_token": words["top_token"][order],
        "top_token_share": numbers["top_token_share"][order],
        "entropy_tokens": numbers["entropy_tokens"][order],
    })  # fmt: skip


def shown_table(overview: Overview) -> pd.DataFrame:
    """Return features of interest in words; values are those of the pass over text."""
    shown = overview.shown
    density = overview.numbers["density"][shown["latent"].to_numpy(int)]
    return shown.assign(density=density)[
        ["latent", "shown_because", "density", "active_at", "largest", "middle", "raises", "lowers"]
    ]


def differences_table(found: Sequence[Difference], overview: Overview, *, fdr: float) -> pd.DataFrame:
    """Return the chosen features of every set and reading, as the reporting half and held-out templates have them."""
    parts = [_difference_rows(one, overview, fdr=fdr) for one in found if len(one.chosen.latents)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"set": [], "latent": []})


def _difference_rows(one: Difference, overview: Overview, *, fdr: float) -> pd.DataFrame:
    found, away = one.reported, one.replicated
    assert found is not None, "some feature was chosen"
    latents, own, effect = one.chosen.latents, found.intervals, found.effect
    table = pd.DataFrame({
        "set": one.name,
        "reading": one.reading,
        "latent": latents,
        "top_token": overview.words["top_token"][latents],
        "more_in": [one.names[int(value < 0)] for value in own.estimate],
        "mean_first": one.report.first.mean(1),
        "mean_second": one.report.second.mean(1),
        "difference": own.estimate,
        "difference_low": own.low,
        "difference_high": own.high,
        "d": effect.estimate,
        "d_low": effect.low,
        "d_high": effect.high,
        "p_adjusted": one.p_adjusted(),
    })  # fmt: skip
    nothing = np.full(len(latents), np.nan)
    for end in ("estimate", "low", "high"):
        suffix = "" if end == "estimate" else f"_{end}"
        table[f"d_held_out{suffix}"] = nothing if away is None else getattr(away.effect, end)
    return table.assign(found_again=one.holds(fdr=fdr))


def sets_table(found: Sequence[Difference], *, fdr: float) -> pd.DataFrame:
    """Return a row for every set and reading: how many features were tested, clear, and found again."""
    again = [one.holds(fdr=fdr) for one in found]
    return pd.DataFrame({
        "set": [one.name for one in found],
        "reading": [one.reading for one in found],
        "first": [one.names[0] for one in found],
        "second": [one.names[1] for one in found],
        "tested": [one.chosen.n_tested for one in found],
        "clear": [one.chosen.n_clear for one in found],
        "reported": [len(one.chosen.latents) for one in found],
        "again_on_report_half": [sum(word != "no" for word in words) for words in again],
        "again_on_held_out": [sum("held-out" in word for word in words) for words in again],
        "units": [f"{n_units(one)} {one.unit}s" for one in found],
        "test": [one.chosen.test or "none" for one in found],
        "smallest_p": [one.chosen.smallest_p for one in found],
        "test_on_report_half": ["none" if one.reported is None else one.reported.test for one in found],
        "smallest_p_on_report_half": [np.nan if one.reported is None else one.reported.smallest_p for one in found],
        "r2_first": [one.r2[0] for one in found],
        "r2_second": [one.r2[1] for one in found],
    })  # fmt: skip


def n_units(one: Difference) -> int:
    """Return how many independent units a comparison stands on, on the reporting half (of the smaller side)."""
    if one.reported is not None:
        return one.reported.intervals.n_clusters
    return min(len(set(one.report.first_units)), len(set(one.report.second_units)))


def told_effect(effect: Interval) -> str:
    """Return an effect in words."""
    if np.isinf(effect.estimate):
        return "separates the sides completely: documents of a side do not differ"
    return f"d {effect.estimate:.2f} [{effect.low:.2f}, {effect.high:.2f}]"


def accuracy(told: Told, name: str, names: Sequence[str], *, level: float) -> Interval:
    """Return the share of documents that a classifier tells rightly, over templates; of shuffled labels their mean.

    Where nothing differs between them it is exact, over documents (`bounded_interval`).
    """
    right = told.right[_named(name, names)].mean(0)
    return bounded_interval(right, list(told.templates), level=level)


def _named(name: str, names: Sequence[str]) -> list[int]:
    return [nth for nth, own in enumerate(names) if own == name or (name == SHUFFLED and own.startswith(SHUFFLED))]


def combination_table(found: Sequence[Combination], *, level: float) -> pd.DataFrame:
    """Return how often every classifier is right, and by how much two features differ from it."""
    rows = []
    for one in found:
        numbers = {SINGLE: 1, PAIR: min(2, len(one.few.chosen)), FEW: one.n_features}
        for name in (SINGLE, PAIR, FEW, WORDS, DENSE, COMMONEST, SHUFFLED):
            row: dict[str, object] = {"reading": one.reading, "classifier": name, "features": numbers.get(name, np.nan)}
            for part, told in (("report", one.report), ("held_out", one.held_out)):
                if told is None:
                    continue
                row |= _ends(part, accuracy(told, name, one.names, level=level))
            rows.append(row | _ends("pair_less_this", less_than_pair(one, name, level=level)))
    return pd.DataFrame(rows)


def less_than_pair(one: Combination, name: str, *, level: float) -> Interval:
    """Return accuracy of two features less that of another classifier, on held-out templates.

    Where no template differs from another, their texts count as independent (`bounded_interval`).
    """
    told = one.tested
    pair = told.right[one.names.index(PAIR)].astype(float)
    other = told.right[_named(name, one.names)].mean(0)
    found = paired_difference(pair[None], other[None], list(told.templates), level=level).intervals.at(0)
    if found.low < found.high or name == PAIR:
        return found
    return bounded_interval(pair - other, list(told.templates), within=SIGNED, level=level)


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def contexts_table(found: Sequence[Combination]) -> pd.DataFrame:
    """Return, context by context, how often the second label is right and how often it is said (held-out templates)."""
    rows = []
    for one in found:
        told, contexts = one.tested, np.array(one.tested.contexts)
        for context in sorted(set(told.contexts)):
            here = contexts == context
            said = {name: told.says[one.names.index(name)][here].mean() for name in (SINGLE, PAIR, FEW)}
            rows.append({
                "reading": one.reading, "context": context, "documents": int(here.sum()),
                f"is_{one.values[1]}": told.labels[here].mean(),
                **{f"said_by_{name.replace(' ', '_')}": share for name, share in said.items()},
            })  # fmt: skip
    return pd.DataFrame(rows)


def weights_table(found: Sequence[Combination], overview: Overview) -> pd.DataFrame:
    """Return the features of the classifiers in the order in which they were added."""
    rows = [
        {
            "reading": one.reading,
            "step": step + 1,
            "latent": latent,
            "top_token": overview.words["top_token"][latent],
            "weight_beside_one_other": one.few.weights[1, step] if step < 2 <= len(one.few.chosen) else np.nan,
            "loss_on_inner_folds": one.losses[:, step].mean() if step < one.losses.shape[1] else np.nan,
            "taken": "yes" if step < one.n_features else "no",
        }
        for one in found
        for step, latent in enumerate(one.few.chosen.tolist())
    ]
    return pd.DataFrame(rows)


def mean_active_per_token(overview: Overview) -> float:
    """Return how many features are active at a token, on average (L0)."""
    return float(overview.numbers["density"].sum())


def largest_effects(one: Difference, n: int) -> list[tuple[int, Interval]]:
    """Return the first chosen features with their effects on the reporting half."""
    found = one.reported
    return [] if found is None else [(int(one.chosen.latents[nth]), found.effect.at(nth))
                                     for nth in range(min(n, len(one.chosen.latents)))]  # fmt: skip
