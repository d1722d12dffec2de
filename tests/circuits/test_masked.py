"""Any set of edges in one pass equals the literal one, in which every input is built anew."""

import numpy as np
import pytest

from interp_lab.circuits.edge_patches import edge_effects
from interp_lab.circuits.graph import all_edges
from interp_lab.circuits.masked import circuit_values
from interp_lab.edges import Edge
from interp_lab.effects import metric_values
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model, compiled_names
from tests.circuits.models import KINDS, metric_of, pairs_for
from tests.oracles import edges as oracle


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    return pairs_for(request.param)


def values(model, pairs, circuits, ablation, **options):
    other = pairs[1] if ablation == "resample" else None
    return circuit_values(model, pairs[0], circuits, metric_of(pairs), ablation=ablation, other=other, **options)


def drawn(model, n, *, share=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return [frozenset(edge for edge in all_edges(model) if rng.random() < share) for _ in range(n)]


class TestValues:
    @pytest.mark.parametrize("ablation", ["zero", "resample"])
    def test_equal_the_literal_ones(self, case, ablation):
        model, pairs = case
        circuits = [frozenset(all_edges(model)), frozenset(), *drawn(model, 4)]
        found = values(model, pairs, circuits, ablation)
        literal = [oracle.keep_only(model, pairs, {(e.source, e.target) for e in one}, ablation) for one in circuits]
        literal = np.stack([one.numpy() for one in literal])
        assert np.ptp(literal) > 1e-3
        np.testing.assert_allclose(found, literal, atol=1e-8 * max(1, np.abs(literal).max()))

    def test_of_all_edges_is_the_model_and_of_none_the_corrupted_run(self, case):
        model, pairs = case
        whole, nothing = values(model, pairs, [frozenset(all_edges(model)), frozenset()], "resample")
        np.testing.assert_allclose(whole, metric_values(model, pairs[0], metric_of(pairs)), atol=1e-9)
        np.testing.assert_allclose(nothing, metric_values(model, pairs[1], metric_of(pairs)), atol=1e-9)

    def test_without_one_edge_are_its_exact_effect(self, case):
        model, pairs = case
        every = all_edges(model)
        some = every[:: max(1, len(every) // 12)]
        whole, *without = values(model, pairs, [frozenset(every), *(frozenset(every) - {one} for one in some)], "zero")
        effects = edge_effects(model, pairs[0], some, metric_of(pairs), ablation="zero")
        np.testing.assert_allclose(np.stack(without) - whole, effects.changes, atol=1e-8)

    def test_do_not_depend_on_what_fits_into_memory_and_leave_the_model_as_it_was(self):
        model, pairs = pairs_for("gpt2")
        circuits, told = drawn(model, 3), []
        usual = values(model, pairs, circuits, "resample")
        small = values(model, pairs, circuits, "resample", memory_budget=1, progress=lambda *step: told.append(step))
        np.testing.assert_allclose(small, usual, atol=1e-12)
        assert told[-1][:2] == (9, 9)
        assert (model.cfg.use_split_qkv_input, model.cfg.use_hook_mlp_in) == (False, False)
        assert not any(point._forward_hooks for point in model.hook_dict.values())


class TestKnownAnswers:
    @pytest.mark.parametrize("name", compiled_names())
    def test_the_true_edges_suffice_where_the_truth_says_so(self, name):
        compiled, model = compile_model(name), load_model(name)
        pairs = compiled.sample_pairs(8, seed=0)
        metric = logit_difference(pairs.answers, pairs.wrong)
        for ablation in ("zero", "resample"):
            if ablation not in compiled.truth.sufficient_under:
                continue
            kept = compiled.truth.edges_zero if ablation == "zero" else compiled.truth.edges_resample
            other = pairs.corrupted if ablation == "resample" else None
            found = circuit_values(model, pairs.clean, [kept], metric, ablation=ablation, other=other)
            np.testing.assert_allclose(found, compiled.truth.logit_difference, atol=1e-2)


def test_bad_input():
    model, pairs = pairs_for("attention only")
    with pytest.raises(ValueError, match="no circuits to measure"):
        values(model, pairs, [], "zero")
    with pytest.raises(ValueError, match="the model has no edge m0->logits"):
        values(model, pairs, [frozenset({Edge("m0", "logits")})], "zero")
