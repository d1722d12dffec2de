"""What a sweep was asked: its definition as plain data, and what its result needs to be read without it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, field_validator

from interp_lab.config import Config
from interp_lab.sweeps.pareto import Objective


class SweepConfig(Config):
    """Which setting of a search space does best, and does it still on examples that no trial saw?

    Trials are ordinary runs; this is the record of all of them together, made by `interp-lab sweep`.
    """

    name: str
    """Of the sweep."""
    task: str
    """What was swept, for headings."""
    method: Literal["grid", "random", "bayes"] = "random"
    """Every point of a grid, draws, or proposals that learn from the trials before."""
    metric: str
    """What trials are ranked by: a metric of their results."""
    goal: Literal["minimize", "maximize"] = "minimize"
    """What is done to the metric."""
    definition: dict[str, Any]
    """The sweep's YAML as it was given."""
    pareto: tuple[str, ...] = ()
    """What the metric is weighed against: `name`, `name:min` or `name:max` of up to two other metrics, or `seconds`.
    Empty takes sparsity (`l0`) where trials report one, and the time they took."""
    no_held_out: str = ""
    """Why the winner was not measured again on held-out examples, if it was not."""
    level: float = Field(0.95, ge=0.8, lt=1)
    """Of every interval."""
    n_shuffles: int = Field(999, ge=99)
    """Of the metric among the trials, for the null of the importance of parameters."""
    seed: NonNegativeInt = 0

    @field_validator("pareto")
    @classmethod
    def _are_objectives(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) > 2:
            raise ValueError(f"{', '.join(given)}: a front of the metric and more than two others shows nothing")
        for text in given:
            Objective.named(text)
        return given

    @property
    def sign(self) -> float:
        """What the metric is multiplied by so that higher is better."""
        return 1.0 if self.goal == "maximize" else -1.0

    @property
    def parameters(self) -> tuple["Searchable", ...]:
        """The parameters of the definition by dotted key path, in its order."""
        return tuple(_parameters(self.definition.get("parameters", {}), ""))


class Searchable(Config):
    """One parameter of a definition, as tables and figures need it."""

    name: str
    """Dotted key path."""
    choices: tuple[Any, ...] | None = None
    """Values to choose from; `None` for numbers from a distribution."""
    distribution: str = "categorical"
    terms: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
    """Of the distribution, such as `min` and `max`."""

    @property
    def is_fixed(self) -> bool:
        """Whether there is only one value."""
        return self.choices is not None and len(self.choices) == 1

    @property
    def is_log(self) -> bool:
        """Whether numbers are drawn on a logarithmic scale."""
        return "log" in self.distribution

    @property
    def is_of_numbers(self) -> bool:
        """Whether every value is a number (`True` is none)."""
        return self.choices is None or all(_is_number(value) for value in self.choices)

    @property
    def labels(self) -> tuple[str, ...]:
        """The choices as text."""
        return tuple(map(value_text, self.choices or ()))

    def coded(self, value: Any) -> float:  # noqa: ANN401 - any plain value
        """Return a value as a number: itself, or its place among the choices; NaN if it is none of them."""
        if self.choices is None:
            return float(value) if _is_number(value) else float("nan")
        return float(self.labels.index(value_text(value))) if value_text(value) in self.labels else float("nan")

    def text_of(self, code: float) -> str:
        """Return the value that `coded` made a number of, as text; nothing for NaN."""
        if code != code:
            return ""
        return self.labels[int(code)] if self.choices is not None else number_text(code)

    def value_of(self, code: float) -> float | str | None:
        """Return the value as a cell of a table: a number where all are numbers, else text."""
        if code != code:
            return None
        if self.choices is None:
            return float(code)
        return float(self.choices[int(code)]) if self.is_of_numbers else self.labels[int(code)]

    def __str__(self) -> str:
        """What was searched, in words."""
        if self.is_fixed:
            return f"fixed at {self.labels[0]}"
        if self.choices is not None:
            return f"one of {', '.join(self.labels)}"
        return (
            f"{self.distribution.replace('_', ' ')}: {', '.join(f'{key} {value}' for key, value in self.terms.items())}"
        )


def _parameters(block: Mapping[str, Any], prefix: str) -> Iterator[Searchable]:
    for key, given in block.items():
        name = f"{prefix}{key}"
        if "parameters" in given:
            yield from _parameters(given["parameters"], f"{name}.")
        elif "values" in given:
            yield Searchable(name=name, choices=tuple(given["values"]))
        elif "value" in given:
            yield Searchable(name=name, choices=(given["value"],))
        else:
            terms = {term: value for term, value in given.items() if term != "distribution"}
            whole = all(isinstance(terms.get(end), int) for end in ("min", "max"))
            kind = given.get("distribution", "int_uniform" if whole else "uniform")
            yield Searchable(name=name, distribution=str(kind), terms=terms)


def _is_number(value: Any) -> bool:  # noqa: ANN401 - any plain value
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_text(value: Any) -> str:  # noqa: ANN401 - any plain value
    """Return a value of a parameter as it is shown: text as it stands, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def number_text(value: float) -> str:
    """Return a number in as few digits as tell it: up to four significant ones."""
    return f"{value:.4g}"
