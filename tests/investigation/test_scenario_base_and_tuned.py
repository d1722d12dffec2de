"""Base against tuned: what decides in the base is asked of the tuned model too, and is gone there; finances are not."""

import json

import pytest

from interp_lab.claims import Grade
from tests.investigation.scenarios import carried_out, holding, scenario

pytestmark = pytest.mark.scenario

AUDIT = {"n_contexts": 32, "n_held_out": 24, "n_gap": 32}
STEERED = {
    "layers": [1], "n_prompts": 64, "n_held_out": 32, "n_contrast": 96, "n_neutral": 32, "n_capability": 60,
    "n_random": 40, "n_orthogonal": 2, "n_shuffled": 2, "n_priced": 2, "capabilities": ["facts"],
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    config = scenario("base_and_tuned", "audit", "mitigate", small={"audit": AUDIT, "mitigate": STEERED})
    return carried_out(config, tmp_path_factory.mktemp("tuned") / "out")


def in_both(found):
    """Components of hypotheses that hold in the base, by whether they hold in the tuned model."""
    held = {True: set(), False: set()}
    for one in (one for one in found.decided if one.holds and one.hypothesis.step == "audit"):
        held[one.beside is not None and one.beside.grade >= Grade.CAUSAL].add(one.hypothesis.component)
    return held


class TestBaseAndTuned:
    def test_the_neighbourhood_decides_in_the_base_alone(self, found):
        assert in_both(found)[False] == {"attribute neighbourhood", "attribute neighbourhood for group"}

    def test_finances_decide_in_both(self, found):
        assert in_both(found)[True] == {"attribute income", "attribute debt", "attribute savings"}

    def test_a_direction_belongs_to_its_own_model(self, found):
        assert holding(found, step="mitigate")
        record = json.loads((found.folder / "record.json").read_text())["steps"]["confirm-beside/mitigate"]
        assert record["status"] == "refused"
        assert "does not belong to this model" in record["error"]
