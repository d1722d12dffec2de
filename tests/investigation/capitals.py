"""A tiny saved Hugging Face model that has learned capitals, and a file of pairs about them."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Greece": "Athens", "Chad": "New Town"}
KNOWN = tuple(CAPITALS)[:4]
FRAMES = {
    "capital": "{} says the capital of {} is",
    "seat": "{} read that the government of {} sits in",
    "maps": "{} had maps of {} that show",
    "trains": "{} rode a train of {} that ends in",
    "visit": "{} came to {} and so to",
    "walk": "{} took a walk through {} and saw",
    "king": "{} asks whether the king of {} lived in",
    "song": "{} sang about {} and about",
}
RESERVED = ("king", "song")
PEOPLE = ("Emma", "Noah", "Anna", "Liam", "Olive", "Paul")


def line(frame, who, one, other, **changes):
    return {
        "clean": FRAMES[frame].format(who, one), "corrupted": FRAMES[frame].format(who, other),
        "answer": f" {CAPITALS[one]}", "wrong": f" {CAPITALS[other]}",
        "template": frame, "reserved": frame in RESERVED, "roles": {"country": one}, **changes,
    }  # fmt: skip


def lines(frames=tuple(FRAMES)):
    both = [(one, other) for one in KNOWN for other in KNOWN if one != other]
    return [line(frame, who, *pair) for frame in frames for who in PEOPLE for pair in both]


def write(path: Path, entries) -> Path:
    path.write_text("\n".join(json.dumps(each) for each in entries))
    return path


def save_model(folder: Path, *, n_steps: int = 150) -> Path:
    """Train a model of two layers on what the file asks, and save it as anyone would."""
    words = " ".join([*FRAMES.values(), *PEOPLE, *CAPITALS, *CAPITALS.values()]).replace("{}", "").split()
    vocabulary = ["<bos>", "<eos>", "<pad>", "<unk>", *dict.fromkeys(words)]
    core = Tokenizer(WordLevel({word: nth for nth, word in enumerate(vocabulary)}, unk_token="<unk>"))
    core.pre_tokenizer = Whitespace()
    special = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **special)
    sizes = {"n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4, "bos_token_id": 0, "eos_token_id": 1}
    texts = [f"{f.format(who, one)} {CAPITALS[one]}" for f in FRAMES.values() for who in PEOPLE for one in KNOWN]
    found = tokenizer([f"<bos> {text}" for text in texts], padding=True, return_tensors="pt")
    labels = found.input_ids.masked_fill(found.attention_mask == 0, -100)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(GPT2Config(vocab_size=len(vocabulary), **sizes))
        optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
        for _ in range(n_steps):
            loss = model(input_ids=found.input_ids, attention_mask=found.attention_mask, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
