"""What signals and probabilities are called."""

from collections.abc import Mapping

from interp_lab.stats.recalibration import Fit

PROBABILITY, PER_TOKEN, ENTROPY, MARGIN = "probability", "probability per token", "entropy", "margin"
AGREEING, PROBE, GROUNDING = "self-consistency", "probe", "grounding"
UNITS: Mapping[str, str] = {
    PROBABILITY: "log odds", PER_TOKEN: "nats", ENTROPY: "nats, negative", MARGIN: "logits", AGREEING: "share",
    PROBE: "score", GROUNDING: "log odds",
}  # fmt: skip
"""Of each signal as it is kept; more is more confident."""
FITS: tuple[Fit, ...] = ("temperature", "platt", "isotonic")
"""How the model's own probability is fitted."""
COMBINED, BASE_RATE, SHUFFLED = "combined", "base rate", "shuffled outcomes"
PRIMARIES = (COMBINED, *(f"{PROBABILITY}, {how}" for how in FITS), *UNITS)
"""What levels may be said by."""
