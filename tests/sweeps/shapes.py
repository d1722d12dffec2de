"""A config with everything that a sweep may set, for tests of what is tried on it."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from interp_lab.config import Config
from interp_lab.registry import Entry
from interp_lab.sweeps import Definition, read_definition

ENTRY = Entry("tests.sweeps.shapes:Never", "tests.sweeps.shapes:ShapeConfig", "tests.sweeps.shapes:Never", "?")


class OptimConfig(Config):
    lr: float = Field(0.1, gt=0, le=1)
    kind: Literal["adam", "sgd"] = "adam"


class ShapeConfig(Config):
    optim: OptimConfig = OptimConfig()
    label: str | None = "plain"
    layers: tuple[int, ...] = (0,)
    n: Annotated[int, Field(ge=1)] = 4
    n_top: int = 2
    flag: bool = True
    fold: Literal["all", "search", "held_out"] = "all"
    options: dict[str, int] = {}  # noqa: RUF012 - pydantic copies defaults

    @model_validator(mode="after")
    def _fits(self) -> "ShapeConfig":
        if self.n_top > self.n:
            raise ValueError(f"n_top={self.n_top} of n={self.n}: choose no more than there are")
        return self


def sweep_of(folder: Path, parameters: dict[str, Any], *, base: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write a sweep of `shape` and its config; returns the file."""
    (folder / "shape.yaml").write_text(yaml.safe_dump({"experiment": "shape", **(base or {})}))
    given = {
        "method": "grid",
        "metric": {"name": "loss", "goal": "minimize"},
        "parameters": parameters,
        "command": ["interp-lab", "run", str(folder / "shape.yaml"), "--fold=search", "${args}"],
        **changes,
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in given.items() if value is not None}))
    return path


def definition_of(folder: Path, parameters: dict[str, Any], **changes: Any) -> Definition:
    """Write and read a sweep of `shape`."""
    return read_definition(sweep_of(folder, parameters, **changes))
