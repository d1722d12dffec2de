"""Leaving sources out: what is run once gives what one prompt at a time gives, for as many tokens as are new."""

from itertools import product

import numpy as np
import pytest
import torch

from interp_lab.production.sources.ablations import Ablations
from interp_lab.production.sources.known_answers import COPIED, REPEATED, copied_prompts
from interp_lab.production.sources.prompts import SourcedPrompt
from interp_lab.production.sources.scores import falls_without_each
from tests.tiny import tiny_model

SHAPES = {
    "learned positions": {},
    "rotary, grouped heads": {"positional_embedding_type": "rotary", "rotary_dim": 4, "n_key_value_heads": 2},
    "no cache": {"n_key_value_heads": 2, "ungroup_grouped_query_attention": True},
}
PROMPTS = (
    SourcedPrompt((0, 5, 6, 7, 8, 9, 10, 11, 12, 3), ((1, 2), (3, 4, 5), (7,)), (4, 2)),
    SourcedPrompt((0, 9, 8, 7, 6, 5, 4), ((2, 3), (4,), (5,)), (3,)),
    SourcedPrompt((0, 9, 8, 7, 6, 5, 4, 11), ((1, 6), (3,), (4, 5)), (3, 1, 2)),
)
"""With tokens before, between and behind; of another length; and a source in two pieces around the others."""
ASKED = [(row, kept) for row in range(len(PROMPTS)) for kept in product((True, False), repeat=3)]
AT_THE_ENDS = SourcedPrompt((9, 8, 7, 6, 5, 4), ((0,), (1, 2), (4,)), (3, 1))
"""Nothing stands before the first source, which, hidden, sees itself alone; one token stands behind the last."""


def literal(model, prompt, kept, way):
    """One prompt at a time, written from the definitions: every token is run, and probabilities are multiplied."""
    gone = [at for own, part in zip(kept, prompt.parts, strict=True) if not own for at in part]
    tokens = list(prompt.tokens)
    hooks = []
    if way == "text":
        tokens = [token for at, token in enumerate(tokens) if at not in gone]
    else:

        def hide(scores, hook):
            for query in range(scores.shape[2]):
                for key in gone:
                    if key < query:
                        scores[:, :, query, key] = -torch.inf
            return scores

        hooks = [(f"blocks.{layer}.attn.hook_attn_scores", hide) for layer in range(model.cfg.n_layers)]
    probability = 1.0
    for nth, token in enumerate(prompt.answer):
        so_far = torch.tensor([tokens + list(prompt.answer[:nth])])
        logits = model.run_with_hooks(so_far, fwd_hooks=hooks)[0, -1].double()
        probability *= logits.softmax(-1)[token].item()
    return np.log(probability / (1 - probability))


@pytest.fixture(scope="module", params=SHAPES, ids=str)
def model(request):
    return tiny_model(**SHAPES[request.param])


@pytest.mark.parametrize("way", ["text", "mask"])
class TestWhatIsRunTogether:
    def test_is_what_one_prompt_at_a_time_gives(self, model, way):
        found = Ablations(model, PROMPTS, way=way, batch_size=5).log_odds(ASKED)
        with torch.inference_mode():
            slow = [literal(model, PROMPTS[row], kept, way) for row, kept in ASKED]
        assert found == pytest.approx(np.array(slow), rel=2e-3, abs=2e-3)

    def test_also_where_a_source_begins_the_prompt(self, model, way):
        asked = [(0, kept) for kept in product((True, False), repeat=3)]
        found = Ablations(model, [AT_THE_ENDS], way=way).log_odds(asked)
        with torch.inference_mode():
            slow = [literal(model, AT_THE_ENDS, kept, way) for _, kept in asked]
        assert found == pytest.approx(np.array(slow), rel=2e-3, abs=2e-3)

    def test_is_the_same_without_shared_beginnings(self, model, way):
        found = [Ablations(model, PROMPTS, way=way, shared=shared) for shared in (True, False)]
        fast, whole = (one.log_odds(ASKED) for one in found)
        assert fast == pytest.approx(whole, rel=1e-3, abs=1e-3)
        assert found[1].n_tokens == found[1].n_whole == found[0].n_whole


def test_a_source_may_end_the_prompt_where_it_is_taken_out(model):
    """What is left is what the prompt begins with, and its last token is run again: it predicts the answer."""
    prompt = SourcedPrompt((0, 5, 6, 7, 8), ((1,), (3, 4)), (4, 2))
    found = Ablations(model, [prompt]).log_odds([(0, (True, False))])
    with torch.inference_mode():
        assert found == pytest.approx(literal(model, prompt, (True, False), "text"), rel=2e-3, abs=2e-3)


