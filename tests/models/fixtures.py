"""Tiny Hugging Face directories, saved as `transformers` saves them; and the oracle that reads them back."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

D_VOCAB, N_CTX = 40, 24
WORDS = ("<bos>", "<eos>", "<pad>", "<unk>", *["the", "cat", "sat", "on", "a", "mat", "and", "ran", "off"])
SHAPES = ("gpt2", "llama", "neox", "qwen2")

_COMMON = {
    "vocab_size": D_VOCAB,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": N_CTX,
}


def hugging_face_model(shape, **settings):
    """Return a random model of one of the `SHAPES`; every parameter is away from its default, norms and biases too."""
    if shape == "gpt2":
        given = {"n_layer": 2, "n_head": 4, "n_embd": 32, "n_positions": N_CTX, "vocab_size": D_VOCAB}
        model = GPT2LMHeadModel(GPT2Config(**given, bos_token_id=0, eos_token_id=1, **settings))
    elif shape == "llama":
        model = LlamaForCausalLM(LlamaConfig(num_key_value_heads=2, **_COMMON, **settings))
    elif shape == "neox":
        model = GPTNeoXForCausalLM(GPTNeoXConfig(**_COMMON, **settings))
    else:
        model = Qwen2ForCausalLM(Qwen2Config(num_key_value_heads=2, **_COMMON, **settings))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def word_tokenizer(*, bos=True):
    """Return a word-level tokenizer with its own pad token; without `bos` it has no BOS token at all."""
    core = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = Whitespace()
    special = {"eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **special, **({"bos_token": "<bos>"} if bos else {}))


def save_directory(directory: Path, shape, *, tokenizer=None, **settings):
    """Save a model, and a tokenizer if given; returns the directory."""
    hugging_face_model(shape, **settings).save_pretrained(directory)
    if tokenizer is not None:
        tokenizer.save_pretrained(directory)
    return directory


def hugging_face_log_probs(directory: Path, tokens):
    """The oracle: what `transformers` itself predicts, with its default attention kernel."""
    model = AutoModelForCausalLM.from_pretrained(directory, local_files_only=True).eval()
    with torch.no_grad():
        return model(tokens).logits.log_softmax(-1)


def random_tokens(*, batch=3, pos=N_CTX - 1, seed=1):
    return torch.randint(0, D_VOCAB, (batch, pos), generator=torch.Generator().manual_seed(seed))


def hooked_parts(**changes):
    """Return the config of a small `HookedTransformer` and a full set of random parameters for it."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    sizes = {"n_layers": 2, "d_model": 16, "n_ctx": 20, "d_head": 4, "n_heads": 4, "d_mlp": 24, "d_vocab": len(WORDS)}
    config = {**sizes, "act_fn": "gelu", **changes}
    template = HookedTransformer(HookedTransformerConfig(**config, device="cpu", init_weights=False))
    generator = torch.Generator().manual_seed(0)
    state_dict = {}
    for name, parameter in template.named_parameters():
        offset = 1.0 if name.endswith((".w", "ln_final.w")) else 0.0
        state_dict[name] = offset + 0.4 * torch.randn(parameter.shape, generator=generator)
    return config, state_dict


def word_ids(*, batch=3, pos=15):
    return torch.randint(0, len(WORDS), (batch, pos), generator=torch.Generator().manual_seed(2))
