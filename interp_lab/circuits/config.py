"""The config of the circuits experiment."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from interp_lab.circuits.edge_patches import EdgeAblation
from interp_lab.config import RunRef
from interp_lab.effects.config import AnswerConfig

Method = Literal["exact", "EAP", "EAP-IG inputs", "EAP-IG activations", "ACDC", "given"]
"""How edges are chosen: by what ablating each alone does, exactly or estimated to first order; by leaving out one after
the other what the model does without; or they are given."""


class CircuitsConfig(AnswerConfig):
    """Which edges of a model carry a behaviour on their own, and how far is that a faithful account?

    Edges are ranked and their number is chosen on the selection split; what the circuit is worth is measured on other
    prompts, and again on held-out templates.
    """

    ablation: EdgeAblation = "resample"
    """What flows along the edges that are left out; the sensitivity table has the other kinds."""
    method: Method = "exact"
    """How edges are chosen. `exact` measures every edge: seconds for small models, hours for GPT-2."""
    steps: PositiveInt = 5
    """Midpoints of the integral of EAP-IG."""
    keeps: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of the behaviour that the circuit is to keep on the selection split, and by as much it may overshoot: the
    first such circuit is taken along the ranking, or the smallest among the thresholds of ACDC."""
    n_edges: PositiveInt | None = None
    """Edges that are kept of the ranking; `None` takes as many as keep that share. Of these, edges that lie on no path
    to the logits carry nothing, and are left out of the circuit."""
    thresholds: tuple[PositiveFloat, ...] = Field((0.003, 0.01, 0.03), min_length=1)
    """Of ACDC, one circuit each: how much worse the metric may become with each edge (share of what the model gains
    over the empty circuit)."""
    nodes: tuple[str, ...] = ()
    """A given circuit, as nodes (`9.9`, `m0`): all edges among them, embeddings and logits."""
    edges: tuple[str, ...] = ()
    """A given circuit, edge by edge (`0.0->1.0.k`), as one is stated in advance that was found on other examples."""
    given: RunRef | None = None
    """A given circuit: the artefact `circuit` of another run of this experiment."""
    roles: RunRef | None = None
    """What heads look like: the table `heads` of a run of `attention_heads` on the same model."""
    beside: tuple[RunRef, ...] = ()
    """Circuits of other tasks in the same model (`circuit` of other runs): which parts serve several, and does one
    task's circuit do for another?"""
    n_random: Annotated[int, Field(ge=29)] = 40
    """Random circuits of as many edges, made of random paths from the embeddings to the logits; with fewer than 29 the
    test that nine tenths of them are less faithful cannot reject at 5%."""
    n_greedy: NonNegativeInt = 2
    """Nodes that are removed from circuit and model alike, chosen one after the other for the widest gap between the
    two (completeness)."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Smallest effect of interest (share of what the corruption costs)."""

    @model_validator(mode="after")
    def _given_or_found(self) -> "CircuitsConfig":
        ways = bool(self.nodes) + bool(self.edges) + (self.given is not None)
        if ways > 1:
            raise ValueError("nodes, edges and given all name a circuit; give one of them")
        if self.method != "given" and ways:
            raise ValueError(
                f"nodes, edges and given are circuits to be measured, and method {self.method!r} looks for one"
            )
        if self.n_edges is not None and self.method in ("ACDC", "given"):
            raise ValueError(f"n_edges={self.n_edges} cuts a ranking, and method {self.method!r} ranks no edges")
        return self
