"""A run of the experiment that is small enough for tests."""

from interp_lab.steering.config import SteeringConfig


def small_config(**values: object) -> SteeringConfig:
    """One layer, the last token, two coefficients, few of everything."""
    plain = {
        "device": "cpu", "n_contrast": 24, "layers": [2], "hows": ["add"], "wheres": ["last"],
        "coefficients": [-1.0, 1.0],
        "n_prompts": 32, "n_held_out": 16, "n_neutral": 8, "capabilities": ["facts"], "n_capability": 16,
        "n_random": 40, "n_orthogonal": 3, "n_shuffled": 2, "n_priced": 2, "generated": None,
        "budget": {"capability_loss": 0.2},
    }  # fmt: skip
    return SteeringConfig.from_mapping({**plain, **values})
