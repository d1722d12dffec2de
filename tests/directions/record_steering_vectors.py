"""Record what the package `steering-vectors` finds on a tiny model: the oracle of `test_steering_vectors.py`.

That package needs transformers 4 and interp_lab needs 5, so it is run in an environment of its own, and what it found
is kept beside this file with the model and the texts:

    python -m venv oracle && oracle/bin/pip install torch "transformers<5" steering-vectors==0.12.2
    oracle/bin/python tests/directions/record_steering_vectors.py tests/directions/steering_vectors.safetensors
"""

import json
import random
import sys
from importlib import metadata

import torch
from safetensors.torch import save_file
from steering_vectors import train_steering_vector
from steering_vectors.aggregators import mean_aggregator, pca_aggregator
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

SPECIAL = ("<bos>", "<pad>", "<unk>")
GOOD, BAD = ("fine", "great", "lovely"), ("poor", "awful", "dull")
THINGS, PLACES = ("film", "meal", "walk", "song"), ("park", "town", "harbour")
OTHER = ("the", "in", "was", "really", "and", "so", "it", "seemed", "to", "us", ".")
WORDS = (*SPECIAL, *GOOD, *BAD, *THINGS, *PLACES, *OTHER)
CONFIG = {"n_layer": 3, "n_head": 2, "n_embd": 16, "n_positions": 24, "vocab_size": len(WORDS)}
BATCH_SIZE = 4


def texts(n=14):
    """Pairs of different lengths that differ in one word."""
    drawn, pairs = random.Random(0), []
    for _ in range(n):
        begin = drawn.choice(["", f"in the {drawn.choice(PLACES)} "])
        end = drawn.choice(["", " .", " and it seemed so to us ."])
        start = f"<bos> {begin}the {drawn.choice(THINGS)} was {drawn.choice(['', 'really '])}"
        pairs.append((f"{start}{drawn.choice(GOOD)}{end}", f"{start}{drawn.choice(BAD)}{end}"))
    return pairs


def model():
    """Every weight is away from its default, norms and biases too."""
    made = GPT2LMHeadModel(GPT2Config(**CONFIG, bos_token_id=0, eos_token_id=0))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            around = 1.0 if parameter.ndim == 1 and bool(parameter.all()) else 0.0  # the weights of norms
            parameter.copy_(around + 0.3 * torch.randn(parameter.shape, generator=generator))
    return made.eval()


def tokenizer():
    core = Tokenizer(WordLevel({word: nth for nth, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = WhitespaceSplit()
    special = {"bos_token": "<bos>", "eos_token": "<bos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    # Token types, were they given, would be added to the embeddings: GPT-2 takes them for words.
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=core, model_input_names=names, **special)


def main(path):
    own, words, pairs = model(), tokenizer(), texts()
    tensors = {f"model/{name}": value for name, value in own.state_dict().items() if name != "lm_head.weight"}
    for name, aggregator in (("mean", mean_aggregator()), ("pca", pca_aggregator())):
        found = train_steering_vector(own, words, pairs, aggregator=aggregator, batch_size=BATCH_SIZE)
        tensors |= {f"{name}/{layer}": vector for layer, vector in found.layer_activations.items()}
    about = {
        "config": CONFIG,
        "words": WORDS,
        "pairs": pairs,
        "batch_size": BATCH_SIZE,
        "versions": {name: metadata.version(name) for name in ("steering-vectors", "transformers", "torch")},
    }
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, {"about": json.dumps(about)})


if __name__ == "__main__":
    main(sys.argv[1])
