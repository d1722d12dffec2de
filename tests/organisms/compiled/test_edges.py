from functools import cache

import pytest
import torch

from interp_lab.edges import Edge, edges
from interp_lab.organisms.compiled import compile_model, compiled_names
from tests.oracles.edges import all_edges, edge_effects, keep_only
from tests.organisms.compiled.building import build, known

EVERY_MODEL = pytest.mark.parametrize("name", compiled_names())
BOTH = pytest.mark.parametrize("ablation", ["zero", "resample"])


def declared(truth, ablation):
    chosen = truth.edges_zero if ablation == "zero" else truth.edges_resample
    return {(edge.source, edge.target) for edge in chosen}


@cache
def hand_checked(ablation):
    compiled, model = known("compiled/linear")
    return edge_effects(model, compiled.sample_pairs(8, 3), ablation)


def largest(effects):
    return {edge: effect.abs().max().item() for edge, effect in effects.items()}


class TestTheDeclaredEdges:
    @EVERY_MODEL
    @BOTH
    def test_are_exactly_those_with_an_effect(self, name, ablation):
        compiled, model = known(name)
        size = largest(edge_effects(model, compiled.sample_pairs(14, 0), ablation))
        assert {edge for edge, effect in size.items() if effect > 1e-5} == declared(compiled.truth, ablation)
        # Nothing is near the threshold: an edge carries an eighth of the behaviour at least, or nothing.
        assert min(size[edge] for edge in declared(compiled.truth, ablation)) >= compiled.truth.logit_difference / 8

    @EVERY_MODEL
    @BOTH
    def test_keep_the_behaviour_whole_while_all_others_are_ablated_where_the_truth_says_so(self, name, ablation):
        compiled, model = known(name)
        left = keep_only(model, compiled.sample_pairs(40, 1), declared(compiled.truth, ablation), ablation)
        whole = torch.full((40,), compiled.truth.logit_difference)
        assert torch.allclose(left, whole, atol=1e-5) == (ablation in compiled.truth.sufficient_under)

    def test_do_not_suffice_under_zero_ablation_where_a_backup_hides_the_first_head_and_the_other_way_round(self):
        compiled, model = known("compiled/backup")
        left = keep_only(model, compiled.sample_pairs(40, 1), declared(compiled.truth, "zero"), "zero")
        assert torch.equal(left, torch.zeros(40))

    def test_of_position_matter_under_zero_ablation_only_because_both_runs_share_them(self):
        for name in compiled_names():
            truth = compile_model(name).truth
            assert any(edge.source == "pos_embed" for edge in truth.edges_zero)
            assert not any(edge.source == "pos_embed" for edge in truth.edges_resample)

    def test_of_the_backup_model_are_not_nested(self):
        truth = compile_model("compiled/backup").truth
        assert truth.edges_resample - truth.edges_zero == edges("embed -> 1.0.v")
        assert truth.edges_zero - truth.edges_resample == edges(
            "pos_embed -> 0.0.q 0.0.k", "embed -> 2.1.k", "1.0 -> 2.1.q"
        )


class TestTheProofItself:
    def test_sees_a_wire_too_many(self):
        compiled = compile_model("compiled/induction")
        state = compiled.state_dict  # head 1.1 attends evenly and is silent: let it copy every token to the output
        state["blocks.1.attn.W_V"][1] = state["blocks.1.attn.W_V"][0]
        state["blocks.1.attn.W_O"][1] = state["blocks.1.attn.W_O"][0]
        found = largest(edge_effects(build(compiled), compiled.sample_pairs(14, 0), "resample"))
        extra = {edge for edge, effect in found.items() if effect > 1e-5} - declared(compiled.truth, "resample")
        assert extra == {("embed", "1.1.v"), ("1.1", "logits")}

    def test_sees_a_wire_missing(self):
        compiled = compile_model("compiled/induction")
        compiled.state_dict["blocks.0.attn.W_O"][0] = 0.0
        found = largest(edge_effects(build(compiled), compiled.sample_pairs(14, 0), "zero"))
        assert {edge for edge, effect in found.items() if effect > 1e-5} == {
            ("embed", "1.0.k")  # only what makes the head rest on BOS, for want of a match, is left
        }

    def test_goes_through_every_edge_that_there_can_be(self):
        found = all_edges(n_layers=2, n_heads=4)
        assert len(set(found)) == len(found) == 4 * 3 * 2 + 4 * 3 * 6 + 10
        assert len({Edge(*edge) for edge in found}) == len(found)

    @pytest.mark.parametrize(
        ("edge", "zero"),
        [
            # What the edge carried is missing from a logit difference of 1 - 1/2 + 4 - 3/2 + 1.
            (("embed", "logits"), -1.0),
            (("embed", "0.0.v"), 0.5 - 4.0),
            (("0.0", "logits"), 0.5),
            (("0.0", "1.0.v"), -4.0),
            (("1.0", "logits"), -4.0),
            (("embed", "1.1.v"), 1.5),
            (("embed", "1.2.v"), -1.0),
            (("embed", "1.0.v"), 0.0),
            # Attention spreads over nine tokens, of which two are a and one is w: the head sees (2 - 1) / 9.
            (("pos_embed", "1.1.q"), 1.5 - 1.5 / 9),
            (("pos_embed", "1.2.k"), -1.0 - 1.0 / 9),
            # Of the tokens before these nine, one is a and one is w.
            (("pos_embed", "1.0.q"), -4.0),
            # At the last position 0.0 sees (2 - 1) / 9 with weight 1/2; one before it, eight tokens, one a and one w.
            (("pos_embed", "0.0.k"), 0.5 + 0.5 / 9 - 4.0),
        ],
        ids=lambda value: "->".join(value) if isinstance(value, tuple) else "",
    )
    def test_reads_the_numbers_worked_by_hand(self, edge, zero):
        assert torch.allclose(hand_checked("zero")[edge], torch.full((8,), zero), atol=1e-6)
        # The corrupted prompt carries the opposite along every edge from a token, and the same from a position.
        resampled = 0.0 if edge[0] == "pos_embed" else 2 * zero
        assert torch.allclose(hand_checked("resample")[edge], torch.full((8,), resampled), atol=1e-6)


class TestAnEdge:
    def test_reads_as_it_is_written(self):
        assert edges("0.1 -> 1.0.q logits") == {Edge("0.1", "1.0.q"), Edge("0.1", "logits")}
        assert str(Edge("0.1", "1.0.q")) == "0.1->1.0.q"
        assert sorted([Edge("embed", "logits"), Edge("0.1", "logits")])[0].source == "0.1"
        assert (Edge("0.1", "1.0.q").target_node, Edge("0.1", "logits").target_node) == ("1.0", "logits")

    @pytest.mark.parametrize(
        ("source", "target", "message"),
        [
            ("mlp", "logits", "sources are 'embed'"),
            ("embed", "1.0", "head inputs such as '1.0.q'"),
            ("1.2", "1.0.v", "1.2->1.0.v: a node reads only what was written before it"),
            ("2.0", "1.0.v", "written before"),
        ],
    )
    def test_that_cannot_be_is_refused(self, source, target, message):
        with pytest.raises(ValueError, match=message):
            Edge(source, target)

    @pytest.mark.parametrize("line", ["embed 0.0.q", "embed ->"])
    def test_needs_an_arrow_and_a_target(self, line):
        with pytest.raises(ValueError, match="no list of edges"):
            edges(line)
