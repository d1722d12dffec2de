"""Gates and schedules by hand; which rows a scorer opens, padded or not; what they refuse; and that nothing is left."""

import pytest
import torch

from interp_lab.decoding import (
    DecodingSettings,
    Steer,
    TouchedNothingError,
    Window,
    decaying,
    decode,
    linear_schedule,
    matching,
    product_of,
    projection_above,
    rows_where,
    similarity_above,
    stream,
)
from interp_lab.hooks import capture
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.decoding.kinds import PROMPTS, direction, model_of

HOOK = "blocks.0.hook_resid_post"
SETTINGS = DecodingSettings(max_new_tokens=3, stop_tokens=())
ALONG = direction()


@pytest.fixture(scope="module")
def model():
    return model_of("grouped-query")


def window(length, *, prompt_length):
    positions = torch.arange(length)[None]
    return Window(torch.zeros_like(positions), positions, torch.tensor([[prompt_length]]), torch.tensor([0]))


class TestByHand:
    vectors = torch.tensor([[[3.0, 4.0], [4.0, -3.0], [-1.0, 0.0], [0.1, 0.0]]])

    def test_a_projection(self):
        """Along (1, 0), however long that is given: 3, 4, -1 and 0.1."""
        for length in (1.0, 50.0):
            gate = projection_above(torch.tensor([length, 0.0]), 3.5)
            assert gate(self.vectors, window(4, prompt_length=2)).tolist() == [[0, 1, 0, 0]]
        at_it = projection_above(torch.tensor([1.0, 0.0]), 3.0)
        assert at_it(self.vectors, window(4, prompt_length=2)).tolist() == [
            [0, 1, 0, 0]
        ]  # the first is there, not above

    def test_a_similarity(self):
        """Cosines with (1, 0): 0.6, 0.8, -1 and 1, whatever the length."""
        gate = similarity_above(torch.tensor([2.0, 0.0]), 0.7)
        assert gate(self.vectors, window(4, prompt_length=2)).tolist() == [[0, 1, 0, 1]]

    def test_a_half_life(self):
        """Prompt of 3: full strength up to position 3, the first token generated, half of it two later."""
        found = decaying(2.0)(torch.zeros(1, 8, 2), window(8, prompt_length=3))
        torch.testing.assert_close(found, torch.tensor([[1, 1, 1, 1, 0.5**0.5, 0.5, 0.5**1.5, 0.25]]))

    def test_a_line(self):
        found = linear_schedule(2.0, -1.0, over=3)(torch.zeros(1, 8, 2), window(8, prompt_length=2))
        torch.testing.assert_close(found, torch.tensor([[2.0, 2, 2, 1, 0, -1, -1, -1]]))

    def test_a_product(self):
        gate = product_of(projection_above(torch.tensor([1.0, 0.0]), 0.0), decaying(1.0))
        found = gate(self.vectors, window(4, prompt_length=1))
        torch.testing.assert_close(found, torch.tensor([[1.0, 1.0, 0.0, 0.25]]))


class TestRows:
    def scorer(self, activations):
        return activations @ ALONG

    @pytest.mark.parametrize("at", ["last", "any", "mean"])
    def test_are_those_that_each_prompt_alone_would_be(self, model, at):
        """The padding of a batch counts for nothing."""
        alone = [self.scorer(capture(model, torch.tensor([ids]), [HOOK])[HOOK])[0] for ids in PROMPTS]
        scores = [{"last": one[-1], "any": one.max(), "mean": one.mean()}[at] for one in alone]
        middle = float(sum(sorted(scores)[:2]) / 2)
        found = rows_where(model, PROMPTS, HOOK, self.scorer, threshold=middle, at=at)
        assert found.tolist() == [bool(score > middle) for score in scores]
        assert found.any()
        assert not found.all()

    @pytest.mark.parametrize(("at", "opened"), [("any", False), ("mean", False), ("last", False)])
    def test_a_high_score_of_padding_opens_nothing(self, model, at, opened):
        """A scorer that says 9 of the columns that are padding in the shorter rows, and 0 of all tokens."""
        padding = torch.tensor([[column < 5 - len(ids) for column in range(5)] for ids in PROMPTS])
        found = rows_where(model, PROMPTS, HOOK, lambda _: 9.0 * padding, threshold=0.5, at=at)
        assert found.any() == opened

    def test_gate_an_intervention(self, model):
        scores = capture(model, torch.tensor(PROMPTS[:1]), [HOOK])[HOOK][0, -1] @ ALONG
        gate = rows_where(model, PROMPTS, HOOK, self.scorer, threshold=float(scores) - 1e-3)
        assert gate[0]
        steer = Steer(Intervention((Site(HOOK),), Op.ADD, (ALONG,), "steer", gate=gate))
        (touch,) = decode(model, PROMPTS, SETTINGS, steers=[steer]).audit.touches
        assert touch.touched.any(1).tolist() == gate.tolist()

    def test_scores_that_are_no_number_per_token(self, model):
        with pytest.raises(ValueError, match="NaN for a token"):
            rows_where(model, PROMPTS, HOOK, lambda a: a[..., 0] * torch.nan, threshold=0.0)
        with pytest.raises(ValueError, match=r"gives \(3, 2\) scores for \(3, 5\) tokens"):
            rows_where(model, PROMPTS, HOOK, lambda a: a[:, :2, 0], threshold=0.0)

    def test_prompts_and_hooks_that_do_not_fit(self, model):
        with pytest.raises(ValueError, match="did you mean"):
            rows_where(model, PROMPTS, "blocks.0.hook_resid_pots", self.scorer, threshold=0.0)
        with pytest.raises(ValueError, match="prompt has 40 tokens, and the model's context is 32"):
            rows_where(model, [[1] * 40], HOOK, self.scorer, threshold=0.0)


