"""What is looked at before and while training: activations, dead latents, metrics, configs."""

import re

import pytest
import torch
from sae_lens.saes.sae import TrainStepOutput

from interp_lab.config import ConfigError
from interp_lab.sae.training import SaeConfig, TrainingConfig, preflight
from interp_lab.sae.training.architectures import (
    BatchTopKSae,
    GatedSae,
    JumpReluSae,
    MatchingPursuitSae,
    MatryoshkaSae,
    StandardSae,
    TopKSae,
)
from interp_lab.sae.training.build import level_widths, steps_of, training_sae
from interp_lab.sae.training.dead import advise, diagnose
from interp_lab.sae.training.metrics import density_metrics, density_table, stable_name, step_metrics
from interp_lab.sae.training.stream import ActivationError, checked_batches
from interp_lab.sae.training.trainee import new_trainee
from tests.sae.training.sources import HOOK, Given, MemorySource
from tests.sae.training.test_loop import config, sae_config


class TestPreflight:
    def test_by_hand(self):
        found = preflight([torch.tensor([[3.0, 4.0], [3.0, 4.0]]), torch.tensor([[0.0, 1.0], [0.0, -1.0]])])
        assert (found.n_tokens, found.d_in) == (4, 2)
        assert (found.mean_norm, found.largest_norm) == (3.0, 5.0)
        # The mean is (1.5, 2), the mean squared norm 13; variances are 2.25 and 8.5 - 4.
        assert found.mean_share == pytest.approx(6.25 / 13)
        assert found.top_entry_share == pytest.approx(4.5 / 6.75)

    def test_a_token_far_out_is_counted_with_its_share_of_the_squares(self):
        usual = torch.eye(4).repeat(25, 1)
        found = preflight([usual[:99], torch.tensor([[0.0, 0.0, 0.0, 20.0]])])
        assert found.outlier_share == 0.01
        assert found.outlier_energy == pytest.approx(400 / 499)
        assert any("leave out special tokens" in one for one in found.advice())

    def test_what_is_as_it_should_be_gets_no_advice(self):
        assert preflight([torch.randn(500, 16, generator=torch.Generator().manual_seed(0))]).advice() == []

    @pytest.mark.parametrize(
        ("change", "advice"),
        [
            (lambda usual: usual + 3, "centre=true"),
            (lambda usual: usual * 10, "scale=mean_norm"),
            (lambda usual: usual * torch.tensor([10.0] + [0.3] * 15), "one entry has 9"),
        ],
        ids=["mean", "norm", "one entry"],
    )
    def test_says_what_stands_out(self, change, advice):
        usual = torch.randn(500, 16, generator=torch.Generator().manual_seed(0))
        assert any(advice in one for one in preflight([change(usual)]).advice())

    @pytest.mark.parametrize(
        ("architecture", "matters"),
        [(TopKSae(), False), (BatchTopKSae(), False), (MatryoshkaSae(), False), (StandardSae(), True),
         (GatedSae(), True), (JumpReluSae(), True), (MatchingPursuitSae(), True)],
        ids=lambda value: getattr(value, "kind", None),
    )  # fmt: skip
    def test_scale_is_advised_only_where_a_setting_hangs_on_it(self, architecture, matters):
        found = preflight([10 * torch.randn(500, 16, generator=torch.Generator().manual_seed(0)) + 9])
        own = SaeConfig(architecture=architecture, centre=False)
        scaled, centred = (own.overlaid(change) for change in ({"scale": "mean_norm"}, {"centre": True}))
        assert [any("scale" in one for one in found.advice([sae])) for sae in (own, scaled)] == [matters, False]
        assert [any("centre" in one for one in found.advice([sae])) for sae in (own, centred)] == [True, False]
        assert any("scale" in one for one in found.advice([SaeConfig(), own])) == matters

    def test_nothing_to_look_at(self):
        with pytest.raises(ValueError, match="at least one batch"):
            preflight([])


