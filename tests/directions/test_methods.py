from dataclasses import replace

import pytest
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from interp_lab.directions import directions_of
from interp_lab.steering.known_directions import planted_contrast
from tests.directions.planted import HOOKS, contrast, drawn

METHODS = ("mean_difference", "pca", "logistic", "lda", "mean_centred")
WITHOUT_BACKGROUND = METHODS[:-1]


def cosine(a, b):
    return torch.cosine_similarity(a, b, dim=-1).item()


def with_background(found):
    return replace(found, background=(found.positive.mean(1) + 3 * found.negative.mean(1)) / 4 + 0.1)


class TestByHand:
    POSITIVE, NEGATIVE = [[[1.0, 5.0], [3.0, 5.0]]], [[[0.0, 1.0], [0.0, 1.0]]]

    def test_mean_difference(self):
        made = directions_of(contrast(self.POSITIVE, self.NEGATIVE))
        assert made.vectors.tolist() == [[2.0, 4.0]]
        assert made.about["gap"] == made.about["fitted_norm"] == {HOOKS[0]: pytest.approx(20**0.5)}
        assert (made.method, made.name, made.hooks) == ("mean_difference", "written", HOOKS[:1])

    def test_the_midpoint_lies_halfway_along_the_vector_whichever_way_that_is_turned(self):
        """Means (2, 5) and (0, 1): the point between is (1, 3), which lies 14 / sqrt 20 along (2, 4)."""
        made = directions_of(contrast(self.POSITIVE, self.NEGATIVE))
        expected = 14 / 20**0.5
        assert made.about["midpoint"] == {HOOKS[0]: pytest.approx(expected)}
        torch.testing.assert_close(made.midpoints, torch.tensor([expected]))
        torch.testing.assert_close(made.times(-3.0).midpoints, torch.tensor([-expected]))
        torch.testing.assert_close(made.times(-3.0).times(-0.5).midpoints, torch.tensor([expected]))

    @pytest.mark.parametrize("method", METHODS)
    def test_the_midpoint_parts_the_sides_by_every_method(self, method):
        found = with_background(drawn())
        made = directions_of(found, method)
        units = torch.nn.functional.normalize(made.vectors, dim=-1)
        sides = torch.stack([(side.mean(1) * units).sum(-1) for side in (found.positive, found.negative)])
        torch.testing.assert_close(made.only(HOOKS[::-1]).midpoints, sides.mean(0).flip(0), atol=1e-5, rtol=1e-5)

    def test_mean_difference_of_sides_without_partners(self):
        made = directions_of(contrast([[[1.0, 2.0], [3.0, 4.0]]], [[[1.0, 0.0]]], paired=False))
        assert made.vectors.tolist() == [[1.0, 3.0]]

    def test_pca_does_not_centre(self):
        """Differences (4, 0), (2, 0), (0, 1): centred, their largest component would still be along the first axis, but
        with the sum of squares 8 of 8.67, not 20 of 21."""
        made = directions_of(contrast([[[4.0, 0.0], [2.0, 0.0], [0.0, 1.0]]], [[[0.0, 0.0]] * 3]), "pca")
        assert made.about["share"][HOOKS[0]] == pytest.approx(20 / 21)
        assert made.about["fitted_norm"][HOOKS[0]] == pytest.approx((20 / 3) ** 0.5)
        # the means are (2, 1/3) apart, of which 2 lies along the component
        torch.testing.assert_close(made.vectors, torch.tensor([[2.0, 0.0]]), atol=1e-6, rtol=0)

    def test_equal_differences_are_the_mean_difference(self):
        shared = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0))
        made = directions_of(contrast(shared + torch.tensor([0.0, 2.0, -1.0]), shared), "pca")
        torch.testing.assert_close(made.vectors, torch.tensor([[0.0, 2.0, -1.0]]))
        assert made.about["share"][HOOKS[0]] == pytest.approx(1.0)

    def test_mean_centred_is_the_positive_mean_less_the_background(self):
        found = contrast([[[4.0, 4.0]] * 2], [[[0.0, 4.0]] * 2], background=torch.tensor([[1.0, 0.0]]))
        made = directions_of(found, "mean_centred")
        assert made.about["fitted_norm"][HOOKS[0]] == pytest.approx(5.0)  # (3, 4)
        # the gap (4, 0) along (3, 4) / 5 is 12 / 5
        torch.testing.assert_close(made.vectors, 12 / 5 * torch.tensor([[0.6, 0.8]]))


