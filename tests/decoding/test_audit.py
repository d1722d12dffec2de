import pytest
import torch

from interp_lab.decoding import (
    DecodingSettings,
    Positions,
    Steer,
    TouchedNothingError,
    at_positions,
    decode,
    generated,
    last_prompt_token,
    matching,
    prompt,
    stream,
)
from interp_lab.hooks import capture
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.decoding.kinds import PROMPTS, direction, model_of

HOOK = "blocks.1.hook_resid_post"
SETTINGS = DecodingSettings(max_new_tokens=4, stop_tokens=())
ADDED = direction()


@pytest.fixture(scope="module")
def model():
    return model_of("grouped-query")


def adding(where=None, *, hooks=(HOOK,), **options):
    sites = tuple(Site(hook) for hook in hooks)
    steer = Steer(Intervention(sites, Op.ADD, (ADDED,) * len(sites), "shift"), **options)
    return steer if where is None else Steer(steer.intervention, where, **options)


class TestWhatItSays:
    def test_rows_and_absolute_positions(self, model):
        """Prompts of 5, 1 and 3 tokens and 4 new ones: the model reads 8, 4 and 6 tokens, the last new one never."""
        (touch,) = decode(model, PROMPTS, SETTINGS, steers=[adding()]).audit.touches
        assert touch.touched.sum(-1).tolist() == [8, 4, 6]
        assert touch.touched[1].nonzero()[:, 0].tolist() == [0, 1, 2, 3]
        (touch,) = decode(model, PROMPTS, SETTINGS, steers=[adding(generated())]).audit.touches
        assert touch.touched[0].nonzero()[:, 0].tolist() == [5, 6, 7]

    @pytest.mark.parametrize(
        ("where", "expected"), [(prompt(), [5, 1, 3]), (~generated(), [5, 1, 3]), (~at_positions(0), [7, 3, 5])]
    )
    def test_padding_is_never_touched(self, model, where, expected):
        (touch,) = decode(model, PROMPTS, SETTINGS, steers=[adding(where)]).audit.touches
        assert touch.touched.sum(-1).tolist() == expected

    def test_norms_are_the_length_of_the_change(self, model):
        doses = torch.tensor([1.0, -2.0, 0.0])
        (touch,) = decode(model, PROMPTS, SETTINGS, steers=[adding(coefficients=doses)]).audit.touches
        for row, dose in enumerate(doses):
            expected = (abs(dose) * ADDED.norm()).expand(int(touch.touched[row].sum()))
            torch.testing.assert_close(touch.norms[row][touch.touched[row]], expected, atol=1e-5, rtol=1e-5)
        assert touch.touched[2].any()
        assert not touch.changed[2].any()

    def test_the_change_of_a_projection_is_what_was_there(self, model):
        steer = Steer(Intervention((Site(HOOK),), Op.PROJECT_OUT, (ADDED,), "ablate"), last_prompt_token())
        (touch,) = decode(model, PROMPTS, SETTINGS, steers=[steer]).audit.touches
        for row, ids in enumerate(PROMPTS):
            stream_there = capture(model, torch.tensor([ids]), [HOOK])[HOOK][0, -1]
            assert touch.norms[row, len(ids) - 1] == pytest.approx(
                abs(float(stream_there @ ADDED / ADDED.norm())), abs=1e-4
            )

    def test_one_line_per_layer_row_and_token(self, model):
        hooks = ("blocks.0.hook_resid_post", HOOK)
        audit = decode(model, PROMPTS, SETTINGS, steers=[adding(at_positions(2), hooks=hooks)]).audit
        table = audit.table()
        assert list(table.columns) == ["steer", "hook", "layer", "row", "position", "norm"]
        assert sorted(zip(table.layer, table.row, table.position, strict=True)) == [
            (layer, row, 2) for layer in (0, 1) for row in range(3)
        ]
        assert set(table.steer) == {"shift (at 2)"}

    def test_rows_that_one_steer_missed_are_named(self, model):
        """Position 7 is read in row 0 only; this is what a hook that touches row 0 only looks like."""
        assert decode(model, PROMPTS, SETTINGS, steers=[adding(at_positions(7))]).audit.untouched_rows() == [1, 2]
        assert decode(model, PROMPTS, SETTINGS, steers=[adding()]).audit.untouched_rows() == []
        assert decode(model, PROMPTS, SETTINGS).audit.untouched_rows() == []

    def test_a_row_is_untouched_if_any_of_the_steers_missed_it(self, model):
        """Position 7 is read in row 0 only, position 5 in rows 0 and 2; the first steer misses none."""
        short = SETTINGS.model_copy(update={"max_new_tokens": 4})
        steers = [adding(), adding(at_positions(7)), adding(at_positions(5))]
        assert decode(model, PROMPTS, short, steers=steers).audit.untouched_rows() == [1, 2]

    def test_of_several_sites_at_one_hook_point_every_token_counts(self, model):
        sites = (Site(HOOK, position=0), Site(HOOK, position=-1))
        steer = Steer(Intervention(sites, Op.ADD, (ADDED, ADDED), "ends"))
        (touch,) = decode(model, PROMPTS, SETTINGS, steers=[steer]).audit.touches
        assert [row.nonzero()[:, 0].tolist() for row in touch.touched] == [[0, 4], [0], [0, 2]]

    def test_rotated_keys_are_counted_once_although_they_are_edited_at_every_step(self, model):
        steer = Steer(Intervention((Site("blocks.0.attn.hook_rot_k"),), Op.SCALE, (torch.tensor(2.0),), "keys"))
        found = [decode(model, PROMPTS, SETTINGS, steers=[steer], cache=cache).audit.table() for cache in (True, False)]
        assert len(found[0]) == 8 + 4 + 6
        assert found[0].drop(columns="norm").equals(found[1].drop(columns="norm"))

    def test_masked_scores_are_no_change(self, model):
        steer = Steer(Intervention((Site("blocks.0.attn.hook_attn_scores"),), Op.SCALE, (torch.tensor(2.0),), "scores"))
        (touch,) = decode(model, PROMPTS, SETTINGS, steers=[steer]).audit.touches
        assert torch.isfinite(touch.norms[touch.touched]).all()


