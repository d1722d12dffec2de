"""The zoo: tiny models of every shape the engine must be exact on, on both backends, and prompts for them.

Float64 where the backend computes in it, so that a wrong term cannot hide in rounding.
"""

import functools

import torch

from interp_lab.models import build_hooked, load_model
from interp_lab.models.native import to_bridge
from tests.models.fixtures import D_VOCAB, hooked_parts, save_directory
from tests.tiny import tiny_model

ROTARY = {"positional_embedding_type": "rotary"}
LLAMA = {**ROTARY, "normalization_type": "RMS", "final_rms": True, "gated_mlp": True, "act_fn": "silu"}
PARALLEL = {**ROTARY, "rotary_dim": 2, "parallel_attn_mlp": True}

KINDS = {
    "gpt2": {"normalization_type": "LN"},
    "gpt2 folded": {"normalization_type": "LNPre"},
    "llama": {**LLAMA, "n_key_value_heads": 2},
    "neox": {**PARALLEL, "normalization_type": "LN"},
    "gptj": {**PARALLEL, "normalization_type": "LNPre", "rotary_adjacent_pairs": True},
    "attention only": {"normalization_type": "LN", "attn_only": True},
    "alibi": {"normalization_type": "LN", "positional_embedding_type": "alibi"},
    "shortformer": {"normalization_type": "LNPre", "positional_embedding_type": "shortformer"},
    "qk norm": {**LLAMA, "use_qk_norm": True},
    "local": {"use_local_attn": True, "attn_types": ["local", "global", "local"], "window_size": 3},
    "soft caps": {**LLAMA, "attn_scores_soft_cap": 2.0, "output_logits_soft_cap": 5.0},
    "norms on both sides": {**LLAMA, "use_normalization_before_and_after": True},
    "no norm": {"normalization_type": None},
    "bidirectional": {"normalization_type": "LN", "attention_dir": "bidirectional"},
    "every switch on": {"normalization_type": "LN"},
}  # fmt: skip
N_LAYERS, D_MODEL, D_HEAD, D_MLP = 3, 16, 4, 32

BRIDGES = {
    "native gpt2": {},
    "native attention only": {"attn_only": True, "normalization_type": "LN"},
    "native grouped": {"n_key_value_heads": 2, "normalization_type": "RMS", "final_rms": True, "act_fn": "relu"},
    "gpt2": "gpt2",
    "llama": "llama",
    "neox": "neox",
    "qwen2": "qwen2",
}


@functools.cache
def hooked(kind, dtype=torch.float64):
    """One shared model of each kind; tests leave it as they found it."""
    model = tiny_model(seed=1, dtype=dtype, **KINDS[kind])
    if model.cfg.normalization_type is not None:
        with torch.no_grad():
            for block in model.blocks:
                block.attn.W_Q.mul_(3)  # attention that is far from uniform
    if kind == "every switch on":
        for switch in (model.set_use_attn_result, model.set_use_split_qkv_input, model.set_use_hook_mlp_in):
            switch(True)
    return model


def bridge(kind, folder):
    """A TransformerBridge: of a hand-made HookedTransformer, or of a saved Hugging Face directory."""
    if isinstance(BRIDGES[kind], str):
        directory = save_directory(folder / f"tiny-{kind}", BRIDGES[kind])
        return load_model(directory, "cpu", backend="bridge")
    config, state_dict = hooked_parts(**BRIDGES[kind])
    return to_bridge(build_hooked(config, state_dict, name=kind))


def d_vocab(model):
    return int(model.cfg.d_vocab)


def prompts(model, *, n=4, length=9, seed=0):
    return torch.randint(min(d_vocab(model), D_VOCAB), (n, length), generator=torch.Generator().manual_seed(seed))


def diverging(base, shared, *, n_tokens, seed=1):
    """Prompts that share `shared[row]` tokens with `base` and differ in the next one for certain."""
    generator = torch.Generator().manual_seed(seed)
    source = torch.randint(n_tokens, base.shape, generator=generator)
    for row, length in enumerate(shared):
        source[row, :length] = base[row, :length]
        source[row, length] = (
            base[row, length] + 1 + int(torch.randint(n_tokens - 1, (), generator=generator))
        ) % n_tokens
    return source


def left_padding(lengths, *, length):
    """Mask of prompts with these numbers of real tokens, at the end of their rows."""
    return torch.arange(length)[None] >= length - torch.tensor(lengths)[:, None]
