import pytest
import torch

from interp_lab.hooks import HookNeverFiredError, capture, record
from interp_lab.interventions import (
    Ablation,
    Intervention,
    Op,
    ablations,
    applied,
    apply_op,
    reference_values,
    require_intervention,
)
from interp_lab.types import Site
from tests.tiny import tiny_model, tokens

HEAD = Site.of_head(1, 2)
RESID = Site("blocks.1.hook_resid_post")


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def activation_under(model, site: Site, *interventions: Intervention, prompts=None) -> torch.Tensor:
    prompts = tokens() if prompts is None else prompts
    with torch.inference_mode(), applied(model, *interventions), record(model, [site.hook]) as kept:
        model(prompts)
    return kept[site.hook]


class TestOps:
    x = torch.tensor([[3.0, 4.0], [1.0, 0.0]])

    @pytest.mark.parametrize(
        ("op", "payload", "expected"),
        [
            (Op.REPLACE, [7.0, 8.0], [[7.0, 8.0], [7.0, 8.0]]),
            (Op.ADD, [1.0, -1.0], [[4.0, 3.0], [2.0, -1.0]]),
            (Op.SCALE, [2.0, 0.0], [[6.0, 0.0], [2.0, 0.0]]),
            (Op.PROJECT_OUT, [0.0, 5.0], [[3.0, 0.0], [1.0, 0.0]]),
            (Op.PROJECT_OUT, [1.0, 1.0], [[-0.5, 0.5], [0.5, -0.5]]),
            (Op.CLAMP, [0.0, 5.0], [[3.0, 5.0], [1.0, 5.0]]),
            (Op.CLAMP, [1.0, 1.0], [[0.5, 1.5], [1.5, 0.5]]),
        ],
    )
    def test_by_hand(self, op, payload, expected):
        assert torch.allclose(apply_op(op, self.x, torch.tensor(payload)), torch.tensor(expected))

    def test_projecting_out_twice_is_projecting_out_once(self):
        direction = torch.tensor([0.3, -2.0])
        once = apply_op(Op.PROJECT_OUT, self.x, direction)
        assert torch.allclose(apply_op(Op.PROJECT_OUT, once, direction), once, atol=1e-6)

    def test_clamping_to_a_multiple_keeps_the_direction(self):
        found = apply_op(Op.CLAMP, self.x, torch.tensor([0.0, 5.0]), coefficient=torch.tensor([[2.0], [0.0]]))
        assert found.tolist() == [[3.0, 10.0], [1.0, 0.0]]

    def test_clamping_twice_is_clamping_once(self):
        payload = torch.tensor([0.3, -2.0])
        once = apply_op(Op.CLAMP, self.x, payload)
        assert torch.allclose(apply_op(Op.CLAMP, once, payload), once, atol=1e-6)

    def test_clamping_to_nothing_or_a_single_number_is_refused(self):
        with pytest.raises(ValueError, match=r"payload of length zero .* which has no direction"):
            Intervention((RESID,), Op.CLAMP, (torch.zeros(16),), "clamp")
        with pytest.raises(ValueError, match="one number; replace it instead"):
            Intervention((Site(RESID.hook, latent=2),), Op.CLAMP, (torch.ones(()),), "clamp")
        with pytest.raises(ValueError, match="clamp along, a direction of length zero"):
            apply_op(Op.CLAMP, self.x, torch.zeros(2))

    def test_a_direction_of_length_zero_is_refused(self):
        with pytest.raises(ValueError, match="length zero"):
            apply_op(Op.PROJECT_OUT, self.x, torch.zeros(2))


class TestAblations:
    def test_zero(self, model):
        (cut,) = ablations(model, [[HEAD]], kind=Ablation.ZERO)
        assert activation_under(model, HEAD, cut)[:, :, 2].abs().max() == 0

    def test_mean_is_the_reference_mean_position_by_position(self, model):
        reference = tokens(7, seed=1)
        (cut,) = ablations(model, [[HEAD]], kind=Ablation.MEAN, reference=reference)
        expected = capture(model, reference, [HEAD.hook])[HEAD.hook][:, :, 2].mean(0)
        assert torch.allclose(activation_under(model, HEAD, cut)[:, :, 2], expected.expand(5, -1, -1), atol=1e-6)

    def test_resample_takes_each_prompts_values_from_one_reference_prompt(self, model):
        reference = tokens(7, seed=1)
        (cut,) = ablations(model, [[HEAD]], kind=Ablation.RESAMPLE, reference=reference, n_examples=5, seed=3)
        values = capture(model, reference, [HEAD.hook])[HEAD.hook][:, :, 2]
        drawn = activation_under(model, HEAD, cut)[:, :, 2]
        matches = (drawn[:, None] == values).flatten(2).all(-1)
        assert matches.sum(-1).tolist() == [1] * 5
        assert len(set(matches.long().argmax(-1).tolist())) > 1

    def test_a_group_is_ablated_together_and_draws_the_same_prompt(self, model):
        reference = tokens(7, seed=1)
        pair = [Site.of_head(0, 1), HEAD]
        (cut,) = ablations(model, [pair], kind=Ablation.RESAMPLE, reference=reference, n_examples=5, seed=3)
        first, second = reference_values(model, pair, reference)
        rows = [(first == payload[:, None]).flatten(2).all(-1).long().argmax(-1) for payload in cut.payloads[:1]]
        assert torch.equal(second[rows[0]], cut.payloads[1])

    def test_names_say_what_they_are(self, model):
        cuts = ablations(model, [[HEAD], [HEAD, RESID]], kind=Ablation.ZERO)
        assert [cut.name for cut in cuts] == ["zero ablation of 1.2", "zero ablation of 1.2+1.hook_resid_post"]