class TestTouchingNothing:
    @pytest.mark.parametrize(
        "where",
        [at_positions(20), matching([23]) & matching([22]), Positions("slice", lambda w: w.positions > 99)],
        ids=["past the end", "never both", "a slice hook"],
    )
    def test_is_an_error(self, model, where):
        with pytest.raises(TouchedNothingError, match=r"shift .* touched nothing at blocks\.1\.hook_resid_post"):
            decode(model, PROMPTS, SETTINGS, steers=[adding(where)])

    def test_the_last_token_generated_is_never_read(self, model):
        one = SETTINGS.model_copy(update={"max_new_tokens": 1})
        with pytest.raises(TouchedNothingError, match="the last token generated is never read"):
            decode(model, PROMPTS, one, steers=[adding(generated())])

    def test_of_several_steers_is_still_an_error(self, model):
        with pytest.raises(TouchedNothingError, match="at 20"):
            decode(model, PROMPTS, SETTINGS, steers=[adding(), adding(at_positions(20))])

    def test_is_told_when_a_stream_is_exhausted(self, model):
        under_way = stream(model, PROMPTS, SETTINGS, steers=[adding(at_positions(20))])
        for _ in range(4):
            next(under_way)
        with pytest.raises(TouchedNothingError):
            next(under_way)


