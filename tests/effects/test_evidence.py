import numpy as np
import pytest
import torch

from interp_lab.claims import Grade, Split, grade
from interp_lab.effects import evidence_against, metric_values
from interp_lab.engine import Effects, sweep
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
        found = sweep(model, tokens(), ablations(model, HEADS, kind=Ablation.ZERO), metric)
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
    def test_do_not_depend_on_the_memory_budget(self, model, kind):
        named = {"templates": list("aabba"), "reference_templates": list("ababa")} if "template" in kind else {}
        cuts = ablations(model, HEADS, kind=kind, reference=tokens(seed=1), n_examples=5, **named)
        metric = next_token_loss(tokens())
        small, large = (sweep(model, tokens(), cuts, metric, memory_budget=n) for n in (30_000, None))
        assert np.allclose(small.changes, large.changes, atol=1e-5)

    def test_a_gate_keeps_an_intervention_from_prompts(self, model):
        gate = torch.tensor([False, False, False, True, False])
        vector = torch.linspace(-3, 3, 16)
        shift = Intervention((Site("blocks.1.hook_resid_post"),), Op.ADD, (vector,), "shift", gate=gate)
        changes = sweep(model, tokens(), [shift], next_token_loss(tokens())).changes[0]
        assert (np.abs(changes) > 1e-6).tolist() == gate.tolist()

    def test_of_doing_nothing_are_zero(self, model):
        nothing = Intervention(tuple(HEADS[0]), Op.SCALE, (torch.tensor(1.0),), "nothing")
        assert np.abs(sweep(model, tokens(), [nothing], next_token_loss(tokens())).changes).max() == 0

    def test_report_progress_to_the_end(self, model):
        seen = []
        cuts, metric = ablations(model, HEADS, kind=Ablation.ZERO), next_token_loss(tokens())
        sweep(model, tokens(), cuts, metric, memory_budget=30_000, progress=lambda *step: seen.append(step))
        done = [step[0] for step in seen]
        assert len(done) > 5
        assert done == sorted(set(done))
        assert seen[-1][:2] == (60, 60)  # twelve heads on five prompts


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

    def test_p_values_are_corrected_over_everything_tested(self):
        """One effect of p = 0.04 among three is p = 0.12 after correction, and no claim."""
        found = self.evidence_of_three()
        assert found[0].p_adjusted == pytest.approx(min(1.0, 3 * self.raw_p()), abs=1e-9)
        assert self.raw_p() < 0.05 < found[0].p_adjusted
        assert grade(found[0]) is Grade.DESCRIPTIVE

    def three(self):
        """Nine examples: the first site above its control in all but one, the others balanced as far as can be."""
        first = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0])
        balanced = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
        return np.stack([first, balanced, -balanced])

    def evidence_of_three(self):
        effects = Effects(("a", "b", "c"), "loss", "nats", np.zeros(9), self.three())
        return evidence_against(effects, np.zeros((3, 9)), control_name="nothing", split=Split.REPORT)

    def raw_p(self) -> float:
        """Of the 512 sign patterns, the two with none and the eighteen with one minus or one plus are as extreme."""
        return 20 / 512

    def test_margins_are_handed_on(self):
        strong, _ = self.evidence(self.changes, self.control, margin=0.25)
        assert strong.margin == 0.25
        assert grade(self.evidence(self.changes, self.control, margin=2.0)[0]) is Grade.DESCRIPTIVE

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

    def test_prompts_longer_than_the_context(self, model):
        with pytest.raises(ValueError, match="prompts of 33 tokens do not fit the model's context of 32"):
            metric_values(model, tokens(2, 33), next_token_loss(tokens(2, 33)))

    @pytest.mark.parametrize("bad", [-1, 24])
    def test_tokens_outside_the_vocabulary(self, model, bad):
        prompts = tokens()
        prompts[2, 3] = bad
        with pytest.raises(ValueError, match=rf"token {bad} is outside the model's vocabulary \(0 to 23\)"):
            metric_values(model, prompts, next_token_loss(tokens()))

    def test_no_interventions(self, model):
        with pytest.raises(ValueError, match="no interventions to measure"):
            sweep(model, tokens(), [], next_token_loss(tokens()))

    def test_a_site_that_is_not_there_is_told_before_anything_runs(self, model):
        ran = []
        cut = Intervention((Site.of_head(9, 0),), Op.REPLACE, (torch.zeros(()),), "cut")
        with (
            model.hooks([("hook_embed", lambda activation, hook: ran.append(1))]),
            pytest.raises(ValueError, match="layer 9"),
        ):
            sweep(model, tokens(), [cut], next_token_loss(tokens()))
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
            sweep(model, tokens(), [cut], next_token_loss(tokens()))
