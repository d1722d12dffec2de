"""An investigation from its config to what became of its hypotheses, step by step, each of which is kept."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from interp_lab.config import Config
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.folds import FoldError, sealed
from interp_lab.hypotheses import Hypothesis
from interp_lab.investigation.config import InvestigationConfig
from interp_lab.investigation.deciding import BESIDE, CONFIRM, decide
from interp_lab.investigation.expected import Expected
from interp_lab.investigation.found import Investigated, StepRun
from interp_lab.investigation.hypothesise import HYPOTHESES, hypotheses_of, read_hypotheses, write_down
from interp_lab.investigation.own_files import digests_of
from interp_lab.investigation.plan import InvestigationError, Phase, Planned, plan
from interp_lab.investigation.record import (
    Record,
    StepRecord,
    begin_or_go_on,
    read_config,
    read_record,
    seconds_of,
    write_record,
)
from interp_lab.investigation.references import resolved, step_folder
from interp_lab.models.held import held
from interp_lab.registry import entry, load_result, resolve
from interp_lab.runs import RunError, lock, read_run

_SHOWN = {"search": "", "held_out": ", on held-out examples"}


def investigate(
    config: InvestigationConfig,
    out: Path,
    *,
    resume: bool = False,
    expected: Expected | None = None,
    progress: Progress = silent,
) -> Investigated:
    """Carry out an investigation, or what is left of it, in a folder of its own.

    What is held out, by fold or by reserved template, is closed until the hypotheses are written (`folds.sealed`).
    Every step and every test is an ordinary run folder, complete or visibly not; stopped at any moment, nothing that is
    complete is made again.

    Args:
        out: holds `steps/`, `hypotheses.json`, `confirm/`, `confirm-beside/`, `record.json`.
        resume: go on with the investigation in the folder; begin it if there is none.
        expected: what it should cost (`costs.expected_in`), to be kept beside what it does cost.

    Raises: InvestigationError, for a plan that cannot be carried out, a folder that holds something else, or a step
        that failed, with its name and how to go on; FoldError, if the hypotheses were changed after they were written.
    """
    out = out.absolute()
    planned = plan(config, out)
    with lock.held(out, who="investigation", error=InvestigationError):
        files = digests_of(one.for_test for one in planned)
        record = begin_or_go_on(out, config, resume=resume, files=files)
        record = record.model_copy(update={"expected": record.expected or expected})
        run = _Run(config, out, planned, record, progress)
        with held(), sealed(out / HYPOTHESES, digest=run.record.hypotheses_sha256):
            run.carry_out()
    return run.found()


def read_investigation(folder: Path) -> Investigated:
    """Read an investigation that has run, or as much of it as is there; what became of hypotheses is worked out anew.

    Raises: InvestigationError, if there is none; RunError, for a run that is not what was written.
    """
    config, record = read_config(folder), read_record(folder)
    phases: list[tuple[str, str, Phase]] = [
        *((step.name, step.experiment, "search") for step in config.before),
        *((step.name, step.experiment, "held_out") for step in config.after),
    ]
    complete = [name for name, one in record.steps.items() if one.status == "complete"]
    steps = [
        StepRun(name, experiment, phase, at, load_result(at), record.steps[name].seconds)
        for name, experiment, phase in phases
        if name in complete
        for at in (step_folder(folder, name),)
    ]
    tests = {name: load_result(folder / name) for name in complete if "/" in name}
    known = record.hypotheses_sha256
    hypotheses = () if known is None else read_hypotheses(folder / HYPOTHESES, known=known)
    return assembled(config, folder, record, steps, tests=tests, hypotheses=hypotheses)


def assembled(
    config: InvestigationConfig, folder: Path, record: Record, steps: Sequence[StepRun], *,
    tests: Mapping[str, Any], hypotheses: Sequence[Hypothesis],
) -> Investigated:  # fmt: skip
    """Put together what ran, and decide on the hypotheses once all have been tested."""
    is_tested = all(_has_ended(record, f"{at}/{one.step}") for one in hypotheses for at in _tests_of(config))
    decided = decide(hypotheses, tests, fdr=config.fdr, beside=config.beside) if is_tested else ()
    return Investigated(
        config=config,
        folder=folder,
        steps=tuple(steps),
        tests=dict(tests),
        hypotheses=tuple(hypotheses),
        hypotheses_hash=record.hypotheses_sha256,
        decided=decided,
        stopped=record.stopped,
        seconds=seconds_of(record),
        expected=record.expected,
    )


@dataclass
class _Run:
    """What has run so far; every change of the record is on the disk before the next step begins."""

    config: InvestigationConfig
    folder: Path
    planned: tuple[Planned, ...]
    record: Record
    progress: Progress
    steps: list[StepRun] = field(default_factory=list)
    tests: dict[str, Any] = field(default_factory=dict)
    hypotheses: tuple[Hypothesis, ...] = ()
    pieces: Steps = field(init=False)

    def __post_init__(self) -> None:
        n_tests = len(self.config.before) * (1 + (self.config.beside is not None)) if self.config.tests else 0
        self.pieces = Steps(self.progress, len(self.planned) + n_tests)

    def carry_out(self) -> None:
        plans = {one.name: one for one in self.planned}
        self._keep(status="running", stopped=None)
        for step in self.config.steps:
            if step == "hypotheses":
                self.write_down()
            elif step == "confirm":
                self.test()
            else:
                self.step(plans[step.name])
            if self.record.stopped is not None:
                break
        self._keep(status="complete")

    def step(self, planned: Planned) -> None:
        at = step_folder(self.folder, planned.name)
        is_written = self.record.hypotheses_sha256 is not None or (self.folder / HYPOTHESES).is_file()
        if planned.phase == "search" and is_written:
            _require_complete(at, planned.name)
        with self._recorded(planned.name, planned.step.experiment):
            result = self._made(planned.step.experiment, planned.config, at, f"{planned.name}{_SHOWN[planned.phase]}")
        seconds = self.record.steps[planned.name].seconds
        self.steps.append(StepRun(planned.name, planned.step.experiment, planned.phase, at, result, seconds))
        if planned.step.gate and result.not_asked is not None:
            self._keep(stopped=f"{planned.name}: {result.not_asked}")

    def write_down(self) -> None:
        """Write the hypotheses; those that were written at an earlier start must be the same."""
        self.hypotheses = tuple(hypotheses_of(self.steps, self.planned, self.config))
        path, known = self.folder / HYPOTHESES, self.record.hypotheses_sha256
        self._keep(hypotheses_sha256=write_down(path, self.hypotheses, self.config, known=known))

    def test(self) -> None:
        for folder, model in _tests_of(self.config).items():
            for step in dict.fromkeys(one.step for one in self.hypotheses):
                self._test(f"{folder}/{step}", next(one for one in self.hypotheses if one.step == step), model)

    def _test(self, name: str, one: Hypothesis, model: str | None) -> None:
        values = {**resolved(one.config, self.folder), **({} if model is None else {"model": model})}
        what = f"test of {one.step}" + ("" if model is None else f" in {model}")
        with self._recorded(name, one.experiment, may_be_refused=model is not None):
            config = resolve(entry(one.experiment).config).from_mapping(values)
            self.tests[name] = self._made(one.experiment, config, self.folder / name, what)

    def _made(self, experiment: str, config: Config, at: Path, what: str) -> Any:  # noqa: ANN401 - a Result
        """Make a run, or read it if it is complete."""
        at.parent.mkdir(parents=True, exist_ok=True)
        return resolve(entry(experiment).experiment)(config).run(None, at, resume=True, progress=self.pieces.next(what))

    @contextmanager
    def _recorded(self, name: str, experiment: str, *, may_be_refused: bool = False) -> Generator[None]:
        """Note how long the block took and how it ended; a step that was complete keeps what is noted of it."""
        before = self.record.steps.get(name)
        if before is not None and before.status == "complete":
            yield
            return
        began = time.perf_counter()
        self._note(name, StepRecord(experiment=experiment))
        try:
            yield
        except (ValueError, RuntimeError, OSError) as error:
            refused = may_be_refused and isinstance(error, ValueError) and not isinstance(error, FoldError | RunError)
            self._end(name, began, "refused" if refused else "failed", str(error))
            if not refused:
                raise InvestigationError(
                    f"{name} ({experiment}) failed: {error}. What ran before it is kept: mend it, and the same command "
                    "with --resume goes on there"
                ) from error
        else:
            self._end(name, began, "complete")

    def _end(
        self, name: str, began: float, status: Literal["complete", "failed", "refused"], error: str | None = None
    ) -> None:
        seconds = round(time.perf_counter() - began, 3)
        self._note(
            name, self.record.steps[name].model_copy(update={"status": status, "seconds": seconds, "error": error})
        )

    def _note(self, name: str, step: StepRecord) -> None:
        self.record = self.record.with_step(name, step)
        write_record(self.folder, self.record)

    def _keep(self, **changed: Any) -> None:  # noqa: ANN401 - fields of the record
        self.record = self.record.model_copy(update=changed)
        write_record(self.folder, self.record)

    def found(self) -> Investigated:
        return assembled(
            self.config, self.folder, self.record, self.steps, tests=self.tests, hypotheses=self.hypotheses
        )


def _tests_of(config: InvestigationConfig) -> dict[str, str | None]:
    """Return in which folders every hypothesis is tested, and in which model if not in its own."""
    return {CONFIRM: None} if config.beside is None else {CONFIRM: None, BESIDE: config.beside}


def _has_ended(record: Record, test: str) -> bool:
    return test in record.steps and record.steps[test].status in ("complete", "refused")


def _require_complete(folder: Path, name: str) -> None:
    """Refuse to search anew once there are hypotheses: what is held out is open then.

    Raises: InvestigationError.
    """
    if not folder.is_dir() or not read_run(folder, allow_incomplete=True).is_complete:
        raise InvestigationError(
            f"step {name!r} came before the hypotheses, which are written, and {folder} holds no complete run of it; "
            "put it back, or begin anew in another folder"
        )
