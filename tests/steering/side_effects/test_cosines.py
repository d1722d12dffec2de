"""Cosines by hand, and the null band of directions that share a covariance with the real ones."""

import numpy as np
import pytest
import torch

from interp_lab.directions import ContrastActivations
from interp_lab.models import identity_of
from interp_lab.steering.side_effects.cosines import Cosines, Other, cosine, cosines_of, outside
from interp_lab.steering.side_effects.material import resampled, shuffled_labels, vectors_of
from tests.steering.side_effects import planted
from tests.steering.side_effects.planted import HOOK, WIDTH, axes

MANY = 200


def compared(materials, others=()):
    return cosines_of(
        [one.trait for one in materials], (HOOK,), others, shown=(HOOK,),
        own=np.stack([vectors_of(one) for one in materials]),
        resampled=np.stack([resampled(one, n=40, seed=nth) for nth, one in enumerate(materials)], axis=1),
        shuffled=np.stack([shuffled_labels(one, n=MANY, seed=nth) for nth, one in enumerate(materials)], axis=1),
    )  # fmt: skip


def drawn(made, trait, gap, *, noise, seed):
    found = planted.gaussian(made, gap, n=400, noise=noise, seed=seed)
    return planted.material(made, trait, found.positive.mean(1)[0] - found.negative.mean(1)[0], answers=1, found=found)


class TestByHand:
    def test_of_any_lengths(self):
        assert cosine(np.array([3.0, 0.0]), np.array([0.6, 0.8])) == pytest.approx(0.6)
        assert cosine(np.array([1.0, 1.0]), np.array([-2.0, -2.0])) == pytest.approx(-1.0)

    def test_a_direction_of_length_zero_is_refused(self):
        with pytest.raises(ValueError, match="length zero has no cosine"):
            cosine(np.zeros(3), np.ones(3))

    @pytest.fixture(scope="class")
    def found(self):
        made, quiet = planted.model(), np.full(WIDTH, 0.01)
        first, second = np.zeros(WIDTH), np.zeros(WIDTH)
        first[0], second[:2] = 2.0, (1.8, 2.4)
        both = [drawn(made, "first", first, noise=quiet, seed=0), drawn(made, "second", second, noise=quiet, seed=1)]
        return compared(both, [Other("a row", HOOK, np.array(axes(0.0, 5.0), dtype=np.float64))])

    def test_of_two_traits(self, found):
        own, _ = found.between(0, 0, 1, level=0.95)
        assert own.estimate == pytest.approx(0.6, abs=0.01)
        assert own.low <= own.estimate <= own.high
        assert own.high - own.low < 0.02

    def test_with_a_direction_from_elsewhere(self, found):
        assert found.other_own[0] == pytest.approx([0.0, 0.8], abs=0.01)
        assert outside(*found.with_other(0, 1, level=0.95))

    def test_come_back_from_arrays(self, found):
        again = Cosines.from_arrays("x", found.arrays("x"))
        assert again.others == ("a row",)
        assert again.between(0, 0, 1, level=0.95) == found.between(0, 0, 1, level=0.95)


class TestNullBand:
    def test_is_that_of_the_whole_space_where_noise_is_even(self):
        made = planted.model()
        gaps = np.eye(WIDTH)[:2] * 4.0
        both = [drawn(made, str(nth), gap, noise=np.ones(WIDTH), seed=nth) for nth, gap in enumerate(gaps)]
        found = compared(both)
        assert found.shuffled[:, 0, 0, 1].std() == pytest.approx(found.isotropic, rel=0.15)

    def test_is_wide_where_activations_vary_along_one_axis(self):
        """A cosine that the whole space would call large is what noise along the shared axis gives."""
        made, noise = planted.model(), np.full(WIDTH, 0.1)
        noise[5] = 4.0
        gaps = np.zeros((2, WIDTH))
        gaps[0, 0] = gaps[1, 1] = 0.5
        gaps[:, 5] = 3.0
        both = [drawn(made, str(nth), gap, noise=noise, seed=nth) for nth, gap in enumerate(gaps)]
        own, null = compared(both).between(0, 0, 1, level=0.95)
        assert own.estimate > 2 * WIDTH**-0.5
        assert null.high > 0.9
        assert null.low < -0.9
        assert not outside(own, null)


def test_no_other_directions_are_no_rows():
    made = planted.model()
    both = [drawn(made, str(nth), np.eye(WIDTH)[nth] * 4.0, noise=np.ones(WIDTH), seed=nth) for nth in range(2)]
    found = compared(both)
    assert found.other_own.shape == (0, 2)
    assert Cosines.from_arrays("x", found.arrays("x")).others == ()


def test_intervals_draw_whole_templates_again():
    """Two templates, each with a gap along an axis of its own: drawn are one twice, both, or the other twice."""
    made = planted.model()
    gaps = torch.stack([axes(1.0), axes(1.0), axes(0.0, 1.0), axes(0.0, 1.0)])[None]
    found = ContrastActivations(
        gaps / 2, -gaps / 2, (HOOK,), identity_of(made), "x", True, tuple("aabb"), tuple("aabb")
    )
    one = planted.material(made, "x", gaps.mean(1)[0], answers=1, found=found)
    along = cosine(resampled(one, n=40, seed=0)[:, 0], np.array(axes(1.0)))
    assert set(np.round(along, 4)) == {0.0, 0.7071, 1.0}
