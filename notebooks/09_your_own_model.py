# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9. Your own model, your own pairs
#
# Everything so far ran on models that come with the package. Here is another one, in the only form that matters
# elsewhere: a directory that `save_pretrained` of Hugging Face's `transformers` wrote. It is tiny, and its weights are
# random, so that we know what an honest answer is: *nothing to explain*.

# %%
import json
from pathlib import Path
from tempfile import mkdtemp

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from interp_lab.attention import AttentionHeads, AttentionHeadsConfig
from interp_lab.models import load_model
from interp_lab.patching import Patching, PatchingConfig
from interp_lab.tasks import pairs_for, write_template

folder = Path(mkdtemp())
countries = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Greece": "Athens", "New Zealand": "Wellington"}
frames = {
    "capital": "{} says the capital of {} is",
    "seat": "{} read that the government of {} sits in",
    "maps": "{} had maps of {} that show",
    "trains": "{} rode a train of {} that ends in",
    "visit": "{} came to {} and so to",
    "king": "{} asks whether the king of {} lived in",
}
people = ("Emma", "Noah", "Anna", "Liam")
words = " ".join([*frames.values(), *people, *countries, *countries.values()]).replace("{}", "").split()
vocabulary = ["<bos>", "<eos>", "<pad>", "<unk>", *dict.fromkeys(words)]
core = Tokenizer(WordLevel({word: nth for nth, word in enumerate(vocabulary)}, unk_token="<unk>"))
core.pre_tokenizer = Whitespace()
special = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
PreTrainedTokenizerFast(tokenizer_object=core, **special).save_pretrained(folder / "tiny")

shape = GPT2Config(
    vocab_size=len(vocabulary), n_positions=32, n_embd=32, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=1
)
with torch.random.fork_rng():
    torch.manual_seed(0)
    GPT2LMHeadModel(shape).save_pretrained(folder / "tiny")

# %% [markdown]
# **Loading.** The same call as for any model. The weights are converted, and the converted model's predictions compared
# with those of `transformers`: some conversions are silently wrong, and a wrong model has circuits too. `processing`
# says what is done to the weights; it changes directions in the residual stream and so belongs to every result.

# %%
model = load_model(folder / "tiny")
print(
    model.cfg.n_layers,
    "layers of",
    model.cfg.n_heads,
    "heads;",
    model.to_str_tokens("Emma says the capital of France is"),
)

# %% [markdown]
# **Pairs.** `interp-lab init-task mine.jsonl` writes a commented file to start from. One JSON object a line: two
# prompts that differ in one thing, what is right after the first, what it is compared with, and the template. Templates
# are the unit of every interval; those marked `reserved` are kept from everything that chooses. Within a template there
# is more than one way to say the same (here: who says it), because the control of a patch is another such prompt.

# %%
write_template(folder / "example.jsonl")
print("\n".join((folder / "example.jsonl").read_text().splitlines()[:12]))


# %%
def line(template, who, one, other):
    return {
        "clean": frames[template].format(who, one), "corrupted": frames[template].format(who, other),
        "answer": f" {countries[one]}", "wrong": f" {countries[other]}",
        "template": template, "reserved": template == "king", "roles": {"country": one},
    }  # fmt: skip


def write(name, lines):
    (folder / name).write_text("\n".join(json.dumps(each) for each in lines))
    return str(folder / name)


short = [name for name in countries if " " not in name]
both = [(one, other) for one in short for other in short if one != other]
mine = write("mine.jsonl", [line(frame, who, *pair) for frame in frames for who in people for pair in both])
pairs = pairs_for(model, mine, 8, seed=0, reserved=False)
pairs.logit_difference()(model(pairs.clean)).round(decimals=2).tolist()

# %% [markdown]
# **An honest nothing.** The task is a path, in Python as on the command line
# (`interp-lab run experiments/configs/patch_own_pairs.yaml --model=... --task=mine.jsonl`). A random model does not
# know capitals, and patching has nothing to trace: the effect of the corruption, of which every number would be a
# share, is not clear of zero. So nothing is claimed, and the summary says why.

# %%
config = PatchingConfig(model=str(folder / "tiny"), task=mine, sites=("resid_pre", "z"), n_pairs=48, n_held_out=12)
result = Patching(config).measure(model)
print(result.summary())
print(len(result.claims()), "claims")

# %% [markdown]
# **What needs no task**, such as types of heads on random repeats, runs as it is. A random model has heads that score
# a little on something; none is claimed.

# %%
asked = AttentionHeadsConfig(
    model=str(folder / "tiny"), period=8, second_period=10, held_out_period=6, ablations=("zero",)
)
heads = AttentionHeads(asked).measure(model)
print(heads.summary())

# %% [markdown]
# **What fails, and how it is said.** Errors come before the work, name what is wrong, and say what would be right.
# Prompts must agree token by token, and a country of two words does not fit the place of one of one word:


# %%
def refused(call):
    try:
        call()
    except ValueError as error:
        print(error, end="\n\n")


longer = write("longer.jsonl", [line("capital", "Emma", "France", "New Zealand")])
refused(lambda: pairs_for(model, longer, 1, seed=0))

# %% [markdown]
# A word that the tokenizer does not know, a misspelt key, a file that is not there, a model that is not there, a head
# that is not there:

# %%
refused(
    lambda: pairs_for(
        model, write("key.jsonl", [{**line("capital", "Emma", "France", "Italy"), "anwser": " Paris"}]), 1, seed=0
    )
)
refused(lambda: pairs_for(model, str(folder / "mein.jsonl"), 1, seed=0))
refused(lambda: load_model(folder / "tyni"))
refused(lambda: Patching(config.overlaid({"groups": {"one": ["0.7"]}})).measure(model))
refused(lambda: config.overlaid({"n_pair": 12}))

# %% [markdown]
# **What this does not show.** That a directory loads, and is converted faithfully, says nothing of whether its
# behaviour is worth an explanation: begin with `behaviour` (chapter 7's first step), which asks that. And six templates
# of one relation are a look: findings hold for prompts like these.