class TestDeadLatents:
    def test_counts_by_the_criterion_that_it_names(self):
        trainee = new_trainee("sae", config({"sae": sae_config(dead_after=10)}), d_in=16, hook=HOOK, device="cpu")
        trainee.trainer.n_training_steps = 30
        trainee.trainer.n_forward_passes_since_fired[:4] = torch.tensor([10.0, 11.0, 30.0, 0.0])
        found = diagnose(trainee)
        assert (found.n_dead, found.n_never, found.n_latents) == (2, 1, 48)
        assert found.criterion == "no activation in more than 10 batches of 64 tokens"

    @pytest.mark.parametrize(
        ("own", "share", "n_steps", "advice"),
        [
            (SaeConfig(dead_after=100), 0.5, 100, "too few to call a latent dead"),
            (SaeConfig(dead_after=100), 0.05, 500, "^$"),
            (SaeConfig(dead_after=100), 0.5, 500, "lower dead_after"),
            (SaeConfig(architecture=TopKSae(auxiliary=0), dead_after=9), 0.5, 500, "auxiliary loss is off"),
            (SaeConfig(architecture=StandardSae(), dead_after=9), 0.5, 500, "set resampling"),
            (SaeConfig(architecture=JumpReluSae(), dead_after=9), 0.5, 500, "dead_penalty"),
        ],
    )
    def test_advice_is_about_this_architecture(self, own, share, n_steps, advice):
        assert re.search(advice, advise(own, share=share, n_steps=n_steps))


class TestMetrics:
    def measured(self, x, x_hat):
        trainee = new_trainee("sae", config(), d_in=x.shape[1], hook=HOOK, device="cpu")
        latents = torch.zeros(len(x), 48)
        latents[:, :3] = 1
        loss = torch.tensor(1.0)
        return step_metrics(trainee, TrainStepOutput(x, x_hat, latents, latents, loss, {"mse_loss": loss}))

    def test_explained_variance_is_that_of_the_reference(self):
        """Its table, rows A to C: 256 entries, three of large mean."""
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(4096, 256, generator=generator)
        x[:, :3] += 30
        noise = 0.2**0.5 * torch.randn(4096, 256, generator=generator)
        mean = x.mean(0, keepdim=True).expand_as(x)
        assert self.measured(x, mean)["explained_variance"] == pytest.approx(0, abs=1e-4)
        assert self.measured(x, x + noise)["explained_variance"] == pytest.approx(0.8, abs=0.005)
        shifted = self.measured(x, x + 1)["explained_variance"]
        assert shifted == pytest.approx(1 - 256 / float(x.var(0, correction=0).sum()), abs=1e-4)

    def test_l0_is_the_mean_number_that_fire(self):
        assert self.measured(torch.randn(8, 16), torch.zeros(8, 16))["l0"] == 3

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("losses/overall_loss", "loss"),
            ("losses/l1_loss", "loss_l1"),
            ("losses/inner_mse_loss_16", "loss_inner_mse_16"),
            ("metrics/max_l0", "max_l0"),
            ("details/l1_coefficient", "coefficient_l1"),
            ("details/current_learning_rate", "learning_rate"),
        ],
    )
    def test_names(self, theirs, ours):
        assert stable_name(theirs) == ours

    def test_density_by_hand(self):
        density = torch.tensor([0.0, 0.0, 1e-7, 5e-6, 0.01, 0.1])
        found = density_metrics(density)
        assert found["density_zero"] == 2
        assert (found["density_below_1e-06"], found["density_below_1e-05"]) == (3, 4)
        table = density_table(density)
        assert table["latents"].sum() == 4
        assert table.loc[table["log10_density_from"] == -5.5, "latents"].item() == 1


