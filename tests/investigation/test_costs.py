"""What an investigation will cost: worked out by hand from what others have cost."""

from pathlib import Path

import pytest

from interp_lab.investigation import InvestigationConfig, investigate, plan, read_investigation
from interp_lab.investigation.costs import (
    Spent,
    Work,
    as_bundled,
    bundled_spent,
    expected,
    expected_in,
    factor_of,
    spent_beside,
    work_of,
)
from interp_lab.investigation.expected import Expected, duration
from interp_lab.investigation.yardstick import yardstick
from tests.investigation.coins import asked, coins, register


@pytest.fixture(autouse=True)
def _coins(monkeypatch):
    register(monkeypatch)


def work(part="step", *, experiment="coins", model="compiled/linear", device="cpu", **amounts):
    return Work(experiment, part, model, device, amounts)


def foretold(*known, steps=None, **values):
    steps = steps or (coins("toss", n_pairs=30),)
    config = InvestigationConfig.from_mapping(asked(*steps, **values))
    return expected(config, plan(config, Path("nowhere")), [Spent(*one) for one in known])


@pytest.fixture
def new(tmp_path):
    """Folder of the next investigation, in which there is nothing yet."""
    return tmp_path / "out" / "new"


class TestWork:
    def test_is_measured_by_whole_numbers_and_lengths_of_lists_and_not_by_the_seed(self):
        flat = {"model": "untrained@3/organism", "n_pairs": 24, "seed": 7, "deeper.seed": 1, "deeper.n_held_out": 8,
                "sites": ["z", "mlp_out"], "fdr": 0.05, "exact": True, "name": "x", "n_held_out": None}  # fmt: skip
        made = work_of("coins", "test", flat, "cpu")
        assert made == work("test", model="organism", n_pairs=24, sites=2, **{"deeper.n_held_out": 8})
        assert made.n_examples == 32


class TestExpected:
    def test_twice_the_examples_are_twice_the_seconds(self):
        """30 pairs in place of 15; the search asks for no held-out templates."""
        assert foretold((work(n_pairs=15), 4.0)).seconds == {"toss": 8.0}

    def test_the_nearest_counts_the_same_model_first_then_the_same_part(self):
        near = (work(n_pairs=30), 3.0)
        others = [
            (work(n_pairs=30, model="organism"), 99.0),
            (work("test", n_pairs=30), 99.0),
            (work(n_pairs=60), 99.0),
        ]
        assert foretold(*others, near).seconds == {"toss": 3.0}
        assert foretold(others[0], (work("test", n_pairs=30), 7.0)).seconds == {"toss": 7.0}, "a test, if of this model"

    def test_a_number_that_is_no_number_of_examples_makes_it_less_alike_and_scales_nothing(self):
        assert foretold((work(n_pairs=30, n_random=50), 9.0), (work(n_pairs=31), 3.1)).seconds == {"toss": 3.0}
        assert foretold((work(n_pairs=30, n_random=50), 9.0)).seconds == {"toss": 9.0}

    def test_what_was_recorded_elsewhere_is_said_and_other_devices_count_nothing(self):
        told = foretold((work(n_pairs=30, model="organism"), 5.0), (work(n_pairs=30, device="cuda"), 1.0))
        assert (told.seconds, told.elsewhere) == ({"toss": 5.0}, ("toss",))
        assert "on another model, whose size is not taken into account: toss." in told.how
        only = foretold((work(n_pairs=30, device="cuda"), 1.0))
        assert (only.seconds, only.total) == ({"toss": None}, 0.0)
        assert only.how.endswith("Not in it, since nothing like it was recorded: toss.")

    def test_tests_are_foretold_with_their_held_out_examples_in_both_models(self):
        """Tests ask for 30 pairs, 12 and 8 of held-out templates: 50 in place of 25."""
        steps = (coins("toss", n_pairs=30), coins("look", tested=False), "hypotheses", "confirm", coins("again"))
        told = foretold((work("test", n_pairs=25), 4.0), (work(n_pairs=30), 3.0), steps=steps, beside="compiled/backup")
        assert list(told.seconds) == ["toss", "look", "again", "confirm/toss", "confirm-beside/toss"]
        assert told.seconds["confirm/toss"] == told.seconds["confirm-beside/toss"] == 8.0
        assert told.elsewhere == ("confirm-beside/toss",)
        assert told.total == pytest.approx(3.0 + 2.4 + 44 / 30 * 3.0 + 16.0)

    def test_an_exploration_has_no_tests(self):
        assert "confirm/toss" not in foretold((work(n_pairs=1), 1.0)).seconds


