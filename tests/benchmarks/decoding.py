"""Tokens per second of our loop against `HookedTransformer.generate`, both with a cache; and what steering adds."""

import torch

from interp_lab.decoding import DecodingSettings, Steer, decode
from interp_lab.interventions import Intervention, Op
from interp_lab.models.layout import store_as_multiplied_
from interp_lab.types import Site
from tests.benchmarks.harness import Comparison
from tests.tiny import tiny_model

SHAPE = {"n_layers": 4, "n_heads": 8, "d_model": 256, "d_head": 32, "d_mlp": 1024, "n_ctx": 256, "d_vocab": 8192}
KIND = {"positional_embedding_type": "rotary", "normalization_type": "LNPre"}
"""Without a tokenizer `generate` counts learned positions twice, so that it cannot be compared on those."""
N_NEW = 32


def comparisons() -> list[Comparison]:
    model = tiny_model(**SHAPE, **KIND)
    store_as_multiplied_(model)  # as `load_model` does; the reference gains as much
    return [compared(model, batch, length) for batch, length in ((1, 16), (8, 128), (32, 16))] + [
        steered(model, layers) for layers in ([2], range(4))
    ]


def compared(model, batch, length) -> Comparison:
    prompts = torch.randint(8192, (batch, length), generator=torch.Generator().manual_seed(0))
    settings = DecodingSettings(max_new_tokens=N_NEW)

    def theirs() -> list[list[int]]:
        found = model.generate(prompts, N_NEW, stop_at_eos=False, do_sample=False, verbose=False, return_type="tokens")
        return found[:, length:].tolist()

    return Comparison(
        f"greedy, {batch} x {length} tokens, {N_NEW} new ones each",
        "HookedTransformer.generate",
        lambda: [list(new) for new in decode(model, prompts, settings).tokens],
        theirs,
        lambda ours, reference: ours == reference,
    )


def steered(model, layers) -> Comparison:
    """The ratio is the share of its speed that decoding keeps under steering, times one."""
    prompts = torch.randint(8192, (32, 16), generator=torch.Generator().manual_seed(0))
    settings = DecodingSettings(max_new_tokens=N_NEW)
    sites = tuple(Site(f"blocks.{layer}.hook_resid_post") for layer in layers)
    added = 0.01 * torch.randn(256, generator=torch.Generator().manual_seed(1))
    steer = Steer(Intervention(sites, Op.ADD, (added,) * len(sites), "steer"))
    return Comparison(
        f"steered in {len(sites)} of 4 layers, audited, 32 x 16 tokens",
        "the same, not steered",
        lambda: len(decode(model, prompts, settings, steers=[steer]).tokens),
        lambda: len(decode(model, prompts, settings).tokens),
        lambda ours, reference: ours == reference,
    )
