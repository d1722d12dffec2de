"""What was measured of a circuit, as figures of merit with intervals, and whether anything may be claimed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from interp_lab.circuits.against_random import AgainstRandom, beside_random
from interp_lab.circuits.auroc import auroc_interval
from interp_lab.circuits.circuit import Circuit
from interp_lab.circuits.config import CircuitsConfig
from interp_lab.circuits.curves import Curve
from interp_lab.circuits.faithfulness import Faithfulness, faithfulness, folded
from interp_lab.circuits.finding import Tried
from interp_lab.circuits.nodes import nodes_fed
from interp_lab.circuits.sensitivity import FORMS, sensitivity_table
from interp_lab.circuits.splits import ABLATIONS, CircuitSplit, Plan, curve_grid, curve_sizes
from interp_lab.circuits.stability import CircuitStability, circuit_stability
from interp_lab.edges import Edge
from interp_lab.effects.behaviour import why_not_asked, why_not_replicable
from interp_lab.effects.metric_names import COSTS
from interp_lab.experiment import Provenance
from interp_lab.organisms.compiled import compile_model, compiled_names
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval
from interp_lab.types import Interval

N_CLAIMS = 2


@dataclass(frozen=True)
class CircuitMeasurements:
    """Numbers of the splits that are reported on, and what was chosen before."""

    config: CircuitsConfig
    provenance: Provenance
    metric: str
    """Its name in the config; `own metric 'NAME'` for one of your own."""
    unit: str
    """Of the metric."""
    all_edges: tuple[Edge, ...]
    queries_per_key: int
    plan: Plan
    scores: Float[np.ndarray, "edge example"]
    """Of all edges on the selection split, with sign; no rows if edges were not ranked."""
    residual: Float[np.ndarray, " _"]
    """Completeness residual of the integral on each prompt, in the unit of the metric; empty if there is none."""
    score_clusters: Shaped[np.ndarray, " example"]
    """Templates of the selection split."""
    tried: tuple[Tried, ...]
    """Circuits that were measured on the way to this one, on the selection split."""
    roles: dict[str, str]
    """What heads look like, by name."""
    report: CircuitSplit
    held_out: CircuitSplit | None

    @cached_property
    def circuit(self) -> Circuit:
        """The circuit, with the scores of all edges if they were ranked."""
        means = self.scores.mean(1) if len(self.scores) else None
        scores = None if means is None else dict(zip(self.all_edges, means.tolist(), strict=True))
        return Circuit(
            frozenset(self.plan.edges),
            self.provenance.model,
            self.config.ablation,
            self.config.task,
            scores,
            self.queries_per_key,
        )

    @cached_property
    def others(self) -> dict[str, Circuit]:
        """Circuits of other tasks that this one is read beside."""
        return {
            name: Circuit(kept, self.provenance.model, None, name, queries_per_key=self.queries_per_key)
            for name, kept in self.plan.beside.items()
        }

    @property
    def is_cost(self) -> bool:
        """Whether the metric is lower where the model is nearer to the answer."""
        return self.metric in COSTS

    @cached_property
    def total(self) -> Interval:
        """What the corruption costs, on the report split."""
        held = self.report
        return mean_interval(held.total, held.clusters, level=self.config.level, seed=self.config.seed)

    def margin_on(self, split: CircuitSplit) -> float:
        """Return the smallest effect of interest, in the unit of the metric."""
        return self.config.smallest_effect * abs(float(split.total.mean()))

    @cached_property
    def not_asked(self) -> str | None:
        """Why nothing is claimed; `None` if claims are made."""
        if len(self.plan.edges) == len(self.all_edges):
            return f"the circuit is the whole model of {len(self.all_edges)} edges, which leaves nothing out"
        return self._no_answer(self.report)

    @cached_property
    def not_replicable(self) -> str | None:
        """Why nothing can be replicated on held-out templates; `None` if it can."""
        held = self.held_out
        return why_not_replicable(held, lambda _: None if held is None else self._no_answer(held))

    def _no_answer(self, split: CircuitSplit) -> str | None:
        c = self.config
        lacking = why_not_asked(
            split, metric=self.metric, unit=self.unit, least=c.least_logits, n_tests=N_CLAIMS, fdr=c.fdr,
            level=c.level, seed=c.seed,
        )  # fmt: skip
        if lacking is not None:
            return lacking
        gain = mean_interval(split.clean - split.empty, split.clusters, level=c.level, seed=c.seed)
        if (gain.high < 0) if self.is_cost else (gain.low > 0):
            return None
        return (
            f"what the model gains over the empty circuit, {gain} {self.unit}, is not clear of zero in the direction "
            f"that {self.metric} calls better: under {c.ablation} ablation there is nothing to keep"
        )

    def faithful(self, values: Float[np.ndarray, " example"], split: CircuitSplit | None = None) -> Faithfulness:
        """Return the figures of a circuit that was measured on a split (the report split unless told otherwise)."""
        held, c = split or self.report, self.config
        return faithfulness(
            values, whole=held.clean, empty=held.empty, clusters=held.clusters, level=c.level, seed=c.seed
        )

    @cached_property
    def faithfulness(self) -> Faithfulness:
        """Of the circuit, on the report split."""
        return self.faithful(self.report.circuit)

    @cached_property
    def faithfulness_held_out(self) -> Faithfulness | None:
        """Of the circuit, on held-out templates."""
        return None if self.held_out is None else self.faithful(self.held_out.circuit, self.held_out)

    @cached_property
    def complement(self) -> Faithfulness:
        """Of all edges outside of the circuit, on the report split."""
        return self.faithful(self.report.complement)

    @cached_property
    def beside_random(self) -> AgainstRandom | None:
        """The circuit beside random ones on the report split; `None` if it is the whole model."""
        held, c = self.report, self.config
        if not len(held.random):
            return None
        return beside_random(
            held.circuit, held.random, whole=held.clean, clusters=held.clusters, level=c.level, seed=c.seed
        )

    def sensitivity(self, split: CircuitSplit | None = None) -> pd.DataFrame:
        """Return faithfulness by ablation, form and order of averaging; see `sensitivity.sensitivity_table`."""
        held, c = split or self.report, self.config
        cells = {
            (ablation, form): faithfulness(
                values[nth], whole=held.clean, empty=values[2], clusters=held.clusters, level=c.level, seed=c.seed
            )
            for ablation, values in zip(ABLATIONS, held.forms, strict=True)
            for nth, form in enumerate(FORMS)
        }
        sizes = (len(self.plan.edges), self.n_node_form)
        return sensitivity_table(cells, n_edges=dict(zip(FORMS, sizes, strict=True)), unit=self.unit)

    @cached_property
    def n_node_form(self) -> int:
        """Edges among the circuit's nodes."""
        kept = self.circuit.nodes | {edge.source for edge in self.all_edges if edge.source.endswith("embed")}
        kept |= {"logits"}
        shared = self.queries_per_key
        return sum(
            edge.source in kept and bool(nodes_fed(edge, queries_per_key=shared) & kept) for edge in self.all_edges
        )

    def curve(self, split: CircuitSplit | None = None, *, of_random: bool = False) -> Curve | None:
        """Return faithfulness as the ranking is followed; `None` if edges were not ranked."""
        held, c = split or self.report, self.config
        values = held.random_curve if of_random else held.curve
        if not len(values):
            return None
        n = len(self.all_edges)
        return Curve(
            curve_grid(n), values, held.clean, held.empty, curve_sizes(n), held.clusters, c.level, c.seed
        )  # fmt: skip

    def interval(self, values: Float[np.ndarray, "*site example"], split: CircuitSplit | None = None) -> Intervals:
        """Return means over a split (the report split unless told otherwise) with their intervals."""
        held = split or self.report
        return bootstrap_interval(values, held.clusters, level=self.config.level, seed=self.config.seed)

    @cached_property
    def node_worth(self) -> tuple[Intervals, Intervals]:
        """What is lost without each node: in the circuit, and in the model (metric's unit; below zero for a gain)."""
        held, sign = self.report, -1 if self.is_cost else 1
        whole = np.stack([held.circuit, held.clean])
        in_circuit, in_model = sign * (whole[:, None] - held.without_node)
        return self.interval(in_circuit), self.interval(in_model)

    @cached_property
    def node_gaps(self) -> Intervals:
        """|F(C minus v) - F(M minus v)| for each node v."""
        in_circuit, in_model = self.report.without_node
        return folded(self.interval(in_circuit - in_model))

    @cached_property
    def greedy_gaps(self) -> Intervals:
        """|F(C minus K) - F(M minus K)| as K grows by the nodes that were chosen for it on the selection split."""
        in_circuit, in_model = self.report.greedy
        return folded(self.interval(in_circuit - in_model))

    @cached_property
    def known(self) -> Interval | None:
        """AUROC of the ranking against the true edges of a compiled model on its own pairs; `None` elsewhere."""
        c = self.config
        named = c.task in compiled_names() and c.task == self.provenance.model.name
        if not named or c.ablation == "mean" or not len(self.scores):
            return None
        truth = compile_model(c.task).truth
        true = truth.edges_zero if c.ablation == "zero" else truth.edges_resample
        return auroc_interval(
            self.all_edges, self.scores, true, clusters=self.score_clusters.tolist(), level=c.level, seed=c.seed
        )

    @cached_property
    def stability(self) -> CircuitStability | None:
        """Whether other prompts would have ranked the same edges first: as many as were taken, on paths or not.

        `None` if edges were not ranked.
        """
        k = self.plan.n_ranked
        if not len(self.scores) or k >= len(self.all_edges):
            return None
        several = len(set(self.score_clusters.tolist())) > 1
        return circuit_stability(
            self.scores, k=k, clusters=self.score_clusters if several else None, seed=self.config.seed
        )
