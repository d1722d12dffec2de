"""Estimate all, patch a few, and know what was missed."""

import numpy as np
import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.interventions import patches
from interp_lab.metrics import logit_difference, rank
from interp_lab.patching.atp_star import atp_star
from interp_lab.patching.attribution import attribution
from interp_lab.patching.prescreen import _passes, found_of_top, prescreen
from interp_lab.types import Site
from tests.oracles import attribution as literal
from tests.organisms.compiled.building import known
from tests.patching.models import literal_metric, metric, model_of, pairs

HEADS = [[Site.of_head(layer, head)] for layer in range(2) for head in range(4)]
LOOKING = [[Site.of_head(layer, head, at=part)] for layer in range(2) for head in range(4) for part in "qk"]


def call(*, shape="GPT-2", **options):
    clean, corrupted, _ = pairs()
    defaults = {"corrupted": corrupted, "groups": HEADS, "metric": metric(), "keep": 3}
    return prescreen(model_of(shape), clean, **{**defaults, **options})


def on_compiled(name, **options):
    compiled, model = known(name)
    clean, corrupted, answers, wrong = compiled.sample_pairs(4, 5)
    return prescreen(model, clean, corrupted=corrupted, metric=logit_difference(answers, wrong), **options)


class TestChoice:
    def test_is_of_the_largest_mean_estimates_whatever_their_sign(self):
        """Linear model: 1.0 adds 8, 0.0 adds 7, 1.1 takes 3, 1.2 adds 2; the others nothing."""
        found = on_compiled("compiled/linear", groups=HEADS, keep=3)
        assert [found.names[nth] for nth in found.kept] == ["1.0", "0.0", "1.1"]
        assert np.allclose(found.exact.changes, np.array([8.0, 7.0, -3.0])[:, None], atol=1e-5)
        assert found.exact.names == ("patch of 1.0", "patch of 0.0", "patch of 1.1")
        assert (found.recall, found.missed) == (1.0, ())
        assert found.rank_correlation.estimate == pytest.approx(1.0)

    def test_of_means_and_not_of_the_largest_single_example(self):
        found = call(shape="Llama", keep=8)
        sizes = np.abs(found.estimated.estimates.mean(1))[list(found.kept)]
        assert (np.diff(sizes) <= 1e-6 * sizes.max()).all()
        assert set(found.kept) == set(range(8))
        assert found.recall == 1.0

    @pytest.mark.parametrize(
        ("method", "plainly"),
        [
            ("attribution", lambda *a, **k: attribution(*a, **k)),
            ("integrated gradients", lambda *a, **k: attribution(*a, **k, steps=3)),
            ("atp*", lambda *a, **k: atp_star(*a, **k)),
        ],
    )
    @pytest.mark.parametrize("direction", ["denoise", "noise"])
    def test_stands_on_the_estimates_of_its_method(self, method, plainly, direction):
        clean, corrupted, mask = pairs()
        where = torch.tensor([5, 4, 6])
        shared = {"corrupted": corrupted, "metric": metric(), "groups": LOOKING, "direction": direction}
        shared |= {"mask": mask, "positions": where}
        found = prescreen(model_of("GPT-2"), clean, keep=2, method=method, steps=3, **shared)
        assert np.array_equal(found.estimated.estimates, plainly(model_of("GPT-2"), clean, **shared).estimates)
        assert found.estimated.direction == direction


