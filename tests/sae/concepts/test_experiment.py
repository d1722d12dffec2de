"""The whole experiment, on the organism and its bundled autoencoder."""

from dataclasses import replace

import numpy as np
import pytest
from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig

from interp_lab.claims import Grade, Split
from interp_lab.models import load_model
from interp_lab.registry import load_result
from interp_lab.sae.concepts import Beside, Concepts, ConceptsConfig
from interp_lab.sae.concepts.figures import MOST_ROWS, shown
from interp_lab.sae.concepts.judged import Judged
from interp_lab.sae.concepts.result import ConceptsResult
from interp_lab.sae.concepts.sides import Kind
from interp_lab.sae.concepts.texts import k_told
from interp_lab.stats import benjamini_hochberg

CONFIG = ConceptsConfig(
    labels=("grammar/register/register", "grammar/truth/random"), n_documents=96, n_held_out=32, n_random=4,
    n_shuffled=4, n_full=64, k=(1, 2), n_candidates=64,
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_model("organism")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "concepts"
    return Concepts(CONFIG).run(run_dir=folder), folder


@pytest.fixture(scope="module")
def result(run):
    return run[0]


class TestFound:
    def test_a_register_has_a_feature_and_a_coin_has_none(self, result):
        assert result.found.tolist() == [True, False]
        assert result.judged[0].score(Kind.FEATURE).low > 0.6

    def test_claims_are_descriptive_whatever_was_found(self, result):
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in result.claims())
        ends = {1.0: "goes with it", -1.0: "goes with its absence"}
        assert result.claims()[0].statement.endswith(ends[float(result.measured[0].signs[0])])
        assert "no feature found" in result.claims()[1].statement

    def test_sections_are_descriptive_and_say_where_to_ask_for_more(self, result):
        sections = result.sections()
        assert not any(section.causal for section in sections)
        assert "feature_effects" in sections[0].does_not_show
        assert [set(section.figures) for section in sections] == [{"best", "beyond"}, {"choosing"}, {"probes"}]

    def test_what_was_chosen_by_is_flattered(self, result):
        table = result.tables()["choosing"]
        off = table[table["side"] == "shuffled labels"]
        assert (off["shrinkage"] > 0.01).all()
        assert table["select"].min() >= 0.5

    def test_differences_are_of_the_same_texts(self, result):
        one = result.judged[0]
        part = one.measured.scores[Split.REPORT]
        assert one.beyond(Kind.NEURON).estimate == pytest.approx(float((part.best[0] - part.best[1]).mean()))
        assert one.beyond_rival == one.beyond(Kind.NEURON)
        assert one.beyond_rival.n_clusters == len(part.templates) == 48
        assert one.score(Kind.FEATURE, Split.HELD_OUT).n_clusters == 4

    def test_metrics_are_finite_and_named(self, result):
        metrics = result.metrics()
        assert all(np.isfinite(value) for value in metrics.values())
        assert metrics["n_not_found"] == metrics["n_found"] == 1.0
        assert {"mean.feature", "mean.probe_feature_all", "register.register.informal.feature"} <= set(metrics)

    def test_every_side_is_compared_with_and_counted(self, result):
        table, metrics = result.tables()["concepts"], result.metrics()
        for side in ("neuron", "coordinate", "component", "random"):
            told = table[f"beside_{side}"]
            name = "random_feature" if side == "random" else side
            assert metrics[f"n_better_than_{name}"] == (told == "better").sum()
            assert metrics[f"n_worse_than_{name}"] == (told == "worse").sum()
            clear = (table[f"beyond_{side}_low"] > 0) & (table[f"p_adjusted_{side}"] < CONFIG.fdr)
            assert (told == "better").tolist() == clear.tolist()
        text = result.sections()[0].suggests
        assert "best component: better in" in text
        assert "features beat the best of every side" in text
        assert "false discovery rate 5% over concepts and sides together" in text
        assert "seen again on held-out templates" in text

    def test_corrections_are_over_concepts_and_over_concepts_and_sides(self, result):
        p = np.stack([one.p_beyond for one in result.judged])
        assert p.shape == (2, 4)
        np.testing.assert_array_equal(result.p_adjusted, benjamini_hochberg(p))
        one = result.judged[0]
        assert one.p_found < 0.05
        many = ConceptsResult(
            CONFIG.overlaid({"fdr": 1.5 * one.p_found}), result.provenance, "sae", "hook", 1, result.measured, ()
        )
        assert one.is_found()
        assert not many.found[0]  # of two concepts, one of which is nothing, p counts twice

    def test_what_is_worse_is_counted_whether_found_or_not(self, result):
        """The coin's scores with the best component's in front: below chance, and clearly so."""
        coin = result.measured[1]
        part = coin.scores[Split.REPORT]
        best = part.best.copy()
        best[0] = 0.0
        best[coin.sides.index(Kind.COMPONENT)] = 1.0
        low = replace(coin, scores={Split.REPORT: replace(part, best=best)})
        told = ConceptsResult(CONFIG, result.provenance, "sae", "hook", 1, (low,), ())
        assert not told.found[0]
        assert told.beside(0, Kind.COMPONENT) is Beside.WORSE
        assert told.counted(Kind.COMPONENT)[Beside.WORSE] == 1

    def test_better_than_all_is_found_and_clear_of_every_side(self, result):
        register = result.measured[0]
        part = register.scores[Split.REPORT]
        best = np.full_like(part.best, 0.5)
        best[0] = 1.0

        def with_best(values):
            one = replace(register, scores={Split.REPORT: replace(part, best=values)})
            return ConceptsResult(CONFIG, result.provenance, "sae", "hook", 1, (one,), ())

        assert with_best(best).beats_all(0)
        for side in range(1, len(best)):
            equal = best.copy()
            equal[side] = 1.0
            assert not with_best(equal).beats_all(0)

    def test_a_concept_needs_an_area_of_interest(self, result):
        register = result.judged[0]
        above = register.score(Kind.FEATURE)
        for least, found in ((0.6, True), (above.estimate, False)):
            config = CONFIG.overlaid({"least_area": least})
            assert Judged(register.measured, config).is_found() == found
        assert Judged(register.measured, CONFIG.overlaid({"least_area": above.estimate})).p_found > 0.5

    def test_nothing_is_compared_with_itself(self, result):
        with pytest.raises(ValueError, match="'feature' is no side to compare with; there are neuron, coordinate"):
            result.judged[0].beyond(Kind.FEATURE)

    def test_the_full_probe_says_how_many_it_reads(self, result):
        assert k_told(result)[-1] == "all (at most 64)"
        wide = ConceptsResult(CONFIG, result.provenance, "sae", "hook", 64, result.measured, ())
        assert k_told(wide)[-1] == "all"
        assert "all (at most 64)" in result.sections()[2].suggests

    def test_summary_names_the_feature_and_that_it_is_descriptive(self, result):
        told = result.summary()
        assert f"#{result.measured[0].feature}" in told
        assert "feature_effects" in told
        assert "blocks.2.hook_resid_post" in told

    def test_concepts_are_called_by_their_latent_where_the_behaviour_says_no_more(self, result):
        assert [one.short for one in result.measured] == ["register = informal", "truth/random = True"]

    def test_of_many_concepts_the_farthest_are_shown(self, result):
        many = ConceptsResult(
            CONFIG, result.provenance, "sae", "hook", 1, (result.measured[1],) * MOST_ROWS + (result.measured[0],), ()
        )
        assert len(shown(many)) == MOST_ROWS

    def test_a_run_comes_back(self, run):
        result, folder = run
        again = load_result(folder)
        assert again.summary() == result.summary()
        assert again.metrics() == result.metrics()


class TestBadInput:
    def test_an_autoencoder_of_another_model(self, tmp_path, model):
        sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=128, d_sae=16, k=2))
        sae.cfg.metadata.model_name, sae.cfg.metadata.hook_name = "organism-attn", "blocks.1.hook_resid_post"
        sae.save_inference_model(str(tmp_path / "other"))
        config = CONFIG.overlaid({"dictionary": {"sae": str(tmp_path / "other")}})
        with pytest.raises(ValueError, match="was trained on organism-attn, not on organism; use its own model"):
            Concepts(config).measure(model)

    def test_a_label_without_concepts_is_refused_if_named_and_told_of_if_not(self, model):
        with pytest.raises(ValueError, match="person takes 20 words"):
            Concepts(CONFIG.overlaid({"labels": ["grammar/facts/person"]})).measure(model)
