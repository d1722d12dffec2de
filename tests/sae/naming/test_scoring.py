"""Labels put to the test: right ones score 1, those of other features 0.5, and nothing unread goes missing."""

import itertools

import numpy as np
import pytest

from interp_lab.sae.naming import Contexts, JudgingConfig, judged_labels, split_contexts, written_labels
from interp_lab.sae.naming.prompts import detection_prompt, highlighted, joined, parsed_answers
from interp_lab.sae.naming.scores import paired_difference_of, share_interval
from interp_lab.sae.naming.scoring import other_labels
from interp_lab.sae.naming.tasks import questions, strongest_and_others
from tests.sae.naming.made import (
    LATENTS,
    excerpts,
    explaining,
    judging,
    planted_contexts,
    silent_now_and_then,
)

ALL = JudgingConfig(n_per_answer=1000)


def told_other(call: int) -> bool:
    """Whether a prompt is of the second round: 32 contexts are 7 prompts told the own label, then 7 told the other."""
    return call // 7 % 2 == 1


class TestJudging:
    @pytest.fixture(scope="class")
    def contexts(self):
        return planted_contexts()

    def test_detection_gives_the_right_label_one_and_the_other_features_label_half(self, contexts):
        scores = judged_labels(contexts, LATENTS, judging, task="detection", written_from=None, config=ALL)
        for one in scores.scores:
            assert one.accuracy.estimate == 1.0
            assert one.other_accuracy == 0.5
            assert one.other_label == {7: "river", 9: "approved"}[one.latent]
            assert one.n_unread == one.n_unread_other == 0
        assert [scores.accuracy().estimate, scores.other_accuracy().estimate] == [1.0, 0.5]
        assert scores.difference().estimate == 0.5
        assert "difference 0.500" in scores.summary()

    def test_fuzzing_too_but_where_wrong_marks_happen_to_fit_the_other_label(self, contexts):
        scores = judged_labels(contexts, LATENTS, judging, task="fuzzing", written_from=None, config=ALL)
        for one in scores.scores:
            asked = questions(contexts, one.latent, task="fuzzing", n_per_answer=1000, seed=0)
            marked = [np.array(text)[mark][0] for text, mark in zip(asked.texts, asked.marks, strict=True)]
            fooled = sum(word == one.other_label for word in marked)
            assert one.accuracy.estimate == 1.0
            assert one.other_accuracy == pytest.approx(0.5 - fooled / len(marked))
            assert fooled <= 2

    def test_a_sabotaged_label_loses_its_score(self, contexts):
        swapped = dict(zip(LATENTS, reversed(LATENTS.values()), strict=True))
        scores = judged_labels(contexts, swapped, judging, task="detection", written_from=None, config=ALL)
        assert [one.accuracy.estimate for one in scores.scores] == [0.5, 0.5]
        assert scores.difference().estimate == -0.5

    def test_a_judge_that_always_says_yes_is_at_chance(self, contexts):
        def agree(prompt: str) -> str:
            return str([1] * len(excerpts(prompt)))

        scores = judged_labels(contexts, LATENTS, agree, task="detection", written_from=None, config=ALL)
        assert scores.accuracy().estimate == scores.other_accuracy().estimate == 0.5

    def test_unread_answers_are_counted_and_count_as_wrong(self, contexts):
        judge = silent_now_and_then(judging, every=4)
        config = JudgingConfig(n_per_answer=10, per_prompt=5)
        scores = judged_labels(contexts, LATENTS, judge, task="detection", written_from=None, config=config)
        first = scores.scores[0]
        assert (first.n_contexts, first.n_unread) == (20, 5), "the last prompt of four"
        assert first.accuracy.estimate == 0.75
        assert scores.unread == 0.25
        assert "25.0% of answers unread" in scores.summary()
        assert scores.table()["n_unread"].tolist() == [5, 5]

    def test_withheld_answers_to_other_labels_make_no_difference(self, contexts):
        rng, calls = np.random.default_rng(0), itertools.count()
        labels = {latent: f"label {latent}" for latent in range(12)}
        many = Contexts(contexts.texts, contexts.documents, tuple(labels), np.tile(contexts.values[:1], (12, 1, 1)))

        def coin_that_declines_others(prompt: str) -> str:
            declines = told_other(next(calls)) and rng.random() < 0.6
            return "I cannot tell." if declines else str(rng.integers(0, 2, len(excerpts(prompt))).tolist())

        scores = judged_labels(many, labels, coin_that_declines_others, task="detection", written_from=None, config=ALL)
        naive = scores.accuracy().estimate - scores.other_accuracy().estimate
        assert naive > 0.1, "counted as wrong, they would"
        assert scores.difference().low < 0 < scores.difference().high
        assert scores.unread_other > 0.1 > scores.unread
        assert f"{scores.unread_other:.1%} with other labels" in scores.summary()
        assert "TOO MANY UNREAD" in scores.summary()

    def test_a_judge_that_declines_every_other_label_leaves_nothing_to_compare(self, contexts):
        calls = itertools.count()

        def loyal(prompt: str) -> str:
            return "No." if told_other(next(calls)) else judging(prompt)

        scores = judged_labels(contexts, LATENTS, loyal, task="detection", written_from=None, config=ALL)
        assert (scores.unread, scores.unread_other) == (0.0, 1.0)
        assert scores.table()["n_both"].tolist() == [0, 0]
        assert "difference not known (0 features read under both labels); 0.0% of answers unread" in scores.summary()
        with pytest.raises(ValueError, match="0 judged feature has no spread"):
            scores.difference()

    def test_the_difference_is_balanced_over_yes_and_no(self):
        right, other = np.array([1.0, 1, 1, 0, 1]), np.array([0.0, 1, 0, 0, 1])
        truths, both = np.array([1, 1, 1, 0, 0], dtype=bool), np.array([1, 1, 0, 1, 1], dtype=bool)
        assert paired_difference_of(right, other, truths=truths, both=both) == (0.5 + 0) / 2
        assert np.isnan(paired_difference_of(right, other, truths=truths, both=both & truths))

    def test_a_latent_whose_labels_differ_in_case_and_spaces_alone_is_no_control(self):
        assert set(other_labels({0: "Approved", 1: "approved ", 2: "river"}, seed=0).values()) <= {
            "river", "Approved", "approved ",
        }  # fmt: skip
        assert other_labels({0: "Approved", 1: " approved", 2: "river"}, seed=1)[0] == "river"
        with pytest.raises(ValueError, match="all read the same"):
            other_labels({0: "Approved", 1: "approved  "}, seed=0)

    def test_a_latent_without_contexts_is_named_rather_than_scored(self, contexts):
        values = contexts.values.copy()
        values[1] = 0
        quiet = Contexts(contexts.texts, contexts.documents, contexts.latents, values)
        scores = judged_labels(quiet, LATENTS, judging, task="fuzzing", written_from=None)
        assert (scores.too_few, [one.latent for one in scores.scores]) == ((9,), [7])
        with pytest.raises(ValueError, match="1 judged feature has no spread"):
            scores.accuracy()
        assert "of one feature (interval over its prompts), with another feature's label 0." in scores.summary()

    def test_a_context_that_comes_twice_is_asked_about_once(self, contexts):
        doubled = Contexts(
            contexts.texts * 2, np.arange(64), contexts.latents, np.concatenate([contexts.values] * 2, axis=1)
        )
        once, twice = (
            judged_labels(one, LATENTS, judging, task="detection", written_from=None, config=ALL).table()
            for one in (contexts, doubled)
        )
        assert once["n_contexts"].tolist() == twice["n_contexts"].tolist() == [32, 32]

    def test_equal_labels_leave_no_control(self, contexts):
        with pytest.raises(ValueError, match="2 labels that all read the same"):
            judged_labels(contexts, dict.fromkeys(LATENTS, "x"), judging, task="detection", written_from=None)

    def test_same_seed_same_questions(self, contexts):
        first, again, other = (
            questions(contexts, 7, task="detection", n_per_answer=6, seed=seed).texts for seed in (0, 0, 1)
        )
        assert first == again != other


