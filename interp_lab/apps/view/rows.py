"""What a list of runs says of each: read from its small files alone; its claims, once it has been loaded."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from interp_lab.apps.view.finding import Place
from interp_lab.apps.view.loaded import UNREADABLE, blamed_on, told
from interp_lab.claims import Grade
from interp_lab.reports.join import load_run
from interp_lab.runs import RunError, read_run
from interp_lab.runs.folder import RunFolder, read_record

Status = Literal["complete", "incomplete", "damaged"]
_LONGEST = 200
"""Characters of a value from a config that a list shows."""


@dataclass(frozen=True)
class Row:
    """One run, as a list shows it; what its config does not say is empty."""

    place: Place
    status: Status
    reason: str = ""
    """Why it is not complete."""
    experiment: str = ""
    model: str = ""
    task: str = ""
    fold: str = ""
    seed: str = ""
    created: str = ""
    """UTC, ISO 8601."""

    @property
    def id(self) -> str:
        """Of its place."""
        return self.place.id

    @property
    def name(self) -> str:
        """Of its place."""
        return self.place.name

    @property
    def text(self) -> str:
        """What a search looks through, in lower case."""
        words = (self.name, self.experiment, self.model, self.task, self.fold, self.status, self.created)
        return " ".join(words).lower()


@dataclass(frozen=True)
class Counted:
    """How many claims of each grade a run makes, or why that cannot be told."""

    by_grade: Mapping[Grade, int] = field(default_factory=dict)
    reason: str = ""


def read_row(place: Place) -> Row:
    """Return what the record and the config of a run say; whatever is wrong with it becomes the row's reason."""
    try:
        run = read_run(place.path, allow_incomplete=True)
        return _row(place, run)
    except UNREADABLE as error:
        return Row(place, "damaged", told(error), experiment=_experiment_of(place))


def _row(place: Place, run: RunFolder) -> Row:
    config = run.config
    model = config.get("model")
    if model is None and run.is_complete:
        model = run.provenance["model"]["name"]
    named = {name: _short(config.get(name)) for name in ("task", "fold", "seed")}
    why = "" if run.is_complete else f"it was killed, or is still going on: {_logged(run)}; resume it with --resume"
    return Row(
        place,
        "complete" if run.is_complete else "incomplete",
        why,
        experiment=run.experiment,
        model=_short(model),
        created=_short(run.record.created),
        **named,
    )


def _logged(run: RunFolder) -> str:
    return f"{len(run.rows)} row{'s' if len(run.rows) != 1 else ''} logged" if run.rows else "nothing logged yet"


def _experiment_of(place: Place) -> str:
    try:
        return _short(read_record(place.path).experiment)
    except UNREADABLE:
        return ""


def count_claims(place: Place) -> Counted:
    """Load a run and count its claims by grade."""
    try:
        with blamed_on(place):
            return Counted(Counter(claim.grade for claim in load_run(place.path).claims()))
    except RunError as error:
        return Counted(reason=str(error))


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
