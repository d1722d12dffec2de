"""Which prompts are asked about: divided, cut, and read from files."""

import json

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.sources import FICTIONAL
from interp_lab.production.confidence import ConfidenceConfig, Question, question
from interp_lab.production.confidence.asked import questions, read_questions, without_words

N = {"n_fit": 64, "n_calibrate": 64, "n_report": 64, "n_held_out": 64, "strange": 0.02}


def asked(**settings):
    return questions(ConfidenceConfig.from_mapping({**N, **settings}))


class TestParts:
    def test_no_prompt_comes_twice_and_reserved_templates_are_apart(self):
        parts = asked(task="grammar/loans")
        every = [one.prompt for part in parts.values() for one in part]
        assert len(set(every)) == len(every) == 256
        reserved = {one.template for one in parts.pop("held_out")}
        assert reserved.isdisjoint(one.template for part in parts.values() for one in part)

    def test_any_later_year_is_right(self):
        one = asked(task="grammar/greater_than")["fit"][0]
        start = one.prompt.split()[-1]
        assert len(one.right) >= 1
        assert all(answer.startswith(" ") for answer in one.right), start

    def test_latents_select(self):
        parts = asked(task="grammar/sources", where={"kind": "fictional"})
        assert all(not set(FICTIONAL).isdisjoint(one.prompt.split()) for one in parts["report"])
        assert all(len(one.spans) == 2 for one in parts["report"])
        parts = asked(task="grammar/truth", where={"is_true": "True"})
        assert {one.right for one in parts["fit"]} == {(" true",)}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"task": "loans"}, "'loans' is neither 'grammar/BEHAVIOUR' nor a .jsonl file"),
            ({"where": {"incom": "3"}}, "loans has no latent 'incom'; did you mean 'income'"),
            ({"task": "grammar/sources", "where": {"relation": "capital"}}, "`kind` alone is known here"),
            ({"task": "grammar/facts", "n_fit": 999}, "none was new; ask for fewer prompts"),
            ({"task": "nowhere.jsonl"}, "there is no file nowhere.jsonl"),
            ({"task": "grammar/facts", "words_cut": 9}, "prompts of reserved templates are among the others"),
        ],
    )
    def test_errors(self, settings, message):
        with pytest.raises(ValueError, match=message):
            asked(**settings)


class TestWordsCut:
    def test_sources_keep_what_is_left_of_them(self):
        whole = question("a b c d e f g", sources=["b c", "f"])
        assert whole.spans == ((2, 5), (10, 11))
        for seed in range(40):
            cut = without_words(whole, 2, np.random.default_rng(seed))
            words = cut.prompt.split()
            assert len(words) == 5
            assert words == [one for one in "abcdefg" if one in words]
            left = [" ".join(one for one in source.split() if one in words) for source in ("b c", "f")]
            assert [cut.prompt[slice(*span)] for span in cut.spans] == [one for one in left if one]

    def test_three_words_are_left(self):
        assert len(without_words(Question("a b c d"), 9, np.random.default_rng(0)).prompt.split()) == 3

    def test_none_are_cut_unless_asked_for(self):
        whole = question("a b c", sources=["b"])
        assert without_words(whole, 0, np.random.default_rng(0)) is whole


class TestOwnFile:
    def write(self, path, *entries):
        path.write_text("\n".join(json.dumps(one) for one in entries))
        return path

    def test_is_read(self, tmp_path):
        path = self.write(
            tmp_path / "own.jsonl",
            {"prompt": "a guide says Rome . so", "answers": ["Rome", " Roma"], "sources": ["a guide says Rome ."]},
            {"prompt": "2 + 2 =", "answers": ["4"], "template": "sum", "reserved": True},
        )
        first, second = read_questions(path)
        assert first.right == (" Rome", " Roma")
        assert first.spans == ((0, 19),)
        assert (second.template, second.reserved) == ("sum", True)

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ({"prompt": "a"}, "own.jsonl:1: no 'answers'"),
            ({"prompt": "a", "answers": []}, "'answers' must be a list of one or more texts"),
            ({"prompt": " ", "answers": ["b"]}, "'prompt' must be text"),
            ({"prompt": "a", "answers": ["b"], "sources": ["c"]}, "source 0, 'c', stands 0 times in the prompt"),
            ({"prompt": "a", "answers": ["b"], "reserve": True}, "unknown key 'reserve'; did you mean 'reserved'"),
        ],
    )
    def test_errors_name_the_line(self, tmp_path, entry, message):
        with pytest.raises(ValueError, match=message):
            read_questions(self.write(tmp_path / "own.jsonl", entry))

    def test_too_few(self, tmp_path):
        path = self.write(tmp_path / "own.jsonl", {"prompt": "a", "answers": ["b"]})
        with pytest.raises(ValueError, match="holds 1 different ordinary prompts, and 192 are asked for"):
            asked(task=str(path))
