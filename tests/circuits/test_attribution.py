"""Estimates of edges are the derivatives and integrals that they are said to be."""

import numpy as np
import pytest
import torch

from interp_lab.circuits.attribution import edge_attribution
from interp_lab.circuits.edge_patches import edge_effects
from interp_lab.circuits.graph import all_edges
from interp_lab.edges import Edge
from interp_lab.engine import sweep
from interp_lab.interventions import patches
from interp_lab.metrics import logit_difference, rank
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model
from interp_lab.types import Site
from tests.circuits.models import metric_of, pairs_for
from tests.oracles import edges as oracle

KINDS = ("gpt2", "llama", "neox", "attention only")


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    return pairs_for(request.param)


def estimated(case, edges=None, **options):
    model, pairs = case
    other = None if options.get("ablation") == "zero" else pairs[1]
    options = {"ablation": "resample", "other": other, **options}
    return edge_attribution(model, pairs[0], edges or all_edges(model), metric_of(pairs), **options)


def slopes(model, pairs, ablation, *, edges):
    """The derivative of the metric by how far each edge is ablated, by central differences."""
    clean, corrupted, answers, wrong = pairs
    found, step = [], 1e-4
    changes = oracle.edge_changes(model, clean, corrupted, ablation)
    with oracle.split_inputs(model), torch.no_grad():
        for edge in edges:
            hook, head = oracle.place(model, edge[1])
            up, down = (
                oracle.logit_difference(
                    model.run_with_hooks(
                        clean, fwd_hooks=[(hook, oracle.shifted_input(head, sign * step * changes[edge]))]
                    ),
                    answers,
                    wrong,
                )
                for sign in (1, -1)
            )
            found.append((up - down) / (2 * step))
    return torch.stack(found).numpy()


class TestEAP:
    @pytest.mark.parametrize("ablation", ["zero", "resample"])
    def test_is_the_slope_at_the_prompts_as_they_are(self, case, ablation):
        model, pairs = case
        some = all_edges(model)[::6]
        expected = slopes(model, pairs, ablation, edges=[(edge.source, edge.target) for edge in some])
        found = estimated(case, some, ablation=ablation)
        assert np.ptp(expected) > 1e-3
        np.testing.assert_allclose(found.estimates, expected, atol=1e-6 * max(1, np.abs(expected).max()))
        assert found.residual is None

    def test_does_not_depend_on_the_batch_size_and_comes_in_the_order_asked(self, case):
        model, _ = case
        some = all_edges(model)[::10]
        whole, told = estimated(case, some), []
        parts = estimated(case, some[::-1], batch_size=1, progress=lambda *step: told.append(step))
        np.testing.assert_allclose(parts.estimates[::-1], whole.estimates, atol=1e-10)
        assert told[-1] == (3, 3, "EAP")

    def test_is_exact_where_everything_is_linear(self):
        """compiled/linear: between its prompts only values change, and what reads them is linear."""
        compiled, model = compile_model("compiled/linear"), load_model("compiled/linear")
        pairs, every = compiled.sample_pairs(8, seed=0), all_edges(model)
        metric = logit_difference(pairs.answers, pairs.wrong)
        options = {"ablation": "resample", "other": pairs.corrupted}
        exact = edge_effects(model, pairs.clean, every, metric, **options)
        found = edge_attribution(model, pairs.clean, every, metric, **options)
        np.testing.assert_allclose(found.estimates, exact.changes, atol=1e-5)
        chosen = {edge for edge, size in found.mean_sizes.items() if size > 1e-3}
        assert chosen == {e for e, row in zip(every, exact.changes, strict=True) if abs(row.mean()) > 1e-3}


class TestIntegrals:
    def test_along_the_inputs_the_edges_of_the_embedding_add_up(self, case):
        coarse, fine = (estimated(case, method="EAP-IG inputs", steps=steps) for steps in (2, 24))
        model, pairs = case
        own = [nth for nth, edge in enumerate(fine.edges) if edge.source == "embed"]
        metric = metric_of(pairs)
        with torch.no_grad():
            whole = (metric(model(pairs[1])) - metric(model(pairs[0]))).numpy()
        np.testing.assert_allclose(fine.estimates[own].sum(0), whole, atol=2e-3 * max(1, np.abs(whole).max()))
        np.testing.assert_allclose(fine.residual, np.abs(fine.estimates[own].sum(0) - whole), atol=1e-8)
        assert fine.residual.max() < coarse.residual.max()

    def test_along_activations_the_edges_of_a_level_add_up_to_what_replacing_it_does(self, case):
        model, pairs = case
        if model.cfg.attn_only:
            level, sites = ["0.0", "0.1", "0.2", "0.3"], [Site("blocks.0.attn.hook_z")]
        else:
            level, sites = ["m0"], [Site("blocks.0.hook_mlp_out")]
        found = estimated(case, method="EAP-IG activations", steps=24)
        own = [nth for nth, edge in enumerate(found.edges) if edge.source in level]
        patched = sweep(model, pairs[0], patches(model, [sites], pairs[1], base=pairs[0]), metric_of(pairs)).changes[0]
        assert np.abs(patched).max() > 1e-3
        np.testing.assert_allclose(found.estimates[own].sum(0), patched, atol=2e-3 * max(1, np.abs(patched).max()))

    def test_of_zero_ablation_end_where_there_is_nothing(self):
        """One step of a model without norms whose MLPs and patterns play no part is exact: embed -> logits."""
        case = pairs_for("gpt2")
        direct = [Edge("embed", "logits")]
        found = estimated(case, direct, ablation="zero", method="EAP-IG inputs", steps=3)
        assert found.estimates.shape == (1, 3)
        assert np.isfinite(found.residual).all()


class TestBadInput:
    def test_no_steps(self, case):
        with pytest.raises(ValueError, match="steps=0"):
            estimated(case, method="EAP-IG inputs", steps=0)

    def test_a_metric_without_gradient(self):
        model, pairs = pairs_for("attention only")
        with pytest.raises(ValueError, match="has no gradient"):
            edge_attribution(model, pairs[0], all_edges(model), rank(pairs[2]), ablation="resample", other=pairs[1])

    def test_prompts_that_do_not_fit(self):
        model, pairs = pairs_for("attention only")
        with pytest.raises(ValueError, match="align them token by token"):
            edge_attribution(
                model, pairs[0], all_edges(model), metric_of(pairs), ablation="resample", other=pairs[1][:, 1:]
            )
