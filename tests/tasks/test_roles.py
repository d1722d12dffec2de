"""Positions by role, counted on paper: one template per task, padded on the right and on the left."""

from itertools import groupby

import pytest
import torch
from transformers import ByT5Tokenizer

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.corpus import BEHAVIOURS, VARIANTS, behaviour
from interp_lab.tasks import TextPair, grammar_pairs, pairs_for, read_pairs, tokenize_pairs, write_template
from interp_lab.tasks.encoding import prompts
from interp_lab.tasks.grammar import slot_places
from interp_lab.tasks.indirect_object import TEMPLATES, indirect_object_pairs
from interp_lab.tasks.induction import induction_pairs
from interp_lab.tasks.roles import Place, token_indices
from interp_lab.tasks.sentences import Sentence
from tests.tasks.reading import grammar_reader, piece_reader, reader, word_reader, word_tokenizer
from tests.tiny import tiny_model

FRANCE = TextPair("the capital of France is", "the capital of Italy is", (" Paris",), (" Rome",), "capital/0")
SHORT = TextPair("a b", "a c", (" d",), (" e",), "letters/0")
SIDES = ("right", "left")


def lists(pairs):
    return {name: positions.tolist() for name, positions in pairs.roles.items()}


def of_template(pairs, template, *, n_tokens):
    """Roles of the first pair of a template, counted from its first token, `None` where it has no such place."""
    row = pairs.templates.index(template)
    assert int(pairs.mask[row].sum()) == n_tokens  # or what is counted on paper are not its tokens
    first = pairs.clean.shape[1] - n_tokens if pairs.padding == "left" else 0
    return {name: int(at[row]) - first if at[row] >= 0 else None for name, at in pairs.roles.items()}


class TestGiven:
    def test_by_hand(self):
        right, left = (tokenize_pairs(word_reader(), [FRANCE, SHORT], name="x", padding=side) for side in SIDES)
        assert lists(right) == {"start": [0, 0], "changed": [4, 2], "end": [5, 2]}
        assert lists(left) == {"start": [0, 3], "changed": [4, 5], "end": [5, 5]}

    def test_last_changed_where_there_are_several_places(self):
        several = TextPair("a b c d", "a e c a", (" d",), (" e",), "t")
        one_run = TextPair("b c d", "e d d", (" d",), (" e",), "t")
        right, left = (tokenize_pairs(word_reader(), [several, one_run], name="x", padding=side) for side in SIDES)
        assert (lists(right)["changed"], lists(right)["last_changed"]) == ([2, 1], [4, -1])
        assert (lists(left)["changed"], lists(left)["last_changed"]) == ([2, 2], [4, -1])

    def test_no_start_without_bos(self):
        model = reader(word_tokenizer(["a", "b", "c", "d", "e"], bos=False))
        assert lists(tokenize_pairs(model, [SHORT], name="x")) == {"changed": [1], "end": [1]}


