"""An investigation from start to end: in which order, what is kept, and that going on repeats nothing."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from interp_lab.claims import Grade
from interp_lab.folds import FoldError
from interp_lab.investigation import (
    InvestigationConfig,
    InvestigationError,
    investigate,
    read_investigation,
)
from interp_lab.runs import RunError
from tests.investigation.capitals import lines, write
from tests.investigation.coins import RUNS, Coins, asked, coins, register

LOADED = {"a": 1.0, "b": -2.0, "c": 0.01}
"""On the search fold: two coins are loaded, one is not."""
STEP = {"search": LOADED, "held_out": {**LOADED, "b": 1.5}}
"""On held-out examples one of them turns its sign."""
WHOLE = (coins("toss", **STEP), "hypotheses", "confirm")


@pytest.fixture(autouse=True)
def _coins(monkeypatch):
    register(monkeypatch)


def made(out, *steps, resume=False, **values):
    config = InvestigationConfig.from_mapping(asked(*(steps or WHOLE), **values))
    return investigate(config, out, resume=resume)


def bytes_of(folder):
    """All that does not tell the time; where it lies is left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(str(folder).encode(), b"")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "record.json", "provenance.json")
    }


class TestFromStartToEnd:
    def test_what_holds_and_what_is_refuted(self, tmp_path):
        found = made(tmp_path / "out")
        told = [(one.hypothesis.id, one.hypothesis.component, one.holds) for one in found.decided]
        assert told == [("H1", "b", False), ("H2", "a", True)], "the strongest first; the sign of b turned"
        assert found.decided[1].grade is Grade.REPLICATED
        assert (found.stopped, found.exploratory) == (None, False)
        assert RUNS == [("compiled/linear", "search", ""), ("compiled/linear", "held_out", "b,a")]

    def test_every_hypothesis_says_in_advance_what_would_refute_it(self, tmp_path):
        first, second = made(tmp_path / "out").hypotheses
        general = (
            "On held-out examples the interval of the effect, or of its difference from another coin, does not lie "
            "wholly {side} logits; or p of that difference, corrected over all 2 hypotheses, is not below 0.05."
        )
        assert first.refuted_if == general.format(side="below -0.05") + " Or if the coin melts."
        assert second.refuted_if == general.format(side="above 0.05")
        assert (first.uncertain, second.uncertain) == ("Whether other coins would do.", "")
        assert (first.observed.estimate, first.unit, first.margin, first.n_examples) == (-2.0, "logits", 0.05, 24)

    def test_the_test_is_fixed_whole_and_sees_reserved_templates_again(self, tmp_path):
        one = made(tmp_path / "out", coins("toss", **STEP, n_held_out=9), "hypotheses", "confirm").hypotheses[0]
        assert one.config["chosen"] == ["b", "a"]
        assert (one.config["fold"], one.config["n_held_out"], one.config["deeper"]) == (
            "held_out",
            9,
            {"n_held_out": 8},
        )

    def test_the_test_uses_what_the_search_made(self, tmp_path):
        one = made(tmp_path / "out").hypotheses[0]
        assert one.config["uses"] == {"run": "@toss", "artefact": "drawn"}, "the same wherever it lies"

    def test_the_hash_is_that_of_the_file_and_stands_in_the_record(self, tmp_path):
        found = made(tmp_path / "out")
        data = (tmp_path / "out" / "hypotheses.json").read_bytes()
        assert found.hypotheses_hash == hashlib.sha256(data).hexdigest()
        record = json.loads((tmp_path / "out" / "record.json").read_text())
        assert record["hypotheses_sha256"] == found.hypotheses_hash
        assert record["status"] == "complete"
        assert {name: one["status"] for name, one in record["steps"].items()} == {
            "toss": "complete", "confirm/toss": "complete",
        }  # fmt: skip

    def test_is_undecided_until_all_is_tested(self, tmp_path):
        made(tmp_path / "out", WHOLE[0], coins("second", search={"d": 3.0}), "hypotheses", "confirm")
        shutil.rmtree(tmp_path / "out" / "confirm" / "second")
        record = tmp_path / "out" / "record.json"
        told = json.loads(record.read_text())
        del told["steps"]["confirm/second"]
        record.write_text(json.dumps(told))
        found = read_investigation(tmp_path / "out")
        assert (len(found.hypotheses), list(found.tests), found.decided) == (3, ["confirm/toss"], ())

    def test_is_read_back_as_it_was(self, tmp_path):
        found, again = made(tmp_path / "out", beside="compiled/backup"), read_investigation(tmp_path / "out")
        assert again.decided == found.decided
        assert again.hypotheses == found.hypotheses
        assert (again.config, again.seconds, again.stopped) == (found.config, found.seconds, found.stopped)
        assert list(again.tests) == list(found.tests)
        assert [(one.name, one.phase, one.seconds) for one in again.steps] == [
            (one.name, one.phase, one.seconds) for one in found.steps
        ]

    def test_so_many_of_a_step_at_most(self, tmp_path):
        assert [one.component for one in made(tmp_path / "out", n_most=1).hypotheses] == ["b"]

    def test_a_step_that_only_says_where_to_look_leaves_no_hypothesis(self, tmp_path):
        look = coins("look", tested=False, **STEP)
        found = made(tmp_path / "out", look, coins("toss", **STEP), "hypotheses", "confirm")
        assert [one.step for one in found.hypotheses] == ["toss", "toss"]
        assert set(found.tests) == {"confirm/toss"}

    def test_one_correction_over_all_steps(self, tmp_path):
        """p 0.03 and 0.04 of two coins in two steps, with a third at 0.9: 0.06, 0.06 and 0.9."""
        steps = [
            coins(name, search={name: 1.0}, held_out={name: 1.0}, p={name: p})
            for name, p in (("x", 0.03), ("y", 0.04), ("z", 0.9))
        ]
        found = made(tmp_path / "out", *steps, "hypotheses", "confirm")
        assert [one.claim.effect.p_adjusted for one in found.decided] == pytest.approx([0.06, 0.06, 0.9])
        assert not any(one.holds for one in found.decided)

    def test_the_model_beside_is_asked_the_same(self, tmp_path):
        found = made(tmp_path / "out", beside="compiled/backup")
        assert ("compiled/backup", "held_out", "b,a") in RUNS
        assert sorted(found.tests) == ["confirm-beside/toss", "confirm/toss"]
        assert found.decided[1].beside.statement == "Coin a raises the answer in compiled/backup"

    def test_a_model_beside_that_refuses_costs_nothing(self, tmp_path):
        step = coins("toss", **STEP, not_for="compiled/backup")
        found = made(tmp_path / "out", step, "hypotheses", "confirm", beside="compiled/backup")
        assert [one.holds for one in found.decided] == [False, True]
        assert [one.beside for one in found.decided] == [None, None]
        record = json.loads((tmp_path / "out" / "record.json").read_text())
        assert record["steps"]["confirm-beside/toss"]["error"] == "what it uses does not belong to compiled/backup"

    def test_a_damaged_test_in_the_model_beside_is_no_refusal(self, tmp_path):
        """Made, killed before it was noted, and changed then: that the other model could not be asked is not true."""
        made(tmp_path / "out", beside="compiled/backup")
        (tmp_path / "out" / "confirm-beside" / "toss" / "arrays.safetensors").write_bytes(b"")
        record = tmp_path / "out" / "record.json"
        told = json.loads(record.read_text())
        del told["steps"]["confirm-beside/toss"]
        record.write_text(json.dumps(told))
        with pytest.raises(InvestigationError, match=r"confirm-beside/toss .* failed"):
            made(tmp_path / "out", beside="compiled/backup", resume=True)

    def test_nor_are_hypotheses_that_were_changed_meanwhile(self, tmp_path, monkeypatch):
        path, carry_out = tmp_path / "out" / "hypotheses.json", Coins.carry_out

        def editing(self, *given, **named):
            if self.config.fold == "held_out":
                path.write_bytes(path.read_bytes() + b"\n")
            return carry_out(self, *given, **named)

        monkeypatch.setattr(Coins, "carry_out", editing)
        with pytest.raises(InvestigationError, match=r"confirm-beside/toss .* was changed after it was written"):
            made(tmp_path / "out", beside="compiled/backup")

    def test_is_undecided_until_the_model_beside_was_asked_too(self, tmp_path, monkeypatch):
        carry_out = Coins.carry_out

        def stopped(self, *given, **named):
            if self.config.model == "compiled/backup":
                raise KeyboardInterrupt
            return carry_out(self, *given, **named)

        monkeypatch.setattr(Coins, "carry_out", stopped)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path / "out", beside="compiled/backup")
        found = read_investigation(tmp_path / "out")
        assert (list(found.tests), found.decided) == (["confirm/toss"], ())

    def test_a_gate_ends_it_before_anything_is_claimed(self, tmp_path):
        gate = coins("first", gate=True, lacks="the corruption costs nothing")
        found = made(tmp_path / "out", gate, *WHOLE)
        assert found.stopped == "first: the corruption costs nothing"
        assert [one.name for one in found.steps] == ["first"]
        assert (found.hypotheses, found.decided, found.hypotheses_hash) == ((), (), None)
        assert not (tmp_path / "out" / "hypotheses.json").exists()
        assert read_investigation(tmp_path / "out").stopped == found.stopped

    def test_an_open_gate_does_not(self, tmp_path):
        assert made(tmp_path / "out", coins("first", gate=True), *WHOLE).stopped is None

    def test_nothing_found_is_written_down_and_nothing_tested(self, tmp_path):
        found = made(tmp_path / "out", coins("toss", search={"c": 0.01}), "hypotheses", "confirm")
        assert (found.hypotheses, found.decided) == ((), ())
        assert found.hypotheses_hash is not None
        assert not found.exploratory

    def test_an_exploration_tests_nothing(self, tmp_path):
        found = made(tmp_path / "out", coins("toss", **STEP))
        assert found.exploratory
        assert {fold for _, fold, _ in RUNS} == {"search"}

    def test_steps_behind_the_hypotheses_see_the_rest_and_use_what_came_before(self, tmp_path):
        again = coins("again", **STEP, uses={"run": "@toss", "artefact": "drawn"})
        found = made(tmp_path / "out", *WHOLE, again)
        assert [(one.name, one.phase) for one in found.steps] == [("toss", "search"), ("again", "held_out")]

    def test_progress_ends_where_all_is_done(self, tmp_path):
        told = []
        config = InvestigationConfig.from_mapping(asked(*WHOLE))
        investigate(config, tmp_path / "out", progress=lambda *given: told.append(given))
        assert told == [(1000, 2000, "toss"), (2000, 2000, "test of toss")]


