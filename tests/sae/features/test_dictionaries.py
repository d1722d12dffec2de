"""What a dictionary is called, what its directions are of, and the bins of the examples that are shown of it."""

import dataclasses

import numpy as np
import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig

from interp_lab.sae.chosen import BUNDLED, SaeChoice, load_chosen
from interp_lab.sae.features import Dictionary, FeatureStore, describe_features
from interp_lab.sae.features.dictionary import directions, sae_dictionary
from interp_lab.sae.features.experiment import name_of
from interp_lab.sae.features.per_document import read_per_document
from interp_lab.sae.training import load_sae
from interp_lab.tasks import Document
from tests.sae.features.planted import HOOK, dictionary, model
from tests.sae.features.test_describe import CONFIG, DOCUMENTS, TEXTS

FOLDED = {"fold_ln": True, "center_writing_weights": True, "center_unembed": True, "fold_value_biases": True}


class Graded:
    """Value `k` at token `k`."""

    def encode(self, activation):
        token = torch.cdist(activation, model().W_E.detach()).argmin(-1)
        return token[:, None].float()

    def decode(self, latents):
        return latents.expand(-1, 128)


def test_examples_lie_in_the_bins_that_they_are_said_to_be_drawn_from(tmp_path):
    """One latent, of which 400 documents have a value each: how many are below an example says which bin it is of."""
    ids = range(150, 550)
    texts = [model().tokenizer.convert_ids_to_tokens(token) for token in ids]
    order = np.random.default_rng(0).permutation(400)
    documents = [Document(nth, "one", texts[at]) for nth, at in enumerate(order)]
    config = CONFIG.overlaid({"n_quantiles": 4, "per_quantile": 8, "text": {"length": 11}})
    graded = Dictionary("graded", HOOK, Graded(), 1)
    describe_features(model(), graded, config, folder=tmp_path / "f", documents=documents)
    store = FeatureStore.open(tmp_path / "f")
    drawn = store.examples().query("quantile > 0")
    assert drawn.groupby("quantile").size().between(3, 8).all()
    assert sorted(set(drawn["quantile"])) == [1, 2, 3, 4]
    for row in drawn.itertuples():
        low, high = store.about.quantiles[row.quantile - 1]
        assert low - 0.01 <= (row.value - 149) / 400 <= high + 0.01


class TestNames:
    def test_say_nothing_of_this_machine(self, tmp_path):
        (tmp_path / "text.txt").write_text("\n\n".join(["the loan was approved ."] * 9))
        config = CONFIG.overlaid({"text": {"source": str(tmp_path / "text.txt")}})
        sae = load_chosen(SaeChoice())
        own = sae_dictionary(dataclasses.replace(sae, record=None, where=str(tmp_path)), model())
        assert own.name == tmp_path.name
        describe_features(model(), dictionary(), config, folder=tmp_path / "f")
        assert str(tmp_path) not in (tmp_path / "f" / "about.json").read_text()
        assert FeatureStore.open(tmp_path / "f").about.text["source"] == "text.txt"

    @pytest.mark.parametrize(
        ("choice", "name"),
        [
            ({}, "organism-2-resid-post"),
            ({"sae": str(BUNDLED / "organism-2-resid-post")}, "organism-2-resid-post"),
            (
                {"sae": "gpt2-small-res-jb", "sae_id": "blocks.8.hook_resid_pre"},
                "gpt2-small-res-jb/blocks.8.hook_resid_pre",
            ),
            ({"sae": {"run": "/some/run", "artefact": "topk"}}, "topk"),
        ],
    )
    def test_say_which_of_a_release(self, choice, name):
        assert name_of(SaeChoice.from_mapping(choice)) == name


@pytest.mark.parametrize("normalize", ["layer_norm", "constant_norm_rescale", "none"])
def test_dictionaries_that_normalise_every_activation_say_what_directions_add_to(normalize, tmp_path):
    own = StandardSAE(StandardSAEConfig(d_in=128, d_sae=16, normalize_activations=normalize))
    with torch.no_grad():
        own.W_enc.normal_(generator=torch.Generator().manual_seed(0))
        own.W_dec.copy_(torch.eye(128)[:16] * torch.arange(1, 17)[:, None])
    own.cfg.metadata.model_name, own.cfg.metadata.hook_name = "organism", "blocks.2.hook_resid_post"
    own.cfg.metadata.model_from_pretrained_kwargs = FOLDED
    own.save_model(str(tmp_path / "sae"))
    found = sae_dictionary(load_sae(tmp_path / "sae"), model())
    describe_features(model(), found, CONFIG, folder=tmp_path / "f", documents=DOCUMENTS)
    store = FeatureStore.open(tmp_path / "f")
    assert store.features()["decoder_norm"].to_numpy() == pytest.approx(np.arange(1, 17))
    assert (store.about.directions_add_to == "activation") == (normalize == "none")
    assert np.isfinite(read_per_document(model(), found, TEXTS[:2], poolings=("mean",)).r2)


def test_known_rows_are_those_that_decoding_gives():
    own = sae_dictionary(load_chosen(SaeChoice()), model())
    assert own.rows is not None
    decoded = directions(dataclasses.replace(own, rows=None), model(), d_in=128)
    torch.testing.assert_close(directions(own, model(), d_in=128), decoded, atol=1e-5, rtol=1e-4)
