"""The model's answers and what is read of them: beside what is computed literally, and counted."""

import numpy as np
import pytest
import torch

from interp_lab.models import load_model
from interp_lab.production.confidence.answering import answer, is_right
from interp_lab.production.confidence.asked import Question
from interp_lab.tasks.encoding import encode
from tests.tasks.reading import grammar_reader

PROMPTS = (
    "the capital of France is",
    "statement : the capital of Italy is Rome . this is",
    "from 14 20 until 14",
    "in Spain people speak",
)
SETTINGS = {"n_tokens": 1, "n_samples": 5, "heat": 1.0, "hooks": (), "batch_size": 8, "seed": 0}


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def model():
    return grammar_reader()


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


def said(model, prompts=PROMPTS, **settings):
    return answer(model, encode(model, prompts), **{**SETTINGS, **settings})


class TestOneToken:
    def test_is_what_a_plain_forward_pass_says(self, model):
        found = said(model)
        for nth, ids in enumerate(encode(model, PROMPTS)):
            logits = model(torch.tensor([ids]))[0, -1].double()
            own = logits.softmax(-1)
            token = int(own.argmax())
            assert found.answers[nth] == (token,)
            p = float(own[token])
            assert found.log_odds[nth] == pytest.approx(np.log(p / (1 - p)), rel=1e-3)
            assert found.per_token[nth] == pytest.approx(np.log(p), rel=1e-3)
            assert found.entropy[nth] == pytest.approx(float((own * own.log()).sum()), rel=1e-3)
            first, second = logits.topk(2).values.tolist()
            assert found.margin[nth] == pytest.approx(first - second, rel=1e-2)

    def test_draws_agree_as_often_as_the_answer_is_likely_at_their_temperature(self, model):
        for heat in (0.5, 2.0):
            found = said(model, n_samples=4000, heat=heat)
            for nth, ids in enumerate(encode(model, PROMPTS)):
                likely = float((model(torch.tensor([ids]))[0, -1] / heat).softmax(-1).max())
                assert found.agreeing[nth] == pytest.approx(
                    likely, abs=4 * np.sqrt(likely * (1 - likely) / 4000) + 1e-3
                )

    def test_a_prompt_has_the_same_draws_whatever_stands_beside_it(self, model):
        whole, reverse = said(model, n_samples=7), said(model, PROMPTS[::-1], n_samples=7, batch_size=3)
        np.testing.assert_array_equal(whole.agreeing, reverse.agreeing[::-1])
        np.testing.assert_allclose(whole.log_odds, reverse.log_odds[::-1], rtol=1e-3)
        assert not np.array_equal(said(model, n_samples=101, seed=1).agreeing, said(model, n_samples=101).agreeing)

    def test_activations_are_those_of_the_last_token(self, model):
        found = said(model, hooks=("blocks.0.hook_resid_post",))
        for nth, ids in enumerate(encode(model, PROMPTS)):
            _, cache = model.run_with_cache(torch.tensor([ids]))
            own = cache["blocks.0.hook_resid_post"][0, -1].detach()
            np.testing.assert_allclose(found.last[nth, 0], own.numpy(), rtol=1e-3, atol=1e-4)


class TestSeveralTokens:
    def test_are_said_in_turn_and_their_probabilities_multiply(self, model):
        found = said(model, n_tokens=3)
        for nth, ids in enumerate(encode(model, PROMPTS)):
            row, logs, margins = list(ids), [], []
            for _ in range(3):
                logits = model(torch.tensor([row]))[0, -1].double()
                own = logits.log_softmax(-1)
                logs.append(float(own.max()))
                margins.append(float(logits.topk(2).values[0] - logits.topk(2).values[1]))
                row.append(int(own.argmax()))
            assert found.answers[nth] == tuple(row[len(ids) :])
            p = np.exp(sum(logs))
            assert found.log_odds[nth] == pytest.approx(np.log(p / (1 - p)), rel=1e-3)
            assert found.per_token[nth] == pytest.approx(np.mean(logs), rel=1e-3)
            assert found.margin[nth] == pytest.approx(min(margins), rel=1e-2)

    def test_draws_agree_that_say_every_token(self, organism):
        found = said(organism, n_tokens=3, n_samples=2000)
        for nth, ids in enumerate(encode(organism, PROMPTS)):
            row, likely = list(ids), 1.0
            for token in found.answers[nth]:
                likely *= float(organism(torch.tensor([row]))[0, -1].softmax(-1)[token])
                row.append(token)
            spread = np.sqrt(likely * (1 - likely) / 2000)
            assert found.agreeing[nth] == pytest.approx(likely, abs=4 * spread + 1e-3)
        assert min(found.agreeing) < 0.9

    def test_end_where_the_model_ends(self, organism):
        found = said(organism, n_tokens=6)
        end = organism.tokenizer.eos_token_id
        for spoken in found.answers:
            assert end not in spoken[:-1]
            assert len(spoken) == 6 or spoken[-1] == end

    def test_cost_one_pass_each_per_batch_and_draws_cost_none(self, model):
        calls = []
        hook = model.register_forward_hook(lambda *_: calls.append(1))
        try:
            said(model, n_tokens=3, n_samples=500, batch_size=2)
        finally:
            hook.remove()
        assert len(calls) == 3 * 2


class TestRight:
    def test_an_answer_that_begins_with_a_right_one(self, organism):
        asked = [Question(PROMPTS[0], (" Paris", " Rome")), Question(PROMPTS[0], (" Rome",)), Question(PROMPTS[0])]
        found = said(organism, [one.prompt for one in asked], n_tokens=2)
        assert organism.tokenizer.decode(found.answers[0]).startswith("Paris")
        assert is_right(organism, asked, found, n_tokens=2).tolist() == [True, False, False]

    def test_a_right_answer_of_too_many_tokens(self, organism):
        asked = [Question(PROMPTS[0], (" Paris .",))]
        with pytest.raises(ValueError, match="has 2 tokens, and the model says 1; set answer_tokens to 2"):
            is_right(organism, asked, said(organism, [PROMPTS[0]]), n_tokens=1)


class TestErrors:
    def test_no_prompts(self, model):
        with pytest.raises(ValueError, match="there are no prompts to answer"):
            answer(model, [], **SETTINGS)

    def test_a_prompt_that_leaves_no_room(self, model):
        n_ctx = int(model.cfg.n_ctx)
        with pytest.raises(ValueError, match=f"a prompt with its answer has {n_ctx + 1} tokens"):
            answer(model, [(1,) * n_ctx], **{**SETTINGS, "n_tokens": 2})
