"""A model of one layer that knows the capitals and languages of countries; what each head looks at and does is written
into its weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from interp_lab.attention.relations import AttentionRelations, AttentionRelationsConfig, AttentionRelationsResult
from interp_lab.identity import WeightProcessing
from interp_lab.models import build_hooked, declare_identity
from interp_lab.organisms.grammar.words import COUNTRIES
from tests.tasks.reading import grammar_reader

QUICK = {"n_prompts": 64, "n_held_out": 32, "n_random_sets": 5, "contrasts": ()}


@dataclass(frozen=True)
class Head:
    looks: bool = False
    """Attends to the country and to nothing else; otherwise to all tokens alike."""
    says: float = 0.0
    """What it adds to the logits of a country's capital and language, times its attention to the country."""


def model_of(heads: Sequence[Head]):
    tokenizer = grammar_reader().tokenizer
    n_vocab, n_countries = len(tokenizer), len(COUNTRIES)
    sizes = {"n_layers": 1, "d_model": n_vocab + 1, "n_ctx": 64, "d_head": n_countries, "n_heads": len(heads)}
    config = {**sizes, "d_vocab": n_vocab, "attn_only": True, "normalization_type": None, "act_fn": None}
    state = {
        "embed.W_E": torch.cat([torch.eye(n_vocab), torch.ones(n_vocab, 1)], 1),
        "pos_embed.W_pos": torch.zeros(64, n_vocab + 1),
        "unembed.W_U": torch.eye(n_vocab + 1)[:, :n_vocab],
        "unembed.b_U": torch.zeros(n_vocab),
        "blocks.0.attn.b_O": torch.zeros(n_vocab + 1),
    }
    for name, shape in (("Q", (n_vocab + 1, n_countries)), ("O", (n_countries, n_vocab + 1))):
        state[f"blocks.0.attn.W_{name}"] = torch.zeros(len(heads), *shape)
    state["blocks.0.attn.W_K"] = torch.zeros(len(heads), n_vocab + 1, n_countries)
    state["blocks.0.attn.W_V"] = torch.zeros(len(heads), n_vocab + 1, n_countries)
    state |= {f"blocks.0.attn.b_{name}": torch.zeros(len(heads), n_countries) for name in "QKV"}
    state["blocks.0.attn.W_Q"][:, n_vocab, 0] = 100.0
    for nth, (country, facts) in enumerate(COUNTRIES.items()):
        at = tokenizer.convert_tokens_to_ids(country)
        for head, one in enumerate(heads):
            state["blocks.0.attn.W_K"][head, at, 0] = float(one.looks)
            state["blocks.0.attn.W_V"][head, at, nth] = 1.0
            for fact in facts:
                state["blocks.0.attn.W_O"][head, nth, tokenizer.convert_tokens_to_ids(fact)] = one.says
    model = build_hooked(config, state, tokenizer=tokenizer)
    declare_identity(model, name="by hand", processing=WeightProcessing.named("raw"))
    return model


def config_of(**changes) -> AttentionRelationsConfig:
    return AttentionRelationsConfig.from_mapping({**QUICK, "relations": ["country-capital"], **changes})


def measured(model, *, relations=None, **changes) -> AttentionRelationsResult:
    return AttentionRelations(config_of(**changes)).measure(model, relations=relations)
