"""Benches on compiled models, whose circuits are known to the edge."""

import functools

from interp_lab.circuits.bench import Bench
from interp_lab.circuits.edge_patches import edge_effects
from interp_lab.circuits.graph import all_edges
from interp_lab.edges import edges
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model

FIRST = edges("pos_embed -> 0.0.q 0.0.k", "embed -> 0.0.v 1.0.q 1.0.v", "0.0 -> 1.0.k", "1.0 -> logits")
"""Of `compiled/backup`: the first induction head, and what it needs under zero ablation."""

SECOND = edges("embed -> 2.1.q 2.1.k 2.1.v", "0.0 -> 2.1.k", "1.0 -> 2.1.q", "2.1 -> logits")
"""Of the same: its backup, and what keeps that silent."""


@functools.cache
def compiled(name, ablation, n=8):
    """A bench, and the true edges under its ablation."""
    truth, model = compile_model(name).truth, load_model(name)
    pairs = compile_model(name).sample_pairs(n, seed=0)
    other = pairs.corrupted if ablation == "resample" else None
    bench = Bench(model, pairs.clean, logit_difference(pairs.answers, pairs.wrong), ablation, other)
    return bench, truth.edges_zero if ablation == "zero" else truth.edges_resample


@functools.cache
def exact(name, ablation):
    """Every edge, the exact effect of each on each prompt, and the true edges."""
    bench, true = compiled(name, ablation)
    every = all_edges(bench.model)
    found = edge_effects(bench.model, bench.tokens, every, bench.metric, ablation=ablation, other=bench.other)
    return every, found.changes, true


def turned(edge_set, model):
    """Sabotage: as many edges, from the other end of the graph."""
    every = all_edges(model)
    place = {edge: nth for nth, edge in enumerate(every)}
    return frozenset(every[-1 - place[edge]] for edge in edge_set)