class TestIntervals:
    def test_one_prompt_counts_as_one_answer_where_all_are_right(self):
        one = share_interval(np.ones(40), per_prompt=5, level=0.95)
        n, t2 = 8, 2.364624**2
        assert (one.estimate, one.high, one.n_clusters) == (1.0, 1.0, 8)
        assert one.low == pytest.approx(n / (n + t2), abs=1e-5), "Wilson's lower end for 8 of 8, Student's quantile"

    def test_answers_that_do_not_hang_together_count_in_full(self):
        one = share_interval(np.tile([1.0, 1, 1, 0], 10), per_prompt=4, level=0.95)
        n, z = 40, 2.262157
        half = z / (1 + z**2 / n) * np.sqrt(0.75 * 0.25 / n + z**2 / (4 * n**2))
        middle = (0.75 + z**2 / (2 * n)) / (1 + z**2 / n)
        assert (one.low, one.high) == (pytest.approx(middle - half, abs=1e-5), pytest.approx(middle + half, abs=1e-5))

    @pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
    def test_it_holds_the_truth_however_answers_of_a_prompt_hang_together(self, shared):
        rng, share, held = np.random.default_rng(0), 0.75, 0
        for _ in range(400):
            together = np.repeat(rng.random((2, 8)), 5, axis=1)
            right = np.where(together[0] < shared, together[1], rng.random(40)) < share
            found = share_interval(right.astype(np.float64), per_prompt=5, level=0.95)
            held += found.low <= share <= found.high
        assert held >= 0.93 * 400


