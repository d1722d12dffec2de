"""What is wrong with an investigation is said before its first step, all of it, with what was meant."""

from pathlib import Path

import pytest
import yaml

from interp_lab.config import ConfigError
from interp_lab.folds import visible
from interp_lab.investigation import InvestigationConfig, InvestigationError, plan, read_investigation_config
from interp_lab.tasks.user import read_pairs
from tests.investigation.capitals import lines, write
from tests.investigation.coins import Coins, CoinsConfig, asked, coins, register

OUT = Path("out/here")
PAIRS = {"n_pairs": 24}


@pytest.fixture(autouse=True)
def _coins(monkeypatch):
    register(monkeypatch)


def planned(*steps, **values):
    return plan(InvestigationConfig.from_mapping(asked(*steps, **values)), OUT)


def refusal(*steps, **values):
    with pytest.raises((InvestigationError, ConfigError)) as refused:
        planned(*steps, **values)
    return str(refused.value)


class TestTheList:
    @pytest.mark.parametrize(
        ("steps", "said"),
        [
            ([coins("a"), coins("a")], "2 steps are named 'a'"),
            ([coins("a"), "hypothesis"], "steps.1: .*no such mark; did you mean 'hypotheses'"),
            ([coins("a"), "confirm", "hypotheses"], "'confirm' stands before 'hypotheses'"),
            ([coins("a"), "confirm"], "'confirm' has nothing to test"),
            ([coins("a"), "hypotheses"], "nothing tests the hypotheses"),
            ([coins("a"), "hypotheses", "hypotheses", "confirm"], "'hypotheses' stands 2 times"),
            (["hypotheses", "confirm", coins("a")], "'hypotheses' stands before every step"),
            ([coins("a"), "hypotheses", "confirm", coins("b", gate=True)], "step 'b' is a gate behind"),
            ([{"name": "A b", "experiment": "coins"}], "steps.0.*name"),
            ([{"name": "a", "experimant": "coins"}], "experimant: no such field.*did you mean 'experiment'"),
            ([], "steps"),
        ],
    )
    def test_is_refused_with_the_reason(self, steps, said):
        with pytest.raises(ConfigError, match=said):
            InvestigationConfig.from_mapping(asked(*steps))

    def test_two_things_at_once_are_both_said(self):
        said = refusal(coins("a"), coins("a"), "confirm", beside="compiled/linear")
        assert "2 steps are named 'a'" in said
        assert "'confirm' has nothing to test" in said
        assert "the model itself" in said


class TestBeforeTheFirstStep:
    def test_all_problems_are_said_together(self):
        said = refusal(
            {"name": "one", "experiment": "patchin"},
            {"name": "two", "experiment": "patching", "config": {"n_pair": 24}},
            {"name": "three", "experiment": "patching", "config": {"n_pairs": "many"}},
            coins("four", uses={"run": "@five", "artefact": "x"}),
            coins("five", fold="all"),
            coins("six", uses={"run": "@sicks", "artefact": "x"}),
            model="compiled/lineer", beside="no/such/place", task="grammar/lones",
        )  # fmt: skip
        for one in (
            "step 'one': no experiment named 'patchin'; did you mean 'patching'?",
            "step 'two': n_pair: no such field in PatchingConfig; did you mean 'n_pairs'?",
            "step 'three': n_pairs: ",
            "step 'four': @five comes later",
            "step 'five': config.fold: steps before 'hypotheses' run on 'search'",
            "step 'six': @sicks names no step; did you mean 'six'?",
            "model: no model 'compiled/lineer'",
            "beside: no model 'no/such/place'",
            "task: unknown behaviour 'lones'; did you mean 'loans'?",
        ):
            assert one in said

    def test_an_untrained_model_is_one_if_its_shape_is(self):
        planned(coins("a"), model="untrained@3/compiled/linear", beside="untrained/compiled/linear")
        assert "no model 'untrained/compiled/lineer'" in refusal(coins("a"), model="untrained/compiled/lineer")

    def test_a_step_may_not_use_itself(self):
        assert "@a comes later" in refusal(coins("a", uses={"run": "@a", "artefact": "x"}))

    def test_a_step_may_not_use_what_was_made_from_held_out_examples(self, tmp_path):
        behind = coins("c", uses={"run": "@b", "artefact": "x"})
        assert "step 'c': @b is made from held-out examples" in refusal(
            coins("a"), "hypotheses", "confirm", coins("b"), behind
        )
        made = Coins(CoinsConfig(fold="held_out"))
        made.run(None, tmp_path / "elsewhere")
        outside = coins("a", uses={"run": str(tmp_path / "elsewhere"), "artefact": "x"})
        assert "step 'a': artefact 'x' of the run in" in refusal(outside)

    def test_a_gate_must_say_whether_there_is_anything(self):
        step = {"name": "a", "experiment": "sae_training", "gate": True}
        assert "step 'a': sae_training does not say whether" in refusal(step)

    def test_what_no_fold_keeps_from_the_search_is_no_step(self):
        assert "superposition draws what no fold keeps" in refusal({"name": "a", "experiment": "superposition"})

    def test_a_file_of_pairs_must_be_there(self):
        assert "task: there is no file mine.jsonl" in refusal(coins("a"), task="mine.jsonl")


