"""The JSON that Neuronpedia imports: its names, its types, and our numbers in their places."""

import json

import numpy as np
import pytest

from interp_lab.sae.dashboard import export_neuronpedia
from interp_lab.sae.dashboard.neuronpedia import NeuronpediaBatch, equal_bins
from tests.sae.dashboard.folders import made_folder

FEATURE = {
    "feature_index": int, "neuron_alignment_indices": int, "neuron_alignment_values": float,
    "neuron_alignment_l1": float, "correlated_neurons_indices": int, "correlated_neurons_l1": float,
    "correlated_neurons_pearson": float, "correlated_features_indices": int, "correlated_features_l1": float,
    "correlated_features_pearson": float, "neg_str": str, "neg_values": float, "pos_str": str, "pos_values": float,
    "frac_nonzero": float, "freq_hist_data_bar_values": float, "freq_hist_data_bar_heights": float,
    "logits_hist_data_bar_heights": float, "logits_hist_data_bar_values": float, "n_prompts_total": int,
    "n_tokens_in_prompt": int, "dataset": str, "activations": dict, "decoder_weights_dist": float,
}  # fmt: skip
"""Names and types as SAEDashboard's NeuronpediaDashboardFeature.to_dict has them; of lists, of their entries."""
SCALARS = {"feature_index", "frac_nonzero", "n_prompts_total", "n_tokens_in_prompt", "dataset"}
ACTIVATION = {"bin_min", "bin_max", "bin_contains", "tokens", "values", "qualifying_token_index"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_folder(tmp_path_factory.mktemp("features"), dead=[3])


@pytest.fixture(scope="module")
def batches(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    paths = export_neuronpedia(store, folder, model_id="made", layer=2, sae_set="made-res", per_file=5)
    assert [path.name for path in paths] == ["batch-0.json", "batch-1.json", "batch-2.json"]
    return [json.loads(path.read_text("utf-8")) for path in paths]


def test_names_and_types_are_those_of_the_shape(batches):
    for batch in batches:
        assert set(batch) == {"model_id", "layer", "sae_set", "features"}
        assert (batch["model_id"], batch["layer"], batch["sae_set"]) == ("made", 2, "made-res")
        for feature in batch["features"]:
            assert set(feature) == set(FEATURE)
            for name, kind in FEATURE.items():
                entries = [feature[name]] if name in SCALARS else feature[name]
                assert all(type(entry) is kind for entry in entries), name
            assert all(set(activation) == ACTIVATION for activation in feature["activations"])


def test_every_feature_is_there_once_in_order(batches):
    assert [feature["feature_index"] for batch in batches for feature in batch["features"]] == list(range(12))


def test_numbers_stand_in_their_places(batches):
    feature = batches[1]["features"][0]
    assert (feature["feature_index"], feature["frac_nonzero"]) == (5, 0.006)
    assert (feature["pos_str"], feature["pos_values"]) == (["up5"], [2.0])
    assert (feature["neg_str"], feature["neg_values"]) == (["down5"], [-1.5])
    assert (feature["correlated_features_indices"], feature["correlated_features_pearson"]) == ([4], [0.25])
    together = 0.25 * np.sqrt(0.006 * 0.994 * 0.005 * 0.995) + 0.006 * 0.005
    assert feature["correlated_features_l1"] == [round(together / np.sqrt(0.006 * 0.005), 3)], "cosine of being active"
    assert feature["freq_hist_data_bar_values"][:2] == [0.01, 0.03]
    assert feature["freq_hist_data_bar_heights"] == [1.2] * 25 + [0.4] * 25, "30 tokens below 0.5, 10 above"
    assert (feature["n_prompts_total"], feature["n_tokens_in_prompt"], feature["dataset"]) == (500, 20, "grammar")


def test_examples_keep_their_bins_and_the_token_they_were_chosen_for(batches):
    activations = batches[1]["features"][0]["activations"]
    assert [(one["bin_min"], one["bin_max"]) for one in activations] == [
        (-1.0, 6.0), (-1.0, 6.0), (0.333, 3.0), (0.333, 3.0), (0.0, 2.0), (0.0, 2.0),
    ], "the median lies 20 of 30 tokens up the bin from 0 to 0.5; edges are moved to hold examples"  # fmt: skip
    assert [one["bin_contains"] for one in activations[:3]] == [-1.0, -1.0, pytest.approx(0.5 * 0.006)]
    for one in activations:
        assert one["tokens"][one["qualifying_token_index"]] == "word5"
        assert one["values"][one["qualifying_token_index"]] == max(one["values"])
        assert len(one["tokens"]) == len(one["values"])


def test_a_latent_that_was_never_active_has_no_examples(batches):
    dead = batches[0]["features"][3]
    assert (dead["activations"], dead["frac_nonzero"], dead["freq_hist_data_bar_values"]) == ([], 0.0, [])


def test_what_was_written_reads_back_to_the_same(batches):
    for batch in batches:
        assert NeuronpediaBatch.from_mapping(batch).as_dict() == batch


def test_an_unknown_field_is_refused(batches):
    with pytest.raises(ValueError, match="colour"):
        NeuronpediaBatch.from_mapping({**batches[0], "colour": "red"})


def test_batches_of_two_exports_do_not_mix(store, tmp_path):
    export_neuronpedia(store, tmp_path, model_id="m", layer=0, sae_set="s", latents=[1])
    with pytest.raises(ValueError, match="batches already"):
        export_neuronpedia(store, tmp_path, model_id="m", layer=0, sae_set="s", latents=[2])


def test_bins_that_grow_become_equal_ones_and_no_token_is_lost():
    bars = [{"low": 4.0, "high": 8.0, "count": 8}, {"low": 1.0, "high": 2.0, "count": 6}]
    middles, heights = equal_bins(bars, n=7)
    assert middles.tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    assert heights.tolist() == [6, 0, 0, 2, 2, 2, 2]
    assert equal_bins(bars)[1].sum() == pytest.approx(14)


def test_no_path_stands_in_an_export_and_every_list_of_correlations_is_as_long(batches):
    for feature in (feature for batch in batches for feature in batch["features"]):
        lengths = {len(feature[f"correlated_features_{name}"]) for name in ("indices", "l1", "pearson")}
        assert lengths == {1}


def test_no_bin_reaches_above_the_largest_value(tmp_path):
    bars = [(0, 0, 0.5, 1.0, 4), (0, 1, 1.0, 4.0, 4)]
    store = made_folder(tmp_path / "f", n_latents=1, bars=bars)
    (path,) = export_neuronpedia(store, tmp_path / "np", model_id="m", layer=0, sae_set="s")
    found = json.loads(path.read_text("utf-8"))["features"][0]["activations"]
    assert {(one["bin_min"], one["bin_max"]) for one in found} == {(-1.0, 1.0), (0.49, 1.0), (0.323, 1.0)}
