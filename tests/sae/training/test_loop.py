"""The training loop: SAE Lens's own trainer as the oracle, neighbours that change nothing, and what stops it."""

import dataclasses
import math

import pytest
import torch
from sae_lens import LoggingConfig, TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer

from interp_lab.sae.training import (
    ActivationError,
    DivergedError,
    ResamplingConfig,
    SaeConfig,
    TrainingConfig,
    grid,
    train_saes,
)
from interp_lab.sae.training.architectures import (
    BatchTopKSae,
    GatedSae,
    JumpReluSae,
    MatchingPursuitSae,
    MatryoshkaSae,
    StandardSae,
    TopKSae,
)
from tests.sae.training.sources import MemorySource

ARCHITECTURES = {
    "standard": StandardSae(l1_coefficient=0.1),
    "gated": GatedSae(l1_coefficient=0.1),
    "topk": TopKSae(k=4),
    "batchtopk": BatchTopKSae(k=4),
    "matryoshka": MatryoshkaSae(k=4, levels=(0.25, 0.5)),
    "jumprelu": JumpReluSae(l0_coefficient=0.05, threshold=0.1, dead_penalty=0.01),
    "matching_pursuit": MatchingPursuitSae(most=4),
}


def sae_config(architecture="topk", **changes) -> SaeConfig:
    values = {"width": 48, "learning_rate": 3e-3, "dead_after": 10, **changes}
    return SaeConfig(architecture=ARCHITECTURES[architecture], **values)


def config(saes=None, **changes) -> TrainingConfig:
    sizes = {"n_tokens": 40 * 64, "batch_size": 64, "log_every": 10, "density_every": 25, "device": "cpu"}
    return TrainingConfig(saes=saes or {"sae": sae_config()}, **{**sizes, **changes})


def weights(trained) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trained.sae.state_dict().items()}


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Log:
    def __init__(self):
        self.rows, self.tables = [], {}

    def log(self, values, *, step=None):
        self.rows.append({"step": step, **values})

    def log_table(self, name, table):
        self.tables[name] = table

    def log_artefact(self, name, folder, *, kind): ...

    def finish(self): ...

    def column(self, name):
        return [row[name] for row in self.rows if name in row]


def of_sae_lens(source, shared: TrainingConfig):
    """SAE Lens's `fit`, watched through a subclass, on the same batches from the same seed."""
    own = shared.saes["sae"]
    n_steps = shared.n_steps
    losses = []

    class Watched(SAETrainer):
        def step(self, batch):
            output = super().step(batch)
            losses.append(output.loss.item())
            return output

    torch.manual_seed(own.seed)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=source.d_in, d_sae=own.width, k=own.architecture.k))
    trainer = Watched(
        cfg=SAETrainerConfig(
            total_training_samples=n_steps * shared.batch_size,
            train_batch_size_samples=shared.batch_size,
            lr=own.learning_rate,
            lr_end=own.learning_rate / 10,
            lr_scheduler_name="cosineannealing",
            lr_warm_up_steps=4,
            lr_decay_steps=8,
            dead_feature_window=own.dead_after,
            feature_sampling_window=shared.density_every,
            logger=LoggingConfig(log_to_wandb=False),
        ),
        sae=sae,
        data_provider=source.batches(shared.batch_size, seed=shared.seed),
    )
    return trainer.fit(), losses


class TestAgainstSaeLens:
    def test_same_data_and_seed_give_the_same_losses_and_the_same_bits(self):
        own = sae_config(seed=5, centre=False, schedule="cosine", warm_up=0.1, decay=0.2)
        shared, log = config({"sae": own}, log_every=1), Log()
        expected, losses = of_sae_lens(MemorySource(), shared)
        trained = train_saes(MemorySource(), shared, tracker=log)["sae"]
        assert log.column("sae/loss") == losses
        assert same(weights(trained), expected.state_dict())

    def test_without_wandb_nothing_is_sent_or_opened_or_finished(self, monkeypatch):
        def never(*args, **kwargs):
            raise AssertionError("W&B was called")

        for name in ("init", "log", "finish", "log_artifact"):
            monkeypatch.setattr(f"wandb.{name}", never)
        log = Log()
        train_saes(MemorySource(), config({"sae": sae_config("matching_pursuit")}), tracker=log)
        assert len(log.column("sae/residual_norm")) == 4  # which SAE Lens computes only when it logs to W&B


