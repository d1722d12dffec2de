"""Knowledge: where a capital is retrieved, and what is said of a model from which that was taken."""

import runpy
from pathlib import Path

import pytest

from interp_lab.claims import Grade
from tests.investigation.scenarios import carried_out, holding, scenario

pytestmark = pytest.mark.scenario

SCRIPT = Path(__file__).parents[2] / "experiments/debug_knowledge.py"
SMALL = {
    "relations": {"n_prompts": 64, "n_held_out": 32},
    "lens": {"n_pairs": 32, "n_held_out": 16, "n_untrained": 1, "mid": False, "patchscope": None},
    "patch": {"n_pairs": 32, "n_held_out": 16, "sites": ["z"]},
    "ablate": {"n_pairs": 32, "n_held_out": 16, "sites": ["z"], "n_top": 2},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    config = scenario("knowledge", *SMALL, small=SMALL)
    return carried_out(config, tmp_path_factory.mktemp("knowledge") / "out")


class TestKnowledge:
    def test_one_head_retrieves_it_by_every_method(self, found):
        for step in ("relations", "patch", "ablate"):
            assert "0.1" in holding(found, step=step), step

    def test_the_answer_becomes_readable_at_the_end_behind_that_head(self, found):
        (lens,) = [step.result for step in found.steps if step.name == "lens"]
        (there,) = [one for one in lens.appearances if one.place == "end"]
        assert lens.points[there.point] == "after 0"
        assert next(one for one in lens.appearances if one.place == "country").point is None


class TestWrongCompletions:
    def test_without_the_head_knowledge_is_missing_and_its_layer_repairs_it(self, found):
        gone, result = runpy.run_path(str(SCRIPT))["debugged"](found.folder)
        assert gone == "0.1"
        assert result.wrong.found.verdict == "missing knowledge"
        assert str(result.wrong.follow_up.part) == "attention 0 at end"
        assert result.metrics()["repaired"] > 0.9
        assert [claim.grade for claim in result.claims() if claim.grade >= Grade.CAUSAL] == [Grade.REPLICATED]

    def test_refuses_what_holds_no_head(self, tmp_path):
        with pytest.raises(ValueError, match="no"):
            runpy.run_path(str(SCRIPT))["debugged"](tmp_path)
