"""Where sources stand in a prompt, as characters and as tokens; the grammar's statements; a user's own file."""

import json

import numpy as np
import pytest

from interp_lab.folds import fold_of, visible
from interp_lab.models import load_model
from interp_lab.production.sources.drawn import drawn_texts
from interp_lab.production.sources.own_file import read_sourced
from interp_lab.production.sources.prompts import encoded, found_in, put_together, sentence_spans


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


class TestPuttingTogether:
    def test_sources_stand_where_they_are_said_to_stand(self):
        text, spans = put_together("q", ["one .", "two ."], template="Q: {query} C: {sources} Q: x", separator=" | ")
        assert text == "Q: q C: one . | two . Q: x"
        assert [text[start:stop] for start, stop in spans] == ["one .", "two ."]

    def test_braces_in_a_source_are_text(self):
        text, spans = put_together("{sources}", ["{query} {0}"])
        assert text == "{query} {0}\n{sources}"
        assert text[slice(*spans[0])] == "{query} {0}"

    @pytest.mark.parametrize("template", ["{query}", "{sources}", "{sources} {sources} {query}"])
    def test_a_template_has_both_once(self, template):
        with pytest.raises(ValueError, match="in it once"):
            put_together("q", ["a"], template=template)

    @pytest.mark.parametrize(
        ("sources", "message"),
        [([], "no sources to ask about"), (["a", " "], "source 1 is empty"), ("a", "single text 'a'; give a list")],
        ids=["none", "empty", "a text"],
    )
    def test_without_sources(self, sources, message):
        with pytest.raises(ValueError, match=message):
            put_together("q", sources)


class TestFinding:
    def test_in_any_order(self):
        assert found_in("x b y a", ["a", "b"]) == ((6, 7), (2, 3))

    @pytest.mark.parametrize(
        ("sources", "message"),
        [
            (["z"], "source 0, 'z', stands 0 times in the prompt"),
            (["b"], "source 0, 'b', stands 2 times in the prompt"),
            (["ab", "bc"], "sources 0 and 1 overlap"),
        ],
        ids=["not there", "there twice", "overlapping"],
    )
    def test_what_is_not_there_once(self, sources, message):
        with pytest.raises(ValueError, match=message):
            found_in("abc b", sources)


def test_sentences_of_sources():
    text, spans = put_together("Ask?", ["One. Two!  Three", "v1.5 is out . So"])
    found, of = sentence_spans(text, spans)
    assert [text[start:stop] for start, stop in found] == ["One.", "Two!", "Three", "v1.5 is out .", "So"]
    assert of == (0, 0, 0, 1, 1)


class TestTokens:
    def test_of_sources_are_their_words(self, organism):
        text, spans = put_together("by Yarnova it is letter", ["letter Oslo is one .", "card Tokyo is one ."])
        (made,) = encoded(organism, [(text, spans, "Oslo . letter")])
        words = [[organism.tokenizer.decode([made.tokens[at]]) for at in part] for part in made.parts]
        assert words == [["letter", "Oslo", "is", "one", "."], ["card", "Tokyo", "is", "one", "."]]
        assert [organism.tokenizer.decode([token]) for token in made.answer] == ["Oslo", ".", "letter"]

    def test_taking_them_out_is_the_text_without_the_source(self, organism):
        """Word for word, for every statement of every template."""
        texts = drawn_texts(8, n_sources=3, seed=0, reserved=False)
        for text, made in zip(
            texts, encoded(organism, [(one.prompt, one.spans, "Oslo") for one in texts]), strict=True
        ):
            for nth, (start, stop) in enumerate(text.spans):
                rest = f"{text.prompt[:start]} {text.prompt[stop:]}"
                (again,) = encoded(organism, [(rest, ((0, len(rest)),), "Oslo")])
                gone = made.left_out(tuple(at != nth for at in range(3)))
                assert again.tokens == tuple(token for at, token in enumerate(made.tokens) if at not in gone)

    @pytest.mark.parametrize(
        ("prompt", "span", "answer", "message"),
        [
            ("letter Oslo is", (0, 11), " ", "the answer is empty"),
            ("letter Oslo is", (0, 9), "Oslo", "source 0, 'letter Os', shares a token with the text beside it"),
            ("letter Oslo is", (6, 7), "Oslo", "has no token in the prompt"),
            ("letter zzz is", (0, 6), "Oslo", "does not know 'zzz'"),
            ("letter " * 64, (0, 6), "Oslo", "more than the context of 64"),
            ("letter " * 62 + "is", (0, 6), "Oslo Oslo", "the answer has 65 tokens, more than the context of 64"),
        ],
        ids=["empty answer", "within a word", "no token", "unknown word", "too long", "too long with the answer"],
    )
    def test_what_cannot_be_read(self, organism, prompt, span, answer, message):
        with pytest.raises(ValueError, match=message):
            encoded(organism, [(prompt, (span,), answer)])


