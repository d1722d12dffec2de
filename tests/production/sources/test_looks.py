"""What is said of sources without leaving any out: shares of attention, gradients that add up."""

import numpy as np
import pytest
import torch

from interp_lab.production.sources.answers import forced
from interp_lab.production.sources.looks import attention_to_sources, input_x_gradient, integrated_gradients
from interp_lab.production.sources.prompts import SourcedPrompt
from tests.production.sources.test_ablations import PROMPTS, literal
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def covering(prompt):
    """The same prompt, every token of it a source."""
    return SourcedPrompt(prompt.tokens, tuple((at,) for at in range(len(prompt.tokens))), prompt.answer)


class TestAttention:
    def test_is_shared_out_among_all_tokens(self, model):
        (prompt,) = [covering(SourcedPrompt(PROMPTS[0].tokens, ((1,),), (4,)))]
        by_layer, rolled = attention_to_sources(model, [prompt])
        assert by_layer.sum(-1) == pytest.approx(np.ones((1, 3)), rel=1e-4)
        assert rolled.sum(-1) == pytest.approx(np.ones(1), rel=1e-4)

    def test_of_two_tokens_is_the_mean_over_the_places_that_predict_them(self, model):
        long = SourcedPrompt((0, 5, 6, 7), ((1, 2),), (4, 2))
        whole, _ = attention_to_sources(model, [long])
        alone = [
            attention_to_sources(model, [SourcedPrompt(tokens, ((1, 2),), (3,))])[0]
            for tokens in ((0, 5, 6, 7), (0, 5, 6, 7, 4))
        ]
        assert whole == pytest.approx(np.mean(alone, 0), rel=1e-4)

    def test_prompts_of_other_lengths_beside_it_change_nothing(self, model):
        together, _ = attention_to_sources(model, PROMPTS)
        alone, _ = attention_to_sources(model, PROMPTS[1:2])
        assert together[1] == pytest.approx(alone[0], rel=1e-3)


class TestGradients:
    def test_integrated_gradients_add_up_to_what_the_sources_do_together(self, model):
        """Gradients at the middles of steps miss a quarter with twice as many; at their ends they would miss a half."""
        few, many = (integrated_gradients(model, PROMPTS, steps=steps)[1].max() for steps in (4, 8))
        assert many < 0.02
        assert many < few / 3

    def test_prompts_of_other_lengths_beside_it_change_nothing(self, model):
        for method in (input_x_gradient, lambda *given: integrated_gradients(*given, steps=3)[0]):
            together, alone = method(model, PROMPTS), method(model, PROMPTS[1:2])
            assert together[1] == pytest.approx(alone[0], rel=2e-3, abs=1e-3)

    def test_the_gradient_is_that_of_the_log_odds(self, model):
        """A step along an embedding changes the log odds by the product with the gradient."""
        prompt = PROMPTS[1]
        slope = input_x_gradient(model, [covering(prompt)])[0]
        batch, small = forced(model, [prompt.spoken]), 1e-3
        with torch.inference_mode():
            before = literal(model, prompt, prompt.whole, "text")
            for at in (2, 5):

                def nudge(value, hook, at=at):
                    value[:, at] *= 1 + small
                    return value

                logits = model.run_with_hooks(batch.tokens, fwd_hooks=[("hook_embed", nudge)])
                after = batch.metric()(logits).item()
                assert (after - before) / small == pytest.approx(slope[at], rel=0.1, abs=0.1)
