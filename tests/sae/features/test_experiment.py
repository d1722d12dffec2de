"""The whole experiment on the organism: what is kept, what is shown, and that it comes back from its folder."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from interp_lab.claims import Grade
from interp_lab.registry import load_result
from interp_lab.runs.parts import make_parts
from interp_lab.sae.features import FeatureStore, SaeFeatures, SaeFeaturesConfig
from tests.sae.features.planted import model

CONFIG = SaeFeaturesConfig.from_mapping({
    "describe": {"n_tokens": 2000, "text": {"seed": 1}},
    "differences": {
        "sets": ["register"], "tuned": "organism-tuned", "n_documents": 48, "n_held_out": 24, "n_shown": 4,
        "readings": ["last"],
    },
    "combination": {"n_documents": 96, "n_held_out": 48, "readings": ["last"], "most_features": 2, "n_shuffled": 2},
})  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "features"
    return SaeFeatures(CONFIG).run(run_dir=folder), folder


class TestRun:
    def test_the_folder_holds_every_feature(self, run):
        result, folder = run
        store = FeatureStore.open(folder / "features", check=True)
        assert store.n_latents == 1024
        assert store.about.n_tokens == 2000
        assert store.about.model["name"] == "organism"
        features = store.features()
        assert features["latent"].tolist() == list(range(1024))
        assert features["density"].sum() == pytest.approx(16, abs=0.1)  # TopK with k of 16
        assert result.overview.numbers["density"].tolist() == features["density"].tolist()

    def test_comes_back_from_its_folder(self, run):
        result, folder = run
        again = load_result(folder)
        assert again.metrics() == result.metrics()
        assert again.summary() == result.summary()
        for name, table in result.tables().items():
            pd.testing.assert_frame_equal(again.tables()[name], table, check_dtype=False)
        assert again.figures().keys() == result.figures().keys()
        assert [claim.statement for claim in again.claims()] == [claim.statement for claim in result.claims()]

    def test_same_config_same_numbers(self, run):
        again = SaeFeatures(CONFIG).measure(model())
        for name, values in run[0].arrays().items():
            np.testing.assert_array_equal(again.arrays()[name], values, err_msg=name)


class TestParts:
    """The pass over the text in sections, made one by one: the folder of one process, byte by byte."""

    SECTIONS = SaeFeaturesConfig.from_mapping({"describe": {"n_tokens": 3000, "sections": 3, "text": {"seed": 1}}})

    def test_joined_it_is_the_run_of_one_process(self, tmp_path):
        SaeFeatures(self.SECTIONS).run(run_dir=tmp_path / "one")
        experiment = SaeFeatures(self.SECTIONS)
        work = experiment.divided(model())
        parts = experiment.parts(work, model(), tmp_path / "parts")
        for numbers in ([2], [0, 1]):
            make_parts(work, parts, numbers)
        experiment.of_parts(parts).run(run_dir=tmp_path / "joined")
        one, joined = (sorted((tmp_path / run).rglob("*.parquet")) for run in ("one", "joined"))
        assert [path.name for path in one] == [path.name for path in joined]
        assert len(one) == 8
        assert [path.read_bytes() for path in one] == [path.read_bytes() for path in joined]

    def test_the_model_reads_the_section_alone(self, monkeypatch):
        from interp_lab.sae.activations import reading

        read, capture = [], reading.capture
        monkeypatch.setattr(reading, "capture", lambda *given: read.append(len(given[1])) or capture(*given))
        work = SaeFeatures(self.SECTIONS).divided(model())
        n_windows = {}
        for numbers in ([0], [1], [2], [0, 1, 2]):
            read.clear()
            list(work.make(numbers))
            n_windows[len(numbers), numbers[0]] = sum(read)
        whole = n_windows.pop((3, 0))
        assert sum(n_windows.values()) == whole
        assert max(n_windows.values()) < whole

    def test_sections_need_an_end(self):
        with pytest.raises(ValueError, match="sections=3 needs to know where the text ends; give n_tokens"):
            SaeFeaturesConfig.from_mapping({"describe": {"n_tokens": None, "sections": 3}})


class TestResult:
    def test_nothing_is_more_than_descriptive(self, run):
        result = run[0]
        assert {claim.grade for claim in result.claims()} == {Grade.DESCRIPTIVE}
        assert not any(section.causal for section in result.sections())
        words = " ".join([result.summary(), *(one.suggests for one in result.sections())]).lower()
        for causal in ("cause", "because of", "due to", "drives", "makes the model", "responsible"):
            assert causal not in words

    def test_claims_are_of_features_found_again_only(self, run):
        result = run[0]
        kept = result.differences[0]
        turned = replace(kept, report=replace(kept.report, first=kept.report.second, second=kept.report.first))
        assert set(turned.holds(fdr=0.05)) == {"no"}
        assert replace(result, differences=(turned,)).claims() == []
        assert len(replace(result, differences=(kept,)).claims()) == 2

    def test_the_text_says_how_it_was_tested_and_read(self, run):
        result = run[0]
        sets = result.tables()["sets"]
        assert set(sets["test"]) <= {"t, paired", "sign-flip, paired", "Welch"}
        features, register = (one.suggests for one in result.sections()[:2])
        assert "second of 4 equal parts" in features
        assert f"Test on the choosing half: {sets['test'][0]}" in register
        assert "in each comparison by itself" in register
        other = replace(result, config=result.config.overlaid({"describe": {"n_quantiles": 3}}))
        assert "second of 3 equal parts" in other.sections()[0].suggests

    def test_metrics(self, run):
        metrics = run[0].metrics()
        assert metrics["active_per_token"] == pytest.approx(16, abs=0.1)
        assert metrics["register_last_again"] > 0.5
        assert {"last_best_feature", "last_two_features", "never_active"} <= metrics.keys()
        assert all(np.isfinite(list(metrics.values())))

    def test_formal_and_informal_texts_differ_and_are_found_again(self, run):
        table = run[0].tables()["differences"]
        own = table[(table["set"] == "register") & (table["reading"] == "last")]
        assert len(own) == 4
        assert (own["found_again"] != "no").all()
        assert (own["d"].abs() > 1).all()

    def test_what_a_comparison_chose_is_shown(self, run):
        result = run[0]
        shown = result.tables()["shown"].set_index("latent")["shown_because"]
        for one in result.differences:
            for latent in one.chosen.latents.tolist():
                assert one.name in shown[latent]
        assert shown.str.contains("most dense").any()

    def test_every_section_says_what_it_does_not_show(self, run):
        sections = run[0].sections()
        assert [section.title.split(":")[0] for section in sections] == [
            "Features of organism-2-resid-post on text", "Features that differ", "Features that differ",
            "Few features that tell support/tone",
        ]  # fmt: skip
        assert all(section.does_not_show and section.figures for section in sections)

    def test_classifiers_stand_beside_their_controls(self, run):
        table = run[0].tables()["combination"].set_index("classifier")
        assert {"best feature", "two features", "bag of words", "activations", "shuffled labels"} <= set(table.index)
        assert table.loc["bag of words", "held_out"] > 0.8  # both contexts are words of the prompt
        assert table.loc["shuffled labels", "held_out"] < 0.75


class TestModels:
    def test_a_model_does_not_differ_from_itself(self):
        config = SaeFeaturesConfig.from_mapping({
            "describe": {"n_tokens": 500}, "differences": {"tuned": "organism", "n_documents": 24, "n_held_out": None},
        })  # fmt: skip
        result = SaeFeatures(config).measure(model(), tuned=model())
        assert [one.chosen.n_clear for one in result.differences] == [0, 0]
        assert all((one.chosen.effect == 0).all() for one in result.differences)
        assert "none of" in result.summary()
        assert result.sections()

    def test_a_model_of_another_shape_is_refused(self):
        from interp_lab import load_model

        config = SaeFeaturesConfig.from_mapping({"describe": {"n_tokens": 500}, "differences": {"tuned": "x"}})
        with pytest.raises(ValueError, match="the tuned model 'organism-attn' does not belong to this model"):
            SaeFeatures(config).measure(model(), tuned=load_model("organism-attn", device="cpu"))

    def test_neurons_are_a_dictionary_too(self):
        config = SaeFeaturesConfig.from_mapping({"neurons": 2, "describe": {"n_tokens": 500}})
        result = SaeFeatures(config).measure(model())
        assert result.overview.hook == "blocks.2.mlp.hook_post"
        assert len(result.overview.n_active) == model().cfg.d_mlp
        assert len(result.sections()) == 1