class TestQuestions:
    def test_half_of_the_answers_are_yes_and_no_context_comes_twice(self):
        contexts = planted_contexts()
        for task in ("detection", "fuzzing"):
            asked = questions(contexts, 7, task=task, n_per_answer=6, seed=0)
            assert (asked.truths.sum(), len(asked.truths)) == (6, 12)
            assert len(set(asked.texts)) == 12

    @pytest.mark.parametrize("task", ["detection", "fuzzing"])
    def test_no_two_contexts_are_of_one_document(self, task):
        contexts = planted_contexts(copies=16)
        paired = Contexts(contexts.texts, contexts.documents // 2, contexts.latents, contexts.values)
        asked = questions(paired, 7, task=task, n_per_answer=1000, seed=0)
        documents = [paired.documents[paired.texts.index(text)] for text in asked.texts]
        assert len(set(documents)) == len(documents) >= 8
        assert asked.truths.sum() == len(documents) / 2

    def test_fuzzing_marks_as_many_tokens_where_it_is_silent(self):
        contexts = planted_contexts()
        asked = questions(contexts, 7, task="fuzzing", n_per_answer=6, seed=0)
        for text, mark, truth in zip(asked.texts, asked.marks, asked.truths, strict=True):
            assert mark.sum() == 1
            assert ("approved" in np.array(text)[mark]) == truth
            assert "approved" in text

    def test_detection_shows_no_marks(self):
        prompts = questions(planted_contexts(), 7, task="detection", n_per_answer=4, seed=0).prompts("x", per_prompt=3)
        assert [n for _, n in prompts] == [3, 3, 2]
        assert not any("<<" in prompt for prompt, _ in prompts)

    def test_labels_are_written_from_the_strongest_and_from_all_strengths(self):
        shown = strongest_and_others(planted_contexts(), 7, n=6, seed=0)
        peaks = sorted((values.max() for _, values in shown), reverse=True)
        assert peaks[:3] == [8, 8, 7]
        assert len(peaks) == 6
        assert peaks[-1] < 4


class TestWriting:
    def test_an_explainer_that_sees_the_highlights_names_the_token_and_scores_one_on_other_text(self):
        split = split_contexts(planted_contexts(copies=16), seed=1)
        labels = written_labels(split.explaining, explaining)
        assert labels == LATENTS
        scores = judged_labels(
            split.scoring, labels, judging, task="detection", written_from=split.explaining, config=ALL
        )
        assert [one.accuracy.estimate for one in scores.scores] == [1.0, 1.0]

    def test_labels_are_not_judged_on_what_they_were_written_from(self):
        contexts = planted_contexts()
        with pytest.raises(ValueError, match="32 texts and 32 documents to judge labels on are also those"):
            judged_labels(contexts, LATENTS, judging, task="detection", written_from=contexts)

    def test_a_split_keeps_documents_whole_and_equal_texts_once(self):
        contexts = planted_contexts()
        doubled = Contexts(
            contexts.texts * 2,
            np.concatenate([contexts.documents // 2, contexts.documents // 2 + 100]),
            contexts.latents,
            np.concatenate([contexts.values] * 2, axis=1),
        )
        split = split_contexts(doubled)
        split.scoring.require_apart(split.explaining)
        assert len(split.scoring.texts) + len(split.explaining.texts) == len(contexts.texts)
        assert split.scoring.documents.max() < 100, "the first of equal texts is kept"

    def test_a_split_with_an_empty_side_is_refused(self):
        with pytest.raises(ValueError, match=r"share=0\.001 of 32 documents"):
            split_contexts(planted_contexts(), share=0.001)

    def test_an_unknown_latent_and_a_wrong_shape_are_refused(self):
        contexts = planted_contexts()
        with pytest.raises(ValueError, match="latent 8 was not read here; those that were are 7, 9"):
            contexts.of(8)
        with pytest.raises(ValueError, match="do not fit 2 latents in 3 contexts"):
            Contexts(contexts.texts[:3], contexts.documents, contexts.latents, contexts.values)


class TestAnswers:
    @pytest.mark.parametrize(
        ("answer", "read"),
        [
            ("[1, 0, 1]", [True, False, True]),
            ('Sure! ["yes", "No", true]', [True, False, True]),
            ("First [0, 0, 0], on reflection [1, 1, 0].", [True, True, False]),
            ("[1, maybe, 0]", [None] * 3),
            ('[1, "maybe", 0]', [True, None, False]),
            ("[1, 0]", [None] * 3),
            ("[1, 0, 1], as I said of excerpt [1]", [True, False, True]),
            ("[0.5, 2, 1]", [None, None, True]),
            ("yes no yes", [None] * 3),
            ("", [None] * 3),
        ],
    )
    def test_what_cannot_be_read_is_none_and_never_guessed(self, answer, read):
        assert parsed_answers(answer, n=3) == read


class TestPrompts:
    def test_an_excerpt_can_neither_end_its_line_nor_highlight_itself(self):
        words = ('end"\n2. "more', "<<b>>", "\u202ec")
        prompt = detection_prompt("x", [words, ("a",)])
        assert len(excerpts(prompt)) == 2
        assert highlighted(words, np.array([True, False, False])).count("<<") == 1
        assert "\u202e" not in prompt

    def test_neighbouring_marks_are_one_and_tokens_with_spaces_are_put_together_as_they_are(self):
        assert (
            highlighted(("the", "big", "river", "ran"), np.array([0, 1, 1, 0], dtype=bool)) == "the <<big river>> ran"
        )
        assert joined(("The", " big", " riv", "er")) == "The big river"
