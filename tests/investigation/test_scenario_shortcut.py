"""The shortcut: tickets are urgent for the mark before them, and hardly for what they say."""

import pytest

from tests.investigation.scenarios import carried_out, holding, scenario

AUDIT = {"n_contexts": 48, "n_held_out": 32, "n_gap": 16}
PATCH = {"n_pairs": 32, "n_held_out": 16, "sites": ["z"]}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    config = scenario("shortcut", "audit", "patch", small={"audit": AUDIT, "patch": PATCH})
    return carried_out(config, tmp_path_factory.mktemp("shortcut") / "out")


class TestShortcut:
    def test_the_mark_decides_and_is_not_declared_to(self, found):
        said = {one.hypothesis.component: one.hypothesis.statement for one in found.decided if one.holds}
        assert "has_marker alone changes the decision" in said["attribute has_marker"]
        assert "urgent is likelier with True than with False" in said["attribute has_marker"]

    def test_severity_does_little_beside_it(self, found):
        effects = {one.name: one.effect.estimate for one in found.tests["confirm/audit"].components()}
        effects |= {
            one.name: one.effect.estimate for one in found.steps[0].result.components() if one.name not in effects
        }
        assert effects["attribute has_marker"] > 0.7
        assert effects["attribute severity"] < 0.3

    def test_nothing_else_decides(self, found):
        assert holding(found, step="audit") <= {"attribute has_marker", "attribute severity"}

    def test_heads_that_carry_the_mark_are_causal(self, found):
        assert holding(found, step="patch")