class TestApplying:
    def test_interventions_act_in_the_order_given(self, model):
        double = Intervention((RESID,), Op.SCALE, (torch.tensor(2.0),), "double")
        shift = Intervention((RESID,), Op.ADD, (torch.ones(16),), "shift")
        plain = capture(model, tokens(), [RESID.hook])[RESID.hook]
        assert torch.allclose(activation_under(model, RESID, double, shift), 2 * plain + 1, atol=1e-5)
        assert torch.allclose(activation_under(model, RESID, shift, double), 2 * (plain + 1), atol=1e-5)

    def test_a_gate_leaves_other_prompts_untouched(self, model):
        gate = torch.tensor([True, False, True, False, False])
        shift = Intervention((RESID,), Op.ADD, (torch.ones(16),), "shift", gate=gate)
        moved = activation_under(model, RESID, shift) - capture(model, tokens(), [RESID.hook])[RESID.hook]
        assert torch.allclose(moved, gate[:, None, None].float().expand_as(moved), atol=1e-5)

    def test_rows_follow_their_prompts(self, model):
        shifts = torch.arange(5.0)[:, None, None].expand(5, 9, 16)
        shift = Intervention((RESID,), Op.ADD, (shifts,), "shift", per_example=True)
        index = torch.tensor([4, 0, 2])
        part = activation_under(model, RESID, shift.rows(index), prompts=tokens()[index])
        assert torch.allclose(part, activation_under(model, RESID, shift)[index], atol=1e-5)

    def test_one_that_is_never_reached_is_an_error(self, model):
        (cut,) = ablations(model, [[HEAD]], kind=Ablation.ZERO)
        with pytest.raises(HookNeverFiredError), torch.inference_mode(), applied(model, cut):
            model(tokens(), stop_at_layer=1)


class TestBadInput:
    def test_duplicate_sites(self):
        with pytest.raises(ValueError, match=r"names 1\.2 twice"):
            Intervention((HEAD, HEAD), Op.REPLACE, (torch.zeros(()), torch.zeros(())), "cut")

    def test_no_site(self):
        with pytest.raises(ValueError, match="'cut' names no site"):
            Intervention((), Op.REPLACE, (), "cut")

    def test_payloads_that_do_not_match(self):
        with pytest.raises(ValueError, match="has 1 sites but 2 payloads"):
            Intervention((HEAD,), Op.REPLACE, (torch.zeros(()), torch.zeros(())), "cut")

    def test_a_payload_with_nan(self):
        with pytest.raises(ValueError, match=r"payload of 'steer' at 1\.2 holds NaN"):
            Intervention((HEAD,), Op.ADD, (torch.tensor(float("nan")),), "steer")

    def test_a_gate_that_is_never_open(self, model):
        shut = Intervention((HEAD,), Op.ADD, (torch.ones(4),), "steer", gate=torch.zeros(5, dtype=torch.bool))
        with pytest.raises(ValueError, match="touch nothing"):
            require_intervention(model, shut)

    def test_a_batch_of_payloads_that_does_not_say_so(self, model):
        shift = Intervention((RESID,), Op.ADD, (torch.ones(5, 9, 16),), "shift")
        with pytest.raises(ValueError, match=r"has a batch axis .*per_example=True"):
            activation_under(model, RESID, shift)

    def test_no_intervention_at_all(self, model):
        with pytest.raises(ValueError, match="would change nothing"), applied(model):
            pass

    def test_a_payload_of_another_shape(self, model):
        shift = Intervention((RESID,), Op.ADD, (torch.ones(15),), "shift")
        with pytest.raises(ValueError, match=r"payload of shape \(15,\) does not fit"):
            activation_under(model, RESID, shift)

    @pytest.mark.parametrize("kind", [Ablation.MEAN, Ablation.RESAMPLE])
    def test_no_reference_prompts(self, model, kind):
        with pytest.raises(ValueError, match="takes its values from reference prompts; give reference="):
            ablations(model, [[HEAD]], kind=kind)

    def test_resampling_for_an_unknown_number_of_prompts(self, model):
        with pytest.raises(ValueError, match="give n_examples="):
            ablations(model, [[HEAD]], kind=Ablation.RESAMPLE, reference=tokens())
