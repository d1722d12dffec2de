"""Everything that the page says, as data for other programs."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from interp_lab.investigation.agreement import Agreement
from interp_lab.investigation.claim_rows import ClaimRow
from interp_lab.investigation.found import Investigated
from interp_lab.investigation.told import Told

SCHEMA = 1
"""Of the file; a number that is higher means other keys."""


def as_json(found: Investigated, told: Told) -> str:
    """Return the summary, hypotheses with what became of them, metrics and provenance; `null` for what is no number."""
    data = {
        "schema": SCHEMA,
        "investigation": found.config.investigation,
        "question": found.config.question,
        "model": found.config.model,
        "beside": found.config.beside,
        "stopped": found.stopped,
        "exploratory": found.exploratory,
        "headline": told.headline,
        "brief": {one.word.lower(): one.text for one in told.brief},
        "summary": [asdict(one) for one in told.answers],
        "hypotheses_sha256": found.hypotheses_hash,
        "hypotheses": [_hypothesis(row) for row in told.rows],
        "agreement": _agreement(told.agreement),
        "steps": [
            {"name": one.name, "experiment": one.experiment, "phase": one.phase, "seconds": one.seconds,
             "metrics": one.result.metrics()}
            for one in found.steps
        ],
        "tests": {run: {"metrics": result.metrics()} for run, result in found.tests.items()},
        "seconds": dict(found.seconds),
        "expected_seconds": None if found.expected is None else found.expected.seconds,
        "provenance": {one.name: one.result.provenance.as_dict() for one in found.steps}
        | {run: result.provenance.as_dict() for run, result in found.tests.items()},
        "config": found.config.model_dump(mode="json"),
        "reproduce": told.reproduce,
    }  # fmt: skip
    return json.dumps(plain(data), indent=1, allow_nan=False, ensure_ascii=True) + "\n"


def _hypothesis(row: ClaimRow) -> dict[str, Any]:
    def claim(one: Any) -> dict[str, Any] | None:  # noqa: ANN401 - a Claim or nothing
        return None if one is None else {**asdict(one), "grade": str(one.grade)}

    return {
        **row.hypothesis.as_dict(), "outcome": str(row.outcome), "reason": row.reason, "test": row.run or None,
        "claim": claim(row.claim), "beside": claim(row.beside),
    }  # fmt: skip


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {
        "methods": [{"label": one.label, "causal": one.causal, "unit": one.unit, "step": one.step}
                    for one in agreement.methods],
        "components": agreement.table().to_dict(orient="records"),
        "agreed": agreement.agreed,
        "disagreements": agreement.disagreements,
        "rankings": [{"first": one.first.label, "second": one.second.label, "n": one.n, "tau": one.tau,
                      "shuffled": one.shuffled, "p": one.p} for one in agreement.rankings],
    }  # fmt: skip


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever results hold
    """Return data that JSON can hold: no NaN, no infinity, no type of a library."""
    if isinstance(value, Enum):
        return str(value) if isinstance(value, str) else value.value
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int | np.integer):
        return int(value)
    return str(value) if isinstance(value, Path) or not isinstance(value, str | None) else value
