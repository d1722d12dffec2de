"""A run that has been loaded, with all that a page says of it; whatever fails there is told as the run's own fault."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError

from interp_lab.apps.view.finding import Place
from interp_lab.claims import Claim
from interp_lab.hypotheses import Component, Componential
from interp_lab.reports.join import load_run
from interp_lab.runs import RunError

UNREADABLE = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, RuntimeError, SafetensorError
)  # fmt: skip
"""What reading files raises that were damaged, or written by another version or program."""


@dataclass(frozen=True)
class Loaded:
    """A run, and what its result says."""

    place: Place
    result: Any
    claims: tuple[Claim, ...]
    metrics: Mapping[str, float]
    components: tuple[Component, ...] | None
    """`None` of results that do not speak of single components."""
    summary: tuple[str, ...]
    """Lines."""

    @property
    def model(self) -> str:
        """Its name."""
        return self.result.provenance.model.name


def load(place: Place) -> Loaded:
    """Load a run.

    Raises: RunError, naming the folder and what is wrong, whatever it is.
    """
    with blamed_on(place):
        result = load_run(place.path)
        return Loaded(
            place,
            result,
            claims=tuple(result.claims()),
            metrics=result.metrics(),
            components=tuple(result.components()) if isinstance(result, Componential) else None,
            summary=tuple(result.summary().splitlines()),
        )


@contextmanager
def blamed_on(place: Place) -> Generator[None]:
    """Turn what a result raises inside the `with` block into an error of its run.

    Raises: RunError, naming the folder.
    """
    try:
        yield
    except RunError:
        raise
    except UNREADABLE as error:
        raise RunError(f"{place.path} cannot be shown ({told(error)}); run it again") from error


def told(error: BaseException) -> str:
    """Return an error in words, with its kind where the words do not say it all."""
    return str(error) if isinstance(error, RunError) else f"{type(error).__name__}: {error}"
