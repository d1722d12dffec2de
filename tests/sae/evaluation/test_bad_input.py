"""What cannot be measured is refused, by name and with the way out."""

import dataclasses

import pytest
import torch

from interp_lab import load_model
from interp_lab.config import ConfigError
from interp_lab.folds import visible
from interp_lab.hooks import NonFiniteActivationError
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.chosen import SaeChoice
from interp_lab.sae.evaluation import NonFiniteReconstructionError, evaluate, experiment
from interp_lab.sae.evaluation.config import SaeEvaluationConfig
from interp_lab.sae.evaluation.training_text import known_of_training
from tests.sae.evaluation.small import IDENTITY, RESID, Made, bundled, config, measured, model


class TestCodecs:
    def test_none(self):
        with pytest.raises(ValueError, match="no codec to evaluate"):
            measured({})

    @pytest.mark.parametrize("name", ["mean", "zero", "pca_16", "random_1024_16", "data_9_1", "own_sae", "a/b", ""])
    def test_names_that_are_taken_or_no_names(self, name):
        with pytest.raises(ValueError, match="cannot name a codec"):
            measured({name: IDENTITY})

    def test_of_another_hook_point(self):
        with pytest.raises(
            ValueError, match=r"trained at blocks\.2\.hook_resid_post, not at blocks\.1\.hook_resid_post"
        ):
            measured({"sae": bundled()})

    @pytest.mark.parametrize(
        ("name", "processing", "told"),
        [("organism", "raw", "center_writing_weights matters"), ("organism-tuned", "folded", "use its own model")],
    )
    def test_of_another_model_or_processing(self, name, processing, told):
        sae = bundled()
        with pytest.raises(ValueError, match=told):
            evaluate(load_model(name, "cpu", processing=processing), {"sae": sae}, sae.hook, config=config())

    def test_that_makes_nan_is_named(self):
        with pytest.raises(NonFiniteReconstructionError, match=r"batch 0: 'broken' reconstructs \d+ of \d+ finite"):
            measured({"fine": IDENTITY, "broken": Made(lambda x: torch.where(x > 2, torch.nan, x))})

    def test_after_which_predictions_are_nan_is_named(self):
        with pytest.raises(NonFiniteReconstructionError, match=r"batch 0: with 'huge' in place at .* are NaN"):
            measured({"huge": Made(lambda x: 1e38 * x.sign())})

    def test_of_another_width(self):
        with pytest.raises(ValueError, match=r"'half' makes \(\d+, 64\) of activations of shape \(\d+, 128\)"):
            measured({"half": Made(lambda x: x[..., :64])})

    def test_pairs_that_are_not_there(self):
        with pytest.raises(ValueError, match="stability names 'other', and there are one"):
            measured({"one": IDENTITY}, stability=[["one", "other"]])

    def test_of_different_hook_points_in_one_experiment(self, monkeypatch):
        given = {"one": bundled(), "two": dataclasses.replace(bundled(), hook=RESID)}
        chosen = {name: SaeChoice(sae=name) for name in given}
        monkeypatch.setattr(experiment, "load_chosen", lambda choice, device: given[choice.sae])
        run = experiment.SaeEvaluation(SaeEvaluationConfig(dictionaries=chosen))
        told = "one at blocks.2.hook_resid_post, two at blocks.1.hook_resid_post.*one run for each"
        with pytest.raises(ValueError, match=told):
            run.measure(model())


class TestHooks:
    @pytest.mark.parametrize(
        ("hook", "told"),
        [("blocks.1.hook_resid_pots", "did you mean"), ("blocks.1.attn.hook_pattern", "no activation per token")],
    )
    def test_unknown_or_without_an_activation_per_token(self, hook, told):
        with pytest.raises(ValueError, match=told):
            measured({"identity": IDENTITY}, hook)

    def test_activations_that_are_not_finite(self):
        broken = load_model("organism", "cpu")
        with torch.no_grad():
            broken.blocks[0].mlp.W_out[3, 4] = torch.nan
        with pytest.raises(NonFiniteActivationError, match=r"batch 0: .*'blocks\.0\.hook_mlp_out'"):
            evaluate(broken, {"identity": IDENTITY}, RESID, config=config())


