"""Circuits of compiled models: what is faithful, complete and minimal is known; so is what only looks it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.circuits.circuit import Circuit
from interp_lab.circuits.merit import NOTHING, completeness, minimality
from interp_lab.circuits.nodes import edges_from
from interp_lab.edges import Edge, edges
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model, compiled_names
from tests.circuits.compiled import FIRST, SECOND, compiled, turned

CASES = [
    (name, ablation)
    for name in compiled_names()
    for ablation in ("zero", "resample")
    if ablation in compile_model(name).truth.sufficient_under
]


def share(found, order="ratio of means"):
    return found.shares[order].estimate


@pytest.mark.parametrize(("name", "ablation"), CASES)
class TestTrueEdges:
    def test_are_faithful_in_both_orders_and_leave_nothing_to_their_complement(self, name, ablation):
        bench, true = compiled(name, ablation)
        found = completeness(bench, true)
        own = bench.faithfulness_of(found.without_circuit[0])
        assert [share(own, order) for order in own.shares] == pytest.approx([1.0, 1.0], abs=1e-3)
        assert own.exceeds() == ()
        assert own.distance.high < 1e-2
        assert share(found.complement) == pytest.approx(0.0, abs=1e-3)
        assert found.worst[1].high < 1e-2

    def test_turned_around_are_neither(self, name, ablation):
        """The sabotaged twin: as many edges, the wrong ones."""
        bench, true = compiled(name, ablation)
        found = completeness(bench, turned(true, bench.model))
        assert share(bench.faithfulness_of(found.without_circuit[0])) < 0.7
        assert found.worst[1].low > 1


class TestFaithfulness:
    @pytest.mark.parametrize("ablation", ["zero", "resample"])
    def test_of_all_edges_is_1_and_of_none_0(self, ablation):
        bench, _ = compiled("compiled/linear", ablation)
        assert share(bench.faithfulness(bench.edges)) == pytest.approx(1.0, abs=1e-9)
        assert share(bench.faithfulness(frozenset())) == pytest.approx(0.0, abs=1e-9)

    def test_falls_by_what_an_edge_to_the_logits_carries(self):
        """By its share of the logit difference: in the corrupted run both have the other sign."""
        bench, true = compiled("compiled/linear", "resample")
        truth = compile_model("compiled/linear").truth
        for node, effect in truth.direct_effects.items():
            found = bench.faithfulness(true - {Edge(node, "logits")})
            assert share(found) == pytest.approx(1 - effect / truth.logit_difference, abs=1e-3)

    def test_exceeds_1_without_what_works_against_the_behaviour(self):
        bench, true = compiled("compiled/linear", "resample")
        against = [node for node, effect in compile_model("compiled/linear").truth.direct_effects.items() if effect < 0]
        found = bench.faithfulness(true - {Edge(node, "logits") for node in against})
        assert len(against) > 0
        assert found.exceeds() == ("ratio of means", "mean of ratios")

    def test_runs_equal_circuits_once(self):
        steps = []
        bench, true = compiled("compiled/induction", "zero")
        counting = replace(bench, progress=lambda *step: steps.append(step))
        found = counting.values([true, frozenset(true), true])
        np.testing.assert_array_equal(found[0], found[2])
        assert steps[-1][1] == 1, "8 prompts of one circuit fit one pass"


class TestBackup:
    """Under zero ablation the first head is faithful and its complement does nothing; yet it is not all there is."""

    def test_a_faithful_circuit_with_an_idle_complement_is_incomplete(self):
        bench, _ = compiled("compiled/backup", "zero")
        found = completeness(bench, FIRST, subsets={"1.0": edges_from(bench.model, ["1.0"])})
        assert share(bench.faithfulness(FIRST)) == pytest.approx(1.0, abs=1e-3)
        assert share(found.complement) == pytest.approx(0.0, abs=1e-3)
        np.testing.assert_allclose(found.gaps.estimate, [0.0, 10.0], atol=1e-2)
        assert found.worst[0] == "1.0"
        assert found.subsets == (NOTHING, "1.0")

    def test_the_circuit_of_both_is_complete(self):
        bench, _ = compiled("compiled/backup", "zero")
        removed = {node: edges_from(bench.model, [node]) for node in ("0.0", "1.0", "2.1")}
        found = completeness(bench, FIRST | SECOND | edges("embed -> 1.0.k"), subsets=removed)
        np.testing.assert_allclose(found.gaps.estimate, 0.0, atol=1e-2)

    def test_what_a_head_rests_on_is_missed_only_when_it_finds_nothing(self):
        """Without embed->1.0.k the head does not see BOS: with nothing to find it looks everywhere, and copies."""
        bench, _ = compiled("compiled/backup", "zero")
        found = completeness(bench, FIRST | SECOND, subsets={"0.0": edges_from(bench.model, ["0.0"])})
        assert found.gaps.at(0).high < 1e-2
        assert found.gaps.at(1).low > 0.5

    def test_edges_found_one_at_a_time_are_not_sufficient(self):
        bench, true = compiled("compiled/backup", "zero")
        assert share(bench.faithfulness(true)) == pytest.approx(0.0, abs=1e-3)

    def test_either_head_is_idle_until_the_other_is_removed(self):
        bench, _ = compiled("compiled/backup", "zero")
        heads = {name: edges_from(bench.model, [name]) for name in ("1.0", "2.1")}
        alone = minimality(bench, FIRST | SECOND, parts=heads)
        assert alone.idle() == ("1.0", "2.1")
        given = minimality(bench, FIRST | SECOND, parts=heads, subsets=heads)
        np.testing.assert_allclose(given.shares.estimate, 1.0, atol=1e-3)
        assert given.given == ("2.1", "1.0")
        assert given.idle() == ()


class TestMinimality:
    def test_of_edges_to_the_logits_is_twice_what_they_carry(self):
        bench, true = compiled("compiled/linear", "resample")
        truth = compile_model("compiled/linear").truth
        found = minimality(bench, true)
        for node, effect in truth.direct_effects.items():
            nth = found.parts.index(f"{node}->logits")
            assert found.shares.estimate[nth] == pytest.approx(2 * abs(effect) / truth.logit_difference, abs=1e-3)
            assert found.changes[nth, 0].mean() == pytest.approx(-2 * effect, abs=1e-2)
            assert found.given[nth] == NOTHING

    def test_an_edge_too_many_is_idle(self):
        bench, true = compiled("compiled/induction", "resample")
        found = minimality(bench, true | edges("0.2 -> 1.1.q"))
        assert found.idle() == ("0.2->1.1.q",)

    def test_shares_of_no_behaviour_are_refused(self):
        bench, true = compiled("compiled/induction", "resample")
        wrong = compile_model("compiled/induction").sample_pairs(8, seed=0).wrong
        same = replace(bench, metric=logit_difference(wrong, torch.zeros_like(wrong)))  # neither is in the prompts
        found = minimality(same, true)
        assert found.shares is None
        assert "covers zero" in found.refused
        with pytest.raises(ValueError, match="judge by sizes"):
            found.idle()


class TestBadInput:
    def test_a_part_outside_of_the_circuit(self):
        bench, true = compiled("compiled/induction", "zero")
        for ask in (
            lambda: completeness(bench, true, subsets={"other": edges("0.2 -> 1.1.q")}),
            lambda: minimality(bench, true, parts={"other": edges("0.2 -> 1.1.q")}),
        ):
            with pytest.raises(ValueError, match="'other' has no edge in common with the circuit"):
                ask()

    def test_a_circuit_without_edges_has_no_parts(self):
        bench, _ = compiled("compiled/induction", "zero")
        with pytest.raises(ValueError, match="no edges are given"):
            minimality(bench, frozenset())

    def test_an_unknown_node_or_edge(self):
        bench, true = compiled("compiled/induction", "zero")
        with pytest.raises(ValueError, match=r"no node '1\.9'"):
            edges_from(bench.model, ["1.9"])
        with pytest.raises(ValueError, match=r"the model has no edge m0->logits"):
            completeness(bench, true | edges("m0 -> logits"))

    def test_a_circuit_of_another_model_or_processing(self):
        bench, true = compiled("compiled/induction", "zero")
        other = Circuit.of(load_model("compiled/look-alike"), true)
        raw = Circuit.of(load_model("compiled/induction", processing="raw"), true)
        assert share(bench.faithfulness(Circuit.of(bench.model, true))) == pytest.approx(1.0, abs=1e-3)
        with pytest.raises(ValueError, match=r"the circuit does not belong to this model .name: compiled/look-alike"):
            completeness(bench, other)
        with pytest.raises(ValueError, match="load the model with processing='raw'"):
            minimality(bench, raw)