class TestExactPatches:
    @pytest.mark.parametrize("direction", ["denoise", "noise"])
    def test_equal_literal_ones(self, direction):
        clean, corrupted, _ = pairs()
        base, donor = (corrupted, clean) if direction == "denoise" else (clean, corrupted)
        found = call(direction=direction, keep=2)
        model = model_of("GPT-2")
        for nth, changes in zip(found.kept, found.exact.changes, strict=True):
            node = (HEADS[nth][0].hook, (slice(None), HEADS[nth][0].head))
            expected = literal.patched_effect(model, base[1], donor[1], [node], literal_metric, 1)
            assert changes[1] == pytest.approx(expected, abs=1e-4)

    def test_go_where_the_estimates_went(self):
        clean, corrupted, mask = pairs()
        where = torch.tensor([5, 4, -1])
        found = call(mask=mask, positions=where, keep=8)
        made = patches(model_of("GPT-2"), HEADS, clean, base=corrupted, mask=mask, positions=where)
        every = sweep(model_of("GPT-2"), corrupted, made, metric(), mask=mask)
        assert np.allclose(found.all_exact.changes, every.changes, atol=1e-6)
        assert np.abs(every.changes).max() > 0.03

    def test_of_the_kept_do_not_depend_on_whether_all_are_made(self):
        every, few = call(), call(verify_all=False)
        assert few.kept == every.kept
        assert few.exact.names == every.exact.names
        assert np.allclose(few.exact.changes, every.exact.changes, atol=1e-6)
        assert np.array_equal(every.exact.changes, every.all_exact.changes[list(every.kept)])


class TestRecall:
    def test_says_how_blind_the_estimates_were(self):
        """Attention is saturated: to first order nothing happens at queries and keys, though those of 1.0 matter."""
        blind = on_compiled("compiled/induction", groups=LOOKING, keep=2)
        assert blind.recall == 0.0
        assert {blind.names[nth] for nth in blind.missed} == {"1.attn.hook_q[0]", "1.attn.hook_k[0]"}
        assert blind.rank_correlation.estimate == 0.0
        seeing = on_compiled("compiled/induction", groups=LOOKING, keep=2, method="atp*")
        assert (seeing.recall, seeing.missed) == (1.0, ())

    def test_of_fewer_than_are_kept(self):
        groups = [[Site.of_head(1, 2)], [Site.of_head(1, 1)], [Site.of_head(0, 0)], [Site.of_head(1, 0)]]
        found = on_compiled("compiled/linear", groups=groups, keep=3, top=1)
        assert (found.recall, found.top) == (1.0, 1)
        assert "1 of the 1 largest" in found.summary()

    def test_not_measured_is_said(self):
        found = call(verify_all=False)
        assert (found.recall, found.missed, found.rank_correlation, found.all_exact) == (None, None, None, None)
        assert "recall was not measured" in found.summary()
        assert "largest exact" not in found.summary()

    def test_is_told_with_what_was_missed(self):
        blind = on_compiled("compiled/induction", groups=LOOKING, keep=2)
        assert "0 of the 2 largest exact effects" in blind.summary()
        assert "missed: 1.attn.hook_q[0], 1.attn.hook_k[0]" in blind.summary()
        assert "attribution patching, denoise: 2 of 16 groups kept" in blind.summary()

    sizes = np.array([5.0, -9.0, 2.0, 2.0, 0.0, 1.0])

    @pytest.mark.parametrize(
        ("kept", "top", "recall", "missed"),
        [
            ([1, 0], 2, 1.0, ()),
            ([0, 1], 2, 1.0, ()),
            ([0, 5], 2, 0.5, (1,)),
            ([4, 5], 2, 0.0, (1, 0)),
            ([1, 0, 3], 3, 1.0, ()),  # 2 and 3 tie for the last place
            ([1, 0, 2], 3, 1.0, ()),
            ([2, 3, 1], 3, 2 / 3, (0,)),  # one place for the two of them
            ([1, 4, 5], 3, 1 / 3, (0, 2)),
            ([1, 4, 5], 1, 1.0, ()),
        ],
    )
    def test_by_hand(self, kept, top, recall, missed):
        exact = self.sizes[:, None] + np.array([-20.0, 0.0, 20.0])  # means count, not single examples
        assert found_of_top(exact, kept, top=top) == (pytest.approx(recall), missed)

    def test_rounding_makes_no_difference_between_ties(self):
        exact = np.array([[8.0], [7.9999998], [-8.0000002], [1.0]])
        for kept in (0, 1, 2):
            assert found_of_top(exact, [kept], top=1) == (1.0, ())
        assert found_of_top(exact, [3], top=1)[0] == 0.0

    def test_is_not_defined_where_no_patch_does_anything(self):
        assert found_of_top(np.zeros((4, 3)), [0, 1], top=2) == (None, ())
        idle = on_compiled("compiled/linear", groups=HEADS[1:4], keep=2)
        assert np.abs(idle.all_exact.changes).max() == 0
        assert (idle.recall, idle.missed) == (None, ())
        assert "recall is not defined: every exact effect is zero" in idle.summary()
        assert "largest exact effects" not in idle.summary()


