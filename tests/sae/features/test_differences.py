"""Differences between sets of documents, against numbers that are known and against scipy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from interp_lab.sae.features.differences import SideValues, choose, compare
from interp_lab.sae.features.per_document import pooled, read_per_document
from interp_lab.sae.features.sides import Sides, contrast_sides, file_sides, halves, model_sides
from interp_lab.stats import paired_difference
from tests.sae.features.planted import TokenCodec, dictionary, model


def values(first, second, *, units=None, paired=False) -> SideValues:
    first, second = np.array(first, dtype=float), np.array(second, dtype=float)
    own = units or (tuple(f"a{n}" for n in range(first.shape[1])), tuple(f"b{n}" for n in range(second.shape[1])))
    return SideValues(first, second, *own, paired=paired)


class TestCompare:
    def test_by_hand(self):
        """Means 3 and 1; deviations 1, 0, 1 on either side: 4 squares over 4 degrees of freedom, so d is 2."""
        found = compare(values([[2, 3, 4]], [[0, 1, 2]]))
        assert found.intervals.estimate == pytest.approx(2)
        assert found.spread == pytest.approx(1)
        assert found.effect.estimate == pytest.approx(2)
        assert found.test == "Welch"

    def test_documents_are_compared_as_scipy_does(self):
        rng = np.random.default_rng(0)
        first, second = rng.normal(size=(4, 9)), 1 + 3 * rng.normal(size=(4, 20))
        found, wanted = compare(values(first, second)), stats.ttest_ind(first, second, axis=1, equal_var=False)
        assert found.p == pytest.approx(wanted.pvalue)
        assert found.intervals.low == pytest.approx(wanted.confidence_interval(0.95).low)

    def test_a_feature_without_spread_separates_completely_or_not_at_all(self):
        found = compare(values([[1, 1, 1], [0, 0, 0], [2, 2, 2]], [[2, 2, 2], [0, 0, 0], [0, 0, 0]]))
        assert found.p.tolist() == [0.0, 1.0, 0.0]
        assert found.effect.estimate.tolist() == [-np.inf, 0.0, np.inf]
        assert found.effect.low[2] == np.inf
        assert found.effect.excludes(0.0).tolist() == [True, False, True]

    def test_rounding_is_no_spread(self):
        noise = 1e-6 * np.random.default_rng(0).normal(size=(1, 12))
        assert compare(values(5 + noise, noise)).effect.estimate.tolist() == [np.inf]
        assert np.isfinite(compare(values(5 + 1e3 * noise, noise)).effect.estimate).all()

    def test_pairs_are_clustered_by_template(self):
        rng = np.random.default_rng(1)
        first, second, units = rng.normal(size=(3, 24)), rng.normal(size=(3, 24)), tuple("abcdefgh" * 3)
        found = compare(values(first, second, units=(units, units), paired=True))
        wanted = paired_difference(first, second, list(units))
        np.testing.assert_array_equal(found.p, wanted.p)
        np.testing.assert_array_equal(found.intervals.low, wanted.intervals.low)
        assert found.intervals.n_clusters == 8

    def test_sides_that_share_templates_are_compared_within_them(self):
        """Templates differ by 100, sides by 1: seen, because no template is compared with another."""
        units = tuple("abcd" * 5)
        base = np.tile([0.0, 100, 200, 300], 5)
        first = base + 1 + 0.01 * np.random.default_rng(0).normal(size=20)
        found = compare(values([first], [base], units=(units, units)))
        assert found.intervals.low[0] == pytest.approx(1, abs=0.02)
        assert found.p[0] < 1e-4
        assert found.test == "t, paired"

    def test_too_few_units(self):
        with pytest.raises(ValueError, match="2 independent units"):
            compare(values([[1, 2]], [[3, 4]], paired=True))
        with pytest.raises(ValueError, match="2 independent units on a side"):
            compare(values([[1, 2]], [[3, 4]]))
        units = (tuple("aabb" * 3), tuple("ccdd" * 3))
        with pytest.raises(ValueError, match="2 independent units on a side"):
            compare(values([range(12)], [range(12)], units=units))

    def test_sides_of_different_templates_are_compared_over_templates(self):
        rng = np.random.default_rng(0)
        first, second = rng.normal(size=(2, 2, 15))
        units = (tuple("abcde" * 3), tuple("vwxyz" * 3))
        found = compare(values(first, second, units=units))
        means = [side.reshape(2, 3, 5).mean(1) for side in (first, second)]
        assert found.p == pytest.approx(stats.ttest_ind(*means, axis=1, equal_var=False).pvalue)
        assert found.intervals.n_clusters == 5

    def test_the_least_p_is_that_of_so_many_units(self):
        """Six pairs have 64 sign patterns, of which two are the farthest out."""
        first = np.arange(1.0, 7)[None]
        found = compare(values(first, 0 * first, paired=True))
        assert (found.test, found.smallest_p) == ("sign-flip, paired", pytest.approx(2 / 64))


class TestChoose:
    def test_never_active_features_are_not_tested(self):
        rng = np.random.default_rng(0)
        data = rng.normal(size=(6, 12))
        data[2:5] = 0
        found = choose(values(data, np.where(data == 0, 0, data - 5)), fdr=0.05, n_shown=10)
        assert found.n_tested == found.n_clear == 3
        assert sorted(found.latents.tolist()) == [0, 1, 5]
        assert found.p_adjusted[2:5].tolist() == [1.0] * 3

    def test_largest_effects_first_and_no_more_than_asked_for(self):
        rng = np.random.default_rng(0)
        second = rng.normal(size=(5, 30))
        found = choose(values(second + np.array([[5], [-9], [0], [7], [3]]), second), fdr=0.05, n_shown=3)
        assert found.latents.tolist() == [1, 3, 0]
        assert found.n_clear == 4

    def test_false_discoveries_stay_at_the_rate(self):
        """Nothing differs in 40 data sets of 200 features: all are clean with probability 0.95 each."""
        rng = np.random.default_rng(0)
        wrong = [
            choose(values(rng.normal(size=(200, 15)), rng.normal(size=(200, 15))), fdr=0.05, n_shown=5).n_clear > 0
            for _ in range(40)
        ]
        assert sum(wrong) <= 6


class TestPooled:
    MASK = torch.tensor([[False, True, True], [True, True, True], [False, True, False]])
    ROWS = torch.tensor([[0.0], [2.0], [5.0], [0.0], [1.0], [7.0]])

    @pytest.mark.parametrize(
        ("pooling", "wanted"),
        [("mean", [1, 2, 7]), ("max", [2, 5, 7]), ("last", [2, 1, 7]), ("density", [0.5, 2 / 3, 1])],
    )
    def test_by_hand(self, pooling, wanted):
        assert pooled(self.ROWS, self.MASK, pooling)[:, 0].tolist() == pytest.approx(wanted)

    def test_an_empty_document(self):
        with pytest.raises(ValueError, match="a document has no tokens"):
            pooled(self.ROWS[:2], torch.tensor([[True, True], [False, False]]), "mean")


class TestReadPerDocument:
    TEXTS = ("the loan was approved", "the the the", "Anna , the blue door in the bank .")

    def test_planted_features_are_shares_of_tokens(self):
        poolings = ("mean", "last", "density")
        found = read_per_document(model(), dictionary(), self.TEXTS, poolings=poolings, words=True)
        the = model().tokenizer.convert_tokens_to_ids("the")
        assert found.latents["mean"][:, the].tolist() == pytest.approx([2 / 4, 2.0, 2 * 2 / 9])
        assert found.latents["density"][:, the].tolist() == pytest.approx([1 / 4, 1.0, 2 / 9])
        assert found.latents["last"][:, the].tolist() == [0, 2, 0]
        assert found.words[:, the].tolist() == [1, 3, 2]
        assert found.words.sum(1).tolist() == [4, 3, 9]
        assert found.r2 == pytest.approx(1.0, abs=1e-5)

    def test_does_not_depend_on_what_stands_beside(self):
        whole = read_per_document(model(), dictionary(), self.TEXTS, poolings=("max",), words=True)
        alone = read_per_document(model(), dictionary(), self.TEXTS, poolings=("max",), words=True, batch_bytes=1)
        np.testing.assert_allclose(whole.latents["max"], alone.latents["max"])
        np.testing.assert_allclose(whole.activations["max"], alone.activations["max"], atol=1e-5)
        np.testing.assert_array_equal(whole.words, alone.words)

    def test_special_tokens_are_left_out_wherever_they_stand(self):
        marked = (f"{text} <|end|>" for text in self.TEXTS)
        plain, found = (
            read_per_document(model(), dictionary(), tuple(texts), poolings=("last",), words=True)
            for texts in (self.TEXTS, marked)
        )
        np.testing.assert_allclose(found.latents["last"], plain.latents["last"], atol=1e-5)
        np.testing.assert_array_equal(found.words, plain.words)

    def test_words_are_counted_only_if_asked_for(self):
        assert read_per_document(model(), dictionary(), self.TEXTS, poolings=("max",)).words is None

    def test_a_constant_explains_nothing_though_activations_have_a_mean(self):
        """The best constant leaves the whole variance: R2 is 0 around the mean, and far from it around zero."""
        first = read_per_document(model(), dictionary(), self.TEXTS[:1], poolings=("mean",))
        mean = torch.from_numpy(first.activations["mean"][0])
        assert mean.square().sum() > 1e-3 * model().W_E.square().sum(1).mean()
        found = read_per_document(
            model(), replace(dictionary(), codec=Constant(mean)), self.TEXTS[:1], poolings=("mean",)
        )
        assert found.r2 == pytest.approx(0.0, abs=1e-5)


class Constant(TokenCodec):
    def decode(self, latents):
        return self.table.expand(len(latents), -1)

    def encode(self, activation):
        return activation.new_zeros(len(activation), 599)


class TestSides:
    @pytest.mark.parametrize("name", ["sentiment", "neighbourhood", "support/tone"])
    def test_halves_share_no_text(self, name):
        one, other = halves(contrast_sides(name, 48, seed=0, reserved=False), seed=0)
        assert not {*one.first, *one.second} & {*other.first, *other.second}
        assert set(one.first_units) == set(other.first_units)

    def test_partners_stay_together(self):
        one, _ = halves(contrast_sides("sentiment", 48, seed=0, reserved=False), seed=0)
        for first, second in zip(one.first, one.second, strict=True):
            differing = [a for a, b in zip(first.split(), second.split(), strict=True) if a != b]
            assert 0 < len(differing) <= 3

    def test_a_text_that_two_pairs_share_keeps_them_on_one_side(self):
        units = ("t",) * 6
        sides = Sides("s", ("a", "b"), tuple("abcdef"), tuple("bxcyzw"), units, units, True, "template")
        for seed in range(8):
            one, other = halves(sides, seed=seed)
            assert not {*one.first, *one.second} & {*other.first, *other.second}
            assert len(one.first) + len(other.first) == 6

    def test_files(self, tmp_path):
        for name in ("a.txt", "b.txt"):
            (tmp_path / name).write_text("\n\n".join(f"{name} number {n % 6}" for n in range(9)))
        sides = file_sides((str(tmp_path / "a.txt"), str(tmp_path / "b.txt")), 8)
        assert (len(sides.first), sides.unit, sides.paired) == (6, "document", False)
        one, other = halves(sides, seed=0)
        assert (len(one.first), len(other.second)) == (3, 3)

    def test_files_with_too_little(self, tmp_path):
        (tmp_path / "a.txt").write_text("one\n\none")
        with pytest.raises(ValueError, match=r"a.txt has 1 different documents"):
            file_sides((str(tmp_path / "a.txt"),) * 2, 8)

    def test_two_models_read_the_same(self):
        sides = model_sides(("one", "other"), 24, seed=0, reserved=False, contrast="neighbourhood")
        assert sides.first == sides.second
        assert sides.paired
        assert all(any(name in text for name in ("Millbrook", "Oakridge", "Westfield")) for text in sides.first)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("sentimental", "names no set of texts; did you mean 'sentiment'"),
            ("support/tne", "support has no latent 'tne'; did you mean 'tone'"),
            ("support/brand", "takes 4 values"),
        ],
    )
    def test_unknown(self, name, message):
        with pytest.raises(ValueError, match=message):
            contrast_sides(name, 8, seed=0, reserved=False)