class TestGoingOn:
    @pytest.mark.parametrize("killed_at", [1, 2, 3])
    def test_makes_the_same_and_repeats_nothing(self, tmp_path, monkeypatch, killed_at):
        steps = [
            coins("toss", **STEP),
            coins("second", search={"d": 3.0}, held_out={"d": 3.0}),
            "hypotheses",
            "confirm",
        ]
        whole = made(tmp_path / "whole", *steps)
        in_all, carry_out, begun = list(RUNS), Coins.carry_out, []
        RUNS.clear()

        def stopped(self, *given, **named):
            begun.append(self)
            if len(begun) == killed_at + 1:
                raise KeyboardInterrupt
            return carry_out(self, *given, **named)

        monkeypatch.setattr(Coins, "carry_out", stopped)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path / "out", *steps)
        monkeypatch.setattr(Coins, "carry_out", carry_out)
        found = made(tmp_path / "out", *steps, resume=True)
        assert in_all == RUNS, "each run was made once"
        assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
        assert found.decided == whole.decided
        assert found.hypotheses_hash == whole.hypotheses_hash

    def test_of_what_is_complete_makes_nothing(self, tmp_path):
        first = made(tmp_path / "out")
        RUNS.clear()
        again = made(tmp_path / "out", resume=True)
        assert RUNS == []
        assert (again.decided, again.seconds) == (first.decided, first.seconds)

    def test_after_a_failure_that_was_mended(self, tmp_path):
        stone = tmp_path / "stone"
        stone.touch()
        steps = [coins("toss", **STEP), coins("second", **STEP, breaks_on=str(stone)), "hypotheses", "confirm"]
        refused = r"second \(coins\) failed: the coin fell off the table. What ran before it is kept: .* --resume"
        with pytest.raises(InvestigationError, match=refused):
            made(tmp_path / "out", *steps)
        record = json.loads((tmp_path / "out" / "record.json").read_text())
        assert [(name, one["status"]) for name, one in record["steps"].items()] == [
            ("toss", "complete"), ("second", "failed"),
        ]  # fmt: skip
        assert record["steps"]["second"]["error"] == "the coin fell off the table"
        stone.unlink()
        RUNS.clear()
        assert len(made(tmp_path / "out", *steps, resume=True).decided) == 4
        assert RUNS[0] == ("compiled/linear", "search", "")
        assert len(RUNS) == 3, "the second step, and two tests"

    def test_a_step_that_failed_may_be_told_something_else(self, tmp_path):
        stone = tmp_path / "stone"
        stone.touch()
        steps = [coins("toss", **STEP), coins("second", breaks_on=str(stone)), "hypotheses", "confirm"]
        with pytest.raises(InvestigationError):
            made(tmp_path / "out", *steps)
        assert made(tmp_path / "out", steps[0], coins("second"), *steps[2:], resume=True).decided

    @pytest.mark.parametrize(
        ("steps", "values", "said"),
        [
            (WHOLE, {"seed": 3}, "seed: 0 -> 3"),
            (WHOLE, {"n_most": 1}, "n_most: 12 -> 1"),
            ((coins("toss", **STEP, n_pairs=30), *WHOLE[1:]), {}, "step 'toss'"),
            ((coins("other", **STEP), *WHOLE[1:]), {}, "step 'toss'"),
            ((WHOLE[0], coins("more", **STEP), *WHOLE[1:]), {}, "the steps before the hypotheses, which are written"),
            ((WHOLE[0],), {}, "the hypotheses are written, and nothing tests them"),
        ],
    )
    def test_what_has_run_is_not_told_something_else(self, tmp_path, steps, values, said):
        made(tmp_path / "out")
        with pytest.raises(InvestigationError, match=said):
            made(tmp_path / "out", *steps, resume=True, **values)

    def test_nor_at_another_effort_unless_that_is_the_same(self, tmp_path):
        made(tmp_path / "out", {**coins("toss", **STEP), "quick": {"n_pairs": 30}}, *WHOLE[1:])
        with pytest.raises(InvestigationError, match="step 'toss'"):
            made(
                tmp_path / "out",
                {**coins("toss", **STEP), "quick": {"n_pairs": 30}},
                *WHOLE[1:],
                effort="quick",
                resume=True,
            )
        assert made(tmp_path / "out", *WHOLE, effort="thorough", resume=True).config.effort == "thorough"

    def test_an_edited_file_of_hypotheses_is_refused(self, tmp_path):
        made(tmp_path / "out")
        path = tmp_path / "out" / "hypotheses.json"
        path.write_bytes(path.read_bytes() + b"\n")
        with pytest.raises((InvestigationError, FoldError), match="was changed after it was written"):
            made(tmp_path / "out", resume=True)

    @pytest.mark.parametrize(("written", "said"), [(None, "is gone"), ("[]\n", "was changed after it was written")])
    def test_nor_is_one_read_that_was_edited_or_lost(self, tmp_path, written, said):
        made(tmp_path / "out")
        path = tmp_path / "out" / "hypotheses.json"
        path.unlink() if written is None else path.write_text(written)
        with pytest.raises(InvestigationError, match=f"hypotheses.json {said}; put it back as it was"):
            read_investigation(tmp_path / "out")

    def test_what_was_lost_is_not_written_anew(self, tmp_path):
        made(tmp_path / "out")
        (tmp_path / "out" / "hypotheses.json").unlink()
        with pytest.raises(InvestigationError, match=r"hypotheses.json is gone"):
            made(tmp_path / "out", resume=True)
        shutil.rmtree(tmp_path / "out" / "steps" / "toss")
        RUNS.clear()
        with pytest.raises(InvestigationError, match="'toss' came before the hypotheses, which are written"):
            made(tmp_path / "out", resume=True)
        assert RUNS == [], "no search once held-out examples were seen"

    @pytest.mark.parametrize("text", ["{", '{"format": 1}', '{"format": 1, "hypotheses": [{}]}', '{"format": 2}'])
    def test_a_damaged_file_of_hypotheses_is_told(self, tmp_path, text):
        made(tmp_path / "out")
        record = tmp_path / "out" / "record.json"
        (tmp_path / "out" / "hypotheses.json").write_text(text)
        record.write_text(json.dumps({**json.loads(record.read_text()), "hypotheses_sha256": None}))
        with pytest.raises(InvestigationError, match=r"hypotheses.json is (damaged|of format 2)"):
            made(tmp_path / "out", resume=True)

    def test_hypotheses_that_the_search_did_not_find_are_refused(self, tmp_path, monkeypatch):
        """Written, and killed before the record knew: the file is held against what the search says."""
        made(tmp_path / "out")
        path, record = tmp_path / "out" / "hypotheses.json", tmp_path / "out" / "record.json"
        path.write_text(path.read_text().replace("Coin a raises", "Coin z raises"))
        told = json.loads(record.read_text())
        record.write_text(json.dumps({**told, "hypotheses_sha256": None}))
        with pytest.raises(InvestigationError, match="does not hold what the steps before it found"):
            made(tmp_path / "out", resume=True)

    def test_no_step_before_the_hypotheses_is_made_again_once_they_are_written(self, tmp_path):
        made(tmp_path / "out")
        shutil.rmtree(tmp_path / "out" / "steps" / "toss")
        with pytest.raises(InvestigationError, match="'toss' came before the hypotheses, which are written"):
            made(tmp_path / "out", resume=True)

    def test_not_without_being_asked_and_not_in_a_folder_of_something_else(self, tmp_path):
        made(tmp_path / "out")
        with pytest.raises(InvestigationError, match="already holds an investigation; go on with it by --resume"):
            made(tmp_path / "out")
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "mine.txt").touch()
        with pytest.raises(InvestigationError, match=r"is not empty and holds no investigation \(it has mine.txt\)"):
            made(tmp_path / "other", resume=True)

    def test_a_run_that_was_changed_is_refused(self, tmp_path):
        made(tmp_path / "out")
        arrays = tmp_path / "out" / "steps" / "toss" / "arrays.safetensors"
        data = bytearray(arrays.read_bytes())
        data[-1] ^= 1
        arrays.write_bytes(bytes(data))
        with pytest.raises((InvestigationError, RunError), match="was changed after the run"):
            made(tmp_path / "out", resume=True)
        with pytest.raises(RunError, match="was changed after the run"):
            read_investigation(tmp_path / "out")

    def test_a_file_of_lines_stays_as_it_was_once_a_step_has_read_it(self, tmp_path):
        """One line that shares a prompt with two others brings both into one fold."""
        task, stone = write(tmp_path / "pairs.jsonl", lines()), tmp_path / "stone"
        steps = [coins("toss", **STEP), coins("second", breaks_on=str(stone)), *WHOLE[1:]]
        stone.touch()
        with pytest.raises(InvestigationError, match="fell off"):
            made(tmp_path / "first", *steps[1:], task=str(task))
        with pytest.raises(InvestigationError, match="fell off"):
            made(tmp_path / "out", *steps, task=str(task))
        stone.unlink()
        task.write_text(task.read_text() + "\n# one more\n")
        with pytest.raises(InvestigationError, match=r"pairs.jsonl was changed since the investigation began"):
            made(tmp_path / "out", *steps, task=str(task), resume=True)
        made(tmp_path / "first", *steps[1:], task=str(task), resume=True)

    def test_what_a_gate_ended_stays_as_it_was(self, tmp_path):
        steps = [coins("look", **STEP), coins("gate", gate=True, lacks="nothing there"), *WHOLE]
        first = made(tmp_path / "out", *steps)
        RUNS.clear()
        again = made(tmp_path / "out", *steps, resume=True)
        assert [one.name for one in again.steps] == [one.name for one in first.steps] == ["look", "gate"]
        assert (again.stopped, RUNS) == ("gate: nothing there", [])
        assert json.loads((tmp_path / "out" / "record.json").read_text())["status"] == "complete"

    def test_is_running_until_it_has_ended_again(self, tmp_path):
        made(tmp_path / "out")
        stone = tmp_path / "stone"
        stone.touch()
        with pytest.raises(InvestigationError, match="fell off"):
            made(tmp_path / "out", *WHOLE, coins("again", breaks_on=str(stone)), resume=True)
        assert json.loads((tmp_path / "out" / "record.json").read_text())["status"] == "running"

    def test_the_same_folder_by_another_path_and_no_other_one(self, tmp_path, monkeypatch):
        """Steps that use others know where these lie: a folder that was moved can be read, and not gone on with."""
        steps = [coins("look", **STEP), coins("toss", **STEP, uses={"run": "@look", "artefact": "drawn"}), *WHOLE[1:]]
        monkeypatch.chdir(tmp_path)
        first = made(Path("out"), *steps)
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        RUNS.clear()
        assert made(tmp_path / "out", *steps, resume=True).decided == first.decided
        (tmp_path / "out").rename(tmp_path / "moved")
        assert read_investigation(tmp_path / "moved").decided == first.decided
        with pytest.raises(RunError, match=r"toss holds a run with another config \(uses.run: .*out/steps/look"):
            made(tmp_path / "moved", *steps, resume=True)
        assert RUNS == []

    def test_a_plan_that_cannot_be_carried_out_makes_no_folder(self, tmp_path):
        with pytest.raises(InvestigationError):
            made(tmp_path / "out", coins("toss", uses={"run": "@tos", "artefact": "x"}))
        assert not (tmp_path / "out").exists()
