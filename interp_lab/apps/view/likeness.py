"""What makes two results unlike, so that a difference between them has more than one reason."""

from collections.abc import Mapping
from typing import Any

from interp_lab.experiment import Result

_ASKED = {
    "task": "they are of different tasks",
    "metric": "they measure by different metrics",
    "fold": "they saw different folds of the examples",
}
"""Keys of a config, and what it means if they differ."""
_DEFAULTS = {"fold": "all"}
"""Of experiments that have no such key."""
_SHAPE = ("n_layers", "d_model", "d_vocab")


def unlikenesses(a: Result, b: Result) -> list[str]:
    """Return in which respects two results are not like with like, one sentence each; nothing, if in none."""
    before, after = a.provenance, b.provenance
    found = []
    if before.experiment != after.experiment:
        found.append(f"they are of different experiments: {before.experiment} and {after.experiment}")
    found += _asked_otherwise(a.config.flat(), b.config.flat())
    if before.model.processing != after.model.processing:
        found.append(
            "the weights were processed in different ways, which changes the residual stream: "
            f"{before.model.processing} and {after.model.processing}"
        )
    shapes = [{name: getattr(one.model, name) for name in _SHAPE} for one in (before, after)]
    differing = [name for name in _SHAPE if shapes[0][name] != shapes[1][name]]
    if differing:
        told = ", ".join(f"{name} {shapes[0][name]} and {shapes[1][name]}" for name in differing)
        found.append(f"the models have different shapes ({told}): layers and heads of one are not those of the other")
    return found + _made_otherwise(a, b)


def _asked_otherwise(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what was asked differently; that only one config has the key counts, too."""
    asked = [{key: one.get(key, _DEFAULTS.get(key)) for key in _ASKED} for one in (before, after)]
    return [
        f"{means}: {_value(asked[0][key])} and {_value(asked[1][key])}"
        for key, means in _ASKED.items()
        if asked[0][key] != asked[1][key]
    ]


def _made_otherwise(a: Result, b: Result) -> list[str]:
    before, after = a.provenance, b.provenance
    found = []
    if before.dtype != after.dtype:
        found.append(f"the weights had different precision: {before.dtype} and {after.dtype}")
    names = sorted({*before.versions, *after.versions})
    changed = [name for name in names if before.versions.get(name) != after.versions.get(name)]
    if changed:
        told = ", ".join(
            f"{name} {_value(before.versions.get(name))} and {_value(after.versions.get(name))}" for name in changed
        )
        found.append(f"they were made with different versions: {told}")
    return found


def _value(value: object) -> str:
    return "none" if value is None else str(value)
