"""What settings are made of, and what takes the place of their directions."""

from dataclasses import replace

import pytest
import torch

from interp_lab.claims import Split
from interp_lab.directions import Directions, shuffled
from interp_lab.hooks import capture
from interp_lab.steering.controls import complement_of, drawings, random_vectors
from interp_lab.steering.drawn import drawn
from interp_lab.steering.gates import fit_gate
from interp_lab.steering.material import at_hooks, material_of
from tests.steering.made import organism
from tests.steering.small import small_config

CONFIG = small_config(
    layers=[[1, 2]], methods=["mean_difference", "lda"], hows=["clamp"], gates=[None, "projection"], n_random=40
)


@pytest.fixture(scope="module")
def texts():
    return drawn(organism(), CONFIG)


@pytest.fixture(scope="module")
def made(texts):
    return material_of(organism(), CONFIG, texts.contrast, neutral=texts.neutral[Split.SELECT], directions={})


def test_a_clamp_of_zero_sets_the_projection_halfway_between_the_two_sides(made):
    material, plan = made
    vectors = material.vectors(plan.families[0])
    middle = material.midpoints(plan.families[0], vectors)
    for nth, hook in enumerate(plan.families[0].place.hooks):
        at, unit = material.found.hooks.index(hook), vectors[nth] / vectors[nth].norm()
        sides = [(side[at] @ unit).mean() for side in (material.found.positive, material.found.negative)]
        torch.testing.assert_close(middle[nth], (sides[0] + sides[1]) / 2, atol=1e-3, rtol=1e-4)


def test_a_gate_is_fitted_on_plain_tokens_of_neutral_text(made, texts):
    (gate,) = made[0].gates.values()
    neutral, found = texts.neutral[Split.SELECT], made[0].found
    plain = neutral.mask.clone()
    plain[:, 0] = False  # BOS
    tokens = capture(organism(), neutral.tokens, [gate.hook], mask=neutral.mask)[gate.hook][plain]
    at = found.hooks.index(gate.hook)
    shown = torch.cat([found.positive[at], found.negative[at]])
    again = fit_gate("projection", shown, tokens, hook=gate.hook, percentile=CONFIG.gate_percentile)
    assert gate.threshold == pytest.approx(again.threshold, abs=1e-4)


class TestInPlaceOfADirection:
    def test_random_vectors_are_as_long_as_it_is_at_each_hook_point(self, made):
        material, plan = made
        lengths = material.vectors(plan.families[0]).norm(dim=-1)
        assert abs(float(lengths[0] - lengths[1])) > 0.1, "or one could stand for the other"
        drawn = random_vectors(material, plan.families[0], 3, seed=0)
        torch.testing.assert_close(drawn.norm(dim=-1), lengths.expand(3, -1), rtol=1e-4, atol=0)

    def test_shuffled_labels_go_through_the_method_of_the_direction(self, made):
        material, plan = made
        family = next(one for one in plan.families if one.direction == "lda")
        found = at_hooks(material.found, family.place.read)
        expected = shuffled(found, CONFIG.n_shuffled, seed=CONFIG.seed, method="lda")
        own = drawings(material, CONFIG, family).shuffled
        for nth, one in enumerate(expected):
            torch.testing.assert_close(torch.cosine_similarity(own[nth], one.vectors), torch.ones(2), atol=1e-4, rtol=0)

    def test_complement_keeps_its_sign_from_one_hook_point_to_the_next(self, made):
        """Six hook points whose differences vary along one axis, some turned around: where is free, not which way."""
        generator = torch.Generator().manual_seed(0)
        found, n = made[0].found, 12
        along = torch.randn(n, generator=generator)
        values = 0.1 * torch.randn(6, n, 8, generator=generator)
        values[:, :, 0] = along * torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0, 1.0])[:, None]
        hooks = tuple(f"blocks.{nth}.hook_resid_post" for nth in range(6))
        names = tuple("a" * n)
        planted = replace(
            found, positive=values, negative=torch.zeros_like(values), hooks=hooks, paired=True,
            positive_templates=names, negative_templates=names, background=None,
        )  # fmt: skip
        vectors = torch.zeros(6, 8)
        vectors[:, 1] = 1.0
        leading = complement_of(planted, Directions(vectors, hooks, found.model, "planted", "planted"))
        assert ((leading[1:] * leading[:-1]).sum(-1) > 0.5).all()