class TestStream:
    def taken(self, given, **changes):
        source = Given(tuple(given))
        return list(checked_batches(source, config(n_tokens=64 * len(given) + 64, **changes), first=0, device="cpu"))

    def test_a_source_that_ends_early_is_named_by_batch(self):
        with pytest.raises(ActivationError, match=r"batch 2 of 3: .* used up after 128"):
            self.taken([torch.zeros(64, 4)] * 2)

    @pytest.mark.parametrize("shape", [(64, 5), (63, 4)])
    def test_another_shape_is_named_by_batch(self, shape):
        with pytest.raises(ActivationError, match=r"batch 1: shape \(\d+, \d\) is not \(64, 4\)"):
            self.taken([torch.zeros(64, 4), torch.zeros(shape)])

    def test_an_infinity_is_named_by_batch_and_row(self):
        bad = torch.zeros(64, 4)
        bad[9, 1] = float("inf")
        with pytest.raises(ActivationError, match=r"batch 0 .* 1 of 64 .*rows \[9\].*float16"):
            self.taken([bad])

    def test_half_precision_is_trained_on_in_single(self):
        source = MemorySource(MemorySource().activations.half())
        batches = checked_batches(source, config(), first=0, device="cpu")
        assert next(batches).dtype == torch.float32


class TestConfig:
    def test_yaml_round_trip(self, tmp_path):
        one = config({"a": sae_config("jumprelu"), "b": sae_config("matryoshka")})
        (tmp_path / "c.yaml").write_text(one.to_yaml())
        assert TrainingConfig.from_yaml(tmp_path / "c.yaml") == one

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            ({"saes.a.architecture": {"kind": "topk", "l1_coefficient": 1}}, "l1_coefficient"),
            ({"saes.a.architecture.kind": "relu"}, "relu"),
            ({"saes.a.architecture": {"kind": "jumprelu", "penalty": "quadratic"}}, "quadratic needs it"),
            ({"saes.a.architecture": {"kind": "jumprelu", "target_l0": 4}}, "others do not"),
            ({"saes.a.architecture": {"kind": "matryoshka_batchtopk", "levels": [0.5, 0.25]}}, "must rise"),
            ({"saes.a.warm_up": 0.5, "saes.a.decay": 0.5}, "leave no step"),
            ({"saes": {"a/b": {}}}, "file name"),
            ({"saes": {}}, "saes"),
            ({"n_tokens": 10}, "fill no batch"),
        ],
    )
    def test_refuses_and_says_why(self, values, told):
        with pytest.raises(ConfigError, match=told):
            TrainingConfig.from_mapping(values)

    def test_width_is_given_or_a_multiple(self):
        assert SaeConfig(width_factor=4).n_latents(32) == 128
        assert SaeConfig(width_factor=4, width=100).n_latents(32) == 100

    def test_shares_are_rounded_to_steps(self):
        assert (steps_of(0.05, 50), steps_of(0.2, 7)) == (2, 1)

    def test_levels_become_widths(self):
        assert level_widths(MatryoshkaSae(levels=(0.25, 0.5)), 48) == [12, 24, 48]
        with pytest.raises(ValueError, match=r"of 4 latents are \[0, 0, 1, 2, 4\]: some coincide"):
            level_widths(MatryoshkaSae(), 4)

    def test_what_is_chosen_reaches_sae_lens(self):
        own = sae_config("jumprelu", width=20, dtype="float64", decoder_norm=0.5)
        own = own.overlaid({"architecture.warm_up": 0.5, "architecture.bandwidth": 0.3})
        sae = training_sae(own, d_in=16, hook=HOOK, device="cpu", n_steps=40)
        assert (sae.cfg.d_in, sae.cfg.d_sae, sae.cfg.dtype) == (16, 20, "float64")
        assert (sae.cfg.l0_warm_up_steps, sae.cfg.jumprelu_bandwidth, sae.cfg.l0_coefficient) == (20, 0.3, 0.05)
        assert torch.allclose(sae.W_dec.norm(dim=-1), torch.tensor(0.5, dtype=torch.float64))