class TestTrainSaes:
    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    def test_learns_to_reconstruct(self, architecture):
        log = Log()
        shared = config({"sae": sae_config(architecture)}, n_tokens=150 * 64, epochs=3, log_every=1)
        train_saes(MemorySource(), shared, tracker=log)
        r2 = log.column("sae/explained_variance")
        assert r2[-1] > max(0.6, r2[0] + 0.1)

    def test_every_batch_is_read_once_though_the_first_are_looked_at_twice(self):
        source = MemorySource()
        saes = {"a": sae_config(scale="mean_norm"), "b": sae_config("standard")}
        train_saes(source, config(saes, n_first=16))
        assert source.read == list(range(40))

    def test_alone_or_beside_others_gives_the_same_bits(self):
        saes = {name: sae_config(name, seed=nth) for nth, name in enumerate(ARCHITECTURES)}
        together = train_saes(MemorySource(), config(saes))
        for name in ("standard", "matryoshka"):
            alone = train_saes(MemorySource(), config({name: saes[name]}))
            assert same(weights(alone[name]), weights(together[name]))

    def test_what_an_architecture_draws_does_not_depend_on_its_neighbours(self, monkeypatch):
        """None draws today; one that drops latents at random would."""
        forward = TopKTrainingSAE.training_forward_pass

        def with_noise(self, step_input):
            noisy = step_input.sae_in + 0.1 * torch.randn_like(step_input.sae_in)
            return forward(self, dataclasses.replace(step_input, sae_in=noisy))

        monkeypatch.setattr(TopKTrainingSAE, "training_forward_pass", with_noise)
        a, b = sae_config(seed=1), sae_config(seed=2)
        together = train_saes(MemorySource(), config({"b": b, "a": a}))["a"]
        torch.rand(3)
        alone = train_saes(MemorySource(), config({"a": a}))["a"]
        assert same(weights(alone), weights(together))
        assert not same(weights(alone), weights(train_saes(MemorySource(), config({"a": b}))["a"]))

    def test_leaves_the_global_generator_alone(self):
        before = torch.get_rng_state()
        train_saes(MemorySource(), config({"sae": sae_config("standard", resampling=ResamplingConfig(every=5))}))
        assert torch.equal(torch.get_rng_state(), before)

    def test_the_decoder_bias_begins_at_the_mean(self):
        saes = {"at": sae_config(learning_rate=1e-12), "not": sae_config(learning_rate=1e-12, centre=False)}
        source = MemorySource()
        trained = train_saes(source, config(saes, n_tokens=16 * 64, n_first=16))
        seen = torch.cat([batch for batch, _ in zip(MemorySource().batches(64, seed=0), range(16), strict=False)])
        assert torch.allclose(trained["at"].sae.b_dec, seen.mean(0), atol=1e-6)
        assert trained["not"].sae.b_dec.abs().max() < 1e-9

    def test_scaled_activations_give_what_training_on_them_by_hand_gives(self):
        """Twice as large activations, scaled to the same norm, make the same latents, and a twice as large output."""
        own = sae_config("standard", scale="mean_norm")
        source, twice = MemorySource(), MemorySource(MemorySource().activations * 2)
        one = train_saes(source, config({"sae": own}))["sae"].sae
        other = train_saes(twice, config({"sae": own}))["sae"].sae
        batch = source.activations[:50]
        assert torch.allclose(other(2 * batch), 2 * one(batch), atol=1e-5)
        assert one.cfg.normalize_activations == "none"

    def test_bfloat16_weights_train(self):
        trained = train_saes(MemorySource(), config({"sae": sae_config(dtype="bfloat16")}))["sae"]
        assert trained.sae.W_dec.dtype == torch.bfloat16
        assert trained.metrics["explained_variance"] > 0


