"""Rows of `interp-lab verify`: the edges of compiled models, one at a time and all at once, and sabotaged twins."""

from functools import partial

from interp_lab.circuits.acdc import acdc
from interp_lab.circuits.edge_patches import EdgeAblation, edge_effects
from interp_lab.circuits.graph import all_edges
from interp_lab.circuits.masked import circuit_values
from interp_lab.edges import Edge
from interp_lab.experiment import KnownAnswer
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.organisms.compiled import CompiledModel, compile_model, compiled_names

TOLERANCE = 1e-3
"""Of logit differences; attention is saturated to about one part in ten thousand."""


def true_edges(compiled: CompiledModel, ablation: EdgeAblation) -> frozenset[Edge]:
    """Return the edges with an effect under an ablation."""
    return compiled.truth.edges_zero if ablation == "zero" else compiled.truth.edges_resample


def reads_edges(name: str, ablation: EdgeAblation, *, shift: int = 0) -> tuple[bool, str]:
    """Whether exactly the edges with an effect are found, of all that a compiled model has.

    Args:
        shift: ablate the edge so many places further on; anything but 0 is a sabotage.
    """
    compiled, model = compile_model(name), load_model(name)
    pairs, every = compiled.sample_pairs(6, seed=0), all_edges(model)
    other = pairs.corrupted if ablation == "resample" else None
    metric = logit_difference(pairs.answers, pairs.wrong)
    ablated = [*every[shift:], *every[:shift]]
    changes = edge_effects(model, pairs.clean, ablated, metric, ablation=ablation, other=other).changes
    found = {edge for edge, change in zip(every, changes, strict=True) if abs(change).max() > TOLERANCE}
    wanted = true_edges(compiled, ablation)
    return found == wanted, f"{len(found)} of {len(every)} edges, {len(found & wanted)} of the {len(wanted)} true ones"


def reads_sufficiency(name: str, *, to_logits: bool = True) -> tuple[bool, str]:
    """Whether the true edges keep every logit difference whole while all others are ablated at once.

    Args:
        to_logits: keep the edges to the logits, too; without them is a sabotage.
    """
    compiled, model = compile_model(name), load_model(name)
    pairs = compiled.sample_pairs(6, seed=0)
    metric = logit_difference(pairs.answers, pairs.wrong)
    kept = frozenset(edge for edge in compiled.truth.edges_resample if to_logits or edge.target != "logits")
    (values,) = circuit_values(model, pairs.clean, [kept], metric, ablation="resample", other=pairs.corrupted)
    off = float(abs(values - compiled.truth.logit_difference).max())
    return off < 10 * TOLERANCE, f"{len(kept)} edges keep {values.min():.2f} to {values.max():.2f} logits"


def reads_acdc(*, threshold: float = 0.5) -> tuple[bool, str]:
    """Whether ACDC finds the edges of the induction model.

    Args:
        threshold: in logits; one above what any edge is worth is a sabotage.
    """
    compiled, model = compile_model("compiled/induction"), load_model("compiled/induction")
    pairs = compiled.sample_pairs(6, seed=0)
    found = acdc(
        model, pairs.clean, logit_difference(pairs.answers, pairs.wrong), threshold=threshold, worse=-1,
        ablation="resample", other=pairs.corrupted,
    )  # fmt: skip
    return found.edges == compiled.truth.edges_resample, f"{len(found.edges)} edges, {found.worse:.2f} logits worse"


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    kinds: tuple[EdgeAblation, ...] = ("zero", "resample")
    sufficient = [name for name in compiled_names() if "resample" in compile_model(name).truth.sufficient_under]
    return [
        *[
            KnownAnswer(
                f"edges by {kind} ablation, {name}",
                f"the {len(true_edges(compile_model(name), kind))} with an effect",
                partial(reads_edges, name, kind),
                partial(reads_edges, name, kind, shift=1),
            )
            for name in compiled_names()
            for kind in kinds
        ],
        *[
            KnownAnswer(
                f"true edges alone, {name}",
                f"{compile_model(name).truth.logit_difference:g} logits",
                partial(reads_sufficiency, name),
                partial(reads_sufficiency, name, to_logits=False),
            )
            for name in sufficient
        ],
        KnownAnswer(
            "ACDC, compiled/induction",
            f"the {len(compile_model('compiled/induction').truth.edges_resample)} true edges",
            reads_acdc,
            partial(reads_acdc, threshold=100.0),
        ),
    ]
