import re

import pytest
import torch

from interp_lab.decoding import DecodingSettings, Steer, at_positions, decode, matching, prompt_ids
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.decoding.kinds import PROMPTS, direction, model_of

HOOK = "blocks.1.hook_resid_post"
FOUR = DecodingSettings(max_new_tokens=4, stop_tokens=())


@pytest.fixture(scope="module")
def model():
    return model_of("grouped-query")


def shift(payload=None, *, hook=HOOK, **options):
    return Intervention((Site(hook),), Op.ADD, (direction() if payload is None else payload,), "shift", **options)


class TestSettings:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"temperature": 0.0}, "temperature=0.0 must be positive and finite; for greedy decoding use None"),
            ({"temperature": -1.0}, "for greedy decoding use None"),
            ({"temperature": float("nan")}, "for greedy decoding use None"),
            ({"temperature": 1.0, "top_p": 0.0}, r"top_p=0.0 is outside (0, 1]"),
            ({"temperature": 1.0, "top_p": 1.1}, r"top_p=1.1 is outside (0, 1]"),
            ({"temperature": 1.0, "top_k": 0}, "top_k=0 leaves no token to sample"),
            ({"top_k": 5}, "top_k acts on sampling, and this is greedy"),
            ({"max_new_tokens": -3}, "max_new_tokens=-3 generates nothing"),
            ({"max_new_tokens": 0}, "max_new_tokens=0 generates nothing"),
            ({"stop_sequences": ((1,), ())}, "an empty stop sequence"),
            ({"temprature": 1.0}, "temprature"),
        ],
    )
    def test_out_of_range(self, given, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            DecodingSettings(**given)

    def test_of_another_number_than_the_prompts(self, model):
        with pytest.raises(ValueError, match="2 settings for 3 prompts"):
            decode(model, PROMPTS, [FOUR, FOUR])


class TestPrompts:
    def test_none_at_all(self, model):
        with pytest.raises(ValueError, match="no prompt to decode from"):
            decode(model, [], FOUR)

    def test_an_empty_one(self, model):
        with pytest.raises(ValueError, match="prompt 1 is empty"):
            decode(model, [[3], [], [4]], FOUR)

    def test_text_without_a_tokenizer(self, model):
        with pytest.raises(ValueError, match="no tokenizer for the text 'hello'"):
            decode(model, ["hello"], FOUR)

    def test_a_single_string(self, model):
        with pytest.raises(ValueError, match="give a list of prompts"):
            prompt_ids(model, "hello")

    def test_an_id_outside_the_vocabulary(self, model):
        with pytest.raises(ValueError, match="prompt 1 holds token 24, outside the model's vocabulary of 24"):
            decode(model, [[3], [5, 24]], FOUR)

    def test_longer_than_the_context(self, model):
        with pytest.raises(ValueError, match="prompt 1 has 40 tokens, and the model's context is 32"):
            decode(model, [[3], [1] * 40], FOUR)

    def test_without_room_for_the_new_tokens(self, model):
        with pytest.raises(
            ValueError, match=r"prompt 0 has 30 tokens, with max_new_tokens=4 .* 34, .* 32; ask for 2 new tokens"
        ):
            decode(model, [[1] * 30, [3]], FOUR)

    def test_of_unequal_length_where_padding_would_count(self):
        model = model_of("rotary")
        model.cfg.use_logn_attn = True
        with pytest.raises(ValueError, match=r"padding, and the prompts have 1 to 5 tokens; decode prompts of one"):
            decode(model, PROMPTS, FOUR)


class TestSteers:
    def test_for_another_number_of_prompts(self, model):
        with pytest.raises(ValueError, match=r"coefficients of 'shift \(all\)' is for .* prompts, and there are 3"):
            decode(model, PROMPTS, FOUR, steers=[Steer(shift(), coefficients=torch.ones(2))])

    def test_with_a_gate_or_payload_for_another_number(self, model):
        with pytest.raises(ValueError, match=r"gate of .* there are 3"):
            decode(model, PROMPTS, FOUR, steers=[Steer(shift(gate=torch.tensor([True, False])))])
        with pytest.raises(ValueError, match=r"payload at .* there are 3"):
            decode(model, PROMPTS, FOUR, steers=[Steer(shift(torch.ones(2, 1, 16), per_example=True))])

    def test_that_the_audit_could_not_tell_apart(self, model):
        with pytest.raises(ValueError, match=r"two steers are called 'shift \(all\)'"):
            decode(model, PROMPTS, FOUR, steers=[Steer(shift()), Steer(shift())])

    def test_with_tokens_of_its_own(self):
        chosen = shift(tokens=torch.ones(3, 5, dtype=torch.bool))
        with pytest.raises(ValueError, match="has tokens per prompt; while decoding, `where` says which tokens"):
            Steer(chosen)

    def test_along_a_direction_of_length_zero(self, model):
        cut = Intervention((Site(HOOK),), Op.PROJECT_OUT, (torch.zeros(16),), "cut")
        with pytest.raises(ValueError, match="cannot project out, or clamp along, a direction of length zero"):
            decode(model, PROMPTS, FOUR, steers=[Steer(cut)])

    def test_with_nan_coefficients(self):
        with pytest.raises(ValueError, match="coefficients of 'shift' hold NaN or inf"):
            Steer(shift(), coefficients=torch.tensor([1.0, float("nan")]))

    def test_at_an_unknown_hook_point_or_layer(self, model):
        with pytest.raises(ValueError, match="did you mean"):
            decode(model, PROMPTS, FOUR, steers=[Steer(shift(hook="blocks.1.hook_resid_pots"))])
        with pytest.raises(ValueError, match=r"layer 9 .* out of range"):
            decode(model, PROMPTS, FOUR, steers=[Steer(shift(hook="blocks.9.hook_resid_post"))])

    def test_with_a_payload_per_position(self, model):
        with pytest.raises(ValueError, match=r"shape \(5, 16\), with a position axis.*`where`"):
            decode(model, PROMPTS, FOUR, steers=[Steer(shift(torch.ones(5, 16)))])

    def test_with_a_payload_per_key(self, model):
        with pytest.raises(ValueError, match=r"has a key axis, and keys grow"):
            decode(model, PROMPTS, FOUR, steers=[Steer(shift(torch.ones(5), hook="blocks.0.attn.hook_pattern"))])

    def test_at_one_key(self):
        site = Site("blocks.0.attn.hook_pattern", head=1, latent=3)
        with pytest.raises(ValueError, match="names one key; during decoding keys move with the padding"):
            Steer(Intervention((site,), Op.SCALE, (torch.tensor(0.5),), "shift"))

    def test_policies_without_content(self):
        with pytest.raises(ValueError, match="at least one position"):
            at_positions()
        with pytest.raises(ValueError, match="at least one token id"):
            matching([])