class TestBadInput:
    @pytest.mark.parametrize("gate", [projection_above, similarity_above])
    @pytest.mark.parametrize("given", [torch.zeros(4), torch.tensor([1.0, float("nan")])])
    def test_a_direction_that_points_nowhere(self, gate, given):
        with pytest.raises(ValueError, match="NaN or inf, or has length zero"):
            gate(given, 0.0)

    def test_numbers_out_of_range(self):
        with pytest.raises(ValueError, match="threshold=nan must be a finite number"):
            projection_above(ALONG, float("nan"))
        with pytest.raises(ValueError, match=r"threshold=1\.0 is no cosine that can be exceeded"):
            similarity_above(ALONG, 1.0)
        with pytest.raises(ValueError, match=r"half_life=0.0 tokens must be positive"):
            decaying(0.0)
        with pytest.raises(ValueError, match="over=0 leaves no token between start and end"):
            linear_schedule(1.0, 0.0, over=0)
        with pytest.raises(ValueError, match="end=inf must be a finite number"):
            linear_schedule(1.0, float("inf"), over=1)
        with pytest.raises(ValueError, match="at least one gate or schedule"):
            product_of()

    def test_a_gate_of_another_width(self, model):
        steer = Steer(
            Intervention((Site(HOOK),), Op.ADD, (ALONG,), "steer"), strength=projection_above(direction(size=15), 0.0)
        )
        with pytest.raises(ValueError, match=r"gate of width 15 cannot read an activation of shape \(3, 5, 16\)"):
            decode(model, PROMPTS, SETTINGS, steers=[steer])


class TestResidue:
    def hooks_on(self, model):
        return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules())

    def steers(self, strength=None):
        sites = tuple(Site(f"blocks.{layer}.hook_resid_post") for layer in range(2))
        made = Intervention(sites, Op.ADD, (ALONG, ALONG), "steer")
        return [Steer(made, strength=strength), Steer(Intervention(sites[:1], Op.CLAMP, (ALONG,), "clamp"))]

    def test_none_after_the_end(self, model):
        plain = model(torch.tensor(PROMPTS[:1]))
        decode(model, PROMPTS, SETTINGS, steers=self.steers())
        assert self.hooks_on(model) == 0
        assert torch.equal(model(torch.tensor(PROMPTS[:1])), plain)

    def test_none_after_an_exception_in_the_middle(self, model):
        """In a gate, at the third step: hooks go, whatever raised, and the model is as it was."""

        def breaks(activation, window):
            if int(window.positions.max()) > 6:
                raise KeyError("of the caller's own making")
            return torch.ones(activation.shape[:2])

        plain = model(torch.tensor(PROMPTS[:1]))
        with pytest.raises(KeyError, match="of the caller's own making"):
            decode(model, PROMPTS, DecodingSettings(max_new_tokens=8, stop_tokens=()), steers=self.steers(breaks))
        assert self.hooks_on(model) == 0
        assert torch.equal(model(torch.tensor(PROMPTS[:1])), plain)

    def test_none_where_touching_nothing_raises(self, model):
        nowhere = Steer(self.steers()[0].intervention, matching([1]) & matching([2]))
        with pytest.raises(TouchedNothingError):
            decode(model, PROMPTS, SETTINGS, steers=[nowhere])
        assert self.hooks_on(model) == 0

    def test_none_of_a_stream_that_is_left(self, model):
        under_way = stream(model, PROMPTS, SETTINGS, steers=self.steers())
        next(under_way)
        assert self.hooks_on(model) == 0
        del under_way
        assert self.hooks_on(model) == 0

    def test_hooks_of_others_stay(self, model):
        model.add_hook("hook_embed", lambda value, hook: None)
        try:
            before = self.hooks_on(model)
            decode(model, PROMPTS, SETTINGS, steers=self.steers())
            assert self.hooks_on(model) == before > 0
        finally:
            model.reset_hooks()