class TestCost:
    @pytest.mark.parametrize(
        ("method", "options", "estimates"),
        [
            ("attribution", {}, (2, 1)),
            ("integrated gradients", {"steps": 3}, (5, 3)),
            ("atp*", {}, (4, 2)),
            ("atp*", {"grad_drop": False}, (4, 1)),
            ("atp*", {"groups": HEADS, "grad_drop": False}, (2, 1)),
        ],
    )
    def test_is_what_runs_through_the_model(self, monkeypatch, method, options, estimates):
        """A hook of our own makes the engine run whole passes, which can be counted."""
        counted = {"forward": 0, "backward": 0}
        differentiate = torch.autograd.grad

        def count(activation, hook):
            counted["forward"] += len(activation)

        def grad(outputs, *args, **kwargs):
            counted["backward"] += 3
            return differentiate(outputs, *args, **kwargs)

        monkeypatch.setattr(torch.autograd, "grad", grad)
        model = model_of("GPT-2")
        clean, corrupted, _ = pairs()
        shared = {"corrupted": corrupted, "metric": metric(), "keep": 2, "method": method}
        with model.hooks([("hook_embed", count)]):
            found = prescreen(model, clean, verify_all=False, **{"groups": LOOKING, **shared, **options})
        forward, backward = estimates
        assert (found.cost.forward, found.cost.backward) == (3 * (forward + 2 + 2), 3 * backward)
        assert counted == {"forward": found.cost.forward, "backward": found.cost.backward}
        assert found.cost_of_all.forward == 3 * (2 + len(found.names))

    def test_what_is_not_verified_is_not_run(self):
        seen = {}
        for verify_all in (True, False):
            steps = []
            call(verify_all=verify_all, progress=lambda *step, steps=steps: steps.append(step))
            seen[verify_all] = next(total for _, total, what in reversed(steps) if "interventions" in what)
        assert seen == {True: 8 * 3, False: 3 * 3}

    def test_measuring_the_recall_is_not_part_of_it(self):
        assert call().cost == call(verify_all=False).cost


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"keep": 0}, "keep=0 of 8 groups"),
            ({"keep": 9}, "keep=9 of 8 groups"),
            ({"top": 4}, "top=4 cannot all be among keep=3"),
            ({"top": 0}, "use a number from 1 to 3"),
            ({"method": "integrated gradients", "steps": 1}, "steps=1 integrates nothing"),
            ({"groups": []}, "keep=3 of 0 groups"),
            ({"metric": rank(torch.tensor([1, 2, 3]))}, "has no gradient"),
            ({"corrupted": torch.ones(3, 6, dtype=torch.long)}, "make the prompts of a pair equally long"),
            ({"clusters": ["a", "b"]}, "2 cluster labels for 3 examples"),
            ({"groups": [*HEADS[:2], [Site.of_head(0, 4)]]}, "head 4"),
            ({"groups": [*HEADS[:3], HEADS[1]]}, "groups 1 and 3 are the same"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_is_refused_by_name(self, changes, message):
        with pytest.raises(ValueError, match=message):
            call(**changes)

    def test_one_pair_of_equal_prompts_before_anything_runs(self):
        clean, corrupted, _ = pairs()
        corrupted[1] = clean[1]
        ran = []
        with pytest.raises(ValueError, match="the same prompt in pair 1"):
            call(corrupted=corrupted, progress=lambda *step: ran.append(step))
        assert not ran

    def test_a_method_that_does_not_exist(self):
        with pytest.raises(ValueError, match=r"no method 'atp'; did you mean 'atp\*'"):
            _passes(model_of("GPT-2"), HEADS, method="atp", steps=8, grad_drop=True)