class TestFunctionsOfOnesOwn:
    """Hooks as others write them, audited: a slice under a cache, the first row only, the wrong shape."""

    @staticmethod
    def slicing(activation):
        activation[:, 5:] += ADDED
        return activation

    @staticmethod
    def first_row(activation):
        activation[0] += ADDED
        return activation

    def test_do_what_a_hook_does_and_are_told_of(self, model):
        whole = {HOOK: lambda activation: activation + ADDED}
        found = decode(model, PROMPTS, SETTINGS, functions=whole)
        as_steer = decode(model, PROMPTS, SETTINGS, steers=[adding()])
        assert found.tokens == as_steer.tokens
        (touch,), (own,) = as_steer.audit.touches, found.audit.touches
        assert (own.steer, own.hook) == ("own function", HOOK)
        torch.testing.assert_close(own.norms, touch.norms, equal_nan=True)

    def test_act_after_the_steers(self, model):
        back = {HOOK: lambda activation: activation - ADDED}
        found = decode(model, PROMPTS, SETTINGS, steers=[adding()], functions=back)
        assert found.tokens == decode(model, PROMPTS, SETTINGS).tokens
        assert len(found.audit.touches) == 2

    def test_a_slice_from_the_prompt_on_is_nothing_under_a_cache_and_an_error(self, model):
        with pytest.raises(TouchedNothingError, match=r"own function touched nothing at blocks\.1\.hook_resid_post"):
            decode(model, PROMPTS[:1], SETTINGS, functions={HOOK: self.slicing})
        whole = decode(model, PROMPTS[:1], SETTINGS, functions={HOOK: self.slicing}, cache=False)
        assert whole.audit.touches[0].touched[0].nonzero()[:, 0].tolist() == [5, 6, 7]

    def test_the_newest_token_only_is_told_from_every_one_that_was_newest(self, model):
        """Of `[:, -1]`, with a cache all tokens generated stay steered; without, only the one that was read last."""

        def newest(activation):
            activation[:, -1] += ADDED
            return activation

        found = [decode(model, PROMPTS[:1], SETTINGS, functions={HOOK: newest}, cache=cache) for cache in (True, False)]
        touched = [one.audit.touches[0].touched[0].nonzero()[:, 0].tolist() for one in found]
        assert touched == [[4, 5, 6, 7], [7]]

    def test_the_first_row_only_leaves_the_others_named(self, model):
        found = decode(model, PROMPTS, SETTINGS, functions={HOOK: self.first_row})
        assert found.audit.untouched_rows() == [1, 2]

    def test_another_shape_or_hook_point_is_refused(self, model):
        with pytest.raises(ValueError, match=r"makes shape \(3, 1, 16\) of an activation of shape \(3, 5, 16\)"):
            decode(model, PROMPTS, SETTINGS, functions={HOOK: lambda activation: activation[:, -1:]})
        with pytest.raises(ValueError, match="did you mean"):
            decode(model, PROMPTS, SETTINGS, functions={"blocks.1.hook_resid_pots": self.first_row})


class TestChangingNothing:
    def test_is_an_error_unless_it_is_meant(self, model):
        nothing = Steer(Intervention((Site(HOOK),), Op.ADD, (torch.zeros(16),), "zero"))
        with pytest.raises(TouchedNothingError, match=r"zero \(all\) changed nothing .* allow_no_change=True"):
            decode(model, PROMPTS, SETTINGS, steers=[nothing])
        decoded = decode(model, PROMPTS, SETTINGS, steers=[nothing], allow_no_change=True)
        assert decoded.tokens == decode(model, PROMPTS, SETTINGS).tokens

    def test_a_dose_of_zero_is_meant(self, model):
        decoded = decode(model, PROMPTS, SETTINGS, steers=[adding(coefficients=torch.zeros(3))])
        assert decoded.tokens == decode(model, PROMPTS, SETTINGS).tokens

    def test_a_clamp_to_zero_of_what_is_zero_is_not_meant(self):
        """A coefficient of 0 clamps to 0: where that changes nothing, it should be told."""
        model, first = model_of("rotary"), torch.eye(16)[0]
        with torch.no_grad():
            model.W_E[:, 0] = 0
        clamp = Steer(
            Intervention((Site("hook_embed"),), Op.CLAMP, (first,), "clamp"), coefficients=torch.zeros(len(PROMPTS))
        )
        with pytest.raises(TouchedNothingError, match=r"clamp .* changed nothing"):
            decode(model, PROMPTS, SETTINGS, steers=[clamp])

    def test_a_gate_that_stays_shut_is_meant(self, model):
        shut = adding(strength=lambda activation, window: torch.zeros(activation.shape[:2]))
        assert decode(model, PROMPTS, SETTINGS, steers=[shut]).tokens == decode(model, PROMPTS, SETTINGS).tokens
