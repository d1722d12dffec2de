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

HYPOTHESES = "hypotheses.json"
"""File within the folder of the investigation."""
_FORMAT = 1
_BEFORE_ALL = "{family}"
"""Stands for the size of the family until all hypotheses are there."""


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


def write_hypotheses(path: Path, hypotheses: Sequence[Hypothesis], config: InvestigationConfig) -> None:
    """Write the file, whole or not at all; nothing in it depends on when it is written."""
    data = {
        "format": _FORMAT,
        "investigation": config.investigation,
        "question": config.question,
        "fdr": config.fdr,
        "hypotheses": [one.as_dict() for one in hypotheses],
    }
    write_atomic(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def read_hypotheses(path: Path) -> tuple[Hypothesis, ...]:
    """Read the file."""
    return tuple(Hypothesis.from_dict(one) for one in json.loads(path.read_text("utf-8"))["hypotheses"])


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
