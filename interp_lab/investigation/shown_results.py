"""Steps and tests as they stand on the page: descriptive sections before causal ones, as many as there is room for."""

from dataclasses import dataclass
from pathlib import Path

from interp_lab.experiment import Result
from interp_lab.investigation.found import Investigated, StepRun
from interp_lab.investigation.plan import Phase
from interp_lab.reports import digest, frame
from interp_lab.reports.figures import Embedder
from interp_lab.reports.groups import ClaimGroup, claim_groups

ROOM = 2_200_000
"""Bytes that sections of results may take, so that the page stays under 8 MB; what has no room is left to
`interp-lab report`, and the page says so."""


@dataclass(frozen=True)
class ShownResult:
    """A step, or the test of hypotheses, as it stands on the page."""

    asked: digest.Asked
    title: str
    folder: str
    """Within that of the investigation."""
    phase: Phase
    groups: tuple[ClaimGroup, ...]
    sections: tuple[frame.ShownSection, ...]
    left_out: bool
    """Whether there was no room for its figures."""
    seconds: float | None


def shown_results(found: Investigated, embedder: Embedder) -> tuple[list[ShownResult], list[ShownResult]]:
    """Return tests and steps; if room for figures runs out, it does so for the last steps first."""
    room = _Room(ROOM)
    tests = [
        _shown(nth, result, embedder, room, title=run, folder=run, phase="held_out", seconds=found.seconds.get(run))
        for nth, (run, result) in enumerate(found.tests.items(), len(found.steps) + 1)
    ]
    steps = [
        _shown(
            nth, one.result, embedder, room, title=_title(one),
            folder=_within(found.folder, one.folder), phase=one.phase, seconds=one.seconds,
        )
        for nth, one in enumerate(found.steps, 1)
    ]  # fmt: skip
    return tests, steps


@dataclass
class _Room:
    """Bytes that figures and tables of results may still take."""

    left: int

    def takes(self, section: frame.ShownSection) -> bool:
        """Take the room that a section needs, if it is there."""
        cells = sum(len(cell.text) + 60 for table in section.tables.values() for row in table.rows for cell in row)
        need = cells + sum(len(figure.content) for figure in section.figures)
        fits = need <= self.left
        self.left -= need if fits else 0
        return fits


def _shown(
    number: int,
    result: Result,
    embedder: Embedder,
    room: _Room,
    *,
    title: str,
    folder: str,
    phase: Phase,
    seconds: float | None,
) -> ShownResult:
    asked = digest.asked_of(number, result)
    every = [frame.shown_section(section, embedder) for section in result.sections()]
    fitting = [section for section in every if room.takes(section)]
    return ShownResult(
        asked=asked,
        title=title,
        folder=folder,
        phase=phase,
        groups=tuple(claim_groups(asked.claims)),
        sections=tuple(sorted(fitting, key=lambda section: section.causal)),
        left_out=len(fitting) < len(every),
        seconds=seconds,
    )


def _title(step: StepRun) -> str:
    experiment = step.experiment.replace("_", " ")
    return step.name if step.name == experiment else f"{step.name} ({experiment})"


def _within(folder: Path, inner: Path) -> str:
    return str(inner.relative_to(folder)) if inner.is_relative_to(folder) else inner.name
