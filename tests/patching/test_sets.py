"""Sets: the pair that backs itself up is flagged, parts that add up are not, and numbers worked by hand."""

from functools import cache, partial

import numpy as np
import pytest
import torch

from interp_lab.engine import Effects, sweep
from interp_lab.interventions import Ablation, Combined, Intervention, Op, ablations, patches
from interp_lab.metrics import logit_difference
from interp_lab.patching.sets import SetEffects, backup_pairs, cumulative_effects, largest_first, set_effects
from interp_lab.types import Site, head_name
from tests.organisms.compiled.building import all_heads, known
from tests.patching.models import metric, model_of, pairs

N_PROMPTS, TEMPLATES = 28, [nth // 2 for nth in range(28)]


@cache
def measured(name, method="zero"):
    """All pairs of heads of a compiled model, on prompts of fourteen templates."""
    compiled, model = known(name)
    clean, corrupted, answers, wrong = compiled.sample_pairs(N_PROMPTS, 3)
    groups = [[Site.of_head(*head)] for head in all_heads(compiled)]
    if method == "patch":
        members = patches(model, groups, corrupted, base=clean)
    else:
        members = ablations(model, groups, kind=Ablation(method), reference=clean)
    found = backup_pairs(model, clean, members, logit_difference(answers, wrong), templates=TEMPLATES)
    names = [head_name(head) for head in all_heads(compiled)]
    return found, {(names[a], names[b]): nth for nth, (a, b) in enumerate(found.sets)}


class TestCompiledBackup:
    def test_the_pair_and_no_other_is_flagged(self):
        found, row = measured("compiled/backup")
        assert np.flatnonzero(found.is_backup()).tolist() == [row["1.0", "2.1"]]
        assert not found.is_shared().any()

    def test_neither_head_does_anything_alone_and_both_together_end_the_behaviour(self):
        compiled, _ = known("compiled/backup")
        found, row = measured("compiled/backup")
        pair = row["1.0", "2.1"]
        by_heads = {cut.heads: cut.survives for cut in compiled.truth.knockouts if cut.method == "zero"}
        assert by_heads == {
            frozenset({(1, 0)}): True,
            frozenset({(2, 1)}): True,
            frozenset({(1, 0), (2, 1)}): False,
        }
        assert np.abs(found.single.changes[list(found.sets[pair])]).max() < 1e-4
        whole = compiled.truth.logit_difference
        assert found.together.baseline + found.together.changes[pair] == pytest.approx(
            np.zeros(N_PROMPTS), abs=whole / 20
        )
        assert found.interaction[pair] == pytest.approx(np.full(N_PROMPTS, -whole), abs=1e-4)
        assert found.together.names[pair] == "zero ablation of 1.0+2.1"

    def test_the_mean_keeps_the_backup_silent_so_that_only_one_head_is_needed(self):
        """As in `truth.knockouts`: an ablation that is not zero leaves the second head silenced."""
        found, row = measured("compiled/backup", "mean")
        assert found.single.changes.mean(-1)[found.sets[row["1.0", "2.1"]][0]] < -9.5
        assert not found.is_backup().any()

    def test_patches_make_sets_as_well(self):
        """What the corrupted prompt makes the first head write keeps the second silent, too."""
        found, row = measured("compiled/backup", "patch")
        pair = row["1.0", "2.1"]
        assert found.together.changes[pair] == pytest.approx(found.single.changes[found.sets[pair][0]], abs=1e-4)
        assert found.interaction[pair].tolist() == [0.0] * N_PROMPTS
        assert found.together.names[pair] == "patch of 1.0+2.1"


class TestCompiledLinear:
    def test_heads_that_write_side_by_side_add_up_exactly(self):
        found, row = measured("compiled/linear")
        parallel = [nth for pair, nth in row.items() if pair != ("0.0", "1.0")]
        assert np.abs(found.interaction[parallel]).max() == 0
        assert found.p_adjusted[parallel].tolist() == [1.0] * len(parallel)

    def test_heads_in_a_row_share_what_passes_through_both(self):
        """Without 0.0: -7/2, of which -4 through 1.0. Without 1.0: -4. Without both: -7/2, and not -15/2."""
        found, row = measured("compiled/linear")
        assert found.interaction[row["0.0", "1.0"]] == pytest.approx(np.full(N_PROMPTS, 4.0), abs=1e-5)
        assert np.flatnonzero(found.is_shared()).tolist() == [row["0.0", "1.0"]]
        assert not found.is_backup().any()


def by_hand(members, together, baseline=5.0, templates=None):
    """One set, of members whose effects are given example by example."""
    members, together = np.array(members, dtype=float), np.array(together, dtype=float)
    own = np.full(len(together), baseline)
    names = tuple(f"m{nth}" for nth in range(len(members)))
    return SetEffects(
        Effects(names, "logit difference", "logits", own, members),
        Effects(("set",), "logit difference", "logits", own, together[None]),
        (tuple(range(len(members))),),
        templates,
    )


def around(mean, n=12, spread=0.1):
    return mean + spread * np.where(np.arange(n) % 2, 1.0, -1.0)


class TestByHand:
    def test_interaction_is_the_set_minus_the_sum(self):
        found = by_hand([[-1.0, -2.0], [-0.5, 0.25]], [-4.0, -1.0])
        assert found.sum_of_members.tolist() == [[-1.5, -1.75]]
        assert found.interaction.tolist() == [[-2.5, 0.75]]
        assert found.intervals().estimate.tolist() == [-0.875]

    @pytest.mark.parametrize(
        ("first", "second", "together", "backup", "shared"),
        [
            (0.0, 0.0, -3.0, True, False),
            (-1.0, -1.0, -3.0, True, False),
            (0.0, 0.0, 3.0, True, False),
            (1.0, 1.0, -3.0, True, False),
            (-3.0, -3.0, -3.0, False, True),
            (2.0, 2.0, 3.0, False, True),
            (2.0, 2.0, 0.0, False, True),
            (-1.0, -2.0, -3.0, False, False),
            (-2.0, 2.0, 0.0, False, False),
        ],
        ids=[
            "neither alone, both together", "more than the sum", "parts that hurt back each other up, too",
            "against its members", "either takes all", "less than the sum", "one undoes the other", "the sum",
            "cancelling as a sum does",
        ],
    )  # fmt: skip
    def test_words(self, first, second, together, backup, shared):
        members = [around(first), around(second, spread=0.07)]
        found = by_hand(members, around(together, spread=0.17))
        assert found.is_backup().tolist() == [backup]
        assert found.is_shared().tolist() == [shared]

    def test_a_set_with_no_clear_effect_of_its_own_backs_nothing_up(self):
        """Members 1 each, the set about 0: it falls short of the sum, whichever side of 0 it comes to lie on."""
        for mean in (-0.01, 0.01):
            found = by_hand([np.ones(12), np.ones(12)], around(mean, spread=0.2))
            assert (found.is_backup().tolist(), found.is_shared().tolist()) == ([False], [True])

    def test_a_margin_is_what_an_interaction_must_exceed(self):
        found = by_hand([around(0.0), around(0.0)], around(-3.0))
        assert found.is_backup(margin=2.5).tolist() == [True]
        assert found.is_backup(margin=3.5).tolist() == [False]
        with pytest.raises(ValueError, match=r"margin=-1\.0 is no size"):
            found.is_backup(margin=-1.0)

    def test_templates_are_the_unit(self):
        """Twelve examples of three templates are three: however clear, flipping their signs gives no p below 1 / 4."""
        members, together = [around(0.0), around(0.0)], around(-3.0)
        few = by_hand(members, together, templates=tuple(nth % 3 for nth in range(12)))
        assert few.p_adjusted.tolist() == [1 / 4] == [few.test.smallest_p]
        assert few.intervals().n_clusters == 3
        assert few.intervals().excludes(0.0).all()
        assert not few.is_backup().any()

    def test_p_values_are_corrected_over_all_sets(self):
        """Of three sets, the one with p = 2 / 2 ** 12 counts for 3 times that; the others are nothing."""
        own, none = np.full(12, 5.0), np.zeros(12)
        members = Effects(("a", "b", "c"), "m", "logits", own, np.array([around(0.0), none, none]))
        sets = Effects(("ab", "ac", "bc"), "m", "logits", own, np.array([around(-3.0), around(0.0), none]))
        found = SetEffects(members, sets, ((0, 1), (0, 2), (1, 2)), None)
        assert found.p_adjusted == pytest.approx([3 * 2 / 2**12, 1.0, 1.0])

    def test_what_rounding_explains_is_no_interaction(self):
        found = by_hand([[-1.0, -2.0], [-1.0, -1.0]], [-2.0 + 2e-6, -3.0 + 2e-4])
        assert found.interaction[0].tolist() == [0.0, pytest.approx(2e-4)]

    def test_sets_that_add_up_but_for_noise_are_rarely_flagged(self):
        noise = np.random.default_rng(0).normal(size=(3, 300, 20))
        own = np.full(20, 4.0)
        single = Effects(tuple(map(str, range(600))), "m", "logits", own, np.concatenate([noise[0] - 1, noise[1] - 2]))
        together = Effects(tuple(map(str, range(300))), "m", "logits", own, noise[2] - 3)
        found = SetEffects(single, together, tuple((nth, 300 + nth) for nth in range(300)), None)
        assert (found.is_backup() | found.is_shared()).mean() <= 0.01
        assert 0.02 < found.intervals().excludes(0.0).mean() < 0.09  # intervals alone are for one set


class TestCumulative:
    def test_the_first_k_together(self):
        """0.0 takes 7/2 with it, and 1.0 read nothing else; 1.1 cost 3/2, 1.2 gave 1: the embedding's 1 is left."""
        compiled, model = known("compiled/linear")
        clean, _, answers, wrong = compiled.sample_pairs(4, 5)
        order = [[Site.of_head(*head)] for head in [(0, 0), (1, 0), (1, 1), (1, 2)]]
        found = cumulative_effects(
            model, clean, ablations(model, order, kind=Ablation.ZERO), logit_difference(answers, wrong)
        )
        assert found.together.changes.mean(-1) == pytest.approx([-3.5, -3.5, -2.0, -3.0], abs=1e-5)
        assert found.sum_of_members.mean(-1) == pytest.approx([-3.5, -7.5, -6.0, -7.0], abs=1e-5)
        assert found.together.names[2] == "first 3, up to zero ablation of 1.1"
        assert found.interaction[0].tolist() == [0.0] * 4

    def test_largest_first_goes_by_size_and_not_by_sign(self):
        own = np.zeros(2)
        effects = Effects(("a", "b", "c"), "m", "logits", own, np.array([[1.0, 1.0], [-5.0, -1.0], [9.0, -8.0]]))
        assert largest_first(effects) == (1, 0, 2)


class TestSweep:
    def test_equals_ablating_the_sites_of_a_set_at_once(self):
        """On a model of an everyday shape with padding, where nothing adds up; all in one call, as one by one."""
        model, (clean, corrupted, mask) = model_of("Llama"), pairs()
        groups = [[Site.of_head(0, 1)], [Site("blocks.0.hook_mlp_out"), Site.of_head(1, 0)], [Site.of_head(1, 3)]]
        make = partial(ablations, model, kind=Ablation.RESAMPLE, reference=corrupted, mask=mask, n_examples=3, seed=2)
        found = set_effects(model, clean, make(groups), metric(), sets=[(0, 2), (0, 1, 2)], mask=mask)
        unions = [[*groups[0], *groups[2]], [site for group in groups for site in group]]
        for effects, expected in ((found.single, groups), (found.together, unions)):
            assert np.allclose(effects.changes, sweep(model, clean, make(expected), metric(), mask=mask).changes)
        assert np.abs(found.interaction).min() > 1e-3
        assert found.templates is None

    def test_members_of_different_kinds_or_already_combined(self):
        model, (clean, _, _) = model_of("GPT-2"), pairs()
        (cut,) = ablations(model, [[Site.of_head(0, 1)]], kind=Ablation.ZERO)
        shift = Intervention((Site("blocks.0.hook_mlp_out"),), Op.ADD, (torch.ones(16),), "shift")
        pair = Combined((cut, shift), "pair")
        (other,) = ablations(model, [[Site.of_head(1, 1)]], kind=Ablation.ZERO)
        nested = set_effects(model, clean, [pair, other], metric()).together
        flat = set_effects(model, clean, [cut, shift, other], metric()).together
        assert np.allclose(nested.changes, flat.changes, atol=1e-6)
        assert flat.names == ("zero ablation of 0.1 + shift + zero ablation of 1.1",)

    def test_one_site_at_two_places_of_each_prompt_is_no_clash(self):
        model, (clean, _, _) = model_of("GPT-2"), pairs()
        here, there = (
            Intervention(
                (Site.of_head(1, 1),), Op.REPLACE, (torch.zeros(4),), f"at {at}", positions=torch.full((3,), at)
            )
            for at in (2, -1)
        )
        found = set_effects(model, clean, [here, there], metric())
        both = Intervention(
            (Site.of_head(1, 1, position=2), Site.of_head(1, 1, position=-1)), Op.REPLACE, (torch.zeros(4),) * 2, "both"
        )
        assert np.allclose(found.together.changes, sweep(model, clean, [both], metric()).changes, atol=1e-6)

    def test_reports_progress_over_all_of_it(self):
        model, (clean, _, _) = model_of("GPT-2"), pairs()
        members = ablations(model, [[Site.of_head(1, head)] for head in range(4)], kind=Ablation.ZERO)
        seen = []
        backup_pairs(model, clean, members, metric(), progress=lambda *step: seen.append(step))
        assert seen[-1][:2] == ((4 + 6) * 3,) * 2


class TestBadInput:
    @pytest.fixture(scope="class")
    def members(self):
        return ablations(model_of("GPT-2"), [[Site.of_head(1, head)] for head in (0, 1, 0)], kind=Ablation.ZERO)

    def measure(self, members, **options):
        return set_effects(model_of("GPT-2"), pairs()[0], members, metric(), **options)

    @pytest.mark.parametrize("few", [0, 1])
    @pytest.mark.parametrize("call", [set_effects, backup_pairs, cumulative_effects])
    def test_fewer_than_two_members(self, members, few, call):
        with pytest.raises(ValueError, match=f"{few} member makes no set"):
            call(model_of("GPT-2"), pairs()[0], members[:few], metric())

    @pytest.mark.parametrize("sets", [[()], [(0, 0)], [(0, 3)], [(-1, 0)]], ids=str)
    def test_sets_of_nothing_of_one_twice_or_of_what_is_not_there(self, members, sets):
        with pytest.raises(ValueError, match=r"is not one of 3 members; name at least one, each once, by 0 to 2"):
            self.measure(members, sets=sets)
        with pytest.raises(ValueError, match="sets names no set"):
            self.measure(members, sets=[])

    def test_members_in_the_same_place(self, members):
        with pytest.raises(ValueError, match=r"'zero ablation of 1.0' and 'zero ablation of 1.0' both act on 1.0"):
            self.measure(members)

    @pytest.mark.parametrize(("first", "second"), [(None, 3), (-4, 3)], ids=["everywhere", "from the end"])
    def test_members_that_overlap(self, first, second):
        """Prompts have 7 tokens: position -4 is position 3."""
        sites = [[Site.of_head(0, 0, position=first)], [Site.of_head(0, 0, position=second)]]
        members = ablations(model_of("GPT-2"), sites, kind=Ablation.ZERO)
        with pytest.raises(ValueError, match=r"both act on 0\.0.* and 0\.0@3, where the later would undo"):
            self.measure(members)

    def test_templates_of_other_prompts(self, members):
        with pytest.raises(ValueError, match="2 templates for 3 prompts"):
            self.measure(members[:2], templates=["a", "b"])
