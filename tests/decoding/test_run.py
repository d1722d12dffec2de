import pytest
import torch

from interp_lab.decoding import DecodingSettings, Steer, StopReason, at_positions, decode, stream
from interp_lab.hooks import NonFiniteActivationError
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.decoding.kinds import PROMPTS, direction, model_of
from tests.oracles.decoding import literal_decode

LONG = DecodingSettings(max_new_tokens=8, stop_tokens=())


@pytest.fixture(scope="module")
def model():
    return model_of("grouped-query")


@pytest.fixture(scope="module")
def free(model):
    """What is generated if nothing stops it."""
    return decode(model, PROMPTS, LONG).tokens


class TestStops:
    def test_each_row_has_its_own_length(self, model, free):
        decoded = decode(model, PROMPTS, [LONG.model_copy(update={"max_new_tokens": n}) for n in (1, 8, 3)])
        assert decoded.tokens == (free[0][:1], free[1], free[2][:3])
        assert set(decoded.stops) == {StopReason.LENGTH}

    def test_a_stop_token_is_kept_and_ends_its_row_only(self, model, free):
        """The rows that go on are not disturbed by those that leave the batch, with or without a cache."""
        stop = free[1][2]
        ends = [row.index(stop) + 1 if stop in row else 8 for row in free]
        assert len(set(ends)) > 1
        for cache in (True, False):
            decoded = decode(model, PROMPTS, LONG.model_copy(update={"stop_tokens": (stop,)}), cache=cache)
            assert decoded.tokens == tuple(row[:end] for row, end in zip(free, ends, strict=True))
            assert decoded.stops[1] is StopReason.STOP_TOKEN

    def test_a_stop_sequence_must_be_generated_whole(self, model, free):
        ids = PROMPTS[0]
        across = (ids[-1], free[0][0])
        inside = tuple(free[0][2:4])
        settings = LONG.model_copy(update={"stop_sequences": (across, inside)})
        decoded = decode(model, [ids], settings)
        end = next(n for n in range(2, 9) if free[0][n - 2 : n] in (across, inside))
        assert (decoded.tokens[0], decoded.stops[0]) == (free[0][:end], StopReason.STOP_SEQUENCE)

    def test_rows_that_stop_take_their_payloads_coefficients_and_gates_along(self, model):
        hook = "blocks.0.hook_resid_post"
        own = torch.stack([direction(seed) for seed in range(3)])[:, None]
        shift = Intervention(
            (Site(hook),), Op.ADD, (own,), "shift", per_example=True, gate=torch.tensor([True, False, True])
        )
        doses = torch.tensor([1.0, 5.0, -2.0])
        lengths = [2, 8, 5]
        settings = [LONG.model_copy(update={"max_new_tokens": n}) for n in lengths]
        decoded = decode(model, PROMPTS, settings, steers=[Steer(shift, coefficients=doses)])
        for row, (ids, n) in enumerate(zip(PROMPTS, lengths, strict=True)):
            add = (0.0 if row == 1 else doses[row]) * own[row, 0]
            tokens, _ = literal_decode(model, ids, n, edits=[(hook, lambda value, _, add=add: value.add_(add))])
            assert decoded.tokens[row] == tuple(tokens)


class TestStream:
    def test_yields_a_token_per_row_that_is_still_going(self, model, free):
        settings = [LONG.model_copy(update={"max_new_tokens": n}) for n in (1, 4, 3)]
        steps = list(stream(model, PROMPTS, settings))
        assert [step.rows for step in steps] == [(0, 1, 2), (1, 2), (1, 2), (1,)]
        assert [step.tokens[0] for step in steps[1:]] == list(free[1][1:4])
        assert [step.stops[-1] for step in steps] == [None, None, StopReason.LENGTH, StopReason.LENGTH]

    def test_can_be_left_and_the_model_used_between_steps(self, model, free):
        plain = model(torch.tensor(PROMPTS[:1]))
        steer = Steer(Intervention((Site("blocks.0.hook_resid_post"),), Op.ADD, (direction(),), "steer"))
        under_way = stream(model, PROMPTS, LONG, steers=[steer])
        for _, _step in zip(range(3), under_way, strict=False):
            assert torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
            assert torch.equal(model(torch.tensor(PROMPTS[:1])), plain)
        partial = under_way.result()
        assert [len(row) for row in partial.tokens] == [3, 3, 3]
        assert partial.stops == (None, None, None)
        assert not any(point._forward_hooks for point in model.hook_dict.values())
        rest = list(under_way)
        assert len(rest) == 5
        assert under_way.result().tokens == decode(model, PROMPTS, LONG, steers=[steer]).tokens != free

    def test_can_be_finished_at_once_and_asked_again(self, model):
        steer = Steer(Intervention((Site("blocks.0.hook_resid_post"),), Op.ADD, (direction(),), "steer"))
        under_way = stream(model, PROMPTS, LONG, steers=[steer])
        next(under_way)
        assert (
            under_way.to_end().tokens
            == under_way.to_end().tokens
            == decode(model, PROMPTS, LONG, steers=[steer]).tokens
        )
        assert list(under_way) == []

    def test_an_exception_inside_the_model_leaves_no_hook(self, model):
        steer = Steer(Intervention((Site("blocks.0.hook_resid_post"),), Op.ADD, (torch.ones(15),), "narrow"))
        with pytest.raises(ValueError, match=r"payload of shape .* does not fit"):
            decode(model, PROMPTS, LONG, steers=[steer])
        assert not any(point._forward_hooks for point in model.hook_dict.values())


class TestLogProbs:
    def test_are_those_of_the_chosen_tokens_at_temperature_one(self, model):
        settings = DecodingSettings(max_new_tokens=5, temperature=3.0, top_k=4, stop_tokens=())
        decoded = decode(model, PROMPTS, settings)
        for prompt, new, found in zip(PROMPTS, decoded.tokens, decoded.log_probs, strict=True):
            with torch.no_grad():
                log_probs = model(torch.tensor([prompt + list(new)]))[0].log_softmax(-1)
            expected = [log_probs[len(prompt) - 1 + nth, token].item() for nth, token in enumerate(new)]
            assert found == pytest.approx(expected, abs=1e-4)

    def test_broken_logits_are_refused_with_their_place(self, model):
        overflow = Intervention((Site("blocks.1.hook_resid_post"),), Op.SCALE, (torch.tensor(1e38),), "overflow")
        again = Intervention((Site("blocks.1.hook_resid_post"),), Op.SCALE, (torch.tensor(1e38),), "again")
        with pytest.raises(NonFiniteActivationError, match=r"after 2 new tokens of prompt 0 hold NaN"):
            decode(
                model,
                [[3, 1]],
                LONG,
                steers=[Steer(overflow, at_positions(3)), Steer(again, at_positions(3))],
            )


class TestBudget:
    def test_two_rows_that_each_fit_may_be_wider_together_than_the_context(self, model):
        """25 tokens with 7 new beside 1 token with 31 new: 56 columns, and the context is 32."""
        long = torch.randint(24, (25,), generator=torch.Generator().manual_seed(0)).tolist()
        for kind in ("standard", "grouped-query", "alibi"):
            model = model_of(kind)
            settings = [LONG.model_copy(update={"max_new_tokens": n}) for n in (7, 31)]
            decoded = decode(model, [long, [6]], settings)
            assert decoded.tokens[0] == tuple(literal_decode(model, long, 7)[0])
            assert decoded.tokens[1] == tuple(literal_decode(model, [6], 31)[0])
