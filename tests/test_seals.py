"""What is held out opens when a file is there, and stays open as long as that is as it was."""

import hashlib
import json

import pytest

from interp_lab.folds import (
    FoldError,
    fold_of,
    open_templates,
    reserved_closed,
    sealed,
    seen_now,
    shows,
    visible,
)
from interp_lab.models import load_model
from interp_lab.organisms.grammar.corpus import behaviour, texts
from interp_lab.tasks import grammar_contrast, grammar_documents, pairs_for, task_names
from interp_lab.tasks.labels import distinct_texts, labels_named
from tests.tasks.reading import piece_reader

TEXTS = [f"text number {nth}" for nth in range(60)]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "hypotheses.json"


class TestTheSeal:
    def test_keeps_the_held_out_fold_closed_until_the_file_is_there(self, file):
        with sealed(file):
            with pytest.raises(FoldError, match=r"hypotheses.json is written; until then search"), visible("held_out"):
                pass
            file.write_text("[]")
            with visible("held_out"):
                assert seen_now() == "held_out"

    def test_leaves_the_search_fold_to_who_asks_for_all(self, file):
        with sealed(file), visible("all"):
            assert seen_now() == "search"
            assert [shows(text) for text in TEXTS] == [fold_of(text) == "search" for text in TEXTS]
            file.write_text("[]")
            assert all(map(shows, TEXTS))

    def test_leaves_reserved_templates_out_or_refuses_them(self, file):
        with sealed(file):
            assert reserved_closed()
            assert (open_templates(None), open_templates(False)) == (False, False)
            with pytest.raises(FoldError, match=r"reserved templates \(n_held_out\) open when"):
                open_templates(True)
            file.write_text("[]")
            assert not reserved_closed()
            assert [open_templates(kind) for kind in (None, False, True)] == [None, False, True]

    def test_is_not_there_outside(self, file):
        with pytest.raises(KeyError), sealed(file):
            raise KeyError
        assert seen_now() == "all"
        assert [open_templates(kind) for kind in (None, False, True)] == [None, False, True]

    @pytest.mark.parametrize(
        "ask", [reserved_closed, lambda: open_templates(True), lambda: visible("held_out").__enter__()]
    )
    def test_closes_for_good_where_the_file_is_changed_or_gone(self, file, ask):
        with sealed(file):
            file.write_text("[]")
            reserved_closed()
            file.write_text("[1]")
            with pytest.raises(FoldError, match="was changed after it was written"):
                ask()
            file.unlink()
            with pytest.raises(FoldError, match="is gone; put it back"):
                ask()

    def test_takes_no_other_file_than_the_one_it_was_told_of(self, file):
        file.write_text("[]")
        with sealed(file, digest=hashlib.sha256(b"[]").hexdigest()):
            assert not reserved_closed()
        with sealed(file, digest=hashlib.sha256(b"[1]").hexdigest()), pytest.raises(FoldError, match="was changed"):
            seen_now()

    def test_is_one_at_a_time(self, file):
        with sealed(file), pytest.raises(FoldError, match=r"sealed by .* already"), sealed(file.with_name("other")):
            pass

    def test_reads_the_file_once_for_all_texts(self, file, monkeypatch):
        file.write_text("[]")
        read = []
        monkeypatch.setattr("interp_lab.seals.digest_of", lambda path: read.append(path) or "0")
        with sealed(file):
            for text in TEXTS:
                shows(text)
        assert len(read) == 1


def _from_compiled(reserved):
    return pairs_for(load_model("compiled/linear", "cpu"), "compiled/linear", 12, reserved=reserved)


class TestSources:
    """Whatever knows reserved templates asks; what it gives while they are closed is of the others."""

    @pytest.fixture(scope="class")
    def organism(self):
        return load_model("organism", "cpu")

    GRAMMAR = ("grammar/loans", "grammar/sentiment", "grammar/facts/country")

    @pytest.mark.parametrize("task", GRAMMAR)
    def test_pairs_of_the_grammar(self, organism, task, file):
        assert any(pairs_for(organism, task, 48).reserved)
        with sealed(file):
            assert not any(pairs_for(organism, task, 48).reserved)
            with pytest.raises(FoldError, match="reserved templates"):
                pairs_for(organism, task, 48, reserved=True)

    def test_pairs_of_a_compiled_model(self, file):
        with sealed(file):
            assert not any(_from_compiled(None).reserved)
            with pytest.raises(FoldError):
                _from_compiled(True)

    def test_pairs_for_any_tokenizer(self, file):
        """All of them ask `usable`, whatever the model: the templates are asked for first."""
        names = [name for name in task_names() if "/" not in name]
        assert len(names) == 6
        with sealed(file):
            for name in names:
                with pytest.raises(FoldError, match="reserved templates"):
                    pairs_for(piece_reader(), name, 4, reserved=True)

    def test_examples_documents_contrasts_and_labels(self, file):
        loans = behaviour("loans")
        kept = {template.id for template in loans.templates if not template.reserved}
        with sealed(file):
            assert {one.template for one in loans.sample(60, seed=0)} == kept
            assert not any(one.reserved for one in texts(200, seed=0))
            drawn = grammar_documents(60, seed=0, behaviours=["loans"])
            assert {one.name for one in drawn} <= kept
            assert set(grammar_contrast("neighbourhood", 40, seed=0).positive_templates) <= kept
            for refused in (
                lambda: loans.sample(4, seed=0, reserved=True),
                lambda: texts(4, seed=0, reserved=True),
                lambda: grammar_documents(4, seed=0, reserved=True),
                lambda: grammar_contrast("neighbourhood", 4, seed=0, reserved=True),
                lambda: distinct_texts(labels_named(["grammar/sentiment/sentiment"])[0], 8, reserved=True),
            ):
                with pytest.raises(FoldError, match="reserved templates"):
                    refused()

    def test_no_reserved_template_can_be_written_by_hand(self, file):
        loans = behaviour("loans")
        example = next(one for one in loans.sample(40, seed=0) if one.reserved)
        template = next(one for one in loans.templates if one.id == example.template)
        with sealed(file), pytest.raises(FoldError, match="reserved templates"):
            loans.example(template, example.latents)

    def test_a_file_of_ones_own(self, organism, file, tmp_path):
        drawn = pairs_for(organism, "grammar/loans", 40)
        columns = zip(drawn.clean_texts, drawn.corrupted_texts, drawn.reserved, strict=True)
        lines = [
            {"clean": clean, "corrupted": corrupted, "answer": " approved", "wrong": " rejected", "template": "t",
             "reserved": reserved}
            for clean, corrupted, reserved in columns
        ]  # fmt: skip
        path = tmp_path / "mine.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)))
        with sealed(file):
            assert not any(pairs_for(organism, str(path)).reserved)
            with pytest.raises(FoldError, match="reserved templates"):
                pairs_for(organism, str(path), reserved=True)
        assert any(pairs_for(organism, str(path)).reserved)
