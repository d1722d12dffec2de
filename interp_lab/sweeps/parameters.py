"""Reading the `parameters` of a sweep as W&B reads them; what is wrong is collected, not raised one at a time."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from interp_lab.sweeps.space import KINDS, Choice, Parameter, Range
from interp_lab.types import nearest

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
"""W&B's own pattern."""

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
}
DISTRIBUTIONS = (*_CHOICES, *KINDS)
"""Every distribution that W&B knows, by its name there."""


def parse_parameters(block: Any, *, problems: list[str]) -> dict[str, Parameter]:  # noqa: ANN401 - what a user wrote
    """Return parameters by dotted name, in W&B's order: sorted by name at every level of nesting.

    A nested block `optim: {parameters: {lr: ...}}` has the names `optim.lr` and so on.
    """
    if not isinstance(block, Mapping) or not block:
        problems.append(f"parameters: {block!r} names nothing to vary; write name: {{values: [...]}}")
        return {}
    found: dict[str, Parameter] = {}
    for path, spec in _leaves(block, (), problems):
        name = ".".join(path)
        parameter = parse_parameter(name, spec, path=path, problems=problems)
        if name in found:
            problems.append(f"{name}: given twice, with dots and as a nested block; leave one out")
        elif parameter is not None:
            found[name] = parameter
    for name in found:
        inside = [other for other in found if other.startswith(f"{name}.")]
        if inside:
            problems.append(f"{name}: would be set as a whole, and {', '.join(inside)} inside it; leave one out")
    return found


