"""The experiment: who names the source of the organism's answers, what is claimed, and what is not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Grade, Split
from interp_lab.config import ConfigError
from interp_lab.hypotheses import Confirmable
from interp_lab.models import declare_identity, load_model
from interp_lab.production.sources import SourcesConfig, SourcesExperiment, SourcesResult
from interp_lab.production.sources.asked import texts_of
from tests.tasks.reading import grammar_reader

SMALL = {"n_shuffled": 2, "n_shown": 1, "scoring": {"steps": 2}}
LOO, SUBSETS, CHECK = "leave-one-out (text)", "random subsets (text)", "leave-one-out (mask)"


def asked(model, **changes):
    return SourcesExperiment(SourcesConfig.from_mapping(SMALL | changes)).measure(model)


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def found(organism):
    return asked(organism, n_prompts=48, n_held_out=24)


class TestTheOrganism:
    @pytest.mark.parametrize("split", [Split.REPORT, Split.HELD_OUT])
    def test_leaving_sources_out_names_the_one_that_the_answer_repeats(self, found, split):
        held = found.splits[split]
        accuracy = dict(zip(found.names, np.nanmean(held.hits, 1), strict=True))
        assert min(accuracy[LOO], accuracy[SUBSETS], accuracy[CHECK]) > 0.8
        assert accuracy["attention"] < 0.6
        assert abs(np.nanmean(held.shuffled_hits) - 0.25) < 0.2

    def test_words_of_the_query_name_the_source_that_should_have_been_used(self, found):
        """Where the answer is wrong it comes from another one, which only those find that ask the model."""
        held = found.report
        overlap, own = found.names.index("word overlap"), found.names.index(LOO)
        wrong = held.right == 0
        assert 2 < wrong.sum() < 20
        assert held.hits[overlap][~wrong].mean() > 0.9 > 0.1 > held.hits[overlap][wrong].mean()
        assert held.hits[own][wrong].mean() > 0.7
        table = found.tables()["methods"].query("split == 'report'").set_index("method")["accuracy_if_wrong"]
        assert table[LOO] == pytest.approx(held.hits[own][wrong].mean())
        assert table["word overlap"] < 0.1 < table["at random"] < 0.5

    def test_claims_are_graded_by_the_other_way_of_leaving_out(self, found):
        assert found.tested_by == "mask"
        assert found.grade(LOO) is found.grade(SUBSETS) is Grade.REPLICATED
        assert found.grade("gradient x input") is Grade.DESCRIPTIVE
        assert found.grade(CHECK) is None  # it would be tested by itself
        assert len(found.claims()) == len(found.names) - 1
        assert all("hidden from all that follows" in claim.effect.what for claim in found.claims())

    def test_the_test_is_the_most_that_one_source_can_cost(self, found):
        needed = found.report.needed[1]
        assert (needed[-1] >= needed - 1e-2).all()
        assert (needed[-1] >= found.report.by_lot[1] - 1e-2).all()

    def test_with_no_source_left_it_is_the_same_whatever_was_scored(self, found):
        assert found.report.total.mean() > 4
        assert found.report.clean.shape == found.report.corrupted.shape == (24,)

    def test_sums_of_causal_scores_foretell_other_subsets(self, found):
        means = {name: np.nanmean(found.report.foretold[nth]) for nth, name in enumerate(found.names) if nth}
        assert min(means[LOO], means[SUBSETS]) > 0.4

    def test_is_cheaper_than_running_whole_prompts(self, found):
        assert found.report.n_tokens < 0.7 * found.report.n_whole

    def test_is_confirmed_by_the_same_config(self, found):
        assert isinstance(found, Confirmable)
        confirmation = found.confirmation()
        assert dict(confirmation.config) == {}
        assert f"that {found.chosen} ranks first" in confirmation.statements[0]
        selected = [one.method for one in found.components() if one.selected]
        assert selected == [found.chosen]

    def test_survives_the_disk(self, found):
        again = SourcesResult.from_arrays(found.config, found.provenance, found.arrays())
        assert (again.summary(), again.metrics()) == (found.summary(), found.metrics())

    def test_says_what_is_descriptive_and_what_it_does_not_show(self, found):
        looks, needs = found.sections()
        assert (looks.causal, needs.causal) == (False, True)
        assert "attention is right in" in looks.suggests
        assert "longer sources get more of it" in looks.does_not_show
        assert set(found.tables()) == {"methods", "agreement", "answers"}
        assert set(found.figures()) == {"accuracy", "lost", "prompts"}

    def test_shares_stay_between_0_and_1(self, found):
        methods = found.tables()["methods"]
        assert methods[["accuracy_low", "accuracy_high"]].stack().between(0, 1).all()
        assert (methods["accuracy_low"] < methods["accuracy_high"]).all()  # also where all prompts agree
        assert methods[["foretold_low", "foretold_high"]].stack().dropna().between(-1, 1).all()


class TestNothingToFind:
    @pytest.mark.parametrize(("falls", "why"), [(0.05, "which is too little"), (-1.0, "no source to find")])
    def test_answers_that_hang_on_no_source_are_not_asked_about(self, found, falls, why):
        held = replace(found.report, corrupted=found.report.clean - falls - 0.01 * np.arange(24) / 24)
        nothing = replace(found, report=held)
        assert why in nothing.not_asked
        assert nothing.not_asked in nothing.summary()
        assert nothing.claims() == []
        assert nothing.confirmation() is None

    def test_a_model_that_repeats_no_source_is_not_scored_by_them(self):
        model = grammar_reader()
        declare_identity(model, name="organism", processing="raw")
        found = asked(model, n_prompts=16, n_held_out=None, n_sources=3)
        known = np.isfinite(found.report.hits).all(0)
        assert known.mean() < 0.5
        assert (known == (found.report.truth >= 0)).all()


class TestAnOwnFile:
    @pytest.fixture
    def path(self, tmp_path):
        keys, towns = ("letter", "card", "map", "book"), ("Oslo", "Tokyo", "Paris", "Rome", "Athens")
        lines = [
            {
                "query": f"by Yarnova it is {key}",
                "sources": [f"{key} {town} is one capital , by Yarnova .", f"guide {other} is one , by Yarnova ."],
                "answer": town,
                "relevant": 0,
            }
            for key in keys
            for town, other in zip(towns, towns[1:] + towns[:1], strict=True)
        ]
        path = tmp_path / "mine.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)))
        return path

    def test_is_asked_about_as_it_is(self, organism, path):
        found = asked(organism, task=str(path), n_prompts=20, n_held_out=None)
        assert len(found.report.texts) + len(found.select.texts) == 20
        assert found.metrics()["leave_one_out_text/accuracy"] > 0.75
        assert "right" not in found.metrics()  # nobody said what is
        assert not np.isfinite(found.report.foretold).any()  # two sources have four subsets, and all are fitted on
        assert found.not_replicable == "there are none"

    def test_with_too_few_lines(self, path):
        config = SourcesConfig.from_mapping({"task": str(path), "n_prompts": 40})
        with pytest.raises(
            ValueError, match="holds 20 different ordinary prompts, and n_prompts=40; set n_prompts to 20"
        ):
            texts_of(config)
        config = SourcesConfig.from_mapping({"task": str(path), "n_prompts": 20})
        with pytest.raises(ValueError, match=r"holds 0 different reserved prompts.*set n_held_out to null"):
            texts_of(config)


class TestBadInput:
    def test_a_task_without_sources(self):
        with pytest.raises(ValueError, match="task 'grammar/facts' has no sources; use 'grammar/sources'"):
            texts_of(SourcesConfig.from_mapping({"task": "grammar/facts"}))

    @pytest.mark.parametrize(
        "values", [{"n_sources": 7}, {"n_sources": 1}, {"scoring": {"keep": 1.0}}, {"scoring": {"way": "erase"}}]
    )
    def test_values_out_of_range(self, values):
        with pytest.raises(ConfigError):
            SourcesConfig.from_mapping(values)

    def test_a_prompt_that_does_not_fit(self, organism):
        with pytest.raises(ValueError, match="more than the context of 64"):
            asked(organism, n_prompts=16, n_held_out=None, answer_tokens=60)
