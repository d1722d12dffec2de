"""Features whose answer is known by hand, through the model and into the folder."""

from collections import Counter

import numpy as np
import pytest
import torch

from interp_lab import load_model
from interp_lab.hooks import capture
from interp_lab.models.readings import reaches_stream, unembedding
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.features import DescribeConfig, Dictionary, FeatureStore, describe_features, gather
from interp_lab.sae.features.dictionary import directions, neuron_dictionary, sae_dictionary
from interp_lab.tasks import Document, tokenize
from interp_lab.types import Site
from tests.sae.features.planted import HOOK, TokenCodec, dictionary, model

TEXTS = ["the loan was approved .", "the loan was rejected . the loan", "Anna has the blue door ."] * 3
DOCUMENTS = [Document(nth, f"text {nth}", text) for nth, text in enumerate(TEXTS)]
CONFIG = DescribeConfig(text=TextConfig(length=8), n_tokens=None, n_top=3, n_quantiles=2, before=2, after=1)


@pytest.fixture(scope="module")
def ids():
    return {word: model().tokenizer.convert_tokens_to_ids(word) for word in ("the", "loan", "door", "blue", "approved")}


@pytest.fixture(scope="module")
def read():
    """Tokens that are kept: those of whole windows of 8 (BOS, then 7), ends of documents left out."""
    end = [model().tokenizer.eos_token]
    words = [word for text in TEXTS for word in [*text.split(), *end]]
    return [word for word in words[: len(words) // 7 * 7] if word != end[0]]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted") / "features"
    describe_features(model(), dictionary(), CONFIG, folder=folder, documents=DOCUMENTS)
    return FeatureStore.open(folder, check=True)


class TestPlanted:
    def test_density_is_how_often_the_token_stands(self, store, ids, read):
        features, counts = store.features(), Counter(read)
        assert store.about.n_tokens == len(read)
        assert store.about.n_documents == 9
        for word, token in ids.items():
            assert features["n_active"][token] == counts[word]
            assert features["density"][token] == pytest.approx(counts[word] / len(read))
        assert features["density"].sum() == pytest.approx(1.0)

    def test_every_value_is_that_of_the_codec(self, store, ids):
        row = store.features([ids["the"]]).iloc[0]
        names = ("mean_active", "max", "quantile_50", "quantile_90", "quantile_99")
        assert [row[name] for name in names] == pytest.approx([2.0] * 5, rel=0.09)
        assert (row["std_active"], row["entropy_tokens"]) == (0.0, 0.0)
        assert (row["max_token"], row["top_token"], row["top_token_share"]) == ("the", "the", 1.0)

    @pytest.mark.parametrize("word", ["the", "loan", "door", "blue", "approved"])
    def test_the_largest_value_is_at_the_word_wherever_its_context_begins(self, store, ids, word):
        assert store.features([ids[word]])["max_token"].tolist() == [word]

    def test_a_feature_that_was_never_active_says_so(self, store):
        features = store.features()
        never = features[features["n_active"] == 0].iloc[0]
        assert np.isnan([never["mean_active"], never["quantile_50"], never["top_token_share"]]).all()
        assert (never["max"], never["max_token"], never["n_documents"]) == (0.0, "", 0)
        assert store.examples([int(never["latent"])]).empty

    def test_tokens_and_lift(self, store, ids, read):
        (row,) = store.tokens([ids["loan"]]).to_dict("records")
        assert (row["token"], row["count"], row["share"]) == ("loan", Counter(read)["loan"], 1.0)
        assert row["lift"] == pytest.approx(len(read) / Counter(read)["loan"])

    def test_examples_show_the_token_in_its_context(self, store, ids):
        examples = store.examples([ids["loan"]])
        assert set(examples["quantile"]) <= {0, 1, 2}
        for row in examples.itertuples():
            assert row.tokens[row.begin] == "loan"
            assert row.values.tolist() == [2.0 * (word == "loan") for word in row.tokens]
            assert len(row.tokens) <= 4
            joined = " ".join(row.tokens)
            assert joined in TEXTS[row.document]
        of_bin = examples.groupby("quantile")["document"]
        assert (of_bin.nunique() == of_bin.size()).all()

    def test_no_example_stands_there_twice(self, store):
        examples = store.examples()
        assert not examples.duplicated(["latent", "document", "position"]).any()

    def test_neighbours_by_direction_are_those_of_the_embeddings(self, store, ids):
        token = ids["door"]
        found = store.neighbours([token])
        unit = torch.nn.functional.normalize(model().W_E.detach(), dim=1)
        cosine = unit @ unit[token]
        cosine[token] = -1
        own = found[found["kind"] == "decoder"]
        assert own["other"].tolist() == cosine.topk(8).indices.tolist()
        assert own["value"].to_numpy() == pytest.approx(cosine.topk(8).values.numpy(), abs=1e-5)
        assert not (found["kind"] == "coactivation").any()  # no two are ever active at one token

    def test_histogram_counts_every_active_value(self, store, ids, read):
        (row,) = store.histogram([ids["the"]]).to_dict("records")
        assert row["count"] == Counter(read)["the"]
        assert row["low"] <= 2.0 < row["high"]


class TestLogits:
    def test_are_what_a_long_step_along_the_direction_does(self):
        """Far along a direction the stream is that direction, and its logits are effects up to a positive scale."""
        sae_like, hook = dictionary(), "blocks.3.hook_resid_post"
        added = directions(Dictionary("d", hook, sae_like.codec, sae_like.n_latents), model(), d_in=128)
        effects = added @ unembedding(model())
        with torch.inference_mode():
            normed = model().ln_final(1e4 * added[:20, None])
            logits = normed @ model().W_U
        logits = (logits - logits.mean(-1, keepdim=True))[:, 0]
        cosine = torch.cosine_similarity(logits, effects[:20], dim=-1)
        assert cosine.min() > 0.9999

    def test_reach_through_a_norm_that_centres_and_has_weights(self):
        """A model whose weights were left alone, with weights of the final norm that are anything but 1."""
        raw = load_model("organism", device="cpu", processing="raw")
        draw = torch.Generator().manual_seed(0)
        with torch.no_grad():
            raw.ln_final.w.copy_(2 * torch.rand(128, generator=draw))
            added = 3 + torch.randn(20, 128, generator=draw)
            logits = raw.ln_final(1e4 * added[:, None])[:, 0] @ raw.W_U
            shift = raw.ln_final.b @ raw.W_U
        wanted = logits - shift - (logits - shift).mean(-1, keepdim=True)
        assert torch.cosine_similarity(wanted, added @ unembedding(raw), dim=-1).min() > 0.9999

    def test_are_ranked_from_both_ends(self, tmp_path):
        own = Dictionary("d", "blocks.3.hook_resid_post", NoneActive(model().W_E.detach()), 599)
        describe_features(model(), own, CONFIG, folder=tmp_path / "f", documents=DOCUMENTS)
        rows = FeatureStore.open(tmp_path / "f").logits([7])
        effects = (directions(own, model(), d_in=128) @ unembedding(model()))[7]
        raised, lowered = rows[rows["sign"] == 1], rows[rows["sign"] == -1]
        assert raised["effect"].to_numpy() == pytest.approx(effects.sort(descending=True).values[:10].numpy(), abs=1e-5)
        assert lowered["effect"].to_numpy() == pytest.approx(effects.sort().values[:10].numpy(), abs=1e-5)


class NoneActive(TokenCodec):
    def encode(self, activation):
        return activation.new_zeros(len(activation), len(self.table))


class TestCost:
    def test_model_and_codec_run_once_for_every_batch(self, monkeypatch):
        passes = []
        original = type(model()).forward
        monkeypatch.setattr(
            type(model()), "forward", lambda self, *a, **k: passes.append(len(a[0])) or original(self, *a, **k)
        )
        own = dictionary()
        config = CONFIG.overlaid({"batch_bytes": 3 * 4 * 599 * 8})
        gather(model(), own, config, documents=DOCUMENTS)
        probe, *batches = passes  # the first asks how wide activations are
        assert probe == 1
        assert max(batches) == 3
        assert own.codec.n_encoded == len(batches) == -(-sum(batches) // 3)

    def test_what_is_found_does_not_depend_on_the_batches(self, tmp_path):
        tables = []
        for nth, n_windows in enumerate((1, 2, 32)):
            config = CONFIG.overlaid({"batch_bytes": n_windows * 4 * 599 * 8})
            describe_features(model(), dictionary(), config, folder=tmp_path / str(nth), documents=DOCUMENTS)
            tables.append((tmp_path / str(nth) / "examples.parquet").read_bytes())
        assert tables[0] == tables[1] == tables[2]


class TestNeurons:
    def test_active_means_above_zero(self, tmp_path):
        neurons = neuron_dictionary(model(), 1)
        assert neurons.n_latents == model().cfg.d_mlp
        config = CONFIG.overlaid({"text": {"length": 64}})
        text = " ".join(("the loan was approved . " * 13).split()[:63])
        tokens = tokenize(model(), [text]).tokens
        found = gather(model(), neurons, config, documents=[Document(0, "one", text)])
        activation = capture(model(), tokens, [neurons.hook])[neurons.hook][0, 1:]
        assert found.moments.n_active.tolist() == (activation > 0).sum(0).tolist()
        largest = activation.max(0).values.clamp(min=0).numpy()
        np.testing.assert_allclose(found.top.value[:, 0], largest, atol=1e-5)

    def test_both_signs_make_two_features_of_each_neuron(self):
        both = neuron_dictionary(model(), 1, signs="both")
        values = torch.tensor([[1.5, -0.5]])
        assert both.codec.encode(values).tolist() == [[1.5, 0.0, 0.0, 0.5]]
        assert both.codec.decode(both.codec.encode(values)).tolist() == values.tolist()
        assert both.n_latents == 2 * model().cfg.d_mlp

    def test_directions_are_what_neurons_write(self):
        added = directions(neuron_dictionary(model(), 1), model(), d_in=model().cfg.d_mlp)
        torch.testing.assert_close(added, model().blocks[1].mlp.W_out.detach())

    def test_directions_at_heads_go_through_the_output_matrix(self):
        eye = Dictionary("z", "blocks.1.attn.hook_z", Identity(), 128)
        torch.testing.assert_close(
            directions(eye, model(), d_in=128), model().blocks[1].attn.W_O.detach().flatten(0, 1)
        )


class Identity:
    def encode(self, activation):
        return activation

    def decode(self, latents):
        return latents


class TestBadInput:
    def test_negative_latents(self):
        with pytest.raises(ValueError, match=r"has a latent of -.*wrap its codec in BothSigns"):
            gather(model(), Dictionary("raw", HOOK, Identity(), 128), CONFIG, documents=DOCUMENTS)

    def test_a_wrong_number_of_latents(self):
        with pytest.raises(ValueError, match="raw has 128 latents, not 5"):
            gather(model(), Dictionary("raw", HOOK, Identity(), 5), CONFIG, documents=DOCUMENTS)

    def test_latents_that_are_nan(self):
        with pytest.raises(ValueError, match="latents of planted are NaN or inf in batch 0"):
            gather(model(), dictionary(strength=float("nan")), CONFIG, documents=DOCUMENTS)

    def test_an_unknown_hook(self):
        own = Dictionary("raw", "blocks.9.hook_resid_post", Identity(), 128)
        with pytest.raises(ValueError, match=r"blocks\.9\.hook_resid_post"):
            gather(model(), own, CONFIG, documents=DOCUMENTS)

    def test_too_little_text(self):
        with pytest.raises(ValueError, match="the text has 54 tokens to keep"):
            gather(model(), dictionary(), CONFIG.overlaid({"n_tokens": 1000}), documents=DOCUMENTS)

    def test_an_autoencoder_of_another_model(self):
        with pytest.raises(ValueError, match="name: organism, not the model's organism-tuned"):
            sae_dictionary(load_chosen(SaeChoice()), load_model("organism-tuned", device="cpu"))


def test_hooks_that_do_not_write_to_the_stream_have_no_logits():
    assert reaches_stream("blocks.2.hook_resid_post")
    assert reaches_stream(f"{Site.of_head(0, 0).hook}")
    assert not reaches_stream("blocks.0.attn.hook_q")
