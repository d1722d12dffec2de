"""The scenarios that ship, carried out small enough for a test: some of their steps, as their files have them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp_lab.investigation import Investigated, InvestigationConfig, investigate, read_investigation_config
from interp_lab.models.held import held

FOLDER = Path(__file__).parents[2] / "experiments/investigations"


def scenario(
    name: str, *steps: str, small: Mapping[str, Mapping[str, Any]] | None = None, **values: Any
) -> InvestigationConfig:
    """Return a scenario with some of its steps, each told what makes it small, and the marks that stand among them."""
    config = read_investigation_config(FOLDER / f"{name}.yaml", {"steps": dict(small or {}), **values}, "quick")
    kept = [one for one in config.steps if isinstance(one, str) or one.name in steps]
    return config.overlaid({"steps": [one if isinstance(one, str) else one.as_dict() for one in kept]})


def carried_out(config: InvestigationConfig, folder: Path) -> Investigated:
    """Carry it out, with one model in memory for all of it."""
    with held():
        return investigate(config, folder)


def holding(found: Investigated, *, step: str | None = None) -> set[str]:
    """Return the components of the hypotheses that hold, of one step or of all."""
    return {one.hypothesis.component for one in found.decided if one.holds and step in (None, one.hypothesis.step)}