class TestHowGoodItIs:
    def test_four_in_five_of_what_the_others_foretell(self):
        """Eight alike but for their seconds: each is foretold by the first, and the first by the second."""
        seconds = [1.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 4.0]
        known = [Spent(work(n_pairs=10), one) for one in seconds]
        assert factor_of(known) == pytest.approx(1.46, abs=0.04), "of 1 1 1.1 1.2 1.3 1.4 1.5 4, four in five"
        assert factor_of(known[1:]) is None

    def test_what_only_another_model_foretells_is_no_check(self):
        assert factor_of([Spent(work(n_pairs=1, model=f"m{nth}"), 1.0) for nth in range(9)]) is None


class TestRecorded:
    def test_what_a_run_cost_is_found_beside_the_next(self, tmp_path, new):
        config = InvestigationConfig.from_mapping(
            asked(coins("toss", search={"a": 1.0}, held_out={"a": 1.0}, n_pairs=30), "hypotheses", "confirm")
        )
        first = investigate(config, tmp_path / "out" / "one")
        known, unread = spent_beside(new)
        assert unread == []
        assert [(one.work.part, one.work.n_examples, one.seconds) for one in known] == [
            ("step", 30, first.seconds["toss"]), ("test", 50, first.seconds["confirm/toss"])
        ]  # fmt: skip
        assert spent_beside(tmp_path / "out" / "one") == ([], []), "not by itself"
        told = expected_in(new, config, plan(config, new))
        assert told.seconds == first.seconds
        again = investigate(config, new, expected=told)
        assert again.expected == read_investigation(new).expected == told
        other = Expected(seconds={}, factor=None)
        assert investigate(config, new, resume=True, expected=other).expected == told, "what was said at the start"

    def test_what_was_refused_in_the_model_beside_says_nothing_of_its_cost(self, tmp_path, new):
        step = coins("toss", search={"a": 1.0}, held_out={"a": 1.0}, not_for="compiled/backup")
        values = asked(step, "hypotheses", "confirm", beside="compiled/backup")
        investigate(InvestigationConfig.from_mapping(values), tmp_path / "out" / "one")
        known, unread = spent_beside(new)
        assert ([one.work.part for one in known], unread) == (["step", "test"], [])

    def test_a_damaged_neighbour_is_named_and_costs_nothing(self, tmp_path, new):
        (tmp_path / "out" / "torn").mkdir(parents=True)
        (tmp_path / "out" / "torn" / "record.json").write_text("{")
        assert spent_beside(new) == ([], ["torn"])
        config = InvestigationConfig.from_mapping(asked(coins("toss")))
        assert "cannot be read: torn." in expected_in(new, config, plan(config, new)).how

    def test_the_bundled_file_is_in_seconds_of_this_machine(self, monkeypatch, tmp_path):
        """A machine that takes twice as long for the yardstick takes twice as long."""
        (tmp_path / "spent.json").write_text(as_bundled([Spent(work(n_pairs=3), 4.04)], yardstick=0.5))
        monkeypatch.setattr("interp_lab.investigation.costs.files", lambda package: tmp_path)
        assert bundled_spent(yardstick=1.0) == [Spent(work(n_pairs=3), 8.0)]

    def test_what_is_bundled_names_experiments_that_there_are(self):
        from interp_lab.registry import EXPERIMENTS

        rows = bundled_spent(yardstick=1.0)
        assert {one.work.experiment for one in rows} <= set(EXPERIMENTS)
        assert all(one.seconds > 0 for one in rows)
        assert factor_of(rows) is not None


def test_the_yardstick_is_a_moment():
    assert 0 < yardstick() < 5


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89.0, "89 s"), (90.0, "2 min"), (5399.0, "90 min"), (5400.0, "1.5 h")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said
