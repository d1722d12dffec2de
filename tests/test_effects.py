import numpy as np
import pytest
import torch

from interp_lab.claims import Grade, Split, grade
from interp_lab.effects import Effects, effects_of, evidence_against, metric_values
from interp_lab.hooks import HookNeverFiredError, NonFiniteActivationError
from interp_lab.interventions import Ablation, Intervention, Op, ablations
from interp_lab.metrics import logit_difference, next_token_loss, user_metric
from interp_lab.types import Site
from tests.tiny import tiny_model, tokens

HEADS = [[Site.of_head(layer, head)] for layer in range(3) for head in range(4)]


@pytest.fixture(scope="module")
def model():
    return tiny_model()


class TestEffects:
    def test_equal_a_literal_loop_over_prompts_and_heads(self, model):
        metric = next_token_loss(tokens())
        found = effects_of(model, tokens(), ablations(model, HEADS, kind=Ablation.ZERO), metric, batch_size=2)
        for row in range(5):
            prompt = tokens()[row : row + 1]
            with torch.inference_mode():
                before = metric.rows(torch.tensor([row]))(model(prompt))
                assert found.baseline[row] == pytest.approx(float(before), abs=1e-5)
                for nth, (site,) in enumerate(HEADS):
                    cut = tiny_model()
                    cut.blocks[site.layer].attn.W_O.data[site.head] = 0
                    after = metric.rows(torch.tensor([row]))(cut(prompt))
                    assert found.changes[nth, row] == pytest.approx(float(after - before), abs=1e-5)

    @pytest.mark.parametrize("kind", Ablation)
    def test_do_not_depend_on_the_batch_size(self, model, kind):
        cuts = ablations(model, HEADS, kind=kind, reference=tokens(seed=1), n_examples=5)
        metric = next_token_loss(tokens())
        small, large = (effects_of(model, tokens(), cuts, metric, batch_size=n) for n in (2, 64))
        assert np.allclose(small.changes, large.changes, atol=1e-5)

    def test_of_doing_nothing_are_zero(self, model):
        nothing = Intervention(tuple(HEADS[0]), Op.SCALE, (torch.tensor(1.0),), "nothing")
        assert np.abs(effects_of(model, tokens(), [nothing], next_token_loss(tokens())).changes).max() == 0

    def test_report_progress_to_the_end(self, model):
        seen = []
        cuts = ablations(model, HEADS, kind=Ablation.ZERO)
        effects_of(model, tokens(), cuts, next_token_loss(tokens()), progress=lambda *step: seen.append(step))
        assert [step[0] for step in seen] == list(range(1, 13))
        assert seen[-1] == (12, 12, "zero ablation of 2.3")


class TestEvidence:
    rng = np.random.default_rng(0)
    control = rng.normal(0, 0.1, (2, 40))
    changes = np.stack([rng.normal(1, 0.2, 40), rng.normal(0, 0.1, 40)])

    def evidence(self, changes, control, **options):
        effects = Effects(("strong", "nothing"), "loss", "nats", np.zeros(40), changes)
        return evidence_against(effects, control, control_name="random heads", split=Split.REPORT, **options)

    def test_grades_the_planted_effect_and_not_the_null(self):
        strong, nothing = self.evidence(self.changes, self.control)
        assert (grade(strong), grade(nothing)) == (Grade.CAUSAL, Grade.DESCRIPTIVE)
        assert strong.effect.estimate == pytest.approx(self.changes[0].mean())
        assert strong.versus_control.estimate == pytest.approx((self.changes - self.control)[0].mean())

    def test_falls_when_the_control_does_as_much(self):
        strong, _ = self.evidence(self.changes, np.stack([self.changes[0], self.control[1]]))
        assert grade(strong) is Grade.DESCRIPTIVE

    def test_falls_when_all_examples_are_of_two_templates(self):
        """40 examples that are two independent units support next to nothing."""
        strong, _ = self.evidence(self.changes, self.control, clusters=["a"] * 20 + ["b"] * 20)
        assert grade(strong) is Grade.DESCRIPTIVE


class TestBadInput:
    def test_no_prompts(self, model):
        with pytest.raises(ValueError, match="empty"):
            metric_values(model, tokens(0), logit_difference(torch.tensor([1]), torch.tensor([2])))

    def test_no_interventions(self, model):
        with pytest.raises(ValueError, match="no interventions to measure"):
            effects_of(model, tokens(), [], next_token_loss(tokens()))

    def test_a_site_that_is_not_there_is_told_before_anything_runs(self, model):
        ran = []
        cut = Intervention((Site.of_head(9, 0),), Op.REPLACE, (torch.zeros(()),), "cut")
        with (
            model.hooks([("hook_embed", lambda activation, hook: ran.append(1))]),
            pytest.raises(ValueError, match="layer 9"),
        ):
            effects_of(model, tokens(), [cut], next_token_loss(tokens()))
        assert not ran

    def test_a_metric_that_returns_one_number_for_the_batch(self, model):
        metric = user_metric(lambda logits: logits.mean(), name="mean logit", unit="logits")
        with pytest.raises(ValueError, match=r"'mean logit' must return one number per example"):
            metric_values(model, tokens(), metric)

    def test_a_broken_model_is_named_by_layer(self):
        broken = tiny_model()
        broken.blocks[2].attn.W_Q.data[0, 0, 0] = float("nan")
        with pytest.raises(NonFiniteActivationError, match=r"blocks\.2\.attn\.hook_q' \(in layer 2\)"):
            metric_values(broken, tokens(), next_token_loss(tokens()))

    def test_an_intervention_that_is_not_reached(self, model):
        model.set_use_attn_result(False)
        cut = Intervention((Site("blocks.0.hook_q_input"),), Op.REPLACE, (torch.zeros(()),), "cut")
        with pytest.raises((HookNeverFiredError, ValueError), match="never fires"):
            effects_of(model, tokens(), [cut], next_token_loss(tokens()))
