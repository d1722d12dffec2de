"""The stereotype: two heads or so carry it, as ablating them shows, and one direction removes it and no name."""

import pytest

from interp_lab.claims import Grade
from interp_lab.organisms.grammar.behaviours.pronouns import STEREOTYPES
from tests.investigation.scenarios import carried_out, holding, scenario

AUDIT = {"n_contexts": 32, "n_held_out": 24, "n_gap": 16}
STEERED = {
    "layers": [0], "n_prompts": 96, "n_held_out": 48, "n_contrast": 128, "n_neutral": 32, "n_capability": 60,
    "n_random": 59, "n_orthogonal": 2, "n_shuffled": 2, "n_priced": 2, "capabilities": ["facts"],
}  # fmt: skip
CHEAP = {**STEERED, "n_random": 40, "n_capability": 32}
PATCH = {"n_pairs": 32, "n_held_out": 16, "sites": ["z"]}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    small = {"audit": AUDIT, "patch": PATCH, "mitigate": STEERED, "again": AUDIT}
    config = scenario("stereotype", "audit", "patch", "mitigate", "again", small=small)
    return carried_out(config, tmp_path_factory.mktemp("stereotype") / "out")


@pytest.mark.scenario
class TestStereotype:
    def test_jobs_decide_as_they_were_planted(self, found):
        chosen = {one.attribute: one for one in found.tests["confirm/audit"].chosen.attributes}
        assert {STEREOTYPES[job] for job in chosen["job"].upper} == {"she"}
        assert {STEREOTYPES[job] for job in chosen["job"].lower} == {"he"}

    def test_nothing_decides_but_jobs_and_names(self, found):
        assert holding(found, step="audit") == {"attribute job", "attribute person"}

    def test_heads_that_carry_it_are_causal(self, found):
        assert holding(found, step="patch")

    def test_a_direction_removes_it(self, found):
        """Not said of held-out templates: over four of them the gap itself is .32 [.06, .59], and p = .1."""
        (narrows,) = [one for one in found.decided if one.holds and one.hypothesis.step == "mitigate"]
        assert narrows.grade >= Grade.CAUSAL
        after = {step.name: step.result for step in found.steps}["again"].metrics()
        assert after["removed_job"] >= 0.8

    def test_and_leaves_what_names_decide(self, found):
        after = {step.name: step.result for step in found.steps}["again"].metrics()
        assert abs(after["removed_person"]) <= 0.02


class TestWhatRemovesIt:
    """Before the first layer jobs are words like any other; at the last token they speak as names do."""

    @pytest.fixture(scope="class")
    def steered(self, tmp_path_factory):
        found = carried_out(
            scenario("stereotype", "mitigate", small={"mitigate": CHEAP}), tmp_path_factory.mktemp("removed") / "out"
        )
        return found.tests["confirm/mitigate"].metrics()

    def test_most_of_the_gap_by_jobs_is_gone(self, steered):
        assert steered["gap_removed_negative"] >= 0.8

    def test_and_names_decide_as_before(self, steered):
        for split in ("", "held_out_"):
            assert abs(steered[f"{split}deciding_change_negative"]) <= 0.02
