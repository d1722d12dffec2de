"""The file of an investigation, with what the command line lays over it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp_lab.config import ConfigError, merge, read_yaml, unflatten
from interp_lab.investigation.config import Effort, InvestigationConfig
from interp_lab.types import nearest


def read_investigation_config(
    path: str | Path, overlay: Mapping[str, Any] | None = None, effort: Effort | None = None
) -> InvestigationConfig:
    """Read the file of an investigation.

    Args:
        overlay: nested or dotted keys; `steps.NAME.KEY` sets what the config of one step says, whatever the effort.
        effort: in place of the one in the file.

    Raises: ConfigError, if the file describes no investigation, with everything that is wrong.
    """
    values = read_yaml(path)
    if "investigation" not in values:
        is_run = f"; it describes an experiment: `interp-lab run {path}`" if "experiment" in values else ""
        raise ConfigError(f"{path} has no key 'investigation', by which the file of one is known{is_run}")
    over = unflatten(overlay or {})
    of_steps = over.pop("steps", {})
    values = merge(values, {**over, **({} if effort is None else {"effort": effort})})
    if of_steps:
        values["steps"] = _laid_over(values.get("steps"), of_steps)
    try:
        return InvestigationConfig.from_mapping(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _laid_over(steps: Any, of_steps: Any) -> Any:  # noqa: ANN401 - what a user wrote
    """Return the list of steps with what the command line says of some of them."""
    if not isinstance(of_steps, Mapping) or not isinstance(steps, list):
        raise ConfigError("steps: set one value of one step at a time, such as --steps.NAME.n_pairs=32")
    named = {step["name"]: step for step in steps if isinstance(step, dict) and "name" in step}
    unknown = [name for name in of_steps if name not in named]
    if unknown:
        raise ConfigError(
            f"steps.{unknown[0]}: no such step{nearest(str(unknown[0]), named)}; there are {', '.join(named)}"
        )
    return [_with(step, of_steps) for step in steps]


def _with(step: Any, of_steps: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what a user wrote
    own = of_steps.get(step.get("name")) if isinstance(step, dict) else None
    if own is None:
        return step
    kinds = [kind for kind in ("config", "quick", "thorough") if kind == "config" or kind in step]
    return {**step, **{kind: merge(step.get(kind) or {}, own) for kind in kinds}}