class TestOwnPairs:
    """A third of the lines is held out for the test; that it is too few would else be found out after the search."""

    def task(self, tmp_path):
        made = [line for line in lines() if not line["reserved"]][:144] + [line for line in lines() if line["reserved"]]
        return str(write(tmp_path / "pairs.jsonl", made))

    def patch(self, **config):
        return {"name": "patch", "experiment": "patching", "config": config}

    def test_too_few_for_the_test_are_told_by_number(self, tmp_path):
        task = self.task(tmp_path)
        with visible("held_out"):
            there = [pair.reserved for pair in read_pairs(Path(task))]
        n, n_again = there.count(False), there.count(True)
        assert 16 <= n < 200
        said = refusal(self.patch(n_pairs=200, n_held_out=200), "hypotheses", "confirm", task=task)
        assert (
            f"step 'patch': n_pairs=200, and of the lines of {task} that are held out for the test (a third) {n} "
            in said
        )
        assert f"are different reserved pairs; set n_held_out to {n_again} at most or to null" in said
        planned(self.patch(n_pairs=n, n_held_out=n_again), "hypotheses", "confirm", task=task)

    def test_what_is_not_tested_needs_none(self, tmp_path):
        step = self.patch(n_pairs=200, n_held_out=200)
        planned(step, task=self.task(tmp_path))
        planned({**step, "tested": False}, coins("a"), "hypotheses", "confirm", task=self.task(tmp_path))
        assert "n_pairs=200" in refusal(coins("a"), "hypotheses", "confirm", step, task=self.task(tmp_path))


class TestWhatAStepIsTold:
    def test_shared_values_unless_it_names_its_own(self):
        one, two, three = planned(
            coins("a"), coins("b", seed=3, model="compiled/backup"), {"name": "c", "experiment": "patching"},
            seed=7, fdr=0.1, level=0.9, device="cpu",
        )  # fmt: skip
        assert (one.config.seed, one.config.fdr, one.config.device) == (7, 0.1, "cpu")
        assert (two.config.seed, two.config.model) == (3, "compiled/backup")
        assert (three.config.task, three.config.level, three.config.seed) == ("compiled/linear", 0.9, 7)

    def test_one_fold_and_no_reserved_template_before_the_hypotheses_and_the_other_behind(self):
        before, behind = planned(coins("a"), "hypotheses", "confirm", coins("b", n_held_out=5))
        assert (before.phase, before.config.fold) == ("search", "search")
        assert (before.config.n_held_out, before.config.deeper.n_held_out) == (None, None)
        assert (behind.phase, behind.config.fold, behind.config.n_held_out) == ("held_out", "held_out", 5)

    def test_what_its_test_is_made_from_keeps_the_numbers(self):
        (one,) = planned(coins("a", n_held_out=9))
        assert (one.for_test.n_held_out, one.for_test.deeper.n_held_out, one.for_test.n_pairs) == (9, 8, 24)

    @pytest.mark.parametrize("name", ["attention_heads", "ablation", "circuits", "probes", "lenses", "steering"])
    def test_experiments_that_ship_can_be_planned_as_they_come(self, name):
        (one,) = planned({"name": "one", "experiment": name})
        assert one.config.fold == "search"

    def test_an_exploration_never_opens_what_is_held_out(self):
        assert [one.phase for one in planned(coins("a"), coins("b"))] == ["search", "search"]

    def test_where_earlier_steps_are_kept(self):
        _, two = planned(coins("a"), coins("b", uses={"run": "@a", "artefact": "directions"}))
        assert two.config.uses.run == OUT / "steps" / "a"
        assert two.consumes == ("a",)

    @pytest.mark.parametrize(("effort", "n"), [("quick", 16), ("standard", 24), ("thorough", 96)])
    def test_the_settings_of_the_effort(self, effort, n):
        step = {**coins("a", n_pairs=24), "quick": {"n_pairs": 16}, "thorough": {"n_pairs": 96}}
        (one,) = planned(step, effort=effort)
        assert one.config.n_pairs == n
        assert one.counts == {"n_pairs": n}


class TestTheFile:
    def read(self, tmp_path, values, *given):
        path = tmp_path / "one.yaml"
        path.write_text(yaml.safe_dump(values))
        return read_investigation_config(path, *given)

    def test_overrides_win_over_every_effort(self, tmp_path):
        values = asked({**coins("a", n_pairs=24), "quick": {"n_pairs": 16}})
        config = self.read(tmp_path, values, {"seed": 4, "steps.a.n_pairs": 20}, "quick")
        (one,) = plan(config, OUT)
        assert (config.effort, one.config.seed, one.config.n_pairs) == ("quick", 4, 20)

    def test_an_unknown_step_is_told_with_the_nearest(self, tmp_path):
        with pytest.raises(ConfigError, match=r"steps.tos: no such step; did you mean 'toss'\?"):
            self.read(tmp_path, asked(coins()), {"steps.tos.n_pairs": 20})

    def test_a_config_of_an_experiment_is_told_from_it(self, tmp_path):
        with pytest.raises(ConfigError, match="it describes an experiment: `interp-lab run "):
            self.read(tmp_path, {"experiment": "patching"})

    def test_says_which_file_is_wrong(self, tmp_path):
        with pytest.raises(ConfigError, match=r"one.yaml: n_mots: no such field.*did you mean 'n_most'"):
            self.read(tmp_path, asked(coins(), n_mots=3))

    def test_comes_back_from_its_own_text(self, tmp_path):
        config = self.read(tmp_path, asked(coins("a", search={"x": 1.0}), "hypotheses", "confirm", beside="organism"))
        (tmp_path / "two.yaml").write_text(config.to_yaml())
        assert InvestigationConfig.from_yaml(tmp_path / "two.yaml") == config
