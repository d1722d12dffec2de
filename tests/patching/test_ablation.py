"""Ablation: mean by template and directions against literal versions, and padding that would mix up places."""

import numpy as np
import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.hooks import capture
from interp_lab.interventions import Ablation, ablations, applied, project_out
from interp_lab.metrics import logit_difference
from interp_lab.patching.ablation import ablation_effects, aligned_ablations
from interp_lab.types import Site
from tests.organisms.compiled.building import known
from tests.patching.models import metric, model_of, pairs
from tests.tiny import tokens

HEAD, RESID = Site.of_head(1, 2), Site("blocks.0.hook_resid_post")
TEMPLATES, REFERENCE_TEMPLATES = ["b", "a", "b"], ["a", "b", "a", "b", "b", "c"]
BY_TEMPLATE = {"templates": TEMPLATES, "reference_templates": REFERENCE_TEMPLATES}


@pytest.fixture(scope="module")
def model():
    return model_of("GPT-2")


def reference():
    return tokens(6, 7, seed=5)


def literal_means(model, site, mask=None):
    """For each prompt, the mean over the reference prompts of its template, one template at a time."""
    found = []
    for template in TEMPLATES:
        rows = [row for row, name in enumerate(REFERENCE_TEMPLATES) if name == template]
        options = {} if mask is None else {"attention_mask": mask[rows].long()}
        _, cache = model.run_with_cache(reference()[rows], **options)
        values = cache[site.hook] if site.head is None else cache[site.hook][:, :, site.head]
        found.append(values.mean(0))
    return torch.stack(found)


class TestMeanByTemplate:
    @pytest.mark.parametrize("site", [HEAD, RESID], ids=str)
    def test_puts_the_mean_of_the_own_template_there_position_by_position(self, model, site):
        (cut,) = ablations(
            model, [[site]], kind=Ablation.MEAN_BY_TEMPLATE, reference=reference(), n_examples=3, **BY_TEMPLATE
        )
        with applied(model, cut):
            there = capture(model, pairs()[0], [site.hook])[site.hook]
        there = there if site.head is None else there[:, :, site.head]
        expected = literal_means(model, site)
        assert torch.allclose(there, expected, atol=1e-5)
        assert (expected[0] - expected[1]).abs().max() > 0.1

    def test_of_one_template_is_the_mean(self, model):
        by_template = ablation_effects(
            model, pairs()[0], [[HEAD], [RESID]], metric(), kind=Ablation.MEAN_BY_TEMPLATE, reference=reference(),
            templates=["t"] * 3, reference_templates=["t"] * 6,
        )  # fmt: skip
        mean = ablation_effects(
            model, pairs()[0], [[HEAD], [RESID]], metric(), kind=Ablation.MEAN, reference=reference()
        )
        assert np.abs(mean.changes).min() > 1e-3
        assert np.allclose(by_template.changes, mean.changes, atol=1e-5)
        assert by_template.names[0] == "mean by template ablation of 1.2"

    def test_effects_equal_a_literal_run_with_padding(self, model):
        clean, _, _ = pairs()
        mask, own = torch.ones(6, 7, dtype=torch.bool), torch.ones(3, 7, dtype=torch.bool)
        mask[[0, 2], :2] = False  # template a is two tokens shorter
        own[1, :2] = False
        found = ablation_effects(
            model, clean, [[HEAD, RESID]], metric(), kind=Ablation.MEAN_BY_TEMPLATE, reference=reference(), mask=own,
            reference_mask=mask, **BY_TEMPLATE,
        )  # fmt: skip
        head, resid = (literal_means(model, site, mask) for site in (HEAD, RESID))

        def replace_head(z, hook):
            z = z.clone()
            z[:, :, HEAD.head] = head
            return z

        hooks = [(RESID.hook, lambda resid_post, hook: resid), (HEAD.hook, replace_head)]
        with torch.no_grad():
            before = metric()(model(clean, attention_mask=own.long()))
            after = metric()(model.run_with_hooks(clean, fwd_hooks=hooks, attention_mask=own.long()))
        assert found.changes[0] == pytest.approx((after - before).numpy(), abs=1e-4)

    def test_names_a_template_without_reference_prompts(self, model):
        with pytest.raises(ValueError, match="no reference prompt is of template 'd'; add some"):
            ablations(
                model, [[HEAD]], kind=Ablation.MEAN_BY_TEMPLATE, reference=reference(), templates=["a", "d", "b"],
                reference_templates=REFERENCE_TEMPLATES,
            )  # fmt: skip

    @pytest.mark.parametrize("missing", ["templates", "reference_templates"])
    def test_needs_both_kinds_of_templates(self, model, missing):
        given = {**BY_TEMPLATE, missing: None}
        with pytest.raises(ValueError, match="needs the template of every prompt; give templates= and reference_"):
            aligned_ablations(
                model, pairs()[0], groups=[[HEAD]], kind=Ablation.MEAN_BY_TEMPLATE, reference=reference(), **given
            )

    def test_needs_reference_prompts_and_a_template_for_each(self, model):
        with pytest.raises(ValueError, match="mean by template ablation takes its values from reference prompts"):
            ablations(model, [[HEAD]], kind=Ablation.MEAN_BY_TEMPLATE, **BY_TEMPLATE)
        with pytest.raises(ValueError, match="names 5 templates for 6 reference prompts"):
            ablations(
                model, [[HEAD]], kind=Ablation.MEAN_BY_TEMPLATE, reference=reference(), templates=TEMPLATES,
                reference_templates=REFERENCE_TEMPLATES[:5],
            )  # fmt: skip


