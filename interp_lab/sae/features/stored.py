"""Differences and classifiers as named arrays, and back."""

from collections.abc import Mapping

import numpy as np

from interp_lab.runs.fields import as_arrays, from_arrays
from interp_lab.sae.features.combination import Combination, Told
from interp_lab.sae.features.differences import Chosen, SideValues
from interp_lab.sae.features.differing import Difference
from interp_lab.sae.features.greedy import FewFeatures
from interp_lab.sae.features.monitor import Monitors

Arrays = Mapping[str, np.ndarray]


def difference_arrays(found: Difference, prefix: str) -> dict[str, np.ndarray]:
    """Return a difference as arrays whose names begin with the prefix."""
    arrays = {
        "text": np.array([found.name, *found.names, found.reading, found.unit, found.chosen.test]),
        "numbers": np.array(
            [
                *found.r2,
                found.level,
                found.seed,
                found.chosen.n_tested,
                found.chosen.n_clear,
                found.chosen.smallest_p,
            ]
        ),
        "effect": found.chosen.effect,
        "p_adjusted": found.chosen.p_adjusted,
        "latents": found.chosen.latents,
        **_side_arrays(found.report, "report"),
        **({} if found.held_out is None else _side_arrays(found.held_out, "held_out")),
    }
    return {f"{prefix}_{name}": value for name, value in arrays.items()}


def difference_from(arrays: Arrays, prefix: str) -> Difference:
    """Rebuild from `difference_arrays`."""
    own = _without(arrays, prefix)
    name, first, second, reading, unit, test = own["text"].tolist()
    r2_first, r2_second, level, seed, n_tested, n_clear, least = own["numbers"].tolist()
    chosen = Chosen(own["effect"], own["p_adjusted"], own["latents"], int(n_tested), int(n_clear), test, least)
    held_out = _sides_from(own, "held_out") if "held_out_first" in own else None
    return Difference(
        name, (first, second), reading, unit, chosen, _sides_from(own, "report"), held_out, (r2_first, r2_second),
        level, int(seed),
    )  # fmt: skip


def combination_arrays(found: Combination, prefix: str) -> dict[str, np.ndarray]:
    """Return classifiers as arrays whose names begin with the prefix."""
    arrays = {
        "text": np.array([found.reading, *found.values]),
        "names": np.array(found.names),
        "n_features": np.array(found.n_features),
        "losses": found.losses,
        "chosen": found.few.chosen,
        "weights": found.few.weights,
        "bias": found.few.bias,
    }
    for part, told in (("report", found.report), ("held_out", found.held_out)):
        if told is None:
            continue
        arrays |= {
            f"{part}_says": told.says,
            f"{part}_labels": told.labels,
            f"{part}_templates": np.array(told.templates),
            f"{part}_contexts": np.array(told.contexts),
        }
    return {f"{prefix}_{name}": value for name, value in (arrays | as_arrays(found.monitors, "monitors")).items()}


def combination_from(arrays: Arrays, prefix: str) -> Combination:
    """Rebuild from `combination_arrays`."""
    own = _without(arrays, prefix)
    reading, negative, positive = own["text"].tolist()
    told: list[Told | None] = []
    for part in ("report", "held_out"):
        if f"{part}_says" not in own:
            told.append(None)
            continue
        says, labels = own[f"{part}_says"], own[f"{part}_labels"]
        templates, contexts = (tuple(own[f"{part}_{name}"].tolist()) for name in ("templates", "contexts"))
        told.append(Told(says == (labels == 1), says, labels, templates, contexts))
    report, away = told
    assert report is not None, "the reporting half is always there"
    return Combination(
        reading, (negative, positive), tuple(own["names"].tolist()),
        FewFeatures(own["chosen"], own["weights"], own["bias"]), int(own["n_features"]), own["losses"], report, away,
        from_arrays(Monitors, "monitors", own),
    )  # fmt: skip


def prefixes(arrays: Arrays, kind: str) -> list[str]:
    """Return the prefixes of one kind that there are, in order."""
    n = 0
    while f"{kind}_{n}_text" in arrays:
        n += 1
    return [f"{kind}_{nth}" for nth in range(n)]


def _without(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{prefix}_"): value for name, value in arrays.items() if name.startswith(f"{prefix}_")}


def _side_arrays(values: SideValues, part: str) -> dict[str, np.ndarray]:
    return {
        f"{part}_first": values.first,
        f"{part}_second": values.second,
        f"{part}_first_units": np.array(values.first_units),
        f"{part}_second_units": np.array(values.second_units),
        f"{part}_paired": np.array(values.paired),
    }


def _sides_from(own: Arrays, part: str) -> SideValues:
    units = [tuple(own[f"{part}_{side}_units"].tolist()) for side in ("first", "second")]
    return SideValues(own[f"{part}_first"], own[f"{part}_second"], units[0], units[1], bool(own[f"{part}_paired"]))
