"""A circuit and what it is worth: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.circuits import confirming, figures, sections, tables, texts
from interp_lab.circuits.circuit import edge_named
from interp_lab.circuits.claimed import CircuitClaims
from interp_lab.circuits.config import CircuitsConfig
from interp_lab.circuits.faithfulness import ORDERS
from interp_lab.circuits.finding import Tried
from interp_lab.circuits.sensitivity import faithfulness_range
from interp_lab.circuits.splits import CircuitSplit, Plan
from interp_lab.claims import Grade
from interp_lab.edges import Edge
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation

_SPLITS = ("report", "held_out")


@dataclass(frozen=True)
class CircuitsResult(CircuitClaims):
    """The measurements as metrics, tables, figures and sections of a report; `circuit` is the circuit itself."""

    @classmethod
    def from_arrays(
        cls, config: CircuitsConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "CircuitsResult":
        """Rebuild from what `arrays` returned."""
        every = _edges(arrays["all_edges"])
        beside = {
            str(name): frozenset(every[nth] for nth in np.flatnonzero(kept))
            for name, kept in zip(arrays["beside_names"], arrays["beside_edges"], strict=True)
        }
        plan = Plan(
            _edges(arrays["edges"]), tuple(map(str, arrays["nodes"])), tuple(map(str, arrays["greedy"])),
            tuple(every[nth] for nth in arrays["ranked"]), config.n_random, config.seed, int(arrays["n_ranked"]),
            beside,
        )  # fmt: skip
        splits = {split: CircuitSplit.from_arrays(split, arrays) for split in _SPLITS if f"{split}_clean" in arrays}
        return cls(
            config=config,
            provenance=provenance,
            metric=str(arrays["metric"]),
            unit=str(arrays["unit"]),
            all_edges=every,
            queries_per_key=int(arrays["queries_per_key"]),
            plan=plan,
            scores=arrays["scores"],
            residual=arrays["residual"],
            score_clusters=arrays["score_clusters"],
            tried=tuple(
                Tried(int(n), float(kept), None if np.isnan(at) else float(at)) for n, kept, at in arrays["tried"]
            ),
            roles=dict(zip(map(str, arrays["role_heads"]), map(str, arrays["roles"]), strict=True)),
            report=splits["report"],
            held_out=splits.get("held_out"),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and the names of what they are of."""
        place = {edge: nth for nth, edge in enumerate(self.all_edges)}
        kept = [[edge in circuit for edge in self.all_edges] for circuit in self.plan.beside.values()]
        tried = [(one.n_edges, one.kept, np.nan if one.threshold is None else one.threshold) for one in self.tried]
        found: dict[str, np.ndarray] = {
            "metric": np.array(self.metric),
            "unit": np.array(self.unit),
            "all_edges": np.array(list(map(str, self.all_edges))),
            "queries_per_key": np.array(self.queries_per_key),
            "edges": np.array(list(map(str, self.plan.edges))),
            "nodes": np.array(self.plan.nodes, dtype=str),
            "greedy": np.array(self.plan.greedy, dtype=str),
            "ranked": np.array([place[edge] for edge in self.plan.ranked], dtype=np.int64),
            "n_ranked": np.array(self.plan.n_ranked),
            "beside_names": np.array(list(self.plan.beside), dtype=str),
            "beside_edges": np.array(kept, dtype=bool).reshape(len(kept), len(self.all_edges)),
            "scores": self.scores,
            "residual": self.residual,
            "score_clusters": self.score_clusters,
            "tried": np.array(tried, dtype=np.float64).reshape(len(tried), 3),
            "role_heads": np.array(list(self.roles), dtype=str),
            "roles": np.array(list(self.roles.values()), dtype=str),
        }
        for split in _SPLITS:
            part = getattr(self, split)
            found |= {} if part is None else part.arrays(split)
        return found

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `n_edges`, `n_nodes`; `clean`, `total_effect` (unit of the metric); `faithfulness` (ratio of means),
        `faithfulness_held_out`, `faithfulness_least`, `faithfulness_most` (over all choices), `complement`,
        `share_of_random_beaten`, `cpr`, `cmd`, `stability` (Jaccard), `auroc` (where the true edges are known), where
        there are any; counts of claims that hold.
        """
        first, claims = ORDERS[0], self.claims()
        found = {
            "n_edges": float(len(self.plan.edges)),
            "n_nodes": float(len(self.plan.nodes)),
            "clean": float(self.report.clean.mean()),
            "total_effect": self.total.estimate,
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in claims)),
            "n_replicated_claims": float(sum(claim.grade >= Grade.REPLICATED for claim in claims)),
        }
        shares = {"faithfulness": self.faithfulness, "complement": self.complement}
        if self.faithfulness_held_out is not None:
            shares["faithfulness_held_out"] = self.faithfulness_held_out
        found |= {name: one.shares[first].estimate for name, one in shares.items() if first in one.shares}
        span = faithfulness_range(self.sensitivity())
        if span is not None:
            found["faithfulness_least"], found["faithfulness_most"] = span
        if self.beside_random is not None:
            found["share_of_random_beaten"] = self.beside_random.share.estimate
        if self.known is not None:
            found["auroc"] = self.known.estimate
        curve = self.curve()
        areas = {} if curve is None else {"cpr": curve.cpr(), "cmd": curve.cmd()}
        found |= {name: value.estimate for name, value in areas.items() if value is not None}
        if self.stability is not None:
            found["stability"] = self.stability.mean
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `merit`, `edges`, `nodes`, `sensitivity`; `greedy`, `curve`, `tried` and those of reuse if any."""
        found = {
            "merit": tables.merit_table(self),
            "edges": tables.edges_table(self),
            "nodes": tables.nodes_table(self),
            "sensitivity": tables.sensitivity_tables(self),
            "greedy": tables.greedy_table(self),
            "curve": tables.curve_table(self),
            "tried": tables.tried_table(self),
        }
        return {name: table for name, table in (found | tables.reuse_tables(self)).items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return the graph, faithfulness by every choice and along the ranking, nodes, and random circuits."""
        found = {
            "graph": figures.graph(self),
            "sensitivity": figures.sensitivity(self),
            "random": figures.beside_random(self),
            "nodes": figures.nodes(self),
            "curve": figures.curve(self),
        }
        return {name: figure for name, figure in found.items() if figure is not None}

    def sections(self) -> list[Section]:
        """Return the graph, figures of merit, completeness, the ranking, and reuse."""
        return sections.sections(self, self.tables(), self.figures())

    def confirmation(self) -> Confirmation | None:
        """Return how the circuit is tested on other examples; `None` if nothing of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what the model loses without each part of the circuit."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)


def _edges(names: np.ndarray) -> tuple[Edge, ...]:
    return tuple(edge_named(str(name)) for name in names)
