"""The experiment from config to page, and back from its folder."""

import numpy as np
import pytest

from interp_lab.claims import Grade
from interp_lab.registry import load_result
from interp_lab.sae.evaluation.config import SaeEvaluationConfig
from interp_lab.sae.evaluation.experiment import SaeEvaluation
from interp_lab.sae.evaluation.known_answers import rows
from tests.sae.evaluation.small import NOISY, measured, model

CONFIG = {
    "text": {"part": "held_out"},
    "n_tokens": 600,
    "n_fit_tokens": 600,
    "pca_components": [4],
    "variants": ["normalised_mse_uncentred"],
    "dictionaries": {"topk": {"sae": "organism-2-resid-post"}, "same": {"sae": "organism-2-resid-post"}},
    "stability": [["topk", "same"]],
    "device": "cpu",
}


@pytest.fixture(scope="module")
def result():
    return SaeEvaluation(SaeEvaluationConfig.from_mapping(CONFIG)).measure(model())


def test_a_run_is_read_back_as_it_was(result, tmp_path):
    from interp_lab.runs import keep

    keep(result, run_dir=tmp_path / "run")
    again = load_result(tmp_path / "run")
    assert again.config == result.config
    assert again.summary() == result.summary()
    assert [section.suggests for section in again.sections()] == [section.suggests for section in result.sections()]
    for name, table in result.tables().items():
        assert table.equals(again.tables()[name]), name
    np.testing.assert_equal(again.metrics(), result.metrics())
    assert again.claims() == result.claims()


def test_same_config_same_bits(result):
    again = SaeEvaluation(result.config).measure(model())
    for name, array in result.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)


def test_the_table_has_every_number_with_its_interval(result):
    table = result.tables()["codecs"].set_index("name")
    own = ["pca_16", "random_1024_16", "data_600_16", "own_topk", "own_same"]
    assert list(table.index) == ["topk", "same", *own, "pca_4", "mean", "zero"]
    for metric in result.found.metric_names:
        known = table[metric].notna()
        assert (table[f"{metric}_low"][known] <= table[metric][known]).all()
        assert (table[f"{metric}_high"][known] >= table[metric][known]).all()
    assert (table["n_documents"] == result.found.n_documents).all()
    assert table["l0"]["topk"] == 16
    assert table["dead_in_600_tokens"]["topk"] == (result.found.fired["topk"] == 0).sum() > 0


def test_raw_losses_stand_beside_shares(result):
    losses = result.tables()["losses"].set_index("in_place")["ce"]
    share = (losses["zero"] - losses["topk"]) / (losses["zero"] - losses["untouched"])
    assert result.metrics()["topk.ce_recovered_zero"] == pytest.approx(share)
    share = (losses["mean"] - losses["topk"]) / (losses["mean"] - losses["untouched"])
    assert result.metrics()["topk.ce_recovered_mean"] == pytest.approx(share)


def test_differences_from_baselines_are_paired(result):
    """Paired over documents: far narrower than the two intervals, whose documents are the same."""
    found = result.found
    row = result.tables()["differences"].set_index(["name", "baseline", "metric"]).loc[("topk", "pca_16", "ce")]
    own, other = (found.interval(name, "ce") for name in ("topk", "pca_16"))
    assert row["difference"] == pytest.approx(own.estimate - other.estimate)
    assert row["difference_high"] - row["difference_low"] < (own.high - own.low) + (other.high - other.low)


def test_equal_autoencoders_do_not_differ_and_are_found_again(result):
    found = result.found
    assert found.interval("topk", "r2") == found.interval("same", "r2")
    np.testing.assert_allclose(found.stability[0].matched, 1.0)
    assert found.stability[0].shaped.mean() < 0.8


def test_the_sections_keep_description_and_intervention_apart(result):
    reconstruction, splicing, stability = result.sections()
    assert [section.causal for section in result.sections()] == [False, True, False]
    assert set(reconstruction.figures) == {"frontier", "density"}
    assert set(splicing.figures) == {"losses", "recovered"}
    assert set(stability.tables) == {"stability"}
    assert all(figure.to_json() for figure in result.figures().values())


class TestClaims:
    def test_what_beats_its_baselines_is_said_to(self, result):
        by_control = {claim.effect.control.split(":")[0]: claim for claim in result.claims()[:3]}
        assert list(by_control) == ["pca_16", "random_1024_16", "data_600_16"]
        claim = by_control["pca_16"]
        assert claim.grade is Grade.CAUSAL
        assert "topk keeps more of the predictions than 16 principal components" in claim.statement

    def test_what_a_search_among_activations_keeps_is_said(self, result):
        """The best 16 of 600 activations keep as much or more; whatever it is, the page says what was searched."""
        (claim,) = (claim for claim in result.claims()[:3] if "activations as directions" in claim.statement)
        assert "chosen by orthogonal matching pursuit, codes of either sign" in claim.statement
        told = dict(result.found.told("topk"))
        said = "So topk keeps less of the predictions than data_600_16" in result.sections()[1].suggests
        assert said == (told["data_600_16"] == "less")

    def test_noise_that_is_worse_than_principal_components_is_not(self):
        (claim,) = measured({"noisy": NOISY}, baselines=("pca",)).claims()  # 128 components are everything
        assert claim.grade is Grade.DESCRIPTIVE
        assert "noisy keeps less of the predictions than 128" in claim.statement

    def test_without_baselines_nothing_is_claimed(self):
        found = measured({"noisy": NOISY}, baselines=())
        assert found.claims() == []
        assert set(found.tables()) == {"codecs", "losses"}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.instrument)
def test_known_answers_read_true_and_their_sabotage_does_not(row):
    assert row.measure()[0], row.measure()[1]
    assert not row.sabotage()[0], row.sabotage()[1]
