"""Circuits: which edges carry a behaviour on their own, and is that a faithful account of the model?"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from interp_lab.bibliography import CONMY_2023, HANNA_2024, MILLER_2024, MUELLER_2025, SHI_2024, SYED_2023, WANG_2022
from interp_lab.circuits.bench import Bench
from interp_lab.circuits.circuit import Circuit, edge_named, kept_edges
from interp_lab.circuits.config import CircuitsConfig
from interp_lab.circuits.finding import Found, find_circuit
from interp_lab.circuits.graph import all_edges, require_edges, require_graph
from interp_lab.circuits.nodes import edges_among, queries_per_key
from interp_lab.circuits.references import NAME, THIS, circuit_of, roles_of
from interp_lab.circuits.result import CircuitsResult
from interp_lab.circuits.splits import CircuitSplit, Plan, greedy_nodes, measured, node_parts, other_prompts_of
from interp_lab.claims import Split
from interp_lab.effects.metric_names import COSTS, MetricOf
from interp_lab.effects.parts import Part, parts_of
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.folds import note_beyond
from interp_lab.identity import ModelIdentity
from interp_lab.models import identity_of
from interp_lab.models.experiment import ModelExperiment
from interp_lab.stats import mean_interval, of_largest
from interp_lab.types import HookedModel


class Circuits(ModelExperiment[CircuitsConfig, CircuitsResult]):
    """Choose edges on half of the prompts, measure the circuit on the rest, confirm on held-out templates."""

    name = NAME
    result = CircuitsResult
    sources = (WANG_2022, CONMY_2023, SYED_2023, HANNA_2024, MUELLER_2025, MILLER_2024, SHI_2024)

    def measure(
        self,
        model: HookedModel,
        *,
        metric: MetricOf | None = None,
        circuit: Circuit | None = None,
        beside: Mapping[str, Circuit] | None = None,
        roles: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> CircuitsResult:
        """Measure on a model already in memory.

        Args:
            metric: makes a metric of your own from the model and the pairs; it must be higher where the model is nearer
                to the answer (negate a cost).
            circuit: to be measured, in place of the config's `nodes`, `edges` or `given`, where its method is `given`.
            beside: circuits of other tasks in this model by name, besides those of the config.
            roles: what heads look like, in place of the config's.

        Raises: ValueError, if the task does not suit the model or has too few different pairs, the model is no sum of
            what its nodes write, or a circuit or table is another model's.
        """
        c = self.config
        require_graph(model)
        identity = identity_of(model)
        for what, value in (("the circuit", circuit), ("circuits beside", beside), ("roles of heads", roles)):
            if value:
                note_beyond(f"{what}, given in memory")
        circuit = self._given(identity, circuit)
        others = self._beside(identity, beside or {})
        looks = (
            roles_of(c.roles, identity, what="roles") if roles is None and c.roles is not None else dict(roles or {})
        )
        drawn = parts_of(model, c, metric)
        steps = Steps(progress, 2 + len(drawn.by_split))
        select = self._bench(model, drawn.by_split[Split.SELECT])
        found = self._found(model, select, circuit, steps.next("looking for the circuit"))
        plan = self._plan(model, select, found, others, steps.next("completeness"))
        is_cost = drawn.metric in COSTS
        splits: dict[Split, CircuitSplit] = {
            split: measured(
                self._bench(model, part), part, plan, memory_budget=c.memory_budget, is_cost=is_cost,
                progress=steps.next(str(split)),
            )
            for split, part in drawn.by_split.items()
            if split is not Split.SELECT
        }  # fmt: skip
        progress(1, 1, "measured")
        return CircuitsResult(
            config=c,
            provenance=self.provenance(model),
            metric=drawn.metric,
            unit=drawn.unit,
            all_edges=all_edges(model),
            queries_per_key=queries_per_key(model),
            plan=plan,
            scores=found.scores,
            residual=found.residual,
            score_clusters=np.array(drawn.by_split[Split.SELECT].pairs.templates),
            tried=found.tried,
            roles=looks,
            report=splits[Split.REPORT],
            held_out=splits.get(Split.HELD_OUT),
        )

    def _given(self, identity: ModelIdentity, circuit: Circuit | None) -> Circuit | None:
        """Return the circuit to be measured, if one is given.

        Raises: ValueError, where the config and the caller do not agree on it.
        """
        c = self.config
        named = bool(c.nodes) or bool(c.edges) or c.given is not None
        if c.method == "given" and (circuit is None) != named:
            told = "the config names another" if named else "name it by nodes, edges, given, or measure(circuit=...)"
            raise ValueError(f"method 'given' measures one circuit: {told}")
        if c.method != "given" and circuit is not None:
            raise ValueError(f"a circuit is given, and method {c.method!r} looks for one; set method to 'given'")
        return circuit_of(c.given, identity, what="given") if c.given is not None else circuit

    def _beside(self, identity: ModelIdentity, given: Mapping[str, Circuit]) -> dict[str, Circuit]:
        """Return circuits of other runs by task and folder, and those that were handed in.

        Raises: ValueError, for a name that comes twice.
        """
        found = [(ref, circuit_of(ref, identity, what="beside")) for ref in self.config.beside]
        named = [(f"{one.task} ({ref.run.name})", one) for ref, one in found] + list(given.items())
        names = [THIS, *(name for name, _ in named)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two circuits are called {twice[0]!r}; keep their runs in folders of different names")
        return dict(named)

    def _bench(self, model: HookedModel, part: Part) -> Bench:
        c, pairs = self.config, part.pairs
        other = other_prompts_of(pairs)[c.ablation]
        several = len(set(pairs.templates)) > 1
        bench = Bench(
            model, pairs.clean, part.metric, c.ablation, other, pairs.mask, pairs.templates if several else None,
            c.level, c.seed,
        )  # fmt: skip
        return bench if c.memory_budget is None else replace(bench, memory_budget=c.memory_budget)

    def _found(self, model: HookedModel, select: Bench, circuit: Circuit | None, progress: Progress) -> Found:
        c = self.config
        if c.method != "given":
            total = mean_interval(select.whole - select.empty, select.clusters, level=c.level, seed=c.seed)
            return find_circuit(select, c, has_behaviour=bool(total.excludes(0.0)), progress=progress)
        kept = frozenset(map(edge_named, c.edges)) or (
            edges_among(model, c.nodes) if circuit is None else kept_edges(model, circuit)
        )
        return Found(frozenset(require_edges(model, kept)), np.zeros((0, len(select.whole))), np.zeros(0))

    def _plan(
        self, model: HookedModel, select: Bench, found: Found, others: Mapping[str, Circuit], progress: Progress
    ) -> Plan:
        c, ranked = self.config, ()
        if len(found.scores):
            every, sizes = all_edges(model), np.abs(of_largest(found.scores.mean(1)))
            ranked = tuple(every[nth] for nth in np.argsort(-sizes, kind="stable"))
        nodes = node_parts(found.edges, queries_per_key=queries_per_key(model))
        beside = {name: kept_edges(model, one) for name, one in others.items()}
        greedy = greedy_nodes(select, found.edges, n=c.n_greedy, progress=progress)
        return Plan(
            require_edges(model, found.edges), nodes, greedy, ranked, c.n_random, c.seed, found.n_ranked, beside
        )
