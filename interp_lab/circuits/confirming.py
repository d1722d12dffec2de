"""What a circuit leaves to be tested on other examples, and what is said of its parts."""

from interp_lab.circuits.claimed import SUFFICES, CircuitClaims
from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.hypotheses import Component, Confirmation

_NOT_THE_ONLY_ONE = (
    "Whether this is the circuit: others of as many edges may do as well, and random paths are a weak control. With "
    "other values than those of {ablation} ablation along the edges that are left out it may keep more or less."
)
_REDUNDANT = (
    "How much of the loss other parts would make up for if the model could learn without these edges, and what is lost "
    "under another ablation than {ablation}; edges outside that back these up are not seen."
)


def confirmation(found: CircuitClaims) -> Confirmation | None:
    """Return how the circuit, edge by edge, is tested on other examples; `None` if nothing of it holds."""
    c = found.config
    edges = [str(edge) for edge in found.plan.edges]
    testable = [
        ToTest(
            claim,
            f"circuit of {len(edges)} edge{'s' if len(edges) > 1 else ''}",
            (_NOT_THE_ONLY_ONE if name == SUFFICES else _REDUNDANT).format(ablation=c.ablation),
        )
        for name, claim in zip(found.tested, found.claims(), strict=True)
    ]
    fixed = {"method": "given", "edges": edges, "nodes": [], "given": None, "n_edges": None}
    return confirmation_of(fixed, testable)


def components(found: CircuitClaims) -> list[Component]:
    """Return the heads and MLPs of the circuit, each with what the model loses without all that it writes."""
    if not found.plan.nodes:
        return []
    _, in_model = found.node_worth
    return [
        Component(
            name=_named(node),
            method=f"circuit ({found.config.method})",
            causal=True,
            effect=in_model.at(nth),
            unit=found.unit,
            grade=None,
            selected=True,
        )
        for nth, node in enumerate(found.plan.nodes)
    ]


def _named(node: str) -> str:
    return f"mlp_out {node[1:]}" if node.startswith("m") else node
