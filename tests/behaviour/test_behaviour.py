"""Whether there is anything to explain: a behaviour that is there, one that is not, and what a setting leaves of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.behaviour import Behaves, BehaviourConfig, BehaviourResult
from interp_lab.behaviour.measured import _right, _shuffled
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

    def test_must_be_larger_than_what_is_called_none(self, found):
        """The evidence is held to the same least figure as the gate before it."""
        at_least = found.report.total.mean() - 0.01
        for least, grade in ((0.1, Grade.REPLICATED), (float(at_least), Grade.DESCRIPTIVE)):
            (claim,) = replace(found, config=found.config.overlaid({"least_logits": least})).claims()
            assert claim.grade is grade

    def test_of_a_metric_of_ones_own_nothing_is_asked_in_logits(self, found):
        """A probability that changes by 0.05 is one that changes, whatever metric the config names beside it."""
        small = replace(found.report, clean=found.report.corrupted + 0.05 + np.linspace(-0.01, 0.01, 16))
        own = replace(found, report=small, held_out=None, metric="own metric 'probability'", unit="probability")
        assert own.not_asked is None
        assert replace(own, metric="logit_difference").not_asked.endswith("too little to be called a behaviour (0.1)")

    def test_costs_are_raised(self, found):
        assert found.statement.endswith("from the corrupted ones changes the answer")
        assert replace(found, metric="kl_divergence").statement.endswith("raises kl divergence")

    def test_survives_the_disk(self, found):
        again = BehaviourResult.from_arrays(found.config, found.provenance, found.arrays())
        assert (again.summary(), again.metrics()) == (found.summary(), found.metrics())
        assert [section.title for section in again.sections()][1] == "What organism can do besides"


def why(*, clean, metric, least=0.1, preference=np.nan):
    """Why sixteen pairs of eight templates show nothing, of which the corruption costs this, give or take 0.01."""
    jitter = np.linspace(-0.01, 0.01, 16)
    templates = np.array([f"t{nth % 8}" for nth in range(16)])
    split = Untouched(clean + jitter, np.zeros(16), templates, preference + jitter)
    return lacks_behaviour(split, metric=metric, unit="logits", least=least, level=0.95, seed=0)


class TestRight:
    def told(self, organism, answers, wrong, corrupted):
        """Whether facts are answered right, with these answers in place of their own."""
        pairs = pairs_for(organism, "grammar/facts", 2, seed=0)
        mine = {"answers": answers(pairs), "wrong": wrong(pairs), "corrupted_answers": corrupted(pairs)}
        return _right(organism, replace(pairs, **mine))

    def test_must_be_likelier_than_every_wrong_answer_not_than_their_mean(self, organism):
        """Of a capital and a word that comes never, the mean lies below the second likeliest capital."""
        never = tuple(organism.tokenizer("rejected", add_special_tokens=False)["input_ids"])

        def beside(one):
            return lambda pairs: tuple((*own, never) for own in getattr(pairs, one))

        second = self.told(organism, lambda pairs: pairs.wrong, beside("answers"), lambda pairs: ((),) * 2)
        assert second[0].tolist() == [0.0, 0.0]
        first = self.told(organism, lambda pairs: pairs.answers, beside("wrong"), lambda pairs: ((),) * 2)
        assert first[0].tolist() == [1.0, 1.0]
        assert np.isnan(first[1]).all()

    def test_where_something_is_right_after_both_prompts_that_pair_alone_is_left_out(self, organism):
        found = self.told(organism, lambda pairs: pairs.answers, lambda pairs: pairs.wrong,
                          lambda pairs: (pairs.answers[0], pairs.corrupted_answers[1]))  # fmt: skip
        np.testing.assert_array_equal(found, [[1.0, 1.0], [np.nan, 1.0]])


class TestNoBehaviour:
    @pytest.mark.parametrize(("cost", "least", "lacks"), [(0.05, 0.1, True), (0.2, 0.1, False), (0.05, 0.0, False)])
    def test_what_an_untrained_model_makes_of_two_words_is_too_little(self, cost, least, lacks):
        """Clear of zero, always the same, and no behaviour, unless anything is to be called one."""
        found = why(clean=cost, metric="logit_difference", least=least)
        assert (found is not None and f"too little to be called a behaviour ({least:g})" in found) == lacks

    def test_in_other_units_it_must_be_clear_of_zero_and_no_more(self):
        assert why(clean=0.05, metric="probability_difference") is None
        assert "it is the corrupted prompts that come out better" in why(clean=-0.05, metric="probability_difference")
        assert "covers zero" in why(clean=0.001, metric="probability_difference")

    @pytest.mark.parametrize(
        ("clean", "preference", "says"),
        [
            (-0.5, 0.2, None),
            (0.5, 0.2, "it is the corrupted prompts that come out better"),
            (-0.5, 0.05, "too little to be called a behaviour"),
            (-0.5, -0.2, "not clear of zero"),
        ],
        ids=["the answer is preferred", "the cost falls", "hardly", "the other is"],
    )
    def test_a_cost_must_rise_and_the_answer_be_preferred(self, clean, preference, says):
        found = why(clean=clean, metric="kl_divergence", preference=preference)
        assert found is None if says is None else says in found

    def test_a_model_without_it_is_not_asked_about_it(self):
        config = BehaviourConfig.from_mapping(
            SMALL | {"model": "organism-tuned", "task": "grammar/loans/neighbourhood"}
        )
        found = Behaves(config).run()
        assert "there is nothing to bring back" in found.not_asked
        assert found.claims() == []
        assert found.confirmation() is None

    def test_answers_of_other_pairs_come_right_and_wrong_together(self, organism):
        pairs = pairs_for(organism, "grammar/facts", 16, seed=0)
        (other,) = _shuffled(pairs, 1, seed=0)
        own, found = (sorted(zip(one.answers, one.wrong, strict=True)) for one in (pairs, other))
        assert own == found
        assert other.answers != pairs.answers
        assert torch.equal(other.clean, pairs.clean)

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
