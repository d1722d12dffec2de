"""A training run small enough for a test: two heads per layer, sixteen positions, six steps."""

from typing import Any

from interp_lab.training import TrainOrganismAttn, training_of

TINY = {
    "shape": {"n_heads": 2, "d_head": 4, "d_model": 8, "n_ctx": 16},
    "text": {"n_symbols": 20, "shortest": 3, "longest": 7, "batch_size": 4},
    "loop": {"n_steps": 6, "checkpoint_every": 2, "log_every": 1},
    "card": {"conditions": [[5, 0], [3, 4]], "n_examples": 16},
}


def tiny(**overrides: Any) -> TrainOrganismAttn:
    """The experiment, with overrides by dotted key (`loop__n_steps=3`)."""
    experiment = training_of("attn", TINY)
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return TrainOrganismAttn(experiment.config.overlaid(dotted))