class TestText:
    def test_too_little(self, tmp_path):
        path = tmp_path / "short.txt"
        path.write_text("\n\n".join(f"Anna lives in Oslo , near number {n} ." for n in range(40)))
        with pytest.raises(ValueError, match="n_tokens asks for 400; give more text"):
            measured({"identity": IDENTITY}, text={"source": str(path), "part": "held_out", "held_out_share": 0.5})

    def test_of_one_document(self):
        with pytest.raises(ValueError, match="n_tokens=3 are of one document; intervals need at least two"):
            measured({"identity": IDENTITY}, n_tokens=3)

    def test_no_side_left_for_baselines(self):
        with pytest.raises(ConfigError, match=r"leaves no text for baselines: use text\.part='held_out'"):
            config(text={"part": "train"})

    def test_the_same_documents_on_both_sides(self):
        with pytest.raises(ValueError, match="of the documents to measure on are among those that baselines come from"):
            measured({"identity": IDENTITY}, fit_text={"part": "all"})


class TestTrainingText:
    """Documents are divided by what they say: a smaller held-out share lies within a larger one."""

    @pytest.mark.parametrize("share", [0.5, 0.7])
    def test_the_train_side_of_the_division_is_other_text(self, share):
        sae = bundled(source="grammar", part="train", held_out_share=share, seed=7)
        assert known_of_training(sae, config().text) == "other text"

    @pytest.mark.parametrize(("part", "share"), [("all", 0.5), ("train", 0.4), ("held_out", 0.5)])
    def test_what_may_have_been_trained_on_is_refused(self, part, share):
        sae = bundled(source="grammar", part=part, held_out_share=share)
        with pytest.raises(ValueError, match=f"was trained on part '{part}' of 'grammar'.*measure on part 'held_out'"):
            evaluate(model(), {"sae": sae}, sae.hook, config=config())

    @pytest.mark.parametrize("part", ["all", "train", "held_out"])
    def test_what_was_trained_on_in_one_fold_is_other_text_than_the_other_fold(self, part):
        sae = bundled(source="grammar", part=part, held_out_share=0.1, trained_in="search")
        with visible("held_out"):
            assert known_of_training(sae, config().text) == "other text"

    @pytest.mark.parametrize(("fold", "now"), [("search", "search"), ("search", "all"), ("all", "held_out")])
    def test_a_fold_that_is_open_on_both_sides_divides_nothing(self, fold, now):
        sae = bundled(source="grammar", part="all", held_out_share=0.1, trained_in=fold)
        refused = pytest.raises(ValueError, match=f"fold '{fold}'.*fold '{now}'.*measure on part 'held_out'")
        with visible(now), refused:
            known_of_training(sae, config().text)

    @pytest.mark.parametrize("trained_in", ["all", "search"])
    def test_documents_that_are_cut_otherwise_are_not_divided(self, tmp_path, trained_in):
        """A line that is measured on may stand in a paragraph that was trained on."""
        path = tmp_path / "text.txt"
        path.write_text("one\ntwo")
        sae = bundled(source=str(path), part="train", held_out_share=0.1, trained_in=trained_in)
        measured_on = TextConfig(source=str(path), part="held_out", held_out_share=0.1, unit="line")
        with visible("held_out"):
            with pytest.raises(ValueError, match="in the same documents, column 'text' and unit 'paragraph'"):
                known_of_training(sae, measured_on)
            assert known_of_training(sae, measured_on.model_copy(update={"unit": "paragraph"})) == "other text"

    def test_another_source_is_other_text(self):
        assert known_of_training(bundled(source="books.txt", part="all"), config().text) == "other text"

    def test_a_file_by_another_spelling_is_the_same_text(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "texts.txt").write_text("one")
        sae = bundled(source="./texts.txt", part="train", held_out_share=0.1)
        for spelling in ("texts.txt", str(tmp_path / "texts.txt"), "../" + tmp_path.name + "/texts.txt"):
            with pytest.raises(ValueError, match="was trained on part 'train'"):
                known_of_training(sae, TextConfig(source=spelling, part="held_out", held_out_share=0.5))
            divided = TextConfig(source=spelling, part="held_out", held_out_share=0.1)
            assert known_of_training(sae, divided) == "other text"

    def test_of_another_file_it_is_known_only_if_both_are_there(self, tmp_path):
        here, there = tmp_path / "here.txt", tmp_path / "there.txt"
        here.write_text("one")
        measured_on = TextConfig(source=str(here), part="all")
        told = lambda source: known_of_training(bundled(source=str(source), part="all"), measured_on)  # noqa: E731
        assert told(there) == "not known"
        assert told(tmp_path) == "not known"  # holds it
        there.write_text("two")
        assert told(there) == "other text"

    def test_the_page_says_where_nothing_is_known(self):
        sae = bundled()
        found = evaluate(model(), {"sae": sae}, sae.hook, config=config(baselines=()))
        assert found.trained_on == {"sae": "not known"}
        assert "It is not known what sae was trained on" in found.sections()[0].suggests
        assert "not known" not in measured({"identity": IDENTITY}, baselines=()).sections()[1].suggests
