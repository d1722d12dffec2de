import numpy as np
import pytest

from interp_lab.steering.choice import Price, choose, frontier, reported_settings
from interp_lab.steering.config import Budget, SteeringConfig
from interp_lab.steering.plan import Plan, planned


def plan_of(*, made=("mean_difference",), given=None, attn_only=False, **values) -> Plan:
    config = SteeringConfig(**{"hows": ("add",)} | values)
    return planned(config, made=made, given=given or {}, n_layers=3, attn_only=attn_only)


class TestPlan:
    def test_is_every_combination_once(self):
        plan = plan_of(
            layers=(0, (1, 2), "all"), wheres=("all", "last"), coefficients=(-1.0, 1.0), hows=("add", "clamp")
        )
        assert len(plan.settings) == 3 * 2 * 2 * 2 == len(set(plan.settings))
        assert [one.name for one in plan.families[0].settings] == [
            "add -1 mean_difference at 0.hook_resid_post, all", "add +1 mean_difference at 0.hook_resid_post, all"
        ]  # fmt: skip

    def test_a_direction_may_have_coefficients_of_its_own(self):
        own = {"coefficients_of": {"run/#3": (-20.0, 20.0)}, "layers": (1,), "coefficients": (1.0,)}
        plan = plan_of(given={"run/#3": ("blocks.1.hook_resid_post",)}, wheres=("all",), **own)
        assert [family.coefficients for family in plan.families] == [(1.0,), (-20.0, 20.0)]
        with pytest.raises(ValueError, match=r"coefficients_of names 'run/#3'.*directions are: mean_difference"):
            plan_of(wheres=("all",), **own)

    def test_several_layers_are_steered_each_with_its_own_vector(self):
        (family,) = plan_of(layers=((2, 1),), wheres=("last",)).families
        assert family.place.hooks == family.place.read == ("blocks.2.hook_resid_post", "blocks.1.hook_resid_post")

    def test_writes_take_one_layers_vector_to_everything_that_writes(self):
        (family,) = plan_of(layers=("writes 1",), wheres=("all",), hows=("ablate",)).families
        assert family.place.hooks == (
            "blocks.0.hook_resid_pre", "blocks.0.hook_attn_out", "blocks.0.hook_mlp_out", "blocks.1.hook_attn_out",
            "blocks.1.hook_mlp_out", "blocks.2.hook_attn_out", "blocks.2.hook_mlp_out",
        )  # fmt: skip
        assert set(family.place.read) == {"blocks.1.hook_resid_post"}

    def test_attention_alone_writes_where_there_is_no_mlp(self):
        (family,) = plan_of(layers=("writes 1",), wheres=("all",), hows=("ablate",), attn_only=True).families
        written = tuple(f"blocks.{layer}.hook_attn_out" for layer in range(3))
        assert family.place.hooks == ("blocks.0.hook_resid_pre", *written)

    def test_ablation_has_one_dose_and_only_a_clamp_has_zero(self):
        plan = plan_of(layers=(0,), wheres=("all",), hows=("add", "clamp", "ablate"), coefficients=(-1.0, 0.0, 1.0))
        assert [family.coefficients for family in plan.families] == [(-1.0, 1.0), (-1.0, 0.0, 1.0), (1.0,)]

    def test_directions_of_other_runs_are_steered_where_they_were_found(self):
        plan = plan_of(made=(), given={"sae#3": ("blocks.1.hook_mlp_out", "blocks.2.hook_mlp_out")}, wheres=("all",))
        assert [family.place.name for family in plan.families] == ["1.hook_mlp_out", "2.hook_mlp_out", "all of its own"]

    def test_is_kept_as_text(self):
        plan = plan_of(layers=(0, "all", "writes 2"), gates=(None, "similarity"))
        assert Plan.from_arrays(plan.arrays()) == plan

    def test_refuses_a_layer_that_is_not_there(self):
        with pytest.raises(ValueError, match=r"layer 3 of \(1, 3\) is out of range: the model has layers 0 to 2"):
            plan_of(layers=((1, 3),))


class TestChoice:
    EFFECT = np.array([0.9, 0.5, 0.45, -0.2, -0.8])
    KL = np.array([0.5, 0.09, 0.01, 0.05, 0.4])
    NOTHING = np.zeros(5)

    def chosen(self, *, loss=0.0, effect=EFFECT, tolerance=0.0, **budget):
        price = self.price(loss=np.full(5, loss))
        up, down = choose(effect, price, budget=Budget(**({"kl": 0.1} | budget)), tolerance=tolerance)
        return up.best, down.best

    def price(self, *, loss=NOTHING, deciding=NOTHING):
        return Price(self.KL, loss, deciding)

    def test_is_the_largest_effect_within_the_budget(self):
        assert self.chosen() == (1, 3)
        assert self.chosen(kl=1.0) == (0, 4)

    def test_is_the_cheapest_of_those_that_come_as_far(self):
        assert self.chosen(tolerance=0.06) == (2, 3)

    def test_is_none_where_nothing_keeps_to_the_budget_and_the_strongest_is_told(self):
        assert self.chosen(kl=0.001) == (None, None)
        assert self.chosen(loss=0.02) == (None, None)
        up, down = choose(self.EFFECT, self.price(), budget=Budget(kl=0.001))
        assert (up.strongest, down.strongest, up.leading) == (0, 4, 0)

    def test_of_one_direction_is_among_its_own_settings(self):
        own = np.array([False, False, True, False, True])
        up, down = choose(self.EFFECT, self.price(), budget=Budget(), among=own)
        assert (up.best, up.strongest, up.frontier) == (2, 2, (2,))
        assert (down.best, down.strongest) == (None, 4)

    def test_is_none_for_a_side_that_nothing_moves_to(self):
        assert self.chosen(effect=np.abs(self.EFFECT)) == (1, None)

    def test_settings_whose_capabilities_were_not_measured_are_not_chosen(self):
        loss = np.array([np.nan, np.nan, 0.0, 0.01, np.nan])
        up, down = choose(self.EFFECT, self.price(loss=loss), budget=Budget())
        assert (up.best, down.best) == (2, 3)

    def test_what_takes_from_what_should_decide_is_not_chosen(self):
        """Cheaper and as far by the tolerance, but for a fall of 3 points; a gap that grows costs nothing."""
        falls = np.array([0.0, 0.02, 0.03, -0.5, 0.0])
        up, down = choose(self.EFFECT, self.price(deciding=falls), budget=Budget(), tolerance=0.06)
        assert (up.best, down.best) == (1, 3)

    def test_frontier_is_what_no_cheaper_setting_exceeds(self):
        assert frontier(self.EFFECT, self.KL) == (2, 1, 0)
        assert frontier(-self.EFFECT, self.KL) == (3, 4)

    def test_what_leads_is_reported_with_its_whole_family(self):
        plan = plan_of(layers=(0, 1, 2), wheres=("all",), coefficients=(-1.0, 1.0))
        effect, kl = np.array([-0.1, 0.1, -0.5, 0.5, -0.9, 0.9]), np.array([0.01, 0.01, 0.2, 0.2, 0.3, 0.09])
        choices = choose(effect, Price(kl, np.zeros(6), np.zeros(6)), budget=Budget())
        assert [choice.best for choice in choices] == [5, 0]
        assert reported_settings(plan, choices, ()).tolist() == [0, 1, 2, 4, 5]  # 2 and 4 are on the frontier