class TestProjectOut:
    def test_takes_the_component_out_and_leaves_the_rest(self, model):
        direction = torch.linspace(-2, 1, 16)
        plain = capture(model, pairs()[0], [RESID.hook])[RESID.hook]
        with applied(model, project_out([RESID], direction)):
            there = capture(model, pairs()[0], [RESID.hook])[RESID.hook]
        unit = direction / direction.norm()
        assert torch.allclose(there @ unit, torch.zeros(3, 7), atol=1e-5)
        assert torch.allclose(plain - there, (plain @ unit)[..., None] * unit, atol=1e-5)

    def test_changes_the_metric_by_what_the_direction_says(self):
        """Without a norm, a logit difference falls by (x . u)(u . (W[answer] - W[wrong])) for the unit vector u."""
        model, (clean, _, _) = model_of("attention only, capped scores"), pairs()
        site, direction = Site("blocks.1.hook_resid_post"), torch.linspace(-2, 1, 16)
        (found,) = sweep(model, clean, [project_out([site], direction)], metric()).changes
        unit, last = direction / direction.norm(), capture(model, clean, [site.hook])[site.hook][:, -1]
        read = model.W_U[:, [3, 7, 11]] - model.W_U[:, [4, 8, 1]]
        assert found == pytest.approx((-(last @ unit) * (unit @ read)).detach().numpy(), abs=1e-4)
        assert np.abs(found).min() > 0.01

    def test_of_the_token_that_two_logits_differ_by_leaves_no_difference(self):
        compiled, model = known("compiled/linear")
        clean, _, answers, wrong = compiled.sample_pairs(1, 5)
        read = (model.W_U[:, answers] - model.W_U[:, wrong])[:, 0]
        cut = project_out([Site("blocks.1.hook_resid_post")], read)
        found = sweep(model, clean, [cut], logit_difference(answers, wrong))
        assert found.baseline + found.changes[0] == pytest.approx([0.0], abs=1e-5)

    def test_one_direction_for_all_sites_or_one_each(self):
        first, second = torch.ones(16), torch.arange(16.0)
        sites = [RESID, Site("blocks.1.hook_resid_post")]
        shared, own = project_out(sites, first), project_out(sites, [first, second], name="mine")
        assert all(torch.equal(payload, first) for payload in shared.payloads)
        assert torch.equal(own.payloads[1], second)
        assert (shared.name, own.name) == ("directional ablation of 0.hook_resid_post+1.hook_resid_post", "mine")

    def test_refuses_length_zero_and_a_wrong_number(self):
        with pytest.raises(ValueError, match=r"project out at 0\.hook_resid_post has length zero"):
            project_out([RESID], torch.zeros(16))
        with pytest.raises(ValueError, match="1 sites and 2 directions"):
            project_out([RESID], [torch.ones(16), torch.ones(16)])


class TestPadding:
    """A value from a place that is padding in one prompt and a token in the other is no value for it."""

    short = torch.ones(6, 7, dtype=torch.bool)
    short[4, :2] = False

    @pytest.mark.parametrize("kind", [Ablation.MEAN, Ablation.RESAMPLE])
    def test_that_differs_anywhere_is_refused(self, model, kind):
        with pytest.raises(ValueError, match=rf"{kind} ablation .* prompts are padded differently"):
            aligned_ablations(
                model, pairs()[0], groups=[[HEAD]], kind=kind, reference=reference(), reference_mask=self.short
            )
        clean, _, mask = pairs()
        with pytest.raises(ValueError, match="padded differently"):
            aligned_ablations(model, clean, groups=[[HEAD]], kind=kind, reference=reference(), mask=mask)

    def test_that_differs_within_a_template_is_refused_and_the_template_named(self, model):
        with pytest.raises(ValueError, match="prompts of template 'b' are padded differently"):
            aligned_ablations(
                model, pairs()[0], groups=[[HEAD]], kind=Ablation.MEAN_BY_TEMPLATE, reference=reference(),
                reference_mask=self.short, **BY_TEMPLATE,
            )  # fmt: skip

    def test_elsewhere_than_at_the_sites_is_no_hindrance_unless_they_reach_there(self, model):
        def made(site):
            return aligned_ablations(
                model, pairs()[0], groups=[[site]], kind=Ablation.MEAN, reference=reference(), reference_mask=self.short
            )

        assert made(Site.of_head(1, 2, position=-1))[0].sites[0].position == -1
        for reaching in (Site.of_head(1, 2, position=1), Site.of_head(1, 2, at="pattern", position=-1)):
            with pytest.raises(ValueError, match="padded differently"):
                made(reaching)

    def test_does_not_matter_to_zero(self, model):
        clean, _, mask = pairs()
        (cut,) = aligned_ablations(model, clean, groups=[[HEAD]], kind=Ablation.ZERO, mask=mask)
        assert float(cut.payloads[0]) == 0

    def test_reference_prompts_of_another_length_or_with_another_mask(self, model):
        with pytest.raises(ValueError, match="reference prompts have 8 tokens and those ablated 7"):
            aligned_ablations(model, pairs()[0], groups=[[HEAD]], kind=Ablation.MEAN, reference=tokens(4, 8))
        with pytest.raises(ValueError, match=r"mask has shape \(3, 7\), and its prompts \(6, 7\)"):
            aligned_ablations(
                model, pairs()[0], groups=[[HEAD]], kind=Ablation.MEAN, reference=reference(), reference_mask=pairs()[2]
            )
