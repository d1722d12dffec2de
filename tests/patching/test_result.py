"""What the result says, shows and keeps: everything follows from its arrays, on disk as in memory."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Grade
from interp_lab.experiment import Result
from interp_lab.patching.changes import PATCHES, Patch
from interp_lab.patching.experiment import Patching
from interp_lab.registry import load_result
from interp_lab.reports import write_page
from interp_lab.runs import keep, read_run
from tests.patching.results import config_of, grammar_model, made, measure, split

MEANS = (1.5, 0.8, 0.0, -0.6)


@pytest.fixture(scope="module")
def result():
    report = split(MEANS, seed=1)
    own = np.concatenate([1.8 + np.zeros((1, 32)), 0.1 * np.ones((5, 32))])
    held_out = split(MEANS, seed=2, prefix="h")
    sets = {"sets": own[None]}
    return made(split(MEANS), replace(report, **sets), replace(held_out, **sets))


@pytest.fixture(scope="module")
def untrained():
    return measure(grammar_model(), task="grammar/facts", sites=("z",), groups={"both": ("0.0", "0.1")})


class TestSummary:
    def test_names_task_model_cost_sites_and_how_much_holds(self, result):
        first, *sites, last = result.summary().split("\n")
        assert first.startswith("grammar/indirect_objects in organism: logit_difference ")
        assert first.endswith("the corruption costs 1.964 [1.898, 2.007] logits")
        assert [line.split(":")[0] for line in sites] == ["0.0", "0.1", "0.3"]
        assert all("noising" in line and "(share of the total effect)" in line for line in sites)
        assert last == "7 of 7 claims hold, 7 also on held-out templates"

    def test_says_when_nothing_was_chosen(self):
        nothing = made(split((0.0,) * 4), split((0.0,) * 4, seed=1))
        assert nothing.summary().split("\n")[1:] == [
            "no site was clear of its control",
            "0 of 0 claims hold; not testable on held-out templates: there are none",
        ]
        assert "so none was tested" in nothing.sections()[0].suggests
        assert "chosen" not in nothing.figures()


class TestMetrics:
    def test_are_flat_numbers(self, result):
        metrics = result.metrics()
        assert all(isinstance(value, float) for value in metrics.values())
        assert metrics["total_effect"] == pytest.approx(metrics["clean"] - metrics["corrupted"])
        assert (metrics["n_chosen"], metrics["n_causal_claims"], metrics["n_replicated_claims"]) == (3, 7, 7)
        assert metrics["z_chosen_together"] == pytest.approx(1.8 / 1.964, abs=0.01)
        assert 0 < metrics["z_stability"] <= 1


class TestTables:
    def test_one_row_per_site_with_shares_raw_effects_and_disagreement(self, result):
        table = result.tables()["sites"].set_index("site")
        assert list(table.index) == ["0.0", "0.1", "0.2", "0.3"]
        assert table.chosen.tolist() == [True, True, False, True]
        row = table.loc["0.1"]
        assert row.denoise_low <= row.denoise <= row.denoise_high
        assert row.denoise_raw == pytest.approx(row.denoise * result.total.estimate)
        assert row.noise_raw == pytest.approx(0.8, abs=0.1)
        assert row.disagreement == pytest.approx(row.denoise - row.noise)
        assert {"disagree", "specificity", "denoise_null", "noise_null", "denoise_other"} <= set(table.columns)

    def test_stability_stands_beside_chance(self, result):
        (row,) = result.tables()["stability"].to_dict("records")
        assert (row["map"], row["top"]) == ("z", 3)
        assert row["low"] <= row["jaccard"] <= row["high"]
        assert row["chance"] < row["jaccard"]


class TestFigures:
    def test_both_ways_and_where_they_disagree(self, result):
        figures = result.figures()
        assert set(figures) == {"z denoise", "z noise", "z disagreement", "chosen"}
        shown = np.array(figures["z denoise"].data[0].z)
        assert np.allclose(shown, result.intervals[Patch.DENOISE].estimate[None])
        assert len(figures["z denoise"].layout.shapes) == 3  # frames around what was chosen

    def test_chosen_sites_stand_beside_their_controls(self, result):
        names = [series.name for series in result.figures()["chosen"].data]
        assert names == [
            "denoising", "its control: another corrupted prompt", "another clean prompt (content)", "noising",
        ]  # fmt: skip

    def test_disagreement_frames_where_it_is_clear_and_not_what_was_chosen(self):
        found = made(split(MEANS), split((1.0, 1.0, 0.2, 0.0), noise=(1.0, 0.0, 1.2, 0.0), seed=1))
        assert len(found.figures()["z disagreement"].layout.shapes) == 2


class TestSections:
    def test_one_causal_section_that_says_what_it_does_not_show(self, result):
        (section,) = result.sections()
        assert section.causal
        assert "may be backed up by another" in section.does_not_show
        assert "more than 5% of that" in section.suggests
        assert set(section.tables) == {"sites", "stability"}

    def test_make_a_page(self, untrained, tmp_path):
        page = write_page(tmp_path / "page.html", "patching", [untrained], reproduce="make").read_text()
        assert "Activation patching: grammar/facts in organism" in page


class TestOnDisk:
    def test_comes_back_as_it_was(self, untrained, tmp_path):
        keep(untrained, run_dir=tmp_path)
        again = load_result(tmp_path)
        assert isinstance(again, Result)
        assert again.config == untrained.config
        assert again.provenance == untrained.provenance
        assert again.maps == untrained.maps
        assert again.names == untrained.names
        for name, array in untrained.arrays().items():
            assert np.array_equal(again.arrays()[name], array, equal_nan=array.dtype.kind == "f"), name

    def test_says_the_same(self, result, untrained, tmp_path):
        for nth, one in enumerate((result, untrained)):
            keep(one, run_dir=tmp_path / str(nth))
            again = load_result(tmp_path / str(nth))
            assert again.summary() == one.summary()
            assert again.metrics() == one.metrics()
            assert [claim.grade for claim in again.claims()] == [claim.grade for claim in one.claims()]
            assert again.tables()["sites"].equals(one.tables()["sites"])
            assert read_run(tmp_path / str(nth)).experiment == "patching"

    def test_without_held_out_templates_too(self, tmp_path):
        alone = made(split(MEANS), split(MEANS, seed=1))
        keep(alone, run_dir=tmp_path)
        again = load_result(tmp_path)
        assert again.held_out is None
        assert max(claim.grade for claim in again.claims()) is Grade.CAUSAL

    def test_a_complete_run_is_read_and_not_made_again(self, result, tmp_path, monkeypatch):
        monkeypatch.setattr(Patching, "carry_out", lambda *_, **__: result)
        config = result.config
        first = Patching(config).run(None, tmp_path / "run")
        monkeypatch.setattr(Patching, "carry_out", never)
        again = Patching(config).run(None, tmp_path / "run", resume=True)
        assert again.summary() == first.summary()
        with pytest.raises(ValueError, match="resume"):
            Patching(config_of(seed=5)).run(None, tmp_path / "run")

    def test_what_was_not_measured_stays_unmeasured(self, untrained, tmp_path):
        keep(untrained, run_dir=tmp_path)
        select = load_result(tmp_path).select
        assert np.isnan(select.changes[PATCHES.index(Patch.DENOISE_OTHER)]).all()
        assert np.isfinite(select.changes[PATCHES.index(Patch.DENOISE)]).all()


def never(*_, **__):
    raise AssertionError("measured again")