class TestOneScale:
    @pytest.mark.parametrize("method", METHODS)
    def test_vectors_are_the_part_of_the_gap_along_them(self, method):
        found = with_background(drawn())
        made, gap = directions_of(found, method), directions_of(found).vectors
        unit = torch.nn.functional.normalize(made.vectors, dim=-1)
        torch.testing.assert_close(made.norms, (gap * unit).sum(-1))
        assert (made.norms <= gap.norm(dim=-1) * (1 + 1e-6)).all()

    @pytest.mark.parametrize("method", METHODS)
    def test_adding_one_to_the_negative_side_moves_its_mean_onto_the_positive_one_along_it(self, method):
        found = with_background(drawn())
        made = directions_of(found, method)
        moved, target = found.negative.mean(1) + made.vectors, found.positive.mean(1)
        torch.testing.assert_close((moved * made.vectors).sum(-1), (target * made.vectors).sum(-1))

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("factor", [1e-3, 100.0])
    def test_activations_on_another_scale_give_directions_on_that_scale(self, method, factor):
        found = with_background(drawn())
        changes = {name: factor * getattr(found, name) for name in ("positive", "negative", "background")}
        one, other = (directions_of(each, method).vectors for each in (found, replace(found, **changes)))
        torch.testing.assert_close(other, factor * one, atol=2e-3 * factor, rtol=2e-3)

    @pytest.mark.parametrize("method", WITHOUT_BACKGROUND)
    def test_swapping_the_sides_turns_them_round(self, method):
        found = drawn()
        other = contrast(found.negative, found.positive, hooks=HOOKS)
        torch.testing.assert_close(
            directions_of(other, method).vectors, -directions_of(found, method).vectors, atol=1e-3, rtol=1e-3
        )

    def test_hook_points_have_nothing_to_do_with_each_other(self):
        found = drawn()
        for method in WITHOUT_BACKGROUND:
            for nth, hook in enumerate(HOOKS):
                alone = contrast(found.positive[nth : nth + 1], found.negative[nth : nth + 1], hooks=(hook,))
                torch.testing.assert_close(
                    directions_of(alone, method).vectors[0], directions_of(found, method).at(hook).vector,
                    atol=1e-5, rtol=1e-5,
                )  # fmt: skip


class TestAgainstScikitLearn:
    def labelled(self, found, nth):
        x = torch.cat([found.negative[nth], found.positive[nth]]).double().numpy()
        return x, [0] * found.negative.shape[1] + [1] * found.positive.shape[1]

    def test_pca_is_its_truncated_svd(self):
        found = drawn()
        made = directions_of(found, "pca")
        for nth in range(2):
            differences = (found.positive[nth] - found.negative[nth]).double().numpy()
            svd = TruncatedSVD(1, algorithm="arpack").fit(differences)
            assert abs(cosine(torch.tensor(svd.components_[0]).float(), made.vectors[nth])) > 1 - 1e-6

    def test_lda(self):
        found = drawn(n=30, n_other=50, paired=False)
        made = directions_of(found, "lda")
        for nth, hook in enumerate(HOOKS):
            x, labels = self.labelled(found, nth)
            own = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x, labels)
            weights = torch.tensor(own.coef_[0]).float()
            assert cosine(weights, made.vectors[nth]) > 1 - 1e-6
            assert made.about["fitted_norm"][hook] == pytest.approx(float(weights.norm()), rel=1e-4)

    def test_logistic_on_activations_of_one_scale(self):
        found = drawn()
        made = directions_of(found, "logistic")
        for nth, hook in enumerate(HOOKS):
            x, labels = self.labelled(found, nth)
            x = x - x.mean(0)
            scale = (x**2).mean() ** 0.5
            own = LogisticRegression(C=1.0, max_iter=1000, tol=1e-8).fit(x / scale, labels)
            weights = torch.tensor(own.coef_[0] / scale).float()
            assert cosine(weights, made.vectors[nth]) > 1 - 1e-4
            assert made.about["fitted_norm"][hook] == pytest.approx(float(weights.norm()), rel=1e-2)


