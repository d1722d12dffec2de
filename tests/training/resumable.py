"""A training run for a subprocess to die in: `python resumable.py FOLDER PAUSE` says when each step is done."""

import sys
import time
from pathlib import Path

import torch

from interp_lab.training.config import LoopConfig
from interp_lab.training.loop import train

CONFIG = LoopConfig(n_steps=40, checkpoint_every=7, log_every=1)


def model() -> torch.nn.Module:
    """A small regression network with fixed initial weights."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


def run(folder: Path, *, resume: bool = False, pause: float = 0.0, n_steps: int = CONFIG.n_steps) -> torch.nn.Module:
    """Train (on) in a folder."""
    network = model()

    def loss_at(step: int) -> torch.Tensor:
        inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return (network(inputs)[:, 0] - inputs.prod(1)).square().mean()

    def told(done: int, total: int, what: str) -> None:
        if pause:
            sys.stdout.write(f"{done}\n")
            sys.stdout.flush()
            time.sleep(pause)

    config = CONFIG.overlaid({"n_steps": n_steps})
    train(network, loss_at, config=config, checkpoint=folder / "checkpoint.safetensors", resume=resume, progress=told)
    return network


if __name__ == "__main__":
    run(Path(sys.argv[1]), pause=float(sys.argv[2]))
