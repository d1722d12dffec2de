"""Texts taken apart, edits made of them, and texts beside their flips."""

import pytest

from interp_lab.production.counterfactuals.cases import grammar_cases, own_case
from interp_lab.production.counterfactuals.diffs import diff_table, marked
from interp_lab.production.counterfactuals.words import Edit, Words, go_together, written


class TestWords:
    @pytest.mark.parametrize("text", ["a b", " a  b, c.\n", "don't\tgo", "", "...", "x = 1;", "naïve Ünit 42"])
    def test_together_again_it_is_the_same(self, text):
        assert Words.of(text).text == text

    def test_a_word_that_goes_takes_the_gap_before_it(self):
        words = Words.of("the cat, sat.")
        assert words.words == ("the", "cat", ",", "sat", ".")
        assert words.written({1: ""}) == "the, sat."
        assert words.written({0: ""}) == "cat, sat."
        assert words.written({1: "dog", 3: "ran"}) == "the dog, ran."

    def test_each_word_is_where_it_is_said_to_begin(self):
        words = Words.of("  the cat, sat.")
        assert [words.text[at : at + len(word)] for at, word in zip(words.starts(), words.words, strict=True)] == list(
            words.words
        )

    @pytest.mark.parametrize(
        ("value", "place"),
        [("low income", (1, 2)), ("low", None), ("debt", (5,)), ("high", None), ("", None)],
        ids=["several words", "twice there", "one word", "not there", "nothing"],
    )
    def test_a_value_is_where_it_stands_once(self, value, place):
        assert Words.of("has low income and low debt").place(value) == place


class TestOwnCases:
    @pytest.mark.parametrize(
        ("values", "texts"),
        [
            (["low income", "high income"], ["she has high income and low debt"]),
            (["low debt", "no debt at all"], ["she has low income and no debt at all"]),
            (["has low", "had"], ["she had income and low debt"]),
            (
                ["income and", "income and some", "and"],
                ["she has low income and some low debt", "she has low and low debt"],
            ),
        ],
        ids=["one word differs", "more words", "fewer words", "put in, and left out"],
    )
    def test_an_attribute_is_written_with_each_other_value(self, values, texts):
        case = own_case("she has low income and low debt", [" yes", " no"], {"of": values})
        assert [written(case.words, [edit]) for edit in case.vocabulary] == texts

    def test_only_the_word_that_differs_is_replaced_so_that_words_can_be_swapped(self):
        slots = {"income": ["low income", "high income"], "debt": ["low debt", "high debt"]}
        case = own_case("she has low income and high debt", [" yes", " no"], slots)
        assert case.allowed() == {2: {"high"}, 5: {"low"}}

    def test_the_longer_of_two_values_that_hold_one_another_is_meant(self):
        case = own_case("he is from New York now", [" a", " b"], {"town": ["York", "New York", "Paris"]})
        assert [written(case.words, [edit]) for edit in case.vocabulary] == [
            "he is from York now", "he is from Paris now"
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("prompt", "answers", "slots", "message"),
        [
            ("a b", [" x"], {}, r"answers \[' x'\] must be two or more, all different"),
            ("a b", [" x", " x"], {}, "must be two or more, all different"),
            ("a b ", [" x", " y"], {}, "ends in a space, which belongs to the answers"),
            (" ", [" x", " y"], {}, "is empty"),
            ("a b", [" x", " y"], {"s": ["c", "d"]}, "slot 's': 0 of the values 'c', 'd' stand"),
            (
                "a a",
                [" x", " y"],
                {"s": ["a", "d"]},
                "give the one that stands there and at least one other, each with",
            ),
            ("a b", [" x", " y"], {"s": ["a"]}, "at least one other"),
            ("a b", [" x", " y"], {"s": ["a", "b"]}, "2 of the values"),
        ],
    )
    def test_what_cannot_be_used_is_refused(self, prompt, answers, slots, message):
        with pytest.raises(ValueError, match=message):
            own_case(prompt, answers, slots)


class TestGrammarCases:
    def test_edits_write_what_the_grammar_writes(self):
        """Every value of every attribute that the text shows, written as a counterfactual of the grammar."""
        from interp_lab.organisms.grammar.corpus import behaviour

        (case,) = grammar_cases("loans", 1, seed=[3], reserved=False, without=set())
        source = behaviour("loans")
        template = next(one for one in source.templates if one.id == case.template)
        for edit in case.vocabulary:
            other = source.example(template, {**case.latents, edit.what: edit.value})
            assert written(case.words, [edit]) == other.prompt
        before = set(template.slots[: template.slots.index("answer")])
        assert {edit.what for edit in case.vocabulary} == before & set(source.varied)
        assert len(case.vocabulary) == sum(len(source.varied[name]) - 1 for name in before & set(source.varied))

    def test_no_text_is_drawn_twice(self):
        taken: set[str] = set()
        drawn = grammar_cases("urgency", 20, seed=[0], reserved=False, without=taken)
        drawn += grammar_cases("urgency", 20, seed=[0], reserved=False, without=taken)
        assert len({case.words.text for case in drawn}) == 40

    def test_the_same_seed_draws_the_same(self):
        one, other = (grammar_cases("loans", 3, seed=[1, 2], reserved=True, without=set()) for _ in range(2))
        assert one == other


def test_edits_go_together_unless_they_touch_or_are_of_one_attribute():
    one = Edit("a", ((0, "x"),), "")
    assert go_together(one, Edit("b", ((1, "y"),), ""))
    assert not go_together(one, Edit("b", ((0, "y"),), ""))
    assert not go_together(one, Edit("a", ((1, "y"),), ""))


class TestDiffs:
    def test_words_that_differ_are_marked_on_both_sides(self):
        before, after = marked("the cat sat", "the big dog sat")
        assert "<del" in before
        assert before.count("<del") == 1
        assert ">cat</del>" in before
        assert after.count("<ins") == 2
        assert before.striptags() == "the cat sat"
        assert after.striptags() == "the big dog sat"

    def test_nothing_of_a_text_can_act(self):
        hostile = "<script>alert(1)</script> & \u202e \"onload='x'"
        table = diff_table([(hostile, f"{hostile} b", hostile, hostile, hostile, hostile)])
        assert "<script" not in table
        assert "\u202e" not in table
        assert "\\u202e" in table
        assert "onload='x'" not in table
