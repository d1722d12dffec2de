"""Our own generation loop: explicit masks, a KV cache, absolute positions, settings per row, and an audit."""

from interp_lab.decoding.audit import Audit, Touch, TouchedNothingError
from interp_lab.decoding.batch import Window
from interp_lab.decoding.gates import (
    decaying,
    linear_schedule,
    product_of,
    projection_above,
    rows_where,
    similarity_above,
)
from interp_lab.decoding.positions import (
    Positions,
    at_positions,
    everywhere,
    from_position,
    generated,
    last_prompt_token,
    matching,
    prompt,
)
from interp_lab.decoding.prompts import Prompts, prompt_ids
from interp_lab.decoding.result import Decoded, Step
from interp_lab.decoding.run import Decoding, decode, stream
from interp_lab.decoding.settings import DecodingSettings, StopReason
from interp_lab.decoding.steer import Steer, Strength
from interp_lab.decoding.watching import Watcher

__all__ = [
    "Audit",
    "Decoded",
    "Decoding",
    "DecodingSettings",
    "Positions",
    "Prompts",
    "Steer",
    "Step",
    "StopReason",
    "Strength",
    "Touch",
    "TouchedNothingError",
    "Watcher",
    "Window",
    "at_positions",
    "decaying",
    "decode",
    "everywhere",
    "from_position",
    "generated",
    "last_prompt_token",
    "linear_schedule",
    "matching",
    "product_of",
    "projection_above",
    "prompt",
    "prompt_ids",
    "rows_where",
    "similarity_above",
    "stream",
]
