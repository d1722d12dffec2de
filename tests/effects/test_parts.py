"""Pairs of the splits: each pair once, so that what is reported is not what sites were chosen by."""

import json
from pathlib import Path

import pytest

from interp_lab.claims import Split
from interp_lab.effects import parts
from interp_lab.effects.parts import parts_of
from interp_lab.tasks import pairs_for
from tests.patching.results import config_of, grammar_model, only, organism


def prompts(part):
    return list(zip(part.pairs.clean_texts, part.pairs.corrupted_texts, strict=True))


class TestDistinct:
    @pytest.mark.parametrize("seed", range(3))
    def test_no_pair_on_both_sides_nor_twice_on_one(self, seed, monkeypatch):
        """Of the first 300 pairs of facts that are drawn some come twice; others stand in for them."""
        seen = []

        def remember(*args, **options):
            seen.append(pairs_for(*args, **options))
            return seen[-1]

        only(monkeypatch, remember)
        config = config_of(task="grammar/facts", n_pairs=300, n_held_out=None, seed=seed, partners="any")
        drawn = parts_of(grammar_model(), config, partners="auto").by_split
        every = [pair for part in drawn.values() for pair in prompts(part)]
        assert [len(part.pairs) for part in drawn.values()] == [150, 150]
        assert len(set(every)) == len(every)
        first = set(zip(seen[0].clean_texts[:300], seen[0].corrupted_texts[:300], strict=True))
        assert len(first) < 300  # it is no idle question

    @pytest.mark.parametrize("task", ["grammar/facts", "grammar/truth"])
    def test_no_clean_prompt_both_chooses_and_reports(self, task):
        """Of the facts of one template a country comes with several others: one clean prompt, several corrupted."""
        drawn = parts_of(grammar_model(), config_of(task=task, n_pairs=96, n_held_out=None)).by_split
        select, report = (set(part.pairs.clean_texts) for part in drawn.values())
        assert not select & report
        assert len(select) < len(drawn[Split.SELECT].pairs)  # it is no idle question
        assert abs(len(drawn[Split.REPORT].pairs) - 48) <= 2

    def test_padding_and_what_else_stands_beside_them_makes_no_other_pair(self):
        drawn = pairs_for(grammar_model(), "grammar/facts", 16, seed=0, reserved=False)
        twice = drawn.rows([0, 1, 0, 2, 1, 3])
        assert parts._distinct(twice).clean_texts == tuple(drawn.clean_texts[:4])
        swapped = twice.rows([0, 1])
        assert len(parts._distinct(swapped)) == 2

    def test_more_pairs_than_there_are_is_refused_with_the_number(self, monkeypatch):
        """A source of twenty pairs, however many are asked for."""

        def again(model, name, n, *, seed, reserved):
            drawn = pairs_for(model, name, 20, seed=seed, reserved=reserved)
            return drawn.rows([nth % 20 for nth in range(n)])

        only(monkeypatch, again)
        few = config_of(task="grammar/facts", n_pairs=24, n_held_out=None)
        with pytest.raises(
            ValueError, match=r"ordinary pairs of 'grammar/facts' only (20|1\d) are different, and n_pairs=24"
        ):
            parts_of(grammar_model(), few, partners="auto")
        reserved = config_of(task="grammar/facts", n_pairs=16, n_held_out=24)
        with pytest.raises(ValueError, match=r"n_held_out to .* at most, or add pairs; or set n_held_out to null"):
            parts_of(grammar_model(), reserved, partners="auto")


class TestFiles:
    def file(self, tmp_path, rows):
        drawn = pairs_for(organism(), "grammar/facts", 192, seed=0, reserved=False)
        own = parts._distinct(drawn)
        lines = [
            json.dumps({
                "clean": own.clean_texts[nth], "corrupted": own.corrupted_texts[nth], "template": own.templates[nth],
                "answer": " " + own.spelling[own.answers[nth][0][0]].strip(),
                "wrong": " " + own.spelling[own.wrong[nth][0][0]].strip(),
            })
            for nth in rows
        ]  # fmt: skip
        path = tmp_path / "pairs.jsonl"
        path.write_text("\n".join(lines))
        return str(path)

    def test_lines_that_come_twice_are_taken_once(self, tmp_path):
        task = self.file(tmp_path, [*range(60), *range(60)])
        drawn = parts_of(organism(), config_of(task=task, n_pairs=48, n_held_out=None), partners="auto").by_split
        every = [pair for part in drawn.values() for pair in prompts(part)]
        assert len(set(every)) == len(every) == 48
        assert set(drawn) == {Split.SELECT, Split.REPORT}

    def test_too_few_different_lines_are_refused(self, tmp_path):
        task = self.file(tmp_path, [*range(20), *range(20)])
        with pytest.raises(
            ValueError, match=r"of 40 ordinary pairs of .* only 20 are different, and n_pairs=32: .*to 20"
        ):
            parts_of(organism(), config_of(task=task, n_pairs=32, n_held_out=None), partners="auto")

    def test_no_pair_of_a_file_is_the_partner_of_itself_turned_around(self, tmp_path):
        """A file that has every pair both ways round: among all of a template, one in ten would be its own partner."""
        path = self.file(tmp_path, range(60))
        lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
        turned = [{**one, "clean": one["corrupted"], "corrupted": one["clean"], "answer": one["wrong"],
                   "wrong": one["answer"]} for one in lines]  # fmt: skip
        Path(path).write_text("\n".join(map(json.dumps, [*lines, *turned])))
        config = config_of(task=path, n_pairs=96, n_held_out=None)
        for part in parts_of(organism(), config, partners="any").by_split.values():
            others = zip(part.others.clean_texts, part.others.corrupted_texts, strict=True)
            for (clean, corrupted), other in zip(prompts(part), others, strict=True):
                assert clean != other[1]
                assert corrupted != other[0]
