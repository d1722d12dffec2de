"""What an investigation holds once it has run: its steps, its hypotheses, and what became of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp_lab.claims import Claim, Grade
from interp_lab.hypotheses import Hypothesis
from interp_lab.investigation.config import InvestigationConfig
from interp_lab.investigation.expected import Expected
from interp_lab.investigation.plan import Phase


@dataclass(frozen=True)
class StepRun:
    """A step that has run."""

    name: str
    experiment: str
    phase: Phase
    """Which examples it saw."""
    folder: Path
    result: Any
    seconds: float


@dataclass(frozen=True)
class Decided:
    """A hypothesis, and what its test on held-out examples made of it."""

    hypothesis: Hypothesis
    claim: Claim | None
    """As the test makes it, corrected over all hypotheses; `None` where the test does not make this statement."""
    why: str
    """In a sentence: what decided it, such as the interval, or why the test could not ask."""
    run: str
    """Folder of the test within that of the investigation."""
    beside: Claim | None = None
    """The same in the model that stands beside."""
    turned: bool = False
    """Whether there is no claim because the effect has the other sign on held-out examples."""
    turned_beside: bool = False
    """The same of `beside`."""

    @property
    def grade(self) -> Grade | None:
        """Of the claim; `None` if the test does not make it."""
        return None if self.claim is None else self.claim.grade

    @property
    def holds(self) -> bool:
        """Whether an intervention on held-out examples supports it."""
        return self.grade is not None and self.grade >= Grade.CAUSAL


@dataclass(frozen=True)
class Investigated:
    """A whole investigation."""

    config: InvestigationConfig
    folder: Path
    steps: tuple[StepRun, ...]
    """Those that ran, in order; not the tests of hypotheses."""
    tests: Mapping[str, Any]
    """Results of the tests, by their folder within that of the investigation."""
    hypotheses: tuple[Hypothesis, ...]
    hypotheses_hash: str | None
    """SHA-256 of the file; `None` if none was written."""
    decided: tuple[Decided, ...]
    stopped: str | None
    """Why a gate ended it; `None` if it went to its end."""
    seconds: Mapping[str, float]
    """Of every step and test."""
    expected: Expected | None = None
    """What it was expected to cost, before it began."""

    @property
    def exploratory(self) -> bool:
        """Whether nothing was put to a test: the list of steps has none."""
        return self.stopped is None and not self.decided and self.hypotheses_hash is None
