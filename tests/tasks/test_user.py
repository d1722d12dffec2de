import pytest

from interp_lab.tasks import pairs_for, read_pairs, tokenize_pairs, write_template
from tests.tasks.reading import reader, word_reader, word_tokenizer

LINE = '{"clean": "a b", "corrupted": "a c", "answer": " d", "wrong": [" e"], "template": "t"}'


def written(tmp_path, *lines):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def changed(old, new):
    assert old in LINE
    return LINE.replace(old, new)


class TestTemplate:
    def test_is_itself_a_task(self, tmp_path):
        path = tmp_path / "mine.jsonl"
        write_template(path)
        pairs = read_pairs(path)
        assert len(pairs) == 4
        assert pairs[0].answers == (" Paris",)
        assert pairs[2].latents == {"country": "France"}
        assert [pair.reserved for pair in pairs] == [False, False, False, True]
        words = {word for pair in pairs for text in (pair.clean, pair.corrupted, *pair.answers, *pair.wrong)
                 for word in text.split()}  # fmt: skip
        model = reader(word_tokenizer([*sorted(words), "Italian"]))
        assert len(tokenize_pairs(model, pairs, name="mine")) == 4

    def test_explains_every_key(self, tmp_path):
        from interp_lab.tasks.user import OPTIONAL, REQUIRED

        write_template(tmp_path / "mine.jsonl")
        comments = [line for line in (tmp_path / "mine.jsonl").read_text().splitlines() if line.startswith("#")]
        for key in (*REQUIRED, *OPTIONAL):
            assert any(line.startswith(f"# {key} ") for line in comments)

    def test_overwrites_nothing_and_makes_no_folder(self, tmp_path):
        path = written(tmp_path, LINE)
        with pytest.raises(ValueError, match="exists and is left alone"):
            write_template(path)
        assert path.read_text() == LINE + "\n"
        with pytest.raises(ValueError, match="no folder"):
            write_template(tmp_path / "there" / "mine.jsonl")
        with pytest.raises(ValueError, match=r"does not end in \.jsonl.*mine\.jsonl"):
            write_template(tmp_path / "mine.json")


class TestRead:
    def test_one_line(self, tmp_path):
        (pair,) = read_pairs(written(tmp_path, "# a comment", "", "   # another", LINE))
        assert (pair.clean, pair.corrupted, pair.answers, pair.wrong) == ("a b", "a c", (" d",), (" e",))
        assert (pair.template, pair.corrupted_answers, pair.reserved, pair.latents) == ("t", (), False, {})

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (LINE[:-1], "no JSON, .*delimiter at column"),
            ("// a comment", "no JSON"),
            ('"text"', "expected an object in braces, got str"),
            (changed('"template": "t"', '"extra": 1, "template": "t"'), "unknown key 'extra'; use clean, corrupted"),
            (changed('"answer"', '"answers"'), "unknown key 'answers'; did you mean 'answer'"),
            (changed(', "template": "t"', ""), "no 'template'; every line needs clean, corrupted, answer"),
            (changed('"a b"', "3"), "'clean' must be text, got 3"),
            (changed('"t"', '""'), "'template' must be text, got ''"),
            (changed('" d"', "[]"), r"'answer' must be text or a list of texts, got \[\]"),
            (changed('[" e"]', '[" e", 1]'), "'wrong' must be text or a list of texts"),
            (changed('"t"', '"t", "reserved": 1'), "'reserved' must be true or false, got 1"),
            (changed('"t"', '"t", "latents": 1'), "'latents' must be an object, got 1"),
            (changed('"t"', '"t", "latents": {"x": null}'), r"'latents\.x' must be text, a number"),
            (changed('"a c"', '"a b"'), "same text, 'a b'"),
        ],
    )
    def test_refuses_with_file_and_line(self, tmp_path, line, message):
        path = written(tmp_path, "# a comment", LINE, "", line)
        with pytest.raises(ValueError, match=rf"mine\.jsonl:4: {'.*' if 'same' in message else ''}{message}"):
            read_pairs(path)

    def test_refuses_a_file_that_is_not_there_or_empty(self, tmp_path):
        with pytest.raises(ValueError, match=r"no file .*init-task"):
            read_pairs(tmp_path / "nowhere.jsonl")
        with pytest.raises(ValueError, match="holds no pairs"):
            read_pairs(written(tmp_path, "# only a comment"))


class TestPairsFor:
    def path(self, tmp_path):
        lines = [LINE.replace('"a b"', f'"{one} b"').replace('"a c"', f'"{one} c"') for one in "abcde"]
        return str(written(tmp_path, *lines, changed('"t"', '"u", "reserved": true')))

    def test_all_of_a_file_or_some(self, tmp_path):
        path = self.path(tmp_path)
        everything = pairs_for(word_reader(), path)
        assert (len(everything), everything.task) == (6, "mine")
        some, again = (pairs_for(word_reader(), path, 3, seed=1) for _ in range(2))
        assert some.clean_texts == again.clean_texts
        assert len(set(some.clean_texts)) == 3
        assert pairs_for(word_reader(), path, reserved=True).templates == ("u",)

    def test_no_more_than_there_are(self, tmp_path):
        with pytest.raises(ValueError, match="holds 6 pairs, and n=7"):
            pairs_for(word_reader(), self.path(tmp_path), 7)
        with pytest.raises(ValueError, match="holds 1 reserved pairs, and n=2"):
            pairs_for(word_reader(), self.path(tmp_path), 2, reserved=True)

    def test_answers_may_have_several_tokens(self, tmp_path):
        pairs = pairs_for(word_reader(), str(written(tmp_path, changed('" d"', '" d e"'))))
        assert not pairs.single_token
