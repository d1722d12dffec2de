"""The training loop: its schedule by hand, and runs that end with the same bits however often they were killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from interp_lab.training.checkpoint import CheckpointError
from interp_lab.training.config import LoopConfig, OptimiserConfig
from interp_lab.training.loop import DivergedError, learning_rate, train
from tests.training import resumable

ROOT = Path(__file__).parents[2]


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


class Log:
    def __init__(self):
        self.rows = {}

    def log(self, values, *, step=None):
        self.rows[step] = dict(values)

    def log_table(self, name, table): ...

    def log_artefact(self, name, folder, *, kind): ...

    def finish(self): ...


class TestLearningRate:
    @pytest.mark.parametrize(
        ("step", "rate"),
        [(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (60, 0.6), (110, 0.2)],
        ids=["first step of ten", "half warm", "warm", "peak", "half way down", "end"],
    )
    def test_by_hand(self, step, rate):
        config = OptimiserConfig(learning_rate=1.0, final_share=0.2, warm_up=10)
        assert learning_rate(step, config, n_steps=110) == pytest.approx(rate)

    def test_without_warm_up_starts_at_the_peak(self):
        assert learning_rate(0, OptimiserConfig(learning_rate=0.5, warm_up=0), n_steps=10) == 0.5


class TestTrain:
    def test_one_step_is_adamw_by_hand(self):
        network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(network.weight, 2.0)
        optimiser = OptimiserConfig(learning_rate=0.1, warm_up=0, weight_decay=0.5, clip_norm=100.0)
        config = LoopConfig(n_steps=1, optimiser=optimiser)
        losses = train(network, lambda step: network.weight.square().sum(), config=config)
        # Decay by 0.1 * 0.5 of the weight, then Adam's first step: the learning rate against the gradient's sign.
        assert network.weight.item() == pytest.approx(2.0 * 0.95 - 0.1)
        assert losses.tolist() == [4.0]

    def test_decay_by_name_is_in_place_of_the_general_one(self):
        network = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(network.weight, 2.0)
        torch.nn.init.constant_(network.bias, 2.0)
        optimiser = OptimiserConfig(learning_rate=0.1, warm_up=0, weight_decay=0.5, decay_of={"weight": 1.0})
        nothing = LoopConfig(n_steps=1, optimiser=optimiser)
        train(network, lambda step: 0.0 * (network.weight.sum() + network.bias.sum()), config=nothing)
        assert network.weight.item() == pytest.approx(2.0 * 0.9)
        assert network.bias.item() == pytest.approx(2.0 * 0.95)

    def test_gradients_are_clipped_and_the_norm_before_is_reported(self):
        network = torch.nn.Linear(2, 1, bias=False)
        log = Log()
        gradient = torch.tensor([[30.0, 40.0]])
        config = LoopConfig(n_steps=1, optimiser=OptimiserConfig(clip_norm=1.0))
        train(network, lambda step: (network.weight * gradient).sum(), config=config, tracker=log)
        assert log.rows[1]["gradient_norm"] == pytest.approx(50.0)
        assert network.weight.grad.norm() == pytest.approx(1.0, abs=1e-5)

    def test_metrics_come_at_the_interval_and_at_the_end(self):
        network, log = torch.nn.Linear(1, 1), Log()
        config = LoopConfig(n_steps=7, log_every=3)
        losses = train(network, lambda step: network.weight.sum() * 0 + step, config=config, tracker=log)
        assert {step: row["loss"] for step, row in log.rows.items()} == {3: 2.0, 6: 5.0, 7: 6.0}
        assert losses.tolist() == [0, 1, 2, 3, 4, 5, 6]

    def test_a_loss_that_is_not_finite_stops_the_run_before_it_is_saved(self, tmp_path):
        network = torch.nn.Linear(1, 1)
        path = tmp_path / "checkpoint.safetensors"
        with pytest.raises(DivergedError, match="the loss is nan at step 3"):
            train(
                network,
                lambda step: network.weight.sum() * (float("nan") if step == 2 else 1.0),
                config=LoopConfig(n_steps=5, checkpoint_every=3),
                checkpoint=path,
            )
        assert not path.exists()


class TestResume:
    def test_killed_and_resumed_ends_with_the_same_bits(self, tmp_path):
        uninterrupted = weights(resumable.run(tmp_path / "whole"))
        command = [sys.executable, resumable.__file__, str(tmp_path / "killed"), "0.02"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            while int(process.stdout.readline()) < 17:
                pass
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        resumed = resumable.run(tmp_path / "killed", resume=True)
        assert torch.equal(weights(resumed), uninterrupted)

    def test_resumes_after_the_last_checkpoint_and_not_from_the_start(self, tmp_path):
        steps: list[int] = []
        network = torch.nn.Linear(1, 1)
        path = tmp_path / "checkpoint.safetensors"

        def loss_at(step):
            if step == 5 and len(steps) == 5:
                raise KeyboardInterrupt
            steps.append(step)
            return network.weight.sum() + step

        config = LoopConfig(n_steps=6, checkpoint_every=2)
        with pytest.raises(KeyboardInterrupt):
            train(network, loss_at, config=config, checkpoint=path)
        losses = train(network, loss_at, config=config, checkpoint=path, resume=True)
        assert steps == [0, 1, 2, 3, 4, 4, 5]
        assert not losses.isnan().any()

    def test_forgetting_the_optimiser_would_be_noticed(self, tmp_path, monkeypatch):
        uninterrupted = weights(resumable.run(tmp_path / "whole"))
        monkeypatch.setattr("interp_lab.training.checkpoint._restore_moments", lambda state, tensors: None)
        _stop_after(tmp_path / "stopped", 21)
        assert not torch.equal(weights(resumable.run(tmp_path / "stopped", resume=True)), uninterrupted)

    def test_a_complete_run_has_nothing_left_to_do(self, tmp_path):
        trained = weights(resumable.run(tmp_path))
        assert torch.equal(weights(resumable.run(tmp_path, resume=True)), trained)

    def test_without_a_checkpoint_resuming_is_starting(self, tmp_path):
        assert torch.equal(weights(resumable.run(tmp_path / "a", resume=True)), weights(resumable.run(tmp_path / "b")))

    def test_refuses_to_overwrite_a_checkpoint(self, tmp_path):
        resumable.run(tmp_path)
        with pytest.raises(CheckpointError, match="exists: resume the run, or train into a new folder"):
            resumable.run(tmp_path)

    def test_refuses_another_config_and_lists_the_keys(self, tmp_path):
        resumable.run(tmp_path)
        with pytest.raises(CheckpointError, match=r"another config \(n_steps: 40, now 50\)"):
            resumable.run(tmp_path, resume=True, n_steps=50)

    def test_refuses_a_damaged_checkpoint(self, tmp_path):
        resumable.run(tmp_path)
        path = tmp_path / "checkpoint.safetensors"
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(CheckpointError, match="no readable checkpoint"):
            resumable.run(tmp_path, resume=True)


def _stop_after(folder: Path, n_steps: int) -> None:
    """Leave the checkpoint that a run killed after `n_steps` would have left."""
    network = resumable.model()

    def loss_at(step: int) -> torch.Tensor:
        if step == n_steps:
            raise KeyboardInterrupt
        inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return (network(inputs)[:, 0] - inputs.prod(1)).square().mean()

    with pytest.raises(KeyboardInterrupt):
        train(network, loss_at, config=resumable.CONFIG, checkpoint=folder / "checkpoint.safetensors")
