"""ACDC finds what was compiled; measuring several edges at once changes nothing but the cost."""

import pytest
import torch

from interp_lab.circuits.acdc import acdc, pruned_by_estimate
from interp_lab.circuits.attribution import edge_attribution
from interp_lab.circuits.graph import all_edges
from interp_lab.circuits.masked import circuit_values
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model
from tests.circuits.models import metric_of
from tests.engine.models import diverging, prompts
from tests.tiny import tiny_model


def small():
    """Two layers of two heads, 42 edges, and pairs for them."""
    model = tiny_model(n_layers=2, n_heads=2, attn_only=True, normalization_type=None, dtype=torch.float64)
    corrupted = prompts(model, n=3, length=6)
    clean = diverging(corrupted, [3, 0, 2], n_tokens=20)
    return model, (clean, corrupted, torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6]))


def setting(name, ablation, n=6):
    compiled, model = compile_model(name), load_model(name)
    pairs = compiled.sample_pairs(n, seed=0)
    other = pairs.corrupted if ablation == "resample" else None
    metric = logit_difference(pairs.answers, pairs.wrong)
    return compiled, (model, pairs.clean, metric), {"worse": -1, "ablation": ablation, "other": other}


def one_by_one(model, tokens, metric, *, threshold, ablation, other):
    """The algorithm, literally."""
    kept = frozenset(all_edges(model))
    options = {"ablation": ablation, "other": other}
    now = -circuit_values(model, tokens, [kept], metric, **options).mean()
    for edge in reversed(all_edges(model)):
        without = -circuit_values(model, tokens, [kept - {edge}], metric, **options).mean()
        if without - now < threshold:
            kept, now = kept - {edge}, without
    return kept


class TestACDC:
    @pytest.mark.parametrize(
        ("name", "ablation"),
        [("compiled/induction", "resample"), ("compiled/induction", "zero"), ("compiled/duplicate-token", "resample"),
         ("compiled/look-alike", "resample")],
    )  # fmt: skip
    def test_finds_the_true_edges_of_compiled_models(self, name, ablation):
        compiled, given, options = setting(name, ablation)
        found = acdc(*given, threshold=0.5, **options)
        truth = compiled.truth.edges_zero if ablation == "zero" else compiled.truth.edges_resample
        assert found.edges == truth
        assert found.worse == pytest.approx(0, abs=0.05)

    def test_leaves_out_what_is_not_needed_once_the_rest_is_gone(self):
        """embed -> 2.2.k matters in the whole model, and no more once what competes with it is left out."""
        compiled, given, options = setting("compiled/copying", "resample")
        found = acdc(*given, threshold=0.5, **options)
        assert {str(edge) for edge in compiled.truth.edges_resample - found.edges} == {"embed->2.2.k"}
        assert found.edges < compiled.truth.edges_resample
        assert found.worse == pytest.approx(0, abs=0.05)

    def test_of_two_that_stand_in_for_each_other_keeps_one(self):
        """The redundant pair: no edge matters alone, so the first tried is left out, and the other then has to stay."""
        compiled, given, options = setting("compiled/backup", "zero")
        found = acdc(*given, threshold=0.5, **options)
        out = {edge.source for edge in found.edges if edge.target == "logits"}
        assert out & {"1.0", "2.1"}
        assert found.worse < 1.0
        assert found.edges != compiled.truth.edges_zero, "what matters alone is not what suffices"

    @pytest.mark.parametrize("at_once", [1, 7, 1000])
    def test_several_at_once_decide_as_one_by_one(self, at_once):
        model, pairs = small()
        options = {"ablation": "resample", "other": pairs[1]}
        literal = one_by_one(model, pairs[0], metric_of(pairs), threshold=0.02, **options)
        assert 5 < len(literal) < len(all_edges(model)) - 5
        found = acdc(model, pairs[0], metric_of(pairs), threshold=0.02, worse=-1, at_once=at_once, **options)
        assert found.edges == literal
        assert found.n_tried == len(all_edges(model))
        if at_once == 1:
            assert found.n_circuits == 1 + found.n_tried

    def test_a_larger_threshold_keeps_fewer(self):
        model, pairs = small()
        sizes = [
            len(
                acdc(
                    model,
                    pairs[0],
                    metric_of(pairs),
                    threshold=threshold,
                    worse=-1,
                    ablation="resample",
                    other=pairs[1],
                ).edges
            )
            for threshold in (0.005, 0.05, 100.0)
        ]
        assert sizes[0] > sizes[1] > sizes[2] == 0


class TestByEstimate:
    def test_finds_the_true_edges_where_estimates_rank_them_first(self):
        _, (model, tokens, metric), options = setting("compiled/linear", "resample")
        estimated = edge_attribution(
            model, tokens, all_edges(model), metric, ablation="resample", other=options["other"]
        )
        found = pruned_by_estimate(model, tokens, metric, estimated, tolerance=0.01, **options)
        values = circuit_values(model, tokens, [found.edges], metric, ablation="resample", other=options["other"])
        whole = circuit_values(
            model, tokens, [frozenset(all_edges(model))], metric, ablation="resample", other=options["other"]
        )
        assert (whole - values).mean() == pytest.approx(found.worse, abs=1e-6)
        assert found.worse <= 0.01
        assert len(found.edges) < 12
        assert found.n_circuits < 15

    def test_with_no_tolerance_for_anything_keeps_what_it_needs(self):
        model, pairs = small()
        options = {"ablation": "resample", "other": pairs[1]}
        estimated = edge_attribution(model, pairs[0], all_edges(model), metric_of(pairs), **options)
        loose = pruned_by_estimate(model, pairs[0], metric_of(pairs), estimated, tolerance=1e6, worse=-1, **options)
        assert loose.edges == frozenset()


class TestBadInput:
    def test_thresholds(self):
        model, pairs = small()
        options = {"worse": -1, "ablation": "resample", "other": pairs[1]}
        with pytest.raises(ValueError, match=r"threshold=0\.0 must be above 0"):
            acdc(model, pairs[0], metric_of(pairs), threshold=0.0, **options)
        with pytest.raises(ValueError, match="worse=2"):
            acdc(model, pairs[0], metric_of(pairs), threshold=1.0, **{**options, "worse": 2})
