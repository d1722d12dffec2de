"""Whether there is anything to explain: a behaviour that is there, one that is not, and what a setting leaves of it."""

import numpy as np
import pytest

from interp_lab.behaviour import Behaves, BehaviourConfig, BehaviourResult
from interp_lab.behaviour.measured import _shuffled
from interp_lab.claims import Grade
from interp_lab.effects.behaviour import lacks_behaviour
from interp_lab.effects.under import Under, save_leading
from interp_lab.effects.untouched import Untouched
from interp_lab.hypotheses import Confirmable
from interp_lab.interventions import Op
from interp_lab.models import load_model
from interp_lab.models.identity import identity_of
from interp_lab.tasks import pairs_for

SMALL = {"n_pairs": 32, "n_held_out": None, "capabilities": [], "n_untrained": 2, "n_shuffled": 2}


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def found(organism):
    own = {"task": "grammar/facts", "n_held_out": 16, "capabilities": ["agreement"], "n_capability": 24}
    config = BehaviourConfig.from_mapping(SMALL | own)
    return Behaves(config).measure(organism)


class TestABehaviour:
    def test_is_claimed_beside_untrained_models_and_on_held_out_templates(self, found):
        (claim,) = found.claims()
        assert claim.grade is Grade.REPLICATED
        assert found.not_asked is None
        assert "untrained models" in claim.effect.control

    def test_metrics_are_means_over_the_report_split(self, found):
        metrics = found.metrics()
        assert metrics["right"] == metrics["right_corrupted"] == 1.0  # the organism knows its facts
        assert metrics["total_effect"] == pytest.approx(metrics["clean"] - metrics["corrupted"])
        assert abs(metrics["untrained_effect"]) < 0.02 * metrics["total_effect"]
        assert metrics["accuracy_agreement"] > 0.9
        assert not any("steered" in name or "change" in name for name in metrics)

    def test_is_confirmed_by_the_same_config(self, found):
        assert isinstance(found, Confirmable)
        confirmation = found.confirmation()
        assert (dict(confirmation.config), confirmation.statements) == ({}, (found.claims()[0].statement,))

    def test_survives_the_disk(self, found):
        again = BehaviourResult.from_arrays(found.config, found.provenance, found.arrays())
        assert (again.summary(), again.metrics()) == (found.summary(), found.metrics())
        assert [section.title for section in again.sections()][1] == "What organism can do besides"


class TestNoBehaviour:
    @pytest.mark.parametrize(("cost", "lacks"), [(0.05, True), (0.2, False)])
    def test_what_an_untrained_model_makes_of_two_words_is_too_little(self, cost, lacks):
        """Clear of zero, always the same, and no behaviour."""
        clean = cost + np.linspace(-0.01, 0.01, 16)
        split = Untouched(clean, np.zeros(16), np.array([f"t{nth % 8}" for nth in range(16)]), np.full(16, np.nan))
        found = lacks_behaviour(split, metric="logit_difference", unit="logits", level=0.95, seed=0)
        assert (found is not None and "too little to be called a behaviour" in found) == lacks

    def test_a_model_without_it_is_not_asked_about_it(self):
        config = BehaviourConfig.from_mapping(
            SMALL | {"model": "organism-tuned", "task": "grammar/loans/neighbourhood"}
        )
        found = Behaves(config).run()
        assert "there is nothing to bring back" in found.not_asked
        assert found.claims() == []
        assert found.confirmation() is None

    def test_labels_of_other_pairs_make_none_where_all_pairs_share_two_answers(self, organism):
        pairs = pairs_for(organism, "grammar/loans/neighbourhood", 16, seed=0)
        (turned,) = _shuffled(pairs, 1, seed=0)
        assert {frozenset(both) for both in zip(turned.answers, turned.wrong, strict=True)} == {
            frozenset(both) for both in zip(pairs.answers, pairs.wrong, strict=True)
        }
        assert 0 < sum(one != other for one, other in zip(turned.answers, pairs.answers, strict=True)) < 16


class TestUnder:
    def test_a_setting_that_wipes_everything_out_leaves_no_behaviour(self, organism, tmp_path):
        hook, width = "blocks.0.hook_resid_pre", organism.cfg.d_model
        import torch

        loud = 1e4 * torch.randn(1, width, generator=torch.Generator().manual_seed(0))
        save_leading([Under("noise", "positive", identity_of(organism), (hook,), Op.ADD, loud, "all")], tmp_path)
        config = BehaviourConfig.from_mapping(
            SMALL | {"task": "grammar/facts", "under": {"run": str(tmp_path), "artefact": "leading positive"},
                     "capabilities": ["agreement"], "n_capability": 24}
        )  # fmt: skip
        found = Behaves(config).measure(organism)
        metrics = found.metrics()
        assert abs(metrics["steered_effect"]) < 0.05 * metrics["total_effect"]
        assert metrics["accuracy_change_agreement"] < -0.2
        assert np.isfinite(found.report.steered).all()
        assert {"under", "change"} <= set(found.tables()["capabilities"].columns)
