"""The organism's answers: what its confidence is worth, what is said of one prompt, and where nothing is said."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.config import ConfigError
from interp_lab.experiment import Result
from interp_lab.folds import FoldError, visible
from interp_lab.models import declare_identity, identity_of, load_model
from interp_lab.probes import Probes, ProbesConfig
from interp_lab.probes.saved import trained_probe
from interp_lab.production.confidence import (
    Confidence,
    ConfidenceConfig,
    ConfidenceResult,
    NothingToCalibrateError,
    assess,
    assess_all,
    load_calibration,
    save_calibration,
)
from interp_lab.production.confidence.answering import Answered
from interp_lab.production.confidence.asked import questions
from interp_lab.production.confidence.names import COMBINED, GROUNDING, PROBE
from interp_lab.production.confidence.signals import Reader
from interp_lab.production.monitors.monitor import Monitor
from interp_lab.production.sources.ablations import Ablations
from interp_lab.production.sources.prompts import encoded
from interp_lab.production.sources.scores import falls_without_each
from interp_lab.runs import save_result
from interp_lab.runs.tensors import TensorFileError
from interp_lab.tasks.encoding import encode
from tests.tasks.reading import grammar_reader

SMALL = {"n_fit": 128, "n_calibrate": 128, "n_report": 128, "n_held_out": 64, "n_samples": 5, "n_shuffled": 2}
TRUTH = "grammar/truth/is_true"


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def found(organism):
    config = ConfidenceConfig.from_mapping({**SMALL, "task": "grammar/sources", "n_sources": 4})
    return Confidence(config).measure(organism)


@pytest.fixture(scope="module")
def asked(found):
    return questions(found.config)


class TestFourSources:
    def test_the_organism_is_often_wrong_and_surer_than_it_is_right(self, found):
        assert 0.5 < found.report.right.mean() < 0.85
        assert found.given("probability", found.report.signals).mean() > found.report.right.mean() + 0.05

    def test_its_activations_tell_right_from_wrong_better_than_its_probability(self, found):
        area = dict(zip(found.confidences, found.measured("auroc", found.report), strict=True))
        assert area[COMBINED].estimate > area["probability"].estimate
        brier = dict(zip(found.confidences, found.measured("brier", found.report), strict=True))
        assert brier[COMBINED].estimate < brier["probability"].estimate < 0.3

    def test_grounding_is_the_largest_fall(self, found, organism, asked):
        reader, some = Reader(organism, found.config), asked["report"][:6]
        answered = reader.answered(some, hooks=(found.usual.hook,))
        signals = reader.signals(some, answered, answered.last[:, 0], found.usual, grounded=True)
        made = encoded(
            organism, [(one.prompt, one.spans, said) for one, said in zip(some, answered.answers, strict=True)]
        )
        falls = falls_without_each(Ablations(organism, made), made)
        np.testing.assert_allclose(signals[GROUNDING], np.maximum(falls.max(1), 0), rtol=1e-6)
        np.testing.assert_allclose(
            signals[GROUNDING], found.report.signals[found.names.index(GROUNDING), :6], rtol=1e-2
        )

    def test_the_probe_is_where_it_erred_least_and_was_never_fitted_on_what_is_reported(self, found):
        assert found.usual.hooks[int(found.usual.losses.argmin())] == found.usual.hook
        assert np.isfinite(found.usual.losses).all()

    def test_is_a_result_that_comes_back_from_arrays(self, found):
        assert isinstance(found, Result)
        again = ConfidenceResult.from_arrays(found.config, found.provenance, found.arrays())
        assert again.metrics() == found.metrics()
        assert set(found.figures()) == {"reliability", "risk", "brier", "calibration"}


class TestOnePrompt:
    def test_says_what_the_experiment_found_of_it(self, organism, found, asked):
        one = asked["report"][3]
        sources = [one.prompt[slice(*span)] for span in one.spans]
        made = assess(organism, one.prompt, by=found, sources=sources)
        signals = found.report.signals[:, 3:4]
        assert made.probability == pytest.approx(float(found.given(COMBINED, signals)[0, 0]), rel=1e-2)
        assert made.stated == pytest.approx(float(found.given("probability", signals)[0, 0]), rel=1e-2)
        assert made.answer.strip() in str(made)

    def test_alone_as_among_others(self, organism, found, asked):
        many = assess_all(organism, asked["held_out"][:8], by=found)
        alone = assess_all(organism, asked["held_out"][5:6], by=found)[0]
        assert alone.answer == many[5].answer
        assert alone.probability == pytest.approx(many[5].probability, rel=1e-2)

    def test_reasons_are_signals_far_out_on_the_side_of_the_probability(self, organism, found, asked):
        every = assess_all(organism, asked["report"], by=found)
        base = found.calibrate.right.mean()
        assert sum(bool(one.reasons) for one in every) > 10
        for one in every:
            for reason in one.reasons:
                assert reason.signal in found.informative()
                own = found.calibrate.signals[found.names.index(reason.signal)]
                below = np.mean(own < reason.value) + np.mean(own == reason.value) / 2
                assert reason.percentile == pytest.approx(below, abs=0.02)
                far = 1 - reason.percentile if one.probability >= base else reason.percentile
                assert far <= found.config.telling + 1e-9

    def test_words_come_with_how_often_they_held(self, organism, found, asked):
        able = replace(found, config=found.config.overlaid({"largest_error": 0.49}))
        every = assess_all(organism, asked["report"], by=able)
        said = [one for one in every if one.level is not None]
        assert len(said) > 0.9 * len(every)
        assert all(0 <= one.seen.low <= one.seen.high <= 1 for one in said)

    def test_no_words_where_probabilities_were_not_shown_to_be_calibrated(self, organism, found, asked):
        strict = replace(found, config=found.config.overlaid({"largest_error": 0.001}))
        (one,) = assess_all(organism, asked["report"][:1], by=strict)
        assert one.level is None
        assert "not shown to be at most 0.001" in one.refused
        assert np.isnan(one.seen.estimate)

    def test_no_words_for_a_prompt_of_another_kind(self, organism, found):
        able = replace(found, config=found.config.overlaid({"largest_error": 0.49}))
        made = assess(
            organism, "true or false ? for France the capital would be Rome . it is", by=able, sources=["Rome"]
        )
        assert made.level is None
        assert "activations are stranger than those of all but 0.8% of the prompts" in made.refused
        assert "no level" in str(made)

    def test_sources_are_asked_for_where_they_count(self, organism, found):
        with pytest.raises(ValueError, match="'the capital of' is given without; name its sources"):
            assess(organism, "the capital of", by=found)

    def test_another_model_is_refused(self, found):
        other = grammar_reader()
        declare_identity(other, name="another", processing="raw")
        with pytest.raises(ValueError, match="the calibration does not belong to this model"):
            assess(other, "the capital of", by=found)


class TestOneFile:
    def test_comes_back_as_it_was(self, tmp_path, found, organism, asked):
        save_calibration(found, tmp_path / "calibration.safetensors")
        again = load_calibration(tmp_path / "calibration.safetensors")
        assert again.provenance.model == identity_of(organism)
        assert again.config == found.config
        (one,), (other,) = (assess_all(organism, asked["report"][:1], by=by) for by in (found, again))
        assert str(one) == str(other)

    def test_what_saw_held_out_examples_says_nothing_in_the_search(self, tmp_path, found, organism, asked):
        save_calibration(found, tmp_path / "calibration.safetensors")
        with visible("search"):
            with pytest.raises(FoldError, match="the calibration was made in fold 'all'"):
                assess_all(organism, asked["report"][:1], by=found)
            with pytest.raises(FoldError, match=r"calibration.safetensors was made in fold 'all'"):
                load_calibration(tmp_path / "calibration.safetensors")

    def test_another_file(self, tmp_path):
        path = tmp_path / "none.safetensors"
        path.write_bytes(b"nothing")
        with pytest.raises(TensorFileError, match="is no readable calibration"):
            load_calibration(path)


class TestNothingToCalibrate:
    def test_a_model_that_is_always_right(self, organism):
        config = ConfidenceConfig.from_mapping({**SMALL, "task": "grammar/truth", "n_held_out": None})
        with pytest.raises(
            NothingToCalibrateError, match=r"of 128 answers to grammar/truth \(fit\) are right.*words_cut"
        ):
            Confidence(config).measure(organism)

    def test_one_that_never_is(self):
        model = grammar_reader()
        declare_identity(model, name="organism", processing="raw")
        config = ConfidenceConfig.from_mapping({**SMALL, "n_held_out": None})
        with pytest.raises(NothingToCalibrateError, match="there is nothing to calibrate"):
            Confidence(config).measure(model)


class TestAProbeOfAnotherRun:
    @pytest.fixture(scope="class")
    def run(self, organism, tmp_path_factory):
        """Whether a statement is true, as a run of `probes` found it on other texts."""
        small = {"sites": ("resid_post",), "n_controls": 3, "n_untrained": 1, "mlp": None, "n_documents": 96}
        config = ProbesConfig(labels=(TRUTH,), causal=False, n_held_out=None, **small)
        folder = tmp_path_factory.mktemp("runs") / "probes"
        result = Probes(config).measure(organism)
        save_result(result, folder)
        return folder, trained_probe(result.probed[0], result.provenance)

    def test_is_read_as_it_was_fitted_kept_with_the_calibration_and_needed_no_more(self, organism, run, tmp_path):
        folder, oracle = run
        site = oracle.sites[1]
        own = {"task": "grammar/truth", "words_cut": 1, "probe": {"run": str(folder), "artefact": f"{TRUTH}@{site}"}}
        config = ConfidenceConfig.from_mapping({**SMALL, **own})
        found = Confidence(config).measure(organism)
        assert found.usual.hook == f"blocks.{site}"
        assert "probes" not in found.tables()
        asked = questions(config)["report"]
        with torch.no_grad():
            for nth, tokens in enumerate(encode(organism, [one.prompt for one in asked[:8]])):
                _, cache = organism.run_with_cache(torch.tensor([tokens]))
                score = float(oracle.scorer(site)(cache[f"blocks.{site}"][:, -1:]))
                assert found.report.signals[found.names.index(PROBE), nth] == pytest.approx(score, rel=1e-3, abs=1e-3)
        save_calibration(found, tmp_path / "calibration.safetensors")
        shutil.move(folder, tmp_path / "elsewhere")
        again = assess_all(organism, asked[:4], by=load_calibration(tmp_path / "calibration.safetensors"))
        before = found.given(COMBINED, found.report.signals)[0]
        assert [one.probability for one in again] == pytest.approx(before[:4].tolist(), rel=1e-2)


def test_a_latent_of_another_run_is_read_by_its_value():
    config = ConfidenceConfig.from_mapping({"probe": {"run": "somewhere", "artefact": "#3"}})
    weights, hook = torch.linspace(-1, 1, 4), "blocks.1.hook_resid_post"
    x = np.random.default_rng(0).normal(size=(20, 1, 4)).astype(np.float32)
    nothing = np.zeros(20)
    answered = Answered(((1,),) * 20, ((2,),) * 20, nothing, nothing, nothing, nothing, nothing, x)
    reader = Reader(grammar_reader(), config)
    reader.__dict__["given"] = Monitor("#3", hook, weights, bias=0.5, after="jumprelu", jump=0.25)
    usual = reader.usual(answered, nothing.astype(bool), reader.hooks_read())
    score = x[:, 0] @ weights.numpy() + 0.5
    assert 3 < (score <= 0.25).sum() < 17
    np.testing.assert_allclose(usual.probe(x[:, 0]), np.where(score > 0.25, score, 0), rtol=1e-4, atol=1e-5)


def test_an_unknown_primary_is_refused():
    with pytest.raises(ConfigError, match="no probability is called 'combine'; did you mean 'combined'"):
        ConfidenceConfig.from_mapping({"primary": "combine"})
