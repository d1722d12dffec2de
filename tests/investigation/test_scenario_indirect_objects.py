"""Indirect objects: a circuit with roles that holds on held-out sentences; on a compiled model it is the true one."""

import pytest

from interp_lab.claims import Grade
from interp_lab.organisms.compiled import compile_model
from tests.investigation.scenarios import carried_out, scenario

HEADS = {"n_sequences": 32, "n_text": 32, "n_task": 32, "ablations": ["mean"]}
SMALL = {"n_pairs": 32, "n_held_out": 16, "n_random": 29}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    config = scenario("indirect_objects", "heads", "circuit", small={"heads": HEADS, "circuit": SMALL})
    return carried_out(config, tmp_path_factory.mktemp("objects") / "out")


@pytest.mark.scenario
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

    def test_its_heads_look_like_no_known_type_and_none_is_made_up(self, found):
        """Of the words and places it was trained on none comes twice as in `[BOS, x, x]`: it took other ways."""
        (heads,) = [step.result for step in found.steps if step.name == "heads"]
        assert "look like a type: none" in heads.summary()
        assert found.tests["confirm/circuit"].roles == {}


class TestAModelWhoseTruthIsKnown:
    NAME = "compiled/copying"
    LOOKS = {"text": None, "n_task_held_out": 32, "find_partners": False, "n_random_sets": 2, "n_rotations": 10}  # noqa: RUF012

    @pytest.fixture(scope="class")
    def tested(self, tmp_path_factory):
        small = {"heads": {**HEADS, **self.LOOKS}, "circuit": {"n_pairs": 16, "n_held_out": 8, "n_random": 29}}
        config = scenario(
            "indirect_objects", *small, small=small, model=self.NAME, task=self.NAME, processing="raw"
        )  # fmt: skip
        return carried_out(config, tmp_path_factory.mktemp("copying") / "out")

    def test_the_smallest_circuit_that_does_it_all_is_confirmed(self, tested):
        """Of the true edges all but one: the copying head's keys tell the names apart only beside what distracts it,
        and that is left out too. Each edge alone matters in the whole model; this one not in the circuit."""
        truth, found = compile_model(self.NAME).truth, tested.tests["confirm/circuit"]
        assert set(map(str, found.plan.nodes)) == set(map(str, truth.nodes)) - {"embed", "pos_embed", "logits"}
        assert set(map(str, truth.edges_resample - set(found.plan.edges))) == {"embed->2.2.k"}
        assert set(found.plan.edges) < truth.edges_resample
        assert found.faithfulness.shares["ratio of means"].estimate == pytest.approx(1, abs=1e-3)

    def test_that_it_suffices_is_replicated(self, tested):
        (suffices,) = [one for one in tested.decided if "on their own" in one.hypothesis.statement]
        assert suffices.grade is Grade.REPLICATED

    def test_its_heads_have_the_roles_that_they_were_built_for(self, tested):
        roles = tested.tests["confirm/circuit"].roles
        assert roles["0.0"] == "duplicate token"
        assert {roles.get(head) for head in ("1.1", "2.2")} == {"first token"}, "without names they rest"
