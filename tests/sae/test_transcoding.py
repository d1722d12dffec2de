"""Transcoders of SAE Lens: loaded with both of their places, measured where they write, and refused as autoencoders."""

import dataclasses

import pytest
import torch
from sae_lens.saes.sae import SAEMetadata
from sae_lens.saes.transcoder import (
    JumpReLUTranscoder,
    JumpReLUTranscoderConfig,
    SkipTranscoder,
    SkipTranscoderConfig,
    Transcoder,
    TranscoderConfig,
)

from interp_lab import load_model
from interp_lab.hooks import NonFiniteActivationError
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.evaluation import EvaluationConfig
from interp_lab.sae.features import sae_dictionary
from interp_lab.sae.training import load_sae
from interp_lab.sae.transcoding import evaluate_transcoder

READS, WRITES = "blocks.1.hook_resid_mid", "blocks.1.hook_resid_post"
KINDS = {
    "transcoder": (Transcoder, TranscoderConfig),
    "skip": (SkipTranscoder, SkipTranscoderConfig),
    "jumprelu": (JumpReLUTranscoder, JumpReLUTranscoderConfig),
}
CONFIG = EvaluationConfig(text=TextConfig(part="held_out"), n_tokens=400)


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


def saved(folder, kind="transcoder", *, hook_out=WRITES, copies=True):
    """One that hands on what it reads (a latent for either sign of every entry), or makes nothing of it."""
    build, build_config = KINDS[kind]
    sizes = {"d_in": 128, "d_out": 128, "d_sae": 256, "apply_b_dec_to_input": False}
    places = {"model_name": "organism", "hook_name": READS, "hook_name_out": hook_out}
    folded = {"fold_ln": True, "center_writing_weights": True, "center_unembed": True, "fold_value_biases": True}
    one = build(build_config(**sizes, metadata=SAEMetadata(**places)))
    one.cfg.metadata.model_from_pretrained_kwargs = folded  # told before, SAE Lens would warn
    eye = torch.eye(128) if copies else torch.zeros(128, 128)
    with torch.no_grad():
        for name, weight in one.named_parameters():
            weight.zero_()
            if name == "W_enc":
                weight.copy_(torch.cat([eye, -eye], 1))
            if name == "W_dec":
                weight.copy_(torch.cat([eye, -eye]))
            if name == "W_skip":
                weight.copy_(torch.eye(128))
    one.save_model(str(folder))
    return load_sae(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_are_loaded_with_both_places(kind, tmp_path):
    found = saved(tmp_path / "it", kind)
    assert found.is_transcoder
    assert (found.hook, found.hook_out, found.d_in, found.d_out) == (READS, WRITES, 128, 128)
    batch = torch.randn(5, 128, generator=torch.Generator().manual_seed(0))
    past = 1.0 if kind == "skip" else 0.0
    assert torch.allclose(found.decode(found.encode(batch)), batch, atol=1e-6)
    assert torch.allclose(found.made_of(batch), (1 + past) * batch, atol=1e-6), "what goes past the latents is added"


def test_one_that_hands_on_what_it_reads_costs_what_leaving_the_mlp_out_costs(model, tmp_path):
    found = evaluate_transcoder(model, saved(tmp_path / "it"), config=CONFIG)
    assert found.n_tokens == 400
    assert found.l0.estimate == pytest.approx(128, abs=0.5), "one latent of every pair"
    assert found.ce_clean.estimate < found.ce.estimate < found.ce_zero.estimate
    assert 0 < found.ce_recovered_zero.estimate < 1
    told = (found.ce_zero.estimate - found.ce.estimate) / (found.ce_zero.estimate - found.ce_clean.estimate)
    assert found.ce_recovered_zero.estimate == pytest.approx(told, abs=1e-9)
    assert found.r2.low < found.r2.estimate < found.r2.high


def test_one_that_makes_nothing_is_zero_ablation(model, tmp_path):
    found = evaluate_transcoder(model, saved(tmp_path / "it", copies=False), config=CONFIG)
    assert found.ce_recovered_zero.estimate == pytest.approx(0, abs=1e-9)
    assert found.l0.estimate == 0
    assert found.r2.estimate < -0.1, "worse than the mean, around which variance is counted"


def test_one_that_writes_where_it_reads_loses_nothing(model, tmp_path):
    found = evaluate_transcoder(model, saved(tmp_path / "it", hook_out=READS), config=CONFIG)
    assert found.r2.estimate == pytest.approx(1, abs=1e-6)
    assert found.ce_recovered_zero.estimate == pytest.approx(1, abs=1e-5)


def test_a_model_that_overflows_is_told_where(tmp_path):
    broken = load_model("organism", device="cpu")
    with torch.no_grad():
        broken.blocks[1].mlp.W_in[0, 0] = torch.nan
    found = saved(tmp_path / "it")
    with pytest.raises(NonFiniteActivationError, match=r"blocks.1.mlp.hook_pre"):
        evaluate_transcoder(broken, found, config=CONFIG)


def test_is_no_autoencoder_of_a_hook_point(model, tmp_path):
    found = saved(tmp_path / "it")
    found.require_fits(model)
    with pytest.raises(ValueError, match=r"is a transcoder: it reads blocks.1.hook_resid_mid and writes"):
        found.require_fits(model, hook=READS)


def test_is_no_dictionary_of_features(model, tmp_path):
    with pytest.raises(ValueError, match=r"is a transcoder: it reads blocks.1.hook_resid_mid"):
        sae_dictionary(saved(tmp_path / "it"), model)


def test_an_autoencoder_is_no_transcoder(model):
    with pytest.raises(ValueError, match="is an autoencoder at"):
        evaluate_transcoder(model, load_chosen(SaeChoice()), config=CONFIG)


def test_one_that_does_not_say_where_it_writes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not say where it writes: write hook_name_out"):
        saved(tmp_path / "it", hook_out=None)


def test_another_processing_that_only_its_output_sees_is_refused(model, tmp_path):
    found = saved(tmp_path / "it")
    raw = dataclasses.replace(found, processing=dataclasses.replace(found.processing, center_writing_weights=False))
    with pytest.raises(ValueError, match="center_writing_weights matters"):
        raw.require_fits(model)