@pytest.mark.parametrize("side", SIDES)
class TestFamilies:
    @pytest.mark.parametrize("corruption", ["ABC", "flip"])
    def test_indirect_object(self, side, corruption):
        # <bos> When A and B walked into the place , B handed the object to: 15 tokens, and the other template has 20
        two = (TEMPLATES[0], TEMPLATES[6])
        pairs = indirect_object_pairs(piece_reader(), 4, seed=3, templates=two, padding=side, corruption=corruption)
        assert sorted(pairs.mask.sum(1).tolist()) == [15, 15, 20, 20]
        order = {(name, latents["order"]): row for row, (name, latents) in
                 enumerate(zip(pairs.templates, pairs.latents, strict=True))}  # fmt: skip
        names = ("IO", "S1", "S1+1", "S2", "start", "end")
        by_hand = {
            ("indirect_object/00", "ABBA"): (2, 4, 5, 10, 0, 14),
            ("indirect_object/00", "BABA"): (4, 2, 3, 10, 0, 14),
            ("indirect_object/06", "ABBA"): (2, 4, 5, 14, 0, 19),
            ("indirect_object/06", "BABA"): (4, 2, 3, 14, 0, 19),
        }
        for kind, counted in by_hand.items():
            fill = 5 if side == "left" and kind[0] == "indirect_object/00" else 0
            row = order[kind]
            assert [int(pairs.roles[name][row]) for name in names] == [fill + at for at in counted]
            giver = f" {pairs.latents[row]['giver']}"
            assert {pairs.spelling[int(pairs.clean[row, pairs.roles[name][row]])] for name in ("S1", "S2")} == {giver}

    def test_greater_than(self, side):
        # <bos> Altogether the noun took from 17 32 to 17
        found = of_template(pairs_for(piece_reader(), "greater_than", 9, padding=side), "greater_than/07", n_tokens=10)
        assert found == {"start": 0, "YY": 7, "changed": 7, "end": 9}

    def test_country_facts(self, side):
        # <bos> On the radio in COUNTRY the news is read in
        pairs = pairs_for(piece_reader(), "country_facts", 14, padding=side)
        found = of_template(pairs, "country_facts/language/04", n_tokens=11)
        assert found == {"start": 0, "country": 5, "changed": 5, "end": 10}

    def test_sentiment(self, side):
        pairs = pairs_for(piece_reader(), "sentiment", 18, padding=side)
        # <bos> People VERB the THING and told me that it was ADJECTIVE . They were right , it was
        assert of_template(pairs, "sentiment/08", n_tokens=19) == {
            "start": 0, "verb": 2, "thing": 4, "thing.2": None, "adjective": 11, "changed": 2, "last_changed": 11,
            "end": 18,
        }  # fmt: skip
        # <bos> My review of the THING : it was ADJECTIVE , and everyone VERB it . All in all , the THING was
        assert of_template(pairs, "sentiment/00", n_tokens=23) == {
            "start": 0, "thing": 5, "adjective": 9, "verb": 13, "thing.2": 21, "changed": 9, "last_changed": 13,
            "end": 22,
        }  # fmt: skip

    def test_induction(self, side):
        pairs = induction_pairs(tiny_model(n_ctx=40, d_vocab=60), 20, seed=0, padding=side)
        rows = torch.arange(20)
        at = {name: pairs.clean[rows, positions] for name, positions in pairs.roles.items()}
        assert torch.equal(at["first"], at["second"])
        assert at["first+1"].tolist() == [said[0][0] for said in pairs.answers]
        period = torch.tensor([int(latents["period"]) for latents in pairs.latents])
        assert torch.equal(pairs.roles["second"] - pairs.roles["first"], period)
        assert set(at["start"].tolist()) == {0}
        assert torch.equal(pairs.roles["changed"], pairs.roles["first+1"])
        assert torch.equal(pairs.roles["second"], pairs.roles["end"])


