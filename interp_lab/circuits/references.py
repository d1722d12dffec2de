"""What other runs found that a circuit is read beside: circuits of other tasks, and what heads look like."""

from typing import Any

from interp_lab.circuits.circuit import Circuit, edge_named
from interp_lab.config import RunRef
from interp_lab.identity import ModelIdentity
from interp_lab.runs import RunError, RunFolder, read_run
from interp_lab.runs.consumed import require_usable_in_fold

NAME = "circuits"
"""Of this experiment in the registry."""
CIRCUIT = "circuit"
"""The artefact of a run of this experiment."""
HEADS = "attention_heads"
"""The experiment whose runs say what heads look like."""
THIS = "this circuit"
"""How the circuit that is measured is called beside others."""
_COLUMNS = ("head", "looks_like")


def circuit_of(ref: RunRef, model: ModelIdentity, *, what: str = CIRCUIT) -> Circuit:
    """Return the circuit that another run found in the same model.

    Args:
        what: the key of the config that asks for it, for errors.

    Raises: ValueError, for a run that is missing, incomplete, of another experiment, model or processing, or another
        artefact than `circuit`; FoldError, for one that may not be used in the fold in force.
    """
    if ref.artefact != CIRCUIT:
        raise ValueError(f"artefact {ref.artefact!r} of {ref.run} is no circuit; it is called {CIRCUIT!r}")
    run = _run_of(ref, NAME, model, what=what)
    arrays = run.arrays()
    return Circuit(
        frozenset(edge_named(str(name)) for name in arrays["edges"]),
        model,
        run.config["ablation"],
        str(run.config["task"]),
        queries_per_key=int(arrays["queries_per_key"]),
    )


def roles_of(ref: RunRef, model: ModelIdentity, *, what: str = "roles") -> dict[str, str]:
    """Return what heads look like, by name; heads that look like nothing known are left out.

    Descriptive: what a head looks like says nothing of what it does in a circuit.

    Raises: ValueError, as `circuit_of`, or for a table without heads.
    """
    run = _run_of(ref, HEADS, model, what=what)
    table = run.table(ref.artefact)
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(f"table {ref.artefact!r} of {ref.run} has no column {missing[0]!r}; name its table 'heads'")
    return {
        str(head): str(looks).replace("_", " ")
        for head, looks in table[list(_COLUMNS)].itertuples(index=False)
        if looks
    }


def _run_of(ref: RunRef, experiment: str, model: ModelIdentity, *, what: str) -> RunFolder:
    try:
        run = read_run(ref.run)
    except RunError as error:
        raise RunError(
            f"{what} names a run that cannot be used: {error}; make one with `interp-lab run CONFIG --out {ref.run}`"
        ) from error
    if run.experiment != experiment:
        raise ValueError(f"{ref.run} is a run of {run.experiment!r}; a run of {experiment!r} is needed")
    found: dict[str, Any] = dict(run.provenance["model"])
    model.require_same(ModelIdentity.from_dict(found), what=f"the run in {ref.run}")
    require_usable_in_fold(ref)
    return run
