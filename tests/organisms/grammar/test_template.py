import pytest

from interp_lab.organisms.grammar.template import Template, templates

MEETING = Template("meeting/00", "{first} met {second} . {first} smiled .", reserved=False)


class TestTemplate:
    def test_says_which_word_came_from_which_slot(self):
        assert MEETING.fill({"first": "Anna", "second": "a man"}) == [
            ("Anna", "first"),
            ("met", None),
            ("a", "second"),
            ("man", "second"),
            (".", None),
            ("Anna", "first"),
            ("smiled", None),
            (".", None),
        ]

    def test_lists_its_slots_in_order_and_as_often_as_they_stand(self):
        assert MEETING.slots == ("first", "second", "first")

    def test_needs_a_value_for_every_slot_and_names_the_near_miss(self):
        with pytest.raises(ValueError, match=r"meeting/00 has a slot 'second'.*not filled; did you mean 'secnd'"):
            MEETING.fill({"first": "Anna", "secnd": "Ben"})

    @pytest.mark.parametrize("text", ["", "two  spaces", " space in front", "space behind "])
    def test_is_words_with_single_spaces(self, text):
        with pytest.raises(ValueError, match="single spaces"):
            Template("meeting/01", text, reserved=False)


class TestTemplates:
    def test_numbers_them_with_the_reserved_ones_last(self):
        made = templates("x", trained=tuple("abcdefgh"), reserved=tuple("ijkl"))
        assert [template.id for template in made] == [f"x/{number:02d}" for number in range(12)]
        assert [template.text for template in made if template.reserved] == list("ijkl")

    @pytest.mark.parametrize(
        ("n_trained", "n_reserved"), [(7, 4), (9, 4), (12, 0)], ids=["eleven", "less than a third reserved", "none"]
    )
    def test_wants_twelve_and_a_third_of_them_reserved(self, n_trained, n_reserved):
        letters = "abcdefghijklmnopqrst"
        with pytest.raises(ValueError, match=f"x has {n_trained} \\+ {n_reserved} templates; it needs 12"):
            templates("x", trained=tuple(letters[:n_trained]), reserved=tuple(letters[n_trained:][:n_reserved]))

    def test_refuses_the_same_text_twice(self):
        with pytest.raises(ValueError, match="x has the same template twice"):
            templates("x", trained=tuple("abcdefgh"), reserved=tuple("ijka"))