class TestGrammar:
    @pytest.mark.parametrize("side", SIDES)
    def test_loans_by_hand(self, side):
        # 0 <bos> with INCOME income and SAVINGS savings , but DEBT debt , NAME from NEIGHBOURHOOD asked on DAY
        # 18 for a loan . the JOB used a SEAL seal on PAPER paper for the COLOUR form . decision :
        pairs = grammar_pairs(grammar_reader(), "loans", 12, seed=0, padding=side)
        found = of_template(pairs, "loans/11", n_tokens=38)
        assert {name: at for name, at in found.items() if at is not None} == {
            "start": 0, "income": 2, "savings": 5, "debt": 9, "name": 12, "neighbourhood": 14, "day": 17, "job": 23,
            "seal": 26, "paper": 29, "colour": 33, "changed": 14, "end": 37,
        }  # fmt: skip
        assert found["children"] is None

    @pytest.mark.parametrize("side", SIDES)
    def test_a_slot_that_stands_twice(self, side):
        # 0 <bos> what RELATION has ABOUT , KEY ? ABOUT1 : KEY1 FIRST . ABOUT2 : KEY2 SECOND . answer : KEY
        pairs = grammar_pairs(grammar_reader(), "sources", 12, seed=0, padding=side)
        found = of_template(pairs, "sources/03", n_tokens=21)
        assert found == {
            "start": 0, "relation": 2, "asked_about": 4, "asked_key": 6, "first_about": 8, "first_key": 10,
            "first": 11, "second_about": 13, "second_key": 15, "second": 16, "asked_key.2": 20, "changed": 6,
            "last_changed": 20, "end": 20,
        }  # fmt: skip

    def test_slots_of_several_words_by_hand(self):
        words = ("my", "old", "plan", "from", "12", "and", "my", "old", "plan", "was", "good", "for", "Ann")
        slots = (None, "plan", "plan", None, "start", None, None, "plan", "plan", None, "answer", None, "name")
        labels = tuple({} if slot is None else {"slot": slot} for slot in slots)
        example = Example("x", "x/00", False, words, labels, {}, 10, "good", ("good",), ("bad",))
        places = slot_places(example)
        assert places == {"plan": Place(3, 11), "start.slot": Place(17, 19), "plan.2": Place(27, 35)}
        assert [example.prompt[start:stop] for start, stop, _ in places.values()] == ["old plan", "12", "old plan"]

    @pytest.mark.parametrize("name", [*BEHAVIOURS, *VARIANTS])
    def test_every_slot_of_every_behaviour_stands_at_its_last_word(self, name):
        pairs = grammar_pairs(grammar_reader(), name, 13, seed=1)
        by_id = {template.id: template for template in behaviour(name).templates}
        for row, (template, latents) in enumerate(zip(pairs.templates, pairs.latents, strict=True)):
            example = behaviour(name).example(by_id[template], latents)
            slots = [labels.get("slot") for labels in example.labels[: example.answer_at]]
            stands = [(str(slot), [at for at, _ in run][-1] + 1)  # one token a word, behind BOS
                      for slot, run in groupby(enumerate(slots), key=lambda item: item[1]) if slot]  # fmt: skip
            found = {role: int(at[row]) for role, at in pairs.roles.items() if at[row] >= 0}
            given = {"start", "changed", "last_changed", "end"}
            own = sorted((role.removesuffix(".slot").removesuffix(".2"), at)
                         for role, at in found.items() if role not in given)  # fmt: skip
            assert own == sorted(stands)

    def test_a_year_near_the_end_of_its_century_has_right_and_wrong_answers(self):
        pairs = grammar_pairs(grammar_reader(), "greater_than", 12, seed=10)
        assert min(map(len, pairs.answers)) == 1  # 97, after which only 98 comes
        assert all(not set(right) & set(wrong) for right, wrong in zip(pairs.answers, pairs.wrong, strict=True))


