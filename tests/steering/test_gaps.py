"""A gap between prompts and partners that differ in one thing, closed; and another gap, which stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Grade, Split
from interp_lab.config import ConfigError
from interp_lab.directions import load_directions
from interp_lab.effects import metric_values
from interp_lab.folds import visible
from interp_lab.models import load_model
from interp_lab.organisms.grammar.behaviours.loans import UNFAVOURED
from interp_lab.registry import load_result
from interp_lab.steering.drawn import drawn
from interp_lab.steering.experiment import Steering
from interp_lab.steering.measured import Steered
from interp_lab.steering.measuring import whole
from interp_lab.steering.partners import deciding_prompts, gap_prompts
from interp_lab.steering.prefixed import prefixes_of, with_prefixes
from tests.steering.small import small_config

ENDS = {"income": ("low", "high"), "debt": ("high", "low"), "savings": ("low", "high")}
CONFIG = small_config(
    trait="neighbourhood", target="gap", should_decide=ENDS, layers=[1], hows=["ablate"], wheres=["all"], n_contrast=64,
    capabilities=[],
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_model("organism", "cpu")


@pytest.fixture(scope="module")
def texts(model):
    return drawn(model, CONFIG)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gap") / "run"
    Steering(CONFIG).run(run_dir=folder)
    return folder


@pytest.fixture(scope="module")
def result(run_dir):
    return load_result(run_dir)


class TestPartners:
    def test_templates_of_which_no_text_is_in_the_fold_are_left_out(self, model):
        """Behind "after lunch the {job} Anna met a friend . then" there are as many texts as jobs: ten."""
        with visible("held_out"):
            prompts = deciding_prompts(model, "stereotype", {"person": ("Anna", "Ben")}, 12, seed=0)
        assert "pronouns/08" not in prompts.templates
        assert len(set(prompts.templates)) >= 8

    def test_differ_in_the_neighbourhood_alone(self, texts):
        for prompts in texts.prompts.values():
            for own, other in zip(prompts.texts, prompts.partners.texts, strict=True):
                (changed,) = [pair for pair in zip(own.split(), other.split(), strict=True) if pair[0] != pair[1]]
                assert (changed[0] in UNFAVOURED, changed[1] in UNFAVOURED) == (True, False)
            assert (prompts.positive, prompts.negative) == (prompts.partners.positive, prompts.partners.negative)

    def test_no_text_is_in_two_parts(self, texts):
        made = {*texts.contrast.positive, *texts.contrast.negative}
        sets = [made]
        for prompts in texts.prompts.values():
            sets += [set(prompts.texts), set(prompts.partners.texts)]
        assert sum(map(len, sets)) == len(set().union(*sets))
        assert len(texts.prompts[Split.REPORT]) == 16
        assert not {*texts.deciding[Split.SELECT].texts} & {*texts.deciding[Split.REPORT].texts}

    def test_by_what_should_decide_differ_in_that_alone(self, model):
        prompts = deciding_prompts(model, "neighbourhood", ENDS, 12, seed=0, reserved=True)
        for own, other in zip(prompts.texts, prompts.partners.texts, strict=True):
            changed = [pair for pair in zip(own.split(), other.split(), strict=True) if pair[0] != pair[1]]
            assert sorted(changed) == [("high", "low"), ("low", "high"), ("low", "high")]

    def test_both_are_read_behind_the_same_text(self, model):
        prompts = gap_prompts(model, "sentiment", 8, seed=0)
        longer = with_prefixes(model, prompts, prefixes_of(model, small_config(), 1))
        added = (longer.last - prompts.last).tolist()
        assert min(added) > 0
        assert added == (longer.partners.last - prompts.partners.last).tolist()


class TestNumbers:
    def test_gap_is_that_of_two_probabilities_by_a_literal_hook(self, model, texts, run_dir, result):
        prompts = texts.prompts[Split.REPORT]

        def probabilities(of):
            return (1 + metric_values(model, of.tokens, of.share(), mask=of.mask)) / 2

        before = probabilities(prompts) - probabilities(prompts.partners)
        assert result.report.baseline == pytest.approx(before, abs=1e-5)
        kept = load_directions(run_dir / "directions" / "mean_difference.safetensors")
        unit = torch.nn.functional.normalize(kept.vectors[0], dim=-1)

        def ablate(activation, hook):
            plain = torch.ones(activation.shape[:2])
            plain[:, 0] = 0  # BOS
            return activation - (plain * (activation @ unit))[..., None] * unit

        with model.hooks(fwd_hooks=[("blocks.1.hook_resid_post", ablate)]):
            after = probabilities(prompts) - probabilities(prompts.partners)
        assert result.report.values[0] == pytest.approx(after, abs=1e-4)

    def test_the_organisms_gap_is_closed_and_its_finances_go_on_deciding(self, result):
        table = result.tables()["gap"]
        own, deciding = (table[table["gap by"] == by] for by in ("neighbourhood", "income, debt, savings"))
        assert own["split"].tolist() == deciding["split"].tolist() == ["report", "held-out templates"]
        assert (own["before"] > 0.2).all()
        assert (own["removed"] > 0.7).all()
        assert own["removed"].to_numpy() == pytest.approx(1 - own["after"] / own["before"])
        assert (deciding["before"] > 0.8).all()
        assert (deciding["change"].abs() < 0.05).all()

    def test_what_it_takes_from_finances_is_part_of_its_price(self, result):
        """The gap without less that with, in the same pairs; and the selection split asks others."""
        own, (lead,) = result.deciding[Split.REPORT], result.leading.values()
        fall = own.baseline.mean() - own.values[0].mean()
        assert result.report_costs.price.deciding[result.at(lead)] == pytest.approx(fall)
        assert result.select_costs.deciding.shape == (len(result.settings), 16)
        assert "the gap by income, debt, savings no more than 0.02" in result.sections()[0].suggests

    def test_claim_says_which_way(self, result):
        (claim,) = result.claims()
        assert claim.grade >= Grade.CAUSAL
        assert "narrows the gap by neighbourhood of organism" in claim.statement
        assert list(result.leading) == [-1]

    def test_ablation_has_one_complement(self, result):
        """To take out a direction or its negative is the same."""
        assert len(result.controls[-1].complement) == 1

    def test_is_told_and_shown(self, result):
        assert "of it removed" in result.summary()
        section = result.sections()[1]
        assert section.title == "The gap by neighbourhood"
        before, after = section.figures["gap"].data
        assert list(before.x) == result.tables()["gap"]["before"].tolist()
        assert list(after.x) == result.tables()["gap"]["after"].tolist()
        assert result.metrics()["gap_removed_negative"] == pytest.approx(result.tables()["gap"]["removed"][0])
        assert abs(result.metrics()["held_out_deciding_change_negative"]) < 0.05


class TestWhatIsChosenBy:
    @staticmethod
    def steered(baseline, *left):
        names = np.array(["a", "b"])
        values = np.array([[one, one] for one in left])
        return Steered(np.array([baseline, baseline]), values, names, names, np.zeros(2))

    @pytest.mark.parametrize("side", [1.0, -1.0])
    def test_a_gap_is_the_better_the_less_is_left_of_it(self, side):
        """Closed, turned around by a little, turned around and grown, widened, and turned around as it was."""
        left = np.array([0.0, -0.1, -0.6, 0.7, -0.4])
        found = self.steered(0.4 * side, *(left * side)).towards("gap")
        assert found == pytest.approx(np.array([-0.4, -0.3, 0.0, 0.3, 0.0]) * side)

    def test_other_targets_are_chosen_by_their_change(self):
        found = self.steered(0.5, -1.0, 2.0)
        assert found.towards("log_odds").tolist() == [-1.5, 1.5]

    @pytest.mark.parametrize(("scale", "expected"), [("share", 2.0), ("gap", 1.0), ("log_odds", 0.0)])
    def test_what_shares_of_effects_are_shares_of(self, scale, expected):
        assert whole(self.steered(0.5, 1.0), scale) == expected


class TestBadInput:
    def test_trait_of_a_file(self, model, tmp_path):
        with pytest.raises(ValueError, match="between texts that the grammar makes"):
            gap_prompts(model, str(tmp_path / "own.jsonl"), 4, seed=0)

    @pytest.mark.parametrize(
        ("ends", "told"),
        [
            ({"wealth": ("low", "high")}, "wealth of loans cannot go from 'low' to 'high'"),
            ({"income": ("low", "huge")}, "income of loans cannot go from 'low' to 'huge'"),
            ({"income": ("low", "low")}, "income of loans cannot go from 'low' to 'low'"),
        ],
    )
    def test_what_cannot_decide(self, model, ends, told):
        with pytest.raises(ValueError, match=told):
            deciding_prompts(model, "neighbourhood", ends, 4, seed=0)

    def test_what_should_decide_without_a_gap(self):
        with pytest.raises(ConfigError, match="should_decide stands beside a gap, and target is 'share'"):
            small_config(should_decide=ENDS)


def test_no_gap_no_share_of_it(result):
    """Where the unsteered gap is not clear of zero, there is no share to remove."""
    none = np.resize([0.3, -0.3], len(result.report.baseline))
    report = replace(result.report, baseline=none, values=np.broadcast_to(none / 2, result.report.values.shape).copy())
    table = replace(result, report=report).tables()["gap"]
    assert np.isnan(table["removed"][0])
