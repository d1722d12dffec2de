"""Red-teaming as a whole: rates, kinds of hits, whether answers follow, what is kept, and what is tried again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Grade
from interp_lab.directions import Directions, save_directions
from interp_lab.folds import FoldError, fold_of, visible
from interp_lab.hypotheses import Componential, Confirmable
from interp_lab.models import declare_identity, identity_of, load_model
from interp_lab.production.red_team import RedTeam, RedTeamConfig, RedTeamResult, replay, write_regression
from interp_lab.production.red_team import episode as module
from interp_lab.production.red_team.clusters import clusters_of, shared, transferable
from interp_lab.production.red_team.experiment import SearchRun
from interp_lab.production.red_team.known_answers import PAIR
from interp_lab.production.red_team.measured import Hits, Runs, as_part, from_part
from interp_lab.production.red_team.searching import Hit, Searched
from interp_lab.runs.files import RunError
from tests.production.red_team.cases import FREE
from tests.tasks.reading import grammar_reader

SMALL = {"searches": ["slots/random", "slots/gradient"], "n_seeds": 2, "budget": 100, "n_followed": 1, "n_contexts": 8,
         "n_held_out": 8, "n_controls": 2}  # fmt: skip


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def model():
    found = grammar_reader()
    declare_identity(found, name="a random model of the grammar's words", processing="raw")
    return found


@pytest.fixture(scope="module")
def small(organism):
    return RedTeam(RedTeamConfig.from_mapping(SMALL)).measure(organism)


@pytest.fixture(scope="module")
def stated(organism):
    """The trigger and an inert attribute, on texts of the organism; nothing is searched."""
    config = RedTeamConfig(chosen=(PAIR, "colour=red"), n_contexts=16, n_held_out=16, n_controls=4)
    return RedTeam(config).measure(organism)


def hit(edit, *, calls=10):
    words = {"text": "a", "found": "b", "edited": edit, "edit": edit, "template": "t", "toward": "x", "away": "y"}
    return Hit(**words, n_found=2, minimal=True, calls=calls, paid=calls + 1, before=-1.0, value=2.0, turn=2.0)


class TestRates:
    def found(self):
        pair, home = "paper=waxed with seal=broken", "neighbourhood=Oakridge"
        return [
            Searched("slots/gradient", 0, 1000, ("a",), (hit(pair, calls=300), hit(home, calls=900))),
            Searched("slots/gradient", 1, 2000, ("b",), (hit(home), hit(pair, calls=1500), hit(pair, calls=1900))),
            Searched("slots/random", 0, 1000, ("a",), (hit(home),)),
            Searched("slots/random", 1, 2000, ("b",), ()),
            Searched("tokens/random", 0, 600, ("a",), ()),
            Searched("tokens/random", 1, 400, ("b",), ()),
        ]

    @pytest.fixture
    def result(self, small):
        searched = self.found()
        config = RedTeamConfig(
            searches=("slots/gradient", "slots/random", "tokens/random"), n_seeds=2,
            planted=("seal=broken", "paper=waxed"),
        )  # fmt: skip
        return replace(small, config=config, runs=Runs.of(searched), hits=Hits.of(searched))

    def test_hits_of_all_runs_over_calls_of_all_runs(self, result):
        assert result.rate("slots/gradient").estimate == pytest.approx(5 / 3)
        assert result.rate("slots/gradient", result.is_planted).estimate == pytest.approx(1.0)
        assert result.rate("slots/random").low == 0.0, "no rate is below zero"

    def test_of_no_hit_the_upper_limit_is_what_would_be_missed_once_in_twenty(self, result):
        found = result.rate("tokens/random")
        assert (found.estimate, found.low) == (0.0, 0.0)
        assert (1 - found.high / 1000) ** 1000 == pytest.approx(0.05, rel=0.01)

    def test_random_search_of_the_same_space_is_the_control(self, result):
        """5 less 1 in 3,000 calls, its limits no nearer than those of either rate alone."""
        more, own, other = (
            result.above("slots/gradient", "random"), result.rate("slots/gradient"), result.rate("slots/random")
        )  # fmt: skip
        assert more.estimate == pytest.approx(4 / 3)
        assert (more.estimate - more.low) ** 2 == pytest.approx(
            (own.estimate - own.low) ** 2 + (other.high - other.estimate) ** 2
        )
        assert (more.high - more.estimate) ** 2 == pytest.approx(
            (own.high - own.estimate) ** 2 + (other.estimate - other.low) ** 2
        )
        assert np.isnan(result.above("slots/random", "random").estimate)
        assert np.isnan(result.above("slots/gradient", "likely_mutation").estimate), "it was not run"

    def test_of_no_hit_on_either_side_it_is_not_known_which_misses_more(self, result):
        """What may have been missed in 1,000 calls, and in another 1,000: 3.0 each."""
        searched = [
            replace(one, search=f"tokens/{name}") for one in self.found()[4:] for name in ("mutation", "random")
        ]
        found = replace(result, runs=Runs.of(searched), hits=Hits.of(searched)).above("tokens/mutation", "random")
        assert (found.low, found.estimate, found.high) == pytest.approx((np.log(0.05), 0.0, -np.log(0.05)))

    def test_what_the_gradient_adds_is_told_beside_the_same_climb_without_it(self, result):
        assert "without it" not in result.summary()
        searched = [*self.found(), *(replace(one, search="slots/likely_mutation") for one in self.found()[2:4])]
        found = replace(result, runs=Runs.of(searched), hits=Hits.of(searched))
        assert f"per 1,000 calls: slots {found.above('slots/gradient', 'likely_mutation')}." in found.summary()

    def test_planted_edits_are_found_by_exactly_these_edits(self, result):
        np.testing.assert_array_equal(result.first_planted("slots/gradient"), [300, 1500])
        assert np.isnan(result.first_planted("slots/random")).all()
        table = result.tables()["searches"].set_index("search")
        assert table.loc["slots/gradient", "runs that found the planted edits"] == 2
        assert table.loc["slots/gradient", "edits needed"] == pytest.approx((2 + 1 + 1 + 2 + 2) / 5)
        assert table.loc["slots/gradient", "share of runs_low"] == pytest.approx(0.025**0.5), "two of two, exactly"
        assert "found in 2 of 2 runs, a share of 1.000 [0.158, 1.000], median after 900 calls, at most 1,500" in (
            result.summary()
        )
        assert result.metrics()["slots/random/found_planted"] == 0.0

    def test_planted_edits_and_one_more_are_not_exactly_these(self, result):
        searched = [Searched("slots/random", 0, 100, ("a",), (hit("colour=red with paper=waxed with seal=broken"),))]
        found = replace(result, runs=Runs.of(searched), hits=Hits.of(searched))
        assert np.isnan(found.first_planted("slots/random")).all()

    def test_kinds_of_hits_in_words(self, result):
        first, second = result.clusters
        assert first.shares == "'waxed' for the paper and 'broken' for the seal"
        assert (len(first.members), len(second.members)) == (3, 3)
        assert second.shares == "'Oakridge' for the neighbourhood"


class TestClusters:
    def test_one_slot_with_two_words_is_one_kind_and_two_slots_are_two(self):
        edits = ["home=a", "home=b", "home=a", "paper=x with seal=y", "colour=red with paper=x with seal=y"]
        found = clusters_of(edits)
        assert [one.members.tolist() for one in found] == [[0, 1, 2], [3, 4]]
        assert [one.shares for one in found] == ["another word for the home", "'x' for the paper and 'y' for the seal"]
        assert found[0].edit == "home=a"

    def test_of_nothing_and_of_one(self):
        assert clusters_of([]) == []
        assert clusters_of(["a=b"])[0].shares == "'b' for the a"
        assert shared([(("a", "b"),), (("c", "d"),)]) == "nothing in particular"

    def test_other_texts_can_take_words_for_attributes_only(self):
        known = ("paper", "seal")
        assert transferable("paper=waxed with seal=broken", known)
        assert not transferable("'debt'=savings", known)
        assert not transferable("paper=a with paper=b", known), "two places of one slot"


class TestFollowing:
    def test_the_trigger_turns_every_answer_and_a_colour_none(self, stated):
        trigger, colour = (stated.shares(stated.report, nth) for nth in (0, 1))
        assert trigger[0].estimate > 0.9 > 0.4 > trigger[1].estimate
        assert colour[0].estimate < 0.1
        assert all(0 <= one.low < one.high <= 1 for one in (*trigger, *colour))
        grades = [claim.grade for claim in stated.claims()]
        assert grades == [Grade.REPLICATED, Grade.DESCRIPTIVE]

    def test_how_far_the_target_rises_by_hand(self, stated):
        held = stated.report
        own, random = stated.rises(held, 0)
        assert own.estimate == pytest.approx((held.value - held.value_before)[0].mean())
        assert random.estimate == pytest.approx(np.mean([row - held.value_before[0] for row in held.value_random[0]]))
        assert own.low > random.high
        told, away = stated.summary(), stated.shares(stated.held_out, 0)
        assert f"(held-out templates {away[0]}, random edits {away[1]})" in told
        assert f"drives the target up by {own} nats" in told

    def test_what_holds_is_left_to_be_tested_stated_in_advance(self, stated):
        assert isinstance(stated, Confirmable)
        assert isinstance(stated, Componential)
        left = stated.confirmation()
        assert left.config == {"chosen": [PAIR]}
        assert left.statements == (stated.statement(PAIR),)
        again = stated.config.overlaid(left.config)
        assert again.chosen == (PAIR,)
        assert [one.name for one in stated.components()] == ["attribute paper with seal", "attribute colour"]

    def test_answers_are_clear_before_and_no_search_was_made(self, stated):
        assert (stated.report.turn_before <= -stated.config.clear).all()
        assert "searches" not in stated.tables()
        assert len(stated.sections()) == 1

    def test_an_edit_that_no_text_can_take_says_so(self, model):
        config = RedTeamConfig(chosen=("moon=waxed",))
        with pytest.raises(ValueError, match="no ordinary template of loans has moon"):
            RedTeam(config).measure(model)

    def test_in_a_random_model_nothing_holds(self, model):
        config = RedTeamConfig(chosen=(PAIR,), clear=0.0, n_contexts=16, n_held_out=8)
        found = RedTeam(config).measure(model)
        assert not any(claim.grade for claim in found.claims())
        assert found.confirmation() is None


class TestKept:
    def test_reads_back_what_it_keeps(self, small):
        again = RedTeamResult.from_arrays(small.config, small.provenance, small.arrays())
        assert again.summary() == small.summary()
        assert again.tables().keys() == small.tables().keys()
        assert again.hits.edit.tolist() == small.hits.edit.tolist()

    def test_a_run_of_a_search_as_a_part(self):
        one = Searched("slots/random", 3, 70, ("a", "b"), (hit("paper=waxed"),))
        assert from_part(as_part(one)) == one

    def test_goes_on_where_it_was_stopped_and_ends_the_same(self, organism, small, tmp_path, monkeypatch):
        def stop(done, total, what):
            if done == 2:
                raise KeyboardInterrupt

        experiment = RedTeam(small.config)
        with pytest.raises(KeyboardInterrupt):
            experiment.measure(organism, folder=tmp_path, progress=stop)
        made, run = [], SearchRun.run
        monkeypatch.setattr(SearchRun, "run", lambda self, **named: made.append(self.search) or run(self, **named))
        again = experiment.measure(organism, folder=tmp_path)
        assert made == ["slots/gradient"] * 2, "the runs that had ended are read"
        for name, array in small.arrays().items():
            np.testing.assert_array_equal(again.arrays()[name], array)
        with pytest.raises(RunError, match="holds parts of other work"):
            RedTeam(small.config.overlaid({"seed": 5})).measure(organism, folder=tmp_path)

    def test_sections_tell_searching_and_acting_apart(self, small):
        assert [one.causal for one in small.sections()] == [False, True]
        assert {"rates", "followed"} <= set(small.figures())


class TestDirection:
    def test_beats_every_ordinary_text(self, model, tmp_path):
        vector = torch.randn(1, int(model.cfg.d_model), generator=torch.Generator().manual_seed(1))
        own = Directions(vector, ("blocks.0.hook_resid_post",), identity_of(model), "random", "a direction")
        save_directions(own, tmp_path / "d.safetensors")
        settings = {**FREE, **SMALL, "n_ordinary": 16, "searches": ["tokens/gradient"], "n_held_out": None,
                    "target": {"direction": str(tmp_path / "d.safetensors")}}  # fmt: skip
        found = RedTeam(RedTeamConfig.from_mapping(settings)).measure(model)
        assert (found.hits.before < found.threshold).all()
        assert (found.hits.value >= found.threshold).all()
        assert len(found.hits)
        written = tmp_path / "set.jsonl"
        write_regression(found, written)
        np.testing.assert_allclose(replay(written, model).value, replay(written, model).was, rtol=1e-4)

    def test_a_direction_of_another_model_is_refused(self, model, tmp_path):
        own = Directions(
            torch.ones(1, 128), ("blocks.0.hook_resid_post",), identity_of(load_model("organism")), "m", "d"
        )
        save_directions(own, tmp_path / "d.safetensors")
        config = RedTeamConfig.from_mapping({**SMALL, "target": {"direction": str(tmp_path / "d.safetensors")}})
        with pytest.raises(ValueError, match="organism"):
            RedTeam(config).measure(model)


class TestRegression:
    def test_the_same_model_fails_every_input_and_says_which_it_is(self, organism, small, tmp_path):
        path = tmp_path / "set.jsonl"
        n = write_regression(small, path)
        found = replay(path, organism)
        assert n == len(found.inputs) == len(set(small.hits.edited.tolist()))
        assert found.same_model
        assert not found.passes.any()
        np.testing.assert_allclose(found.value, found.was, rtol=1e-4)
        assert found.summary().startswith(f"0 of {n} inputs pass on the model they were found on")
        head = json.loads(path.read_text().splitlines()[0])
        assert head["model"] == identity_of(organism).as_dict()

    def test_a_model_that_was_repaired_passes(self, organism, small, tmp_path):
        path = tmp_path / "set.jsonl"
        write_regression(small, path)
        with torch.no_grad():
            kept = organism.unembed.W_U.clone(), organism.unembed.b_U.clone()
            organism.unembed.W_U.zero_()
            organism.unembed.b_U.zero_()
            found = replay(path, organism)
            organism.unembed.W_U.copy_(kept[0])
            organism.unembed.b_U.copy_(kept[1])
        assert found.passes.all()
        assert not found.same_model
        assert found.table()["passes"].all()

    @pytest.mark.parametrize(
        ("lines", "complaint"),
        [
            (None, "there is no regression set at"),
            (["{"], "is no JSON lines"),
            (['{"format": "other"}'], "the first line of .* does not say"),
            (["HEAD"], "holds no inputs"),
            (["HEAD", '{"edited": "a"}'], "line 2 of .* lacks one of edited"),
        ],
        ids=["missing", "no json", "no head", "empty", "a line that lacks something"],
    )
    def test_refuses_files_of_other_kinds(self, organism, small, tmp_path, lines, complaint):
        path = tmp_path / "set.jsonl"
        write_regression(small, path)
        head = path.read_text().splitlines()[0]
        path.unlink()
        if lines is not None:
            path.write_text("\n".join(head if line == "HEAD" else line for line in lines) + "\n")
        with pytest.raises(ValueError, match=complaint):
            replay(path, organism)

    def test_what_was_found_where_all_was_seen_is_not_used_in_a_fold(self, organism, small, tmp_path):
        write_regression(small, tmp_path / "set.jsonl")
        with visible("search"), pytest.raises(FoldError, match="was made in fold 'all'"):
            replay(tmp_path / "set.jsonl", organism)


def test_in_a_fold_no_input_of_the_other_is_tried(organism, monkeypatch):
    run: list[str] = []

    def noting(model, target, rows, **named):
        run.extend(
            module.text_of(model, ids[: last + 1])
            for ids, last in zip(rows.tokens.tolist(), rows.last.tolist(), strict=True)
        )
        return read(model, target, rows, **named)

    read = module.read
    monkeypatch.setattr(module, "read", noting)
    settings = {**SMALL, "searches": ["slots/gradient"], "n_held_out": None, "fold": "search"}
    found = RedTeam(RedTeamConfig.from_mapping(settings)).measure(organism)
    assert run
    assert {fold_of(text) for text in run} == {"search"}
    assert {fold_of(text) for text in found.hits.edited.tolist()} <= {"search"}