class TestTokens:
    @pytest.mark.parametrize("side", SIDES)
    def test_of_words_in_pieces_the_last_one_counts(self, side):
        text = "The war of Victoria é in 1732, at"
        places = {"war": Place(4, 7), "name": Place(11, 19), "letter": Place(20, 21), "year": Place(25, 29)}
        assert [text[start:stop] for start, stop, _ in places.values()] == ["war", "Victoria", "é", "1732"]
        pair = TextPair(text, text.replace("war", "play"), (" good",), (" bad",), "t", roles=places)
        other = TextPair("The war", "The play", (" good",), (" bad",), "t", roles={"war": Place(4, 7)})
        pairs = tokenize_pairs(piece_reader(), [pair, other], name="x", padding=side)
        # <bos> The war of V ic tor ia (space) (byte) (byte) in 17 32 , at
        assert [pairs.spelling[token] for token in pairs.clean[0].tolist()][4:9] == [" V", "ic", "tor", "ia", " "]
        fill = 13 if side == "left" else 0
        assert lists(pairs) == {
            "start": [0, fill], "war": [2, 2 + fill], "name": [7, -1], "letter": [10, -1], "year": [13, -1],
            "changed": [2, 2 + fill], "end": [15, 2 + fill],
        }  # fmt: skip

    @pytest.mark.parametrize("name", ["indirect_object", "sentiment", "country_facts"])
    def test_tokenizers_that_tell_no_characters_give_the_same(self, name, monkeypatch):
        told = pairs_for(piece_reader(), name, 40)
        monkeypatch.setattr("interp_lab.tasks.roles._spans", lambda _, prompts: [None for _ in prompts])
        assert lists(pairs_for(piece_reader(), name, 40)) == lists(told)

    def test_of_a_slow_tokenizer(self):
        model, text = reader(ByT5Tokenizer()), "é was b"
        places = {"e": Place(0, 1), "was": Place(2, 5)}
        (prompt,) = prompts(model, [text])
        first = len(prompt.ids) - len(text.encode())  # BOS, if the model was given one
        (found,) = token_indices(model, [prompt], [text], [places])
        assert (found["e"] - first, found["was"] - first) == (1, 5)  # two bytes, a space, three letters

    def test_what_no_token_ends_is_refused(self, monkeypatch):
        pair = TextPair("a b", "a c", (" d",), (" e",), "t", roles={"space": Place(1, 2)})
        with pytest.raises(ValueError, match="no token that ends ' ' in 'a b'; choose whole words"):
            tokenize_pairs(word_reader(), [pair], name="x")
        monkeypatch.setattr("interp_lab.tasks.roles._spans", lambda _, prompts: [None for _ in prompts])
        pair = TextPair("The war was", "The play was", (" good",), (" bad",), "t", roles={"part": Place(4, 6)})
        with pytest.raises(ValueError, match=r"no token that ends 'wa' in 'The war was'.*use the fast version"):
            tokenize_pairs(piece_reader(), [pair], name="x")

    def test_a_place_behind_the_prompt_is_none(self):
        pair = TextPair("a b", "a c", (" d",), (" e",), "t", roles={"next": Place(0, 1, 1), "beyond": Place(2, 3, 1)})
        assert lists(tokenize_pairs(word_reader(), [pair], name="x")) == {
            "start": [0], "next": [2], "changed": [2], "end": [2],
        }  # fmt: skip

    @pytest.mark.parametrize("system", [None, "The war was good"])
    def test_in_a_chat_what_the_user_says_is_meant(self, system):
        model = piece_reader()
        pair = TextPair("The war was", "The play was", (" good",), (" bad",), "t", roles={"what": Place(4, 7)})
        pairs = tokenize_pairs(model, [pair], name="chat", chat=True, system=system)
        text = pairs.clean_texts[0]
        before = text[: text.rindex("The war") + len("The war")]
        n_before = len(model.tokenizer(before, add_special_tokens=False)["input_ids"])
        assert lists(pairs)["what"] == [n_before - 1] == lists(pairs)["changed"]
        assert lists(pairs)["start"] == [0]

    def test_a_chat_that_changes_the_text_is_refused(self):
        tokenizer = word_tokenizer(["<user>", "a", "b", "c", "d", "e"])
        tokenizer.chat_template = "<user> {{ messages[0]['content'] | replace('a', 'd') }}"
        pair = TextPair("a b", "a c", (" d",), (" e",), "t", roles={"what": Place(0, 1)})
        with pytest.raises(ValueError, match="the chat '<user> d b' does not hold 'a b' as it is"):
            tokenize_pairs(reader(tokenizer), [pair], name="x", chat=True)


class TestPlaces:
    def test_of_a_sentence_by_hand(self):
        sentence = Sentence("x/00", "{who} saw {{it}} and {who}, in {start}")
        filled = {"who": "Ann", "start": "12"}
        assert sentence.fill(**filled) == "Ann saw {it} and Ann, in 12"
        assert sentence.places(**filled) == {"who": Place(0, 3), "who.2": Place(17, 20), "start.slot": Place(25, 27)}