class TestStatementsOfTheGrammar:
    @pytest.mark.parametrize("reserved", [False, True])
    def test_each_names_a_word_that_no_other_one_does(self, reserved):
        texts = drawn_texts(36, n_sources=4, seed=0, reserved=reserved)
        assert len({one.prompt for one in texts}) == 36
        assert len({one.template for one in texts}) == (4 if reserved else 8)
        assert all(one.reserved == reserved for one in texts)
        for one in texts:
            assert len(set(one.stated)) == 4
            for source, word in zip(one.sources, one.stated, strict=True):
                assert [other for other in one.stated if other in source.split()] == [word]
            assert one.right in one.stated[:2]

    def test_two_are_those_of_the_behaviour(self):
        """No word is added to the prompts that the organism was trained on."""
        (text,) = drawn_texts(1, n_sources=2, seed=3, reserved=False)
        assert text.prompt.split()[-1] not in text.stated
        assert sum(word in text.prompt.split() for word in text.stated) == 2

    def test_the_same_seed_draws_the_same_and_another_one_does_not(self):
        one, again, other = (drawn_texts(6, n_sources=4, seed=seed, reserved=False) for seed in (0, 0, 1))
        assert one == again != other

    def test_only_the_fold_in_force_is_drawn(self):
        with visible("held_out"):
            texts = drawn_texts(8, n_sources=4, seed=0, reserved=False)
        assert {fold_of(one.prompt) for one in texts} == {"held_out"}


class TestOwnFile:
    def write(self, folder, *entries):
        path = folder / "mine.jsonl"
        path.write_text("# a comment\n" + "\n".join(json.dumps(entry) for entry in entries))
        return path

    def test_is_read(self, tmp_path):
        first = {
            "query": "who?",
            "sources": ["Ann did .", "Bob did ."],
            "answer": "Ann",
            "relevant": 0,
            "template": "a",
        }
        second = {"query": "who?", "sources": ["b"], "prompt": "a b c", "reserved": True}
        one, other = read_sourced(self.write(tmp_path, first, second))
        assert (one.prompt, one.sources, one.relevant) == ("Ann did .\nBob did .\nwho?", ("Ann did .", "Bob did ."), 0)
        assert (other.spans, other.answer, other.reserved) == (((2, 3),), None, True)

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"query": " "}, r"mine.jsonl:2: 'query' must be text"),
            ({"sources": "one"}, "'sources' must be a list of texts"),
            ({"sources": []}, r"mine.jsonl:2: there are no sources"),
            ({"relevant": 2}, "'relevant' must be a number from 0 to 1, got 2"),
            ({"relevant": True}, "'relevant' must be a number"),
            ({"answer": 3}, "'answer' must be text"),
            ({"prompt": "nothing"}, r"mine.jsonl:2: source 0, 'a', stands 0 times"),
            ({"querry": "x"}, "unknown key 'querry'; did you mean 'query'"),
        ],
        ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
    )
    def test_malformed(self, tmp_path, changed, message):
        path = self.write(tmp_path, {"query": "q", "sources": ["a", "b"], **changed})
        with pytest.raises(ValueError, match=message):
            read_sourced(path)

    def test_that_is_not_there(self, tmp_path):
        with pytest.raises(ValueError, match=r"there is no file .*; write one JSON object a line"):
            read_sourced(tmp_path / "none.jsonl")

    def test_every_line_is_in_one_fold(self, tmp_path):
        path = self.write(tmp_path, *({"query": f"q{nth}", "sources": ["a"]} for nth in range(20)))
        seen = []
        for fold in ("search", "held_out"):
            with visible(fold):
                seen.append({one.query for one in read_sourced(path)})
        assert not seen[0] & seen[1]
        assert len(seen[0] | seen[1]) == 20


def test_word_overlap_is_a_share_of_the_query():
    from interp_lab.production.sources.looks import word_overlap

    found = word_overlap("Who wrote it?", ["it was Ann who wrote", "WHO ?", "nobody"])
    assert found == pytest.approx(np.array([1.0, 1 / 3, 0.0]))
