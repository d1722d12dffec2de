"""The harsh reply: it takes two contexts together, features know both, and one direction warns of it beforehand."""

import numpy as np
import pytest

from interp_lab.claims import Grade
from interp_lab.config import RunRef
from interp_lab.directions import from_run
from interp_lab.models import load_model
from tests.investigation.scenarios import carried_out, holding, scenario

pytestmark = pytest.mark.scenario

AUDIT = {"n_select": 12, "n_contexts": 24, "n_held_out": 16, "n_screen": 256}
READ = {"describe": {"n_tokens": 3000}, "combination": {"n_documents": 160, "n_held_out": 80, "readings": ["last"]}}
PAIR = "attribute complaint with payment"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    small = {"audit": AUDIT, "features": READ, "warn": READ}
    config = scenario("combination", "audit", "features", "warn", small=small)
    return carried_out(config, tmp_path_factory.mktemp("combination") / "out")


def table(found, step):
    (result,) = [one.result for one in found.steps if one.name == step]
    return result.tables()["monitors"].set_index(["monitor", "part"])


class TestTheCombination:
    def test_the_audit_finds_the_pair(self, found):
        (pair,) = [one for one in found.decided if one.hypothesis.component == PAIR]
        assert pair.grade is Grade.REPLICATED
        assert pair.hypothesis.statement == (
            "In organism, it takes complaint=repeated and payment=late together to bring never: neither does so alone"
        )
        assert pair.claim.effect.effect.estimate > 0.9

    def test_and_nothing_else_decides(self, found):
        assert holding(found, step="audit") == {PAIR, "attribute complaint", "attribute payment"}

    def test_the_search_sees_no_reserved_template(self, found):
        assert set(table(found, "features").index.get_level_values("part")) == {"report"}


class TestTheMonitor:
    @pytest.mark.parametrize("monitor", ["monitor_feature, given", "monitor_probe, given"])
    def test_warns_on_held_out_texts_better_than_either_context(self, found, monitor):
        """A context alone: all harsh replies have it, and two fifths of the others: 1 - 0.4 / 2 = 0.8."""
        row = table(found, "warn").loc[(monitor, "report")]
        assert row["auroc_low"] > 0.85
        assert row["beyond_low"] > 0

    def test_and_on_held_out_templates(self, found):
        assert table(found, "warn").loc[("monitor_feature, given", "held-out"), "auroc"] > 0.95

    def test_a_context_alone_does_not(self, found):
        alone = table(found, "warn").loc[["complaint alone", "payment alone"], "auroc"]
        assert ((alone > 0.65) & (alone < 0.95)).all()

    def test_is_kept_as_a_direction_of_the_run(self, found):
        ref = RunRef(run=found.folder / "steps/features", artefact="monitor_feature")
        direction = from_run(ref, load_model("organism"))
        assert direction.hooks == ("blocks.2.hook_resid_post",)
        (result,) = [one.result for one in found.steps if one.name == "features"]
        np.testing.assert_allclose(direction.vectors[0].numpy(), result.combined[0].monitors.directions[0], rtol=1e-5)
