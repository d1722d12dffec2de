from dataclasses import replace

import pytest
import torch

from interp_lab.directions import cosines, difference, directions_of, orthogonalised, projected, random_like, shuffled
from tests.directions.planted import HOOKS, MODEL, contrast, directions, drawn


def random_directions(seed, *, n_hooks=2, d=6, name="drawn"):
    generator = torch.Generator().manual_seed(seed)
    return replace(directions([[1.0] * d] * n_hooks, name=name), vectors=torch.randn(n_hooks, d, generator=generator))


OTHER = random_directions(1)


class TestTogether:
    def test_by_hand(self):
        a = directions([[3.0, 4.0, 1.0]], name="a")
        b = directions([[0.0, 2.0, 0.0]], name="b")
        assert difference(a, b).vectors.tolist() == [[3.0, 2.0, 1.0]]
        assert orthogonalised(a, against=[b]).vectors.tolist() == [[3.0, 0.0, 1.0]]
        assert projected(a, onto=[b]).vectors.tolist() == [[0.0, 4.0, 0.0]]
        assert cosines(a, b).item() == pytest.approx(4 / 26**0.5)

    def test_what_is_orthogonalised_is_orthogonal_to_all_of_them(self):
        a, others = random_directions(0), [random_directions(seed) for seed in (1, 2, 3)]
        left = orthogonalised(a, against=others)
        for other in others:
            assert cosines(left, other).abs().max() < 1e-5

    def test_the_two_parts_are_the_whole_and_at_right_angles(self):
        a, others = random_directions(0), [random_directions(seed) for seed in (1, 2)]
        left, within = orthogonalised(a, against=others), projected(a, onto=others)
        torch.testing.assert_close(left.vectors + within.vectors, a.vectors)
        assert cosines(left, within).abs().max() < 1e-5

    def test_others_that_depend_on_each_other_or_differ_in_length_change_nothing(self):
        a, b, c = (random_directions(seed) for seed in range(3))
        twice = replace(b, vectors=1000 * b.vectors + c.vectors)
        torch.testing.assert_close(
            orthogonalised(a, against=[b, c, twice, b.times(-2.0)]).vectors, orthogonalised(a, against=[b, c]).vectors,
            atol=1e-4, rtol=1e-4,
        )  # fmt: skip

    def test_they_meet_by_hook_point_and_not_by_place(self):
        a, b = random_directions(0), random_directions(1)
        turned = b.only(HOOKS[::-1])
        assert torch.equal(difference(a, b).vectors, difference(a, turned).vectors)
        assert difference(a.only(HOOKS[1:]), b).hooks == HOOKS[1:]

    def test_names_say_what_was_done(self):
        a, b = random_directions(0, name="a"), random_directions(1, name="b")
        made = orthogonalised(a, against=[b])
        assert (made.name, made.method) == ("a beside b", "orthogonalised")
        assert [one["name"] for one in made.about["of"]] == ["a", "b"]
        assert difference(a, b).name == "a less b"
        assert projected(a, onto=[b]).name == "a within b"

    @pytest.mark.parametrize("combine", [difference, lambda a, b: orthogonalised(a, against=[b]), cosines])
    def test_refuses_what_does_not_belong_together(self, combine):
        a = random_directions(0)
        with pytest.raises(ValueError, match="d_vocab"):
            combine(a, replace(a, model=replace(MODEL, d_vocab=11)))
        with pytest.raises(ValueError, match=r"have none at 'blocks.2.hook_resid_post'"):
            combine(a, a.only(HOOKS[:1]))
        with pytest.raises(ValueError, match="have 6 entries and 'drawn' have 5; combine those of one width"):
            combine(a, random_directions(1, d=5))

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda a: difference(a, a), "difference: nothing is left of 'drawn' at blocks.0.hook_resid_post"),
            (lambda a: orthogonalised(a, against=[a.times(-3.0)]), "orthogonalised: nothing is left"),
            (lambda a: projected(orthogonalised(a, against=[OTHER]), onto=[OTHER]), "projected: nothing is left"),
            (lambda a: orthogonalised(a, against=[]), "no directions to compare 'drawn' with"),
        ],
        ids=["with itself", "against itself", "onto what it is orthogonal to", "against none"],
    )  # fmt: skip
    def test_refuses_to_leave_nothing(self, make, message):
        with pytest.raises(ValueError, match=message):
            make(random_directions(0))


