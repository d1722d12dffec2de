"""From what the search found to hypotheses: written down whole before anything that is held out is seen."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from interp_lab.claims import Evidence
from interp_lab.config import ConfigError
from interp_lab.hypotheses import Confirmable, Hypothesis, with_own_run
from interp_lab.investigation.config import InvestigationConfig, StepConfig
from interp_lab.investigation.found import StepRun
from interp_lab.investigation.plan import InvestigationError, Planned
from interp_lab.investigation.references import unresolved
from interp_lab.runs import write_atomic
from interp_lab.seals import digest_of

HYPOTHESES = "hypotheses.json"
"""File within the folder of the investigation."""
_FORMAT = 1
_BEFORE_ALL = "{family}"
"""Stands for the size of the family until all hypotheses are there."""
_WAY_OUT = "put it back as it was, or begin anew in another folder"


def hypotheses_of(runs: Sequence[StepRun], planned: Sequence[Planned], config: InvestigationConfig) -> list[Hypothesis]:
    """Return what the steps before leave to be tested, numbered in their order, the strongest of each step first.

    Raises: InvestigationError, if a result names a statement that it does not claim, or fixes its choice by something
        that its config has not.
    """
    plans = {one.name: one for one in planned}
    untested = {step.name for step in config.steps if isinstance(step, StepConfig) and not step.tested}
    found = [one for run in runs if run.name not in untested for one in _of_step(run, plans[run.name], config)]
    return [
        replace(one, id=f"H{nth}", refuted_if=one.refuted_if.replace(_BEFORE_ALL, str(len(found))))
        for nth, one in enumerate(found, start=1)
    ]


def write_down(path: Path, hypotheses: Sequence[Hypothesis], config: InvestigationConfig, *, known: str | None) -> str:
    """Write the file, whole or not at all, and return its SHA-256; one that is there already must hold the same.

    Nothing in it depends on when it is written.

    Args:
        known: SHA-256 of the file, if it was written at an earlier start and that start lived to note it.

    Raises: InvestigationError, for a file that was changed or lost since, or holds what the search did not find.
    """
    if not path.is_file() and known is None:
        _write(path, hypotheses, config)
    if [one.as_dict() for one in read_hypotheses(path, known=known)] != [one.as_dict() for one in hypotheses]:
        raise InvestigationError(f"{path} does not hold what the steps before it found; {_WAY_OUT}")
    return digest_of(path)


def _write(path: Path, hypotheses: Sequence[Hypothesis], config: InvestigationConfig) -> None:
    data = {
        "format": _FORMAT,
        "investigation": config.investigation,
        "question": config.question,
        "fdr": config.fdr,
        "hypotheses": [one.as_dict() for one in hypotheses],
    }
    write_atomic(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def read_hypotheses(path: Path, *, known: str | None = None) -> tuple[Hypothesis, ...]:
    """Read the file.

    Args:
        known: SHA-256 that it must have; `None` takes it as it is.

    Raises: InvestigationError, if it is gone, was changed, is damaged, or of a newer format.
    """
    if not path.is_file():
        raise InvestigationError(f"{path} is gone; {_WAY_OUT}")
    if known not in (None, digest_of(path)):
        raise InvestigationError(f"{path} was changed after it was written; {_WAY_OUT}")
    try:
        data = json.loads(path.read_bytes())
        if data["format"] > _FORMAT:
            raise InvestigationError(f"{path} is of format {data['format']}, read up to {_FORMAT}; upgrade interp_lab")
        return tuple(Hypothesis.from_dict(one) for one in data["hypotheses"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InvestigationError(f"{path} is damaged ({error}); {_WAY_OUT}") from error


def _of_step(run: StepRun, plan: Planned, config: InvestigationConfig) -> list[Hypothesis]:
    stated = run.result.confirmation() if isinstance(run.result, Confirmable) else None
    if stated is None or not stated.statements:
        return []
    claims = {claim.statement: claim for claim in run.result.claims()}
    fixed = with_own_run(stated.config, run.folder)
    try:
        of_test = plan.for_test.overlaid({**fixed, "fold": "held_out"}).as_dict()
    except ConfigError as error:
        raise InvestigationError(f"step {run.name!r}: {run.experiment} cannot fix what it chose: {error}") from error
    made = []
    for statement in stated.statements[: config.n_most]:
        claim = claims.get(statement)
        if claim is None or claim.effect is None:
            raise InvestigationError(
                f"step {run.name!r}: {run.experiment} puts up {statement!r} to be tested and claims no effect of it"
            )
        general, own = _refuted_if(claim.effect, config.fdr), stated.refuted_if.get(statement)
        made.append(
            Hypothesis(
                id="",
                statement=statement,
                component=stated.components.get(statement, ""),
                step=run.name,
                experiment=run.experiment,
                config=unresolved(_plain(of_test), run.folder.parent.parent),
                observed=claim.effect.effect,
                unit=claim.effect.unit,
                margin=claim.effect.margin,
                n_examples=claim.effect.n_examples,
                refuted_if=general if own is None else f"{general} {own}",
                uncertain=stated.uncertain.get(statement, ""),
            )
        )
    return made


def _refuted_if(effect: Evidence, fdr: float) -> str:
    side = "above" if effect.effect.estimate > 0 else "below"
    bound = f"{effect.margin if side == 'above' else -effect.margin:.3g} {effect.unit}"
    return (
        f"On held-out examples the interval of the effect, or of its difference from {effect.control}, does not lie "
        f"wholly {side} {bound}; or p of that difference, corrected over all {_BEFORE_ALL} hypotheses, is not below "
        f"{fdr:g}."
    )


def _plain(values: Any) -> Any:  # noqa: ANN401 - plain data
    """Return data as it comes back from a file, so that it is the same before and after."""
    return json.loads(json.dumps(values))