def _leaves(
    block: Mapping[Any, Any], above: tuple[str, ...], problems: list[str]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, spec in sorted(block.items(), key=lambda item: str(item[0])):
        path = (*above, str(key))
        if not isinstance(key, str) or not _NAME.fullmatch(key):
            problems.append(f"parameters: {key!r} is no name that W&B takes; use letters, digits and any of _ . -")
        elif isinstance(spec, Mapping) and "parameters" in spec:
            if len(spec) > 1 or not isinstance(spec["parameters"], Mapping) or not spec["parameters"]:
                problems.append(f"{'.'.join(path)}: a nested block has the one key parameters, a mapping of names")
            else:
                yield from _leaves(spec["parameters"], path, problems)
        else:
            yield path, spec


def parse_parameter(
    name: str,
    spec: Any,  # noqa: ANN401 - what a user wrote
    *,
    problems: list[str],
    path: tuple[str, ...] = (),
) -> Parameter | None:
    """Return one parameter, or `None` with what is wrong added to `problems`."""
    if not isinstance(spec, Mapping):
        problems.append(f"{name}: {spec!r} is no mapping; for one value write {{value: {spec!r}}}")
        return None
    kind = spec.get("distribution") or _inferred(spec)
    if kind is None:
        problems.append(f"{name}: {dict(spec)} says not what to choose from; give value, values, or min and max")
        return None
    if kind not in DISTRIBUTIONS:
        known = ", ".join(DISTRIBUTIONS)
        problems.append(f"{name}.distribution: {kind!r} is none of W&B's{nearest(str(kind), DISTRIBUTIONS)}: {known}")
        return None
    found = [f"{name}.{each}" for each in _problems_of_keys(kind, spec)]
    if not found:
        of_values = _problems_of_choice(spec) if kind in _CHOICES else _problems_of_range(kind, spec)
        found = [f"{name}: {each}" for each in of_values]
    problems += found
    if found:
        return None
    if kind in _CHOICES:
        values = (spec["value"],) if kind == "constant" else tuple(spec["values"])
        weights = spec.get("probabilities")
        return Choice(values, None if weights is None else tuple(map(float, weights)), path or (name,))
    terms = {key: spec.get(key, default) for key, default in KINDS[kind].items()}
    return _finite(name, Range(kind, terms, path or (name,)), problems)


def _inferred(spec: Mapping[str, Any]) -> str | None:
    """Return the distribution that W&B takes where none is named."""
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical_w_probabilities" if "probabilities" in spec else "categorical"
    if "min" in spec and "max" in spec:
        return "int_uniform" if all(_is_whole(spec[key]) for key in ("min", "max")) else "uniform"
    return None


def _problems_of_keys(kind: str, spec: Mapping[str, Any]) -> Iterator[str]:
    if kind in _CHOICES:
        required = known = _CHOICES[kind]
    else:
        known = tuple(KINDS[kind])
        required = tuple(key for key, default in KINDS[kind].items() if default is None)
    for key in spec:
        if key not in known and key != "distribution":
            yield f"{key}: distribution {kind} has no such key{nearest(str(key), known)}; it has {', '.join(known)}"
    for key in required:
        if key not in spec:
            yield f"{key}: required by distribution {kind}, but not given"


def _problems_of_choice(spec: Mapping[str, Any]) -> Iterator[str]:
    values = spec.get("values", [None])
    if not isinstance(values, list) or not values:
        yield f"values: {values!r} must be a list of at least one value"
        return
    for value in (spec["value"],) if "value" in spec else values:
        if not _is_plain(value):
            yield f"{value!r} is a {type(value).__name__} in YAML, which no command line can tell; put it in quotes"
    weights = spec.get("probabilities")
    if weights is None:
        return
    if not isinstance(weights, list) or len(weights) != len(values):
        yield f"probabilities {weights!r} must be one for each of {len(values)} values"
    elif not all(_is_number(weight) and weight >= 0 for weight in weights):
        yield f"probabilities {weights!r} must be numbers from 0"
    elif not math.isclose(sum(weights), 1, rel_tol=1e-5):
        yield f"probabilities {weights!r} add up to {sum(weights):g}, not to 1"


def _problems_of_range(kind: str, spec: Mapping[str, Any]) -> Iterator[str]:
    given = {key: value for key, value in spec.items() if key != "distribution"}
    bad = {key: value for key, value in given.items() if not _is_number(value)}
    for key, value in bad.items():
        yield f"{key}: {value!r} is no number{_in_yaml(value)}"
    if bad:
        return
    for key, value in given.items():
        if kind == "int_uniform" and not _is_whole(value):
            yield f"{key}: {value!r} must be a whole number for int_uniform; write uniform for any number"
        if (key in ("q", "sigma", "a", "b") or (key == "min" and kind.endswith("_values"))) and value <= 0:
            yield f"{key}: {value!r} must be above 0"
    if "min" in given and given["min"] >= given["max"]:
        yield f"min {given['min']} is not below max {given['max']}; swap them, or write value for a single one"


def _in_yaml(value: Any) -> str:  # noqa: ANN401 - what a user wrote
    """Return the way out of YAML's reading of `1e-5`, which has no dot, as text."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    if not math.isfinite(number):
        return ""
    mantissa, e, exponent = value.lower().partition("e")
    dotted = mantissa if "." in mantissa else f"{mantissa}.0"
    written = f"{dotted}{e}{exponent if exponent.startswith('-') else f'+{exponent}'}" if e else value
    return f", but text; write {written} without quotes"


def _finite(name: str, found: Range, problems: list[str]) -> Range | None:
    """Refuse what has no end: `min` and `max` that were meant as values and are taken for exponents, mostly."""
    if all(math.isfinite(end) for end in found.ends):
        return found
    instead = f"; for values write {found.kind}_values" if f"{found.kind}_values" in KINDS else ""
    problems.append(f"{name}: {found.kind} with {dict(found.terms)} goes beyond the largest number{instead}")
    return None


def _is_number(value: Any) -> bool:  # noqa: ANN401 - what a user wrote
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:  # noqa: ANN401 - what a user wrote
    return isinstance(value, int) and not isinstance(value, bool)


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - what a user wrote
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    return value is None or isinstance(value, bool | int | float | str)