class TestRandom:
    def draw(self, d, n=50, seed=0, **how):
        return random_like(d, n, generator=torch.Generator().manual_seed(seed), **how)

    @pytest.mark.parametrize("orthogonal", [False, True])
    def test_lengths_and_angles_are_those_of_the_given_ones(self, orthogonal):
        d = random_directions(0, d=9)
        found = self.draw(d, orthogonal=orthogonal)
        assert found.shape == (50, 2, 9)
        gram = (d.vectors @ d.vectors.T).expand(50, 2, 2)
        torch.testing.assert_close(found @ found.mT, gram, atol=1e-4, rtol=1e-4)

    def test_orthogonal_ones_have_nothing_of_any_given_one(self):
        d = random_directions(0, d=9)
        found = self.draw(d, orthogonal=True)
        assert torch.einsum("nhd,kd->nhk", found, d.vectors).abs().max() < 1e-5
        assert torch.einsum("nhd,kd->nhk", self.draw(d), d.vectors).abs().max() > 1

    def test_no_direction_is_preferred(self):
        d = directions([[2.0, 0.0, 0.0]])
        found = self.draw(d, n=4000)[:, 0]
        assert found.mean(0).abs().max() < 4 * 2 / (3 * 4000) ** 0.5
        second = found.T @ found / 4000
        torch.testing.assert_close(second, 4 / 3 * torch.eye(3), atol=0.1, rtol=0)

    def test_the_generator_is_all_the_chance_there_is(self):
        d = random_directions(0)
        assert torch.equal(self.draw(d, seed=3), self.draw(d, seed=3))
        assert not torch.equal(self.draw(d, seed=3), self.draw(d, seed=4))

    def test_given_ones_may_depend_on_each_other(self):
        same = replace(random_directions(0), vectors=torch.ones(2, 6))
        found = self.draw(same)
        torch.testing.assert_close(found[:, 0], found[:, 1])

    def test_more_hook_points_than_dimensions(self):
        d = random_directions(0, d=1)
        torch.testing.assert_close(self.draw(d).abs(), d.vectors.abs().expand(50, 2, 1))

    @pytest.mark.parametrize(
        ("n", "orthogonal", "message"),
        [(0, False, "n=0 random directions are none"), (3, True, "2 directions in 3 dimensions leave too little room")],
    )
    def test_refuses_the_impossible(self, n, orthogonal, message):
        with pytest.raises(ValueError, match=message):
            self.draw(random_directions(0, d=3), n=n, orthogonal=orthogonal)


class TestShuffled:
    def test_of_pairs_half_are_swapped(self):
        found = contrast([[[float(2**nth)] for nth in range(6)]], [[[0.0]] * 6])
        for one in shuffled(found, 20, seed=0, matched=False):
            # kept less swapped values: the binary digits of what was swapped (or kept) are the pairs
            swapped = round((63 - 6 * abs(one.vectors.item())) / 2)
            assert swapped.bit_count() == 3

    def test_what_all_pairs_share_is_gone(self):
        shift = torch.tensor([5.0, 0.0, 0.0])
        noise = 0.1 * torch.randn(2, 1, 40, 3, generator=torch.Generator().manual_seed(0))
        found = contrast(noise[0] + shift, noise[1])
        true = directions_of(found)
        for one in shuffled(found, 10, seed=0, matched=False):
            assert one.norms.item() < 0.03 * true.norms.item()

    @pytest.mark.parametrize(("n", "other"), [(40, 40), (30, 60), (7, 4)])
    def test_without_partners_each_new_side_has_its_share_of_both(self, n, other):
        found = contrast([[[1.0]] * n], [[[0.0]] * other], paired=False)
        jittered = replace(found, positive=found.positive + 1e-3 * torch.arange(n)[:, None])
        one = shuffled(jittered, 1, seed=0, matched=False)[0]
        # 1 text of `n` more or less on a side is 1/n + 1/other of the gap
        assert one.norms.item() < (1 / n + 1 / other) / 2 + 0.02

    def test_half_of_every_template_is_swapped(self):
        templates = ("a",) * 10 + ("b",) * 10
        positive = torch.zeros(1, 20, 2)
        positive[0, :10, 0], positive[0, 10:, 1] = 1.0, 1.0
        found = contrast(positive + 1e-3 * torch.arange(20)[:, None], torch.zeros(1, 20, 2), templates=templates)
        for one in shuffled(found, 20, seed=0, matched=False):
            assert one.norms.item() < 0.02  # 1 pair too many of a template would be 2 / 20

    def test_matched_ones_have_the_length_of_the_true_one(self):
        found = drawn()
        for method in ("mean_difference", "logistic", "lda"):
            for one in shuffled(found, 3, seed=0, method=method):
                torch.testing.assert_close(one.norms, directions_of(found, method).norms)

    def test_draws_differ_and_come_back_with_their_seed(self):
        found = drawn()
        one, again, other = (shuffled(found, 3, seed=seed) for seed in (0, 0, 1))
        assert all(torch.equal(a.vectors, b.vectors) for a, b in zip(one, again, strict=True))
        assert len({tuple(each.vectors.flatten().tolist()) for each in (*one, *other)}) == 6
        assert [each.about["shuffled"] for each in one] == [0, 1, 2]
        assert one[0].name == "written, labels shuffled"

    def test_the_activations_stay_as_they_were(self):
        found = drawn()
        before = found.positive.clone()
        shuffled(found, 2, seed=0)
        assert torch.equal(found.positive, before)

    def test_swapping_tells_principal_components_nothing(self):
        with pytest.raises(ValueError, match="the same whichever partner stands on which side"):
            shuffled(drawn(), 1, seed=0, method="pca")

    @pytest.mark.parametrize(("n", "texts", "message"), [(0, 8, "n=0 shuffled"), (1, 3, "3 texts on a side")])
    def test_too_few(self, n, texts, message):
        with pytest.raises(ValueError, match=message):
            shuffled(drawn(n=texts), n, seed=0)