class TestCounted:
    def tokens_seen(self, model, way):
        """Tokens that pass the embedding, of a prompt of 1 + 3 x 4 + 3 tokens: three sources between BOS and query."""
        prompt = SourcedPrompt(tuple(range(16)), ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12)), (3,))
        seen = []
        with model.hooks(fwd_hooks=[("hook_embed", lambda value, hook: seen.append(value.shape[0] * value.shape[1]))]):
            ablations = Ablations(model, [prompt], way=way)
            falls_without_each(ablations, [prompt])
        return ablations, sum(seen)

    def test_text_runs_what_stands_behind_the_first_source_that_is_left_out(self):
        """16 for the whole prompt; without the first, second and third source 11, 7 and 3 behind where it stood."""
        ablations, seen = self.tokens_seen(tiny_model(), "text")
        assert seen == ablations.n_tokens == 16 + 11 + 7 + 3
        assert ablations.n_whole == 16 + 3 * 12

    def test_mask_does_not_even_run_the_source(self):
        ablations, seen = self.tokens_seen(tiny_model(), "mask")
        assert seen == ablations.n_tokens == 16 + 11 + 7 + 3
        assert ablations.n_whole == 16 * 4

    def test_what_is_known_is_not_run_again(self):
        model = tiny_model()
        ablations = Ablations(model, PROMPTS)
        first, before = ablations.log_odds(ASKED), (ablations.n_tokens, ablations.n_forwards)
        assert (ablations.log_odds(ASKED[::-1])[::-1] == first).all()
        assert (ablations.n_tokens, ablations.n_forwards) == before

    def test_prompts_of_one_shape_share_passes(self):
        """16 prompts, 8 subsets each: a pass for the whole prompts, and one for each of three beginnings."""
        made = [SourcedPrompt((0, 1, 2, 3, row, 5), ((1,), (2,), (3,)), (4,)) for row in range(16)]
        ablations = Ablations(tiny_model(), made, batch_size=128)
        ablations.log_odds([(row, kept) for row in range(16) for kept in product((True, False), repeat=3)])
        assert ablations.n_forwards == 4


class TestByHand:
    @pytest.mark.parametrize("way", ["text", "mask"])
    def test_words_that_a_compiled_model_copies(self, way):
        model, prompts, by_hand = copied_prompts()
        falls = falls_without_each(Ablations(model, prompts, way=way), prompts)
        assert falls == pytest.approx(by_hand, abs=1e-3)
        assert pytest.approx(7.003, abs=1e-3) == REPEATED < COPIED

    def test_what_is_hidden_has_no_effect_whatever_it_is(self):
        model = tiny_model()
        tokens = ((0, 5, 6, 7, 8), (0, 11, 2, 7, 8))
        found = [
            Ablations(model, [SourcedPrompt(row, ((1, 2),), (4,))], way="mask").log_odds([(0, (False,))])
            for row in tokens
        ]
        assert found[0] == pytest.approx(found[1], rel=1e-4)


class TestBadInput:
    def test_nothing_is_left(self):
        with pytest.raises(ValueError, match="nothing is left of prompt 0"):
            Ablations(tiny_model(), [SourcedPrompt((1, 2), ((0,), (1,)), (3,))]).log_odds([(0, (False, False))])

    def test_the_token_that_answers_cannot_be_hidden(self):
        with pytest.raises(ValueError, match=r"prompt 0 ends with a source.*let something stand behind the sources"):
            Ablations(tiny_model(), [SourcedPrompt((1, 2), ((1,),), (3,))], way="mask")

    def test_subsets_say_something_of_every_source(self):
        with pytest.raises(ValueError, match="2 entries for 3 sources"):
            Ablations(tiny_model(), PROMPTS).log_odds([(0, (True, False))])

    def test_no_prompts(self):
        with pytest.raises(ValueError, match="no prompts to leave sources out of"):
            Ablations(tiny_model(), [])

    @pytest.mark.parametrize(
        ("parts", "answer", "message"),
        [
            ((), (1,), "no sources to ask about"),
            (((1,),), (), "the answer is empty"),
            (((1,), (1, 2)), (1,), "none may share one"),
            (((1,), ()), (1,), "each must have tokens"),
            (((7,),), (1,), "not all in a prompt of 3 tokens"),
        ],
        ids=["none", "no answer", "overlapping", "empty", "outside"],
    )
    def test_prompts_that_are_none(self, parts, answer, message):
        with pytest.raises(ValueError, match=message):
            SourcedPrompt((0, 1, 2), parts, answer)