class TestCarried:
    PAIRS = (
        TextPair("the capital of France is", "the capital of Italy is", (" very a b",), (" Rome",), "t",
                 roles={"place": Place(15, 21)}),
        TextPair("a b", "a c", (" d",), (" e very",), "t"),
        TextPair("b a", "b c", (" d e",), (" c a a a",), "t"),
    )  # fmt: skip

    def test_behind_a_forced_answer_on_the_left(self):
        pairs = tokenize_pairs(word_reader(), self.PAIRS, name="x", several_tokens=True, padding="left")
        assert lists(pairs) == {"start": [0, 3, 3], "place": [4, -1, -1], "changed": [4, 5, 5], "end": [5, 5, 5]}
        # 6 + 2, 3 + 0 and 3 + 1 tokens in rows of 8
        assert lists(pairs.teacher_forced()) == {
            "start": [0, 5, 4], "place": [4, -1, -1], "changed": [4, 7, 6], "end": [5, 7, 6],
        }  # fmt: skip

    def test_behind_a_forced_answer_on_the_right_nothing_moves(self):
        pairs = tokenize_pairs(word_reader(), self.PAIRS, name="x", several_tokens=True)
        assert lists(pairs) == lists(pairs.teacher_forced()) == lists(pairs.teacher_forced(wrong=True))

    @pytest.mark.parametrize("wrong", [False, True])
    @pytest.mark.parametrize("side", SIDES)
    def test_roles_name_the_same_tokens_behind_forced_answers(self, side, wrong):
        pairs = tokenize_pairs(word_reader(), self.PAIRS, name="x", several_tokens=True, padding=side)
        forced = pairs.teacher_forced(wrong=wrong)
        assert torch.equal(forced.roles["end"], forced.answer_position)
        rows = torch.arange(3)
        for name, at in pairs.roles.items():
            there = at >= 0
            then = forced.clean[rows, forced.roles[name]]
            assert pairs.clean[rows, at][there].tolist() == then[there].tolist()
            assert torch.equal(forced.roles[name] >= 0, there)

    def test_by_rows_and_to_a_device(self):
        pairs = tokenize_pairs(word_reader(), self.PAIRS, name="x", several_tokens=True)
        assert lists(pairs.rows([2, 0])) == {"start": [0, 0], "place": [-1, 4], "changed": [2, 4], "end": [2, 5]}
        assert {at.device.type for at in pairs.to("meta").roles.values()} == {"meta"}


class TestCommonRoles:
    def test_are_those_of_every_prompt_by_mean_position(self):
        late = TextPair("a b c d e", "a c c d e", (" d",), (" e",), "t", roles={"x": Place(8, 9), "y": Place(0, 1)})
        early = TextPair("a b c", "a b d", (" d",), (" e",), "t", roles={"x": Place(0, 1), "y": Place(2, 3)})
        pairs = tokenize_pairs(word_reader(), [late, early], name="x")
        # x 5 and 1, y 1 and 2, changed 2 and 3, end 5 and 3
        assert pairs.common_roles() == ("start", "y", "changed", "x", "end")
        assert tokenize_pairs(word_reader(), [late, SHORT], name="x").common_roles() == ("start", "changed", "end")
        assert tokenize_pairs(word_reader(), [early], name="x").common_roles() == ("start", "x", "y", "changed", "end")

    def test_of_indirect_objects(self):
        pairs = pairs_for(piece_reader(), "indirect_object", 60, padding="left")
        assert set(pairs.common_roles()) == {"start", "IO", "S1", "S1+1", "S2", "changed", "last_changed", "end"}
        assert pairs.common_roles()[0] == "start"
        assert pairs.common_roles()[-1] == "end"


LINE = '{"clean": "a b a", "corrupted": "a c a", "answer": " d", "wrong": " e", "template": "t", "roles": ROLES}'


