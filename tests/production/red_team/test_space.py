"""What may be changed in a text: every input is one that could have been written, or differs where it may."""

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.loans import LOANS
from interp_lab.production.red_team.edits import edit_from, edit_name, told
from interp_lab.production.red_team.space import slot_space, text_of, token_space
from interp_lab.production.red_team.starts import Drawing, kept_of
from interp_lab.tasks.encoding import encode
from tests.production.red_team.cases import KEPT, first_start
from tests.tasks.reading import grammar_reader, piece_tokenizer, reader


@pytest.fixture(scope="module")
def model():
    return grammar_reader()


class TestEdits:
    def test_reads_back_what_it_writes_whatever_the_order(self):
        edit = edit_from("seal=broken with paper=waxed")
        assert edit == (("paper", "waxed"), ("seal", "broken"))
        assert edit_from(edit_name(edit)) == edit
        assert told(edit) == "'waxed' for the paper and 'broken' for the seal"

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [("waxed", "names no edit; write SLOT=WORD"), ("paper=", "names no edit"),
         ("paper=a with paper=b", "puts two words into one slot")],
    )  # fmt: skip
    def test_refuses_what_is_no_edit(self, text, complaint):
        with pytest.raises(ValueError, match=complaint):
            edit_from(text)


class TestSlots:
    def test_every_single_edit_is_the_text_written_with_that_value(self, model):
        start = first_start(model)
        space = slot_space(model, LOANS, start, keep=())
        template = next(one for one in LOANS.templates if one.id == start.template)
        for nth, slot in enumerate(space.slots):
            states = np.zeros((len(slot.options), len(space.slots)), dtype=np.int64)
            states[:, nth] = np.arange(len(slot.options))
            values = {
                LOANS.example(template, {**start.latents, slot.name: value}).prompt for value in LOANS.varied[slot.name]
            }
            assert {tuple(row) for row in space.tokens(states).tolist()} == set(encode(model, sorted(values)))

    def test_what_should_decide_is_kept(self, model):
        space = slot_space(model, LOANS, first_start(model), keep=kept_of(LOANS, None))
        assert not {slot.name for slot in space.slots} & set(KEPT)

    def test_names_what_was_put_where(self, model):
        start = first_start(model, template="loans/04")
        space = slot_space(model, LOANS, start, keep=KEPT)
        names = [slot.name for slot in space.slots]
        state = space.unchanged()
        state[names.index("seal")] = 1
        put = text_of(model, space.slots[names.index("seal")].options[1])
        assert space.edit(model, state) == (("seal", put),)
        assert f"seal : {put} ." in text_of(model, space.tokens(state[None])[0])

    def test_a_tokenizer_in_pieces_changes_words_of_as_many_pieces(self):
        model = reader(piece_tokenizer(), n_ctx=256)
        start = first_start(model)
        space = slot_space(model, LOANS, start, keep=())
        template = next(one for one in LOANS.templates if one.id == start.template)
        assert space.slots, "some values have as many pieces as others"
        for nth, slot in enumerate(space.slots):
            values = LOANS.varied[slot.name]
            texts = [LOANS.example(template, {**start.latents, slot.name: value}).prompt for value in values]
            possible = set(encode(model, texts))
            states = np.zeros((len(slot.options), len(space.slots)), dtype=np.int64)
            states[:, nth] = np.arange(len(slot.options))
            assert {tuple(row) for row in space.tokens(states).tolist()} <= possible


class TestTokens:
    def test_any_token_in_any_place_but_what_should_decide(self, model):
        start = first_start(model)
        space, slots = token_space(model, LOANS, start, keep=KEPT), slot_space(model, LOANS, start, keep=())
        kept = {place for slot in slots.slots if slot.name in KEPT for place in slot.places}
        assert {slot.places[0] for slot in space.slots} == set(range(1, len(start.ids))) - kept
        levels = {int(one) for slot in slots.slots if slot.name in KEPT for one in slot.options.ravel()}
        n_words = len(model.tokenizer) - len(model.tokenizer.all_special_ids) - len(levels)
        for slot in space.slots:
            assert len(slot.options) == n_words
            assert not levels & set(slot.options.ravel().tolist())
            assert slot.options[0] == start.ids[slot.places[0]]


class TestDrawing:
    def test_no_text_comes_twice(self, model):
        drawn = Drawing(model, LOANS, np.random.default_rng(0)).starts()
        texts = [next(drawn).text for _ in range(50)]
        assert len(set(texts)) == 50

    def test_refuses_a_slot_that_no_template_shows(self, model):
        with pytest.raises(ValueError, match="no ordinary template of loans has moon before the answer"):
            next(Drawing(model, LOANS, np.random.default_rng(0)).starts(showing=("moon",)))

    def test_refuses_to_keep_what_is_not_there(self):
        with pytest.raises(ValueError, match="loans has no attribute 'incom'; did you mean 'income'"):
            kept_of(LOANS, ("incom",))