class TestWhatIsTold:
    def test_names_are_stable_and_the_criterion_of_death_is_in_one(self):
        log = Log()
        saes = {"l1": sae_config("standard"), "m": sae_config("matryoshka"), "j": sae_config("jumprelu")}
        train_saes(MemorySource(), config(saes), tracker=log)
        names = {name for row in log.rows for name in row}
        every = ("loss", "loss_mse", "l0", "explained_variance", "learning_rate", "dead_after_10_batches")
        assert {f"{sae}/{name}" for sae in saes for name in every} <= names
        own = {"l1/loss_l1", "l1/coefficient_l1", "j/loss_l0", "j/loss_pre_act", "j/coefficient_l0"}
        own |= {"m/loss_inner_mse_12", "m/loss_inner_mse_24", "m/loss_auxiliary_reconstruction", "m/topk_threshold"}
        own |= {"tokens", "tokens_per_second", "l1/density_zero", "l1/density_below_1e-05"}
        assert own <= names
        assert not any("legacy" in name for name in names)

    def test_explained_variance_is_r2_about_the_mean(self):
        """Of the reference's table: what predicts the mean explains nothing, however large the mean."""
        log = Log()
        own = sae_config(learning_rate=1e-12, architecture="topk")
        source = MemorySource(sparse := MemorySource().activations + 10.0)
        shared = config({"sae": own.overlaid({"decoder_norm": 1e-6})}, n_tokens=64, n_first=1, log_every=1)
        train_saes(source, shared, tracker=log)
        assert log.column("sae/explained_variance")[0] == pytest.approx(0, abs=1e-4)
        assert sparse.mean() > 10

    def test_densities_come_by_window_and_at_the_end(self):
        log = Log()
        trained = train_saes(MemorySource(), config(), tracker=log)["sae"]
        steps = [row["step"] for row in log.rows if "sae/density_zero" in row]
        assert steps == [25, 40]
        table = log.tables["density sae"]
        assert table["latents"].sum() + log.column("sae/density_zero")[-1] == 48
        assert trained.density.sum() == pytest.approx(4, abs=0.01)  # every token fires k = 4

    def test_progress_tells_loss_l0_and_r2(self):
        told = []
        train_saes(MemorySource(), config(), progress=lambda *one: told.append(one))
        assert [done for done, _, _ in told] == [10, 20, 30, 40]
        assert "L0 4.0, R2 0." in told[-1][2]


class TestResampling:
    def test_dead_latents_begin_again_where_the_loss_is(self):
        """All latents but the first eight are pushed out of reach; only resampling brings any back."""
        own = sae_config("standard", decay=0.1, warm_up=0.0)
        again = own.overlaid({"resampling": {"every": 20, "until": 0.6}})
        shared = {"n_tokens": 120 * 64, "epochs": 2}
        dead = {}
        for name, one in {"without": own, "with": again}.items():
            dead[name] = _trained_with_dead_latents(config({"sae": one}, **shared)).dead
        assert dead["without"].n_dead >= 40
        assert dead["with"].n_dead <= 10
        assert "set resampling" in dead["without"].advice


def _trained_with_dead_latents(shared):
    begin = "interp_lab.sae.training.trainee.Trainee.begin"
    with pytest.MonkeyPatch.context() as patch:

        def deaden(self, batches):
            with torch.no_grad():
                self.trainer.sae.b_enc[8:] = -100

        patch.setattr(begin, deaden)
        return train_saes(MemorySource(), shared)["sae"]


class TestWhatStopsIt:
    def test_activations_that_are_not_finite_are_named_by_batch(self):
        source = MemorySource()
        source.activations[7, 3] = math.nan
        with pytest.raises(ActivationError, match=r"batch \d+ at blocks.1.hook_resid_post: 1 of 64 activations"):
            train_saes(source, config(n_tokens=4096))

    def test_a_loss_that_is_not_finite_is_named_by_batch_and_sae(self):
        saes = {"fine": sae_config(), "wild": sae_config("standard", learning_rate=1e30, warm_up=0.0)}
        with pytest.raises(
            DivergedError, match=r"the loss of 'wild' is (nan|inf) on batch \d; lower its learning_rate"
        ):
            train_saes(MemorySource(), config(saes))

    def test_too_few_activations_are_noticed_before_training(self):
        source = MemorySource()
        with pytest.raises(ValueError, match=r"asks for 6400 activations, and 4096 .* raise epochs \(to 2\)"):
            train_saes(source, config(n_tokens=6400))
        assert not source.read

    def test_more_to_fire_than_there_are(self):
        with pytest.raises(ValueError, match="k=4 latents of 3 cannot fire"):
            train_saes(MemorySource(), config({"sae": sae_config(width=3)}))


class TestGrid:
    def test_is_every_combination_by_name(self):
        found = grid(sae_config(), {"architecture.k": [2, 4], "seed": [0, 1, 2]})
        assert list(found)[:4] == ["k_2-seed_0", "k_2-seed_1", "k_2-seed_2", "k_4-seed_0"]
        assert found["k_2-seed_1"] == sae_config().overlaid({"architecture.k": 2, "seed": 1})
        assert TrainingConfig(saes=found).saes == found