class TestUser:
    def written(self, tmp_path, roles):
        path = tmp_path / "mine.jsonl"
        path.write_text(f"# a comment\n{LINE.replace('ROLES', roles)}\n")
        return path

    def test_a_text_is_a_place(self, tmp_path):
        path = self.written(tmp_path, '{"letter": "b", "last": "b a", "spaced": " b "}')
        right, left = (pairs_for(word_reader(), str(path), padding=side) for side in SIDES)
        assert lists(right) == lists(left)
        assert lists(right) == {
            "start": [0], "letter": [2], "last": [3], "spaced": [2], "changed": [2], "end": [3],
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("roles", "message"),
        [
            ('["b"]', r"'roles' must be an object, got \['b'\]"),
            ('{"x": 1}', r"'roles\.x' must be text, got 1"),
            ('{"x": " "}', r"'roles\.x' must be text, got ' '"),
            ('{"x": "z"}', "'z' of the role 'x' stands 0 times in 'a b a' and must stand there once"),
            ('{"x": "a"}', "'a' of the role 'x' stands 2 times in 'a b a'"),
            ('{"end": "b"}', "every prompt has the role 'end' already"),
        ],
    )
    def test_refuses_with_file_and_line(self, tmp_path, roles, message):
        with pytest.raises(ValueError, match=rf"mine\.jsonl:2: .*{message}"):
            read_pairs(self.written(tmp_path, roles))

    def test_counts_places_that_overlap(self, tmp_path):
        path = self.written(tmp_path, '{"x": "a b a"}')
        path.write_text(path.read_text().replace('"a b a"', '"a b a b a"', 1))
        with pytest.raises(ValueError, match="stands 2 times in 'a b a b a'"):
            read_pairs(path)

    def test_a_space_at_the_end_belongs_to_the_next_token(self, tmp_path):
        path = self.written(tmp_path, '{"x": "war "}')
        path.write_text(path.read_text().replace('"a b a"', '"The war was"').replace('"a c a"', '"The play was"'))
        assert lists(pairs_for(piece_reader(), str(path)))["x"] == [2]

    def test_the_template_file_names_the_country(self, tmp_path):
        write_template(tmp_path / "mine.jsonl")
        pairs = read_pairs(tmp_path / "mine.jsonl")
        words = {word for pair in pairs for text in (pair.clean, pair.corrupted, *pair.answers, *pair.wrong)
                 for word in text.split()}  # fmt: skip
        read = tokenize_pairs(reader(word_tokenizer(sorted(words))), pairs, name="mine")
        assert lists(read)["country"] == [4, 4, 3, 4] == lists(read)["changed"]


class TestTokenLabels:
    def test_by_hand(self):
        right, left = (tokenize_pairs(word_reader(), [FRANCE, SHORT], name="x", padding=side) for side in SIDES)
        assert right.token_labels(0) == ["<bos>", "the", "capital", "of", "France/Italy", "is"]
        assert right.token_labels(1) == ["<bos>", "a", "b/c", "", "", ""]
        assert left.rows([1]).token_labels(0) == ["", "", "", "<bos>", "a", "b/c"]

    def test_show_what_cannot_be_seen(self):
        pair = TextPair("The war\né  of", "The play\né  of", (" good",), (" bad",), "t")
        labels = tokenize_pairs(piece_reader(), [pair], name="x").token_labels(0)
        assert labels[:4] == ["<|endoftext|>", "The", "war/play", "\\n"]
        assert labels[4:6] == ["Ã", "©"]  # how byte-level tokenizers spell the two bytes of the letter
        assert all(labels)

    def test_tell_tokens_apart_that_differ_in_a_space(self):
        pair = TextPair("The. in", "The.in", (" good",), (" bad",), "t")
        assert tokenize_pairs(piece_reader(), [pair], name="x").token_labels(0)[1:] == ["The", ".", " in/in"]

    def test_go_on_through_forced_answers(self):
        pairs = tokenize_pairs(word_reader(), TestCarried.PAIRS, name="x", several_tokens=True)
        forced = pairs.teacher_forced()
        assert forced.token_labels(0) == ["<bos>", "the", "capital", "of", "France/Italy", "is", "very", "a"]

    def test_are_numbers_without_a_tokenizer(self):
        pairs = induction_pairs(tiny_model(n_ctx=40, d_vocab=60), 3, seed=0)
        n = int(pairs.mask[0].sum())
        at = int(pairs.roles["changed"][0])
        by_hand = [str(token) for token in pairs.clean[0].tolist()[:n]]
        by_hand[at] += f"/{int(pairs.corrupted[0, at])}"
        assert pairs.token_labels(0)[:n] == by_hand

    def test_refuse_a_row_that_is_not_there(self):
        pairs = tokenize_pairs(word_reader(), [FRANCE, SHORT], name="x")
        for row in (2, -1):
            with pytest.raises(ValueError, match=f"row={row} is not one of the 2 pairs; use 0 to 1"):
                pairs.token_labels(row)
