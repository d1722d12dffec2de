"""Indirect objects: a circuit with roles that holds on held-out sentences; on a compiled model it is the true one."""

import pytest

from interp_lab.claims import Grade
from interp_lab.organisms.compiled import compile_model
from tests.investigation.scenarios import carried_out, scenario

pytestmark = pytest.mark.scenario

HEADS = {"n_sequences": 32, "n_text": 32, "n_task": 32, "ablations": ["mean"]}
SMALL = {"n_pairs": 32, "n_held_out": 16, "n_random": 29}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    config = scenario("indirect_objects", "heads", "circuit", small={"heads": HEADS, "circuit": SMALL})
    return carried_out(config, tmp_path_factory.mktemp("objects") / "out")


class TestTheCircuit:
    def test_keeps_the_behaviour_up_and_is_needed_on_held_out_sentences(self, found):
        told = {
            one.hypothesis.statement.split("organism")[1]: one
            for one in found.decided
            if one.hypothesis.step == "circuit"
        }
        assert len(told) == 2
        assert all(one.grade is Grade.REPLICATED for one in told.values())

    def test_the_test_is_of_the_edges_that_were_found(self, found):
        searched = next(step.result for step in found.steps if step.name == "circuit")
        tested = found.tests["confirm/circuit"]
        assert tested.plan.edges == searched.plan.edges
        assert tested.config.method == "given"

    def test_its_heads_have_roles(self, found):
        roles = found.tests["confirm/circuit"].roles
        assert set(roles) & set(map(str, found.tests["confirm/circuit"].plan.nodes))


class TestAModelWhoseTruthIsKnown:
    def test_exactly_the_true_nodes_are_confirmed(self, tmp_path):
        name = "compiled/copying"
        config = scenario(
            "indirect_objects", "circuit", small={"circuit": {**SMALL, "roles": None}}, model=name, task=name,
            processing="raw",
        )  # fmt: skip
        found = carried_out(config, tmp_path / "out")
        (suffices,) = [one for one in found.decided if "keep" in one.hypothesis.statement]
        assert suffices.grade is Grade.REPLICATED
        truth, plan = compile_model(name).truth, found.tests["confirm/circuit"].plan
        assert set(map(str, plan.nodes)) == set(map(str, truth.nodes)) - {"embed", "pos_embed", "logits"}
        assert set(map(str, plan.edges)) == set(map(str, truth.edges_resample))
