"""Decoding under the eyes of 64 monitors, in one layer and in all, beside decoding unwatched."""

import torch

from interp_lab.decoding import DecodingSettings, decode
from interp_lab.models.layout import store_as_multiplied_
from interp_lab.production.monitors import Monitor, MonitorBank, decode_watched
from tests.benchmarks.decoding import KIND, N_NEW, SHAPE
from tests.benchmarks.harness import Comparison
from tests.tiny import tiny_model

N_MONITORS = 64


def comparisons() -> list[Comparison]:
    model = tiny_model(**SHAPE, **KIND)
    store_as_multiplied_(model)
    return [watched(model, layers, n_rows) for layers, n_rows in ((1, 1), (1, 32), (4, 32))]


def watched(model, n_layers, n_rows) -> Comparison:
    """The ratio is the share of its speed that decoding keeps under watch, times one."""
    prompts = torch.randint(8192, (n_rows, 16), generator=torch.Generator().manual_seed(0))
    settings = DecodingSettings(max_new_tokens=N_NEW)
    generator = torch.Generator().manual_seed(1)
    bank = MonitorBank(tuple(
        Monitor(f"monitor {nth}", f"blocks.{nth % n_layers}.hook_resid_post", torch.randn(256, generator=generator),
                threshold=1e6, over=("max", "mean", "ema 4", "any 2")[nth // n_layers % 4], reads="all+bos")
        for nth in range(N_MONITORS)
    ))  # fmt: skip
    return Comparison(
        f"{N_MONITORS} monitors in {n_layers} of 4 layers, {n_rows} x 16 tokens",
        "the same, unwatched",
        lambda: decode_watched(model, prompts, bank, settings).decoded.tokens,
        lambda: decode(model, prompts, settings).tokens,
        lambda ours, reference: ours == reference,
    )
