"""The package `steering-vectors` as oracle: what it found on a tiny model, recorded by `record_steering_vectors.py`."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from interp_lab.directions import contrast_activations, directions_of
from interp_lab.models import load_model
from interp_lab.tasks.contrast import Contrast

RECORDED = Path(__file__).with_name("steering_vectors.safetensors")


@pytest.fixture(scope="module")
def recorded():
    with safe_open(RECORDED, framework="pt") as file:
        return json.loads(file.metadata()["about"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def directory(recorded, tmp_path_factory):
    """The very model, as a Hugging Face directory."""
    about, tensors = recorded
    path = tmp_path_factory.mktemp("oracle") / "tiny"
    made = GPT2LMHeadModel(GPT2Config(**about["config"], bos_token_id=0, eos_token_id=0))
    state = {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
    missing, unexpected = made.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["lm_head.weight"], [])  # which is the embedding
    made.save_pretrained(path)
    core = Tokenizer(WordLevel({word: nth for nth, word in enumerate(about["words"])}, unk_token="<unk>"))
    core.pre_tokenizer = WhitespaceSplit()
    special = {"bos_token": "<bos>", "eos_token": "<bos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=core, **special).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def contrast(recorded):
    positive, negative = zip(*recorded[0]["pairs"], strict=True)
    return Contrast("oracle", positive, negative, positive, positive, paired=True)


def ours(directory, contrast, about, method, *, processing="raw", **read):
    model = load_model(str(directory), device="cpu", processing=processing)
    hooks = [f"blocks.{layer}.hook_resid_post" for layer in range(about["config"]["n_layer"])]
    found = contrast_activations(model, contrast, hooks, **{"batch_size": about["batch_size"]} | read)
    return directions_of(found, method).vectors


@pytest.mark.parametrize("method", ["mean", "pca"])
def test_same_model_and_texts_same_vectors(recorded, directory, contrast, method):
    about, tensors = recorded
    theirs = torch.stack([tensors[f"{method}/{layer}"] for layer in range(about["config"]["n_layer"])])
    found = ours(directory, contrast, about, {"mean": "mean_difference", "pca": "pca"}[method])
    if method == "pca":  # theirs are of length one
        found = torch.nn.functional.normalize(found, dim=-1)
    torch.testing.assert_close(found, theirs, atol=2e-5, rtol=1e-5)
    assert (theirs.norm(dim=-1) > 0.5).all()


def test_centred_weights_give_the_same_vectors_less_their_mean(recorded, directory, contrast):
    about, tensors = recorded
    theirs = torch.stack([tensors[f"mean/{layer}"] for layer in range(about["config"]["n_layer"])])
    found = ours(directory, contrast, about, "mean_difference", processing="folded")
    torch.testing.assert_close(found, theirs - theirs.mean(-1, keepdim=True), atol=2e-5, rtol=1e-4)
    assert (theirs.mean(-1).abs() > 0.01).all()


def test_other_tokens_give_other_vectors(recorded, directory, contrast):
    about, tensors = recorded
    theirs = torch.stack([tensors[f"mean/{layer}"] for layer in range(about["config"]["n_layer"])])
    found = ours(directory, contrast, about, "mean_difference", read="all")
    assert ((found - theirs).norm(dim=-1) > 0.1 * theirs.norm(dim=-1)).all()
