"""The contract config -> experiment -> result, trackers, and provenance.

An experiment is `Experiment(config).run(tracker=None, run_dir=None, resume=False)`, or
`.measure(model)` for a model that is in memory already. Its result outlives the model.
"""

import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, SupportsFloat, TypeVar, runtime_checkable

import numpy as np
import pandas as pd

from interp_lab.bibliography import Source
from interp_lab.claims import Claim
from interp_lab.folds import Fold, beyond_now, seen_now
from interp_lab.identity import ModelIdentity
from interp_lab.types import HookedModel

Progress = Callable[[int, int, str], None]
"""`(done, total, what)`, called by long work; a `rich` bar at the command line, nothing by default."""


def silent(done: int, total: int, what: str) -> None:
    """Report progress to nobody."""


@dataclass
class Steps:
    """Turns the progress of several pieces of work into that of the whole, each piece counting alike."""

    progress: Progress
    n: int
    begun: int = 0

    def next(self, what: str) -> Progress:
        """Return the progress of the next piece."""
        before, self.begun = self.begun, self.begun + 1

        def tell(done: int, total: int, _: str) -> None:
            self.progress(int(1000 * (before + done / max(total, 1))), 1000 * self.n, what)

        return tell


@dataclass(frozen=True)
class Provenance:
    """Where a result came from: enough to make it again, and to cite what it stands on."""

    experiment: str
    """Name in the registry."""
    model: ModelIdentity
    seed: int
    device: str
    dtype: str
    sources: tuple[Source, ...] = ()
    commit: str | None = None
    """Git commit of the working directory, with `+dirty` if it had changes; `None` outside a repository."""
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    """UTC, ISO 8601."""
    fold: Fold = "all"
    """What was made in it, `folds.require_made_in` lets others use or not; `all` where nothing is known."""
    beyond_fold: tuple[str, ...] = ()
    """In one fold: what was used that says nothing of a fold, and may have read texts of both."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for `provenance.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Provenance":
        """Rebuild from `as_dict`."""
        sources = tuple(Source(**source) for source in data["sources"])
        values: dict[str, Any] = {**data, "model": ModelIdentity.from_dict(data["model"]), "sources": sources}
        values["beyond_fold"] = tuple(data.get("beyond_fold", ()))
        return cls(**values)


def provenance(
    experiment: str, model: ModelIdentity, *, seed: int, device: str, dtype: str, sources: Sequence[Source] = ()
) -> Provenance:
    """Collect provenance now: commit, package versions, time and fold are read from the surroundings."""
    return Provenance(
        experiment=experiment,
        model=model,
        seed=seed,
        device=device,
        dtype=dtype,
        sources=tuple(sources),
        commit=git_commit(Path(__file__).parent),
        versions=package_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        fold=seen_now(),
        beyond_fold=beyond_now(),
    )


def git_commit(directory: Path) -> str | None:
    """Return the commit checked out in `directory`, with `+dirty` where tracked files differ; `None` outside git."""
    try:
        head = _git(directory, "rev-parse", "HEAD")
        changed = _git(directory, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+dirty" if changed else "")


def _git(directory: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages whose behaviour results depend on."""
    packages = ("interp_lab", "transformer-lens", "sae-lens", "transformers", "torch", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


@runtime_checkable
class Tracker(Protocol):
    """Where scalars, tables and figures go while an experiment runs; failing to deliver never costs a run."""

    def log(self, values: Mapping[str, SupportsFloat], *, step: int | None = None) -> None:
        """Record scalars."""
        ...

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Record a table."""
        ...

    def log_artefact(self, name: str, folder: Path, *, kind: str) -> None:
        """Record what a run made beside numbers: a folder of files, such as a trained autoencoder.

        Args:
            kind: what it is, in a word, such as `sae`.
        """
        ...

    def finish(self) -> None:
        """Flush and close."""
        ...


@dataclass(frozen=True)
class Section:
    """A part of a report: figures with what they suggest, and what they do not show."""

    title: str
    causal: bool
    """Whether the numbers come from interventions; descriptive and causal sections are set apart on the page."""
    suggests: str
    does_not_show: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Plotly figures or HTML fragments, by caption."""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


Shown = TypeVar("Shown")


def there(every: Mapping[str, Shown], *names: str) -> dict[str, Shown]:
    """Return those of some figures or tables that a result has, in this order."""
    return {name: every[name] for name in names if name in every}


@runtime_checkable
class Result(Protocol):
    """What an experiment found: arrays and tables, no model."""

    @property
    def config(self) -> Any:  # noqa: ANN401 - its own Config
        """The config it was made with."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Where it came from."""
        ...

    def metrics(self) -> dict[str, float]:
        """Return flat scalars, for trackers and sweeps."""
        ...

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return tables by name."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Return per-example arrays by name; with the config they are the whole result."""
        ...

    def figures(self) -> dict[str, Any]:
        """Return plotly figures or HTML fragments by name."""
        ...

    def sections(self) -> list[Section]:
        """Return what a report shows of this result."""
        ...

    def claims(self) -> list[Claim]:
        """Return the sentences that this result supports, with their evidence."""
        ...

    def summary(self) -> str:
        """Return a few lines of text: what was found."""
        ...


@runtime_checkable
class Experiment(Protocol):
    """A question, with a config; `run` loads the model, `measure` takes one."""

    @property
    def config(self) -> Any:  # noqa: ANN401 - its own Config
        """What it was asked to do."""
        ...

    def run(self, tracker: Tracker | None = None, run_dir: Path | None = None, *, resume: bool = False) -> Any:  # noqa: ANN401 - its own Result
        """Load the model, measure, keep the result in `run_dir` if given."""
        ...

    def measure(self, model: HookedModel) -> Any:  # noqa: ANN401 - its own Result
        """Measure on a model already in memory; tests and notebooks start here."""
        ...


@dataclass(frozen=True)
class KnownAnswer:
    """One row of `interp-lab verify`: an instrument and what it must read on a model whose answer is known."""

    instrument: str
    expected: str
    measure: Callable[[], tuple[bool, str]]
    """Runs the instrument; returns whether it reads true, and what it read."""
    sabotage: Callable[[], tuple[bool, str]]
    """The same check on a deliberately broken instrument or model; it must not read true."""
