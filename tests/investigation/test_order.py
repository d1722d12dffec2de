"""The whole cycle with experiments that ship, on models whose answer is known; and in which order texts are read.

What is read is overheard where nothing gets round it: at the tokenizer, and at models without one.
"""

import re

import pytest

from interp_lab.claims import Grade
from interp_lab.folds import fold_of
from interp_lab.investigation import InvestigationConfig, investigate
from interp_lab.models import held
from interp_lab.organisms.compiled import compile_model
from interp_lab.organisms.grammar.behaviour import Behaviour
from tests.test_folds_everywhere import overheard

PAIRS = {"n_pairs": 32, "n_held_out": 16, "sites": ["z"], "n_random_sets": 5}
INDUCTION = {
    "investigation": "induction", "question": "Which heads carry induction?", "model": "compiled/induction",
    "task": "compiled/induction", "device": "cpu",
    "steps": [
        {"name": "patch", "experiment": "patching", "config": PAIRS},
        {"name": "ablate", "experiment": "ablation", "config": {**PAIRS, "ablations": ["zero"]}},
        "hypotheses",
        "confirm",
    ],
}  # fmt: skip


class Overheard(set):
    """What was read before the file was there, and (`after`) behind it."""

    def __init__(self, file):
        super().__init__()
        self.file, self.after = file, set()

    def update(self, texts):
        (self.after if self.file.is_file() else self).__ior__(set(texts))


def heard_in(config, out, vocabulary=None):
    with overheard(vocabulary) as heard:
        heard.read = Overheard(out / "hypotheses.json")
        found = investigate(InvestigationConfig.from_mapping(config), out)
    return found, heard


def begin_with_held_out(texts, heard):
    return [text for text in texts if heard._begins_with_one(text)]


@pytest.fixture(scope="module")
def induction(tmp_path_factory):
    vocabulary, loaded, load = compile_model("compiled/induction").vocabulary, [], held.load_model
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(held, "load_model", lambda *given, **named: loaded.append(given[0]) or load(*given, **named))
        return *heard_in(INDUCTION, tmp_path_factory.mktemp("investigation") / "out", vocabulary), loaded


class TestKnownAnswer:
    def test_the_heads_that_carry_it_are_confirmed_and_no_other(self, induction):
        found, *_ = induction
        nodes = compile_model("compiled/induction").truth.nodes
        truth = {node for node in nodes if re.fullmatch(r"\d+\.\d+", node)}
        assert truth == {"0.0", "1.0"}
        single = {
            one.hypothesis.component for one in found.decided if one.holds and "+" not in one.hypothesis.component
        }
        assert single == truth
        assert all(one.grade is Grade.REPLICATED for one in found.decided if one.hypothesis.component in truth)

    def test_one_model_served_all_steps_and_tests(self, induction):
        assert induction[2] == ["compiled/induction"]


class TestTheOrder:
    def test_nothing_held_out_is_read_before_the_hypotheses_are_written(self, induction):
        heard = induction[1]
        assert len(heard.read) > 50
        assert begin_with_held_out(heard.read, heard) == []

    def test_and_nothing_else_behind_them(self, induction):
        heard = induction[1]
        assert len(heard.read.after) > 20
        assert len(begin_with_held_out(heard.read.after, heard)) == len(heard.read.after)

    def test_of_a_model_that_reads_text_nor_any_reserved_template(self, tmp_path, monkeypatch):
        reserved, example = set(), Behaviour.example

        def noting(self, template, latents):
            made = example(self, template, latents)
            if made.reserved:
                reserved.add(made.prompt)
            return made

        monkeypatch.setattr(Behaviour, "example", noting)
        step = {"name": "patch", "experiment": "patching", "config": PAIRS}
        asked = {**INDUCTION, "model": "organism", "task": "grammar/facts", "steps": [step, "hypotheses", "confirm"]}
        found, heard = heard_in(asked, tmp_path / "out")
        assert len(heard.read) > 50
        assert begin_with_held_out(heard.read, heard) == []
        assert not heard.read & reserved
        assert heard.read.after & reserved, "they open with the file"
        assert any(one.holds for one in found.decided)

    def test_the_eavesdropper_finds_out_who_does_not_ask(self, tmp_path, monkeypatch):
        monkeypatch.setattr("interp_lab.tasks.compiled.folds.shows", lambda *texts: True)
        vocabulary = compile_model("compiled/linear").vocabulary
        step = {"name": "patch", "experiment": "patching", "config": PAIRS}
        asked = {**INDUCTION, "model": "compiled/linear", "task": "compiled/linear", "steps": [step]}
        _, heard = heard_in(asked, tmp_path / "out", vocabulary)
        assert {fold_of(text) for text in heard.read} == {"search", "held_out"}