class TestPlanted:
    def test_the_mean_finds_it_under_uneven_noise(self):
        found, planted = planted_contrast(uneven=True)
        assert cosine(directions_of(found).vectors[0], planted) >= 0.99

    @pytest.mark.parametrize("method", ["logistic", "lda", "pca"])
    def test_the_others_find_it_under_even_noise(self, method):
        found, planted = planted_contrast()
        assert cosine(directions_of(found, method).vectors[0], planted) >= 0.99

    @pytest.mark.parametrize("method", ["logistic", "lda"])
    def test_what_reads_best_is_not_what_was_planted_under_uneven_noise(self, method):
        """Their weights avoid the noisy axes: they separate, and are no direction of steering."""
        found, planted = planted_contrast(uneven=True)
        assert cosine(directions_of(found, method).vectors[0], planted) < 0.9


class TestWithoutPartners:
    def test_pca_draws_lots_by_its_seed(self):
        found = drawn(n=20, n_other=31, paired=False)
        one, again, other = (directions_of(found, "pca", seed=seed) for seed in (0, 0, 1))
        assert torch.equal(one.vectors, again.vectors)
        assert not torch.equal(one.vectors, other.vectors)
        assert (one.about["seed"], "seed" in directions_of(drawn(), "pca").about) == (0, False)

    def test_partners_draw_no_lots(self):
        found = drawn()
        assert torch.equal(directions_of(found, "pca", seed=0).vectors, directions_of(found, "pca", seed=1).vectors)


class TestBadInput:
    def test_an_unknown_method_names_the_nearest(self):
        with pytest.raises(ValueError, match=r"unknown method 'mean_diference'; did you mean 'mean_difference'.*lda"):
            directions_of(drawn(), "mean_diference")

    def test_mean_centring_needs_a_background(self):
        with pytest.raises(ValueError, match="give contrast_activations a background"):
            directions_of(drawn(), "mean_centred")

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("noise", [0.0, 1e-7], ids=["equal", "equal but for rounding"])
    def test_sides_with_the_same_mean_have_no_direction_between_them(self, method, noise):
        found = drawn(n_hooks=1)
        jitter = noise * torch.randn(found.positive.shape, generator=torch.Generator().manual_seed(0))
        same = with_background(contrast(found.positive, found.positive + jitter))
        with pytest.raises(ValueError, match=r"at blocks.0.hook_resid_post both sides of 'written' have the same mean"):
            directions_of(same, method)

    def test_a_component_along_which_the_sides_do_not_differ(self):
        found = contrast([[[3.0, 1.0], [-3.0, 1.0]]], [[[0.0, 0.0], [0.0, 0.0]]])
        with pytest.raises(ValueError, match="do not differ along what pca finds; use another method"):
            directions_of(found, "pca")

    @pytest.mark.parametrize("method", ["logistic", "lda"])
    def test_one_text_a_side_is_too_few_to_fit(self, method):
        with pytest.raises(ValueError, match="2 classes among 2 examples"):
            directions_of(drawn(n=1), method)

    def test_one_pair_has_a_mean_difference(self):
        found = drawn(n=1)
        torch.testing.assert_close(directions_of(found).vectors, (found.positive - found.negative)[:, 0])
