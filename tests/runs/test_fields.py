from dataclasses import dataclass

import numpy as np
import pytest

from interp_lab.runs.fields import KeptFields, as_arrays, from_arrays


@dataclass(frozen=True)
class Held(KeptFields):
    values: np.ndarray
    names: tuple[str, ...]
    trait: str
    width: int
    share: float
    is_paired: bool


HELD = Held(np.array([[1.0, np.nan]]), ("a", "böse"), "sentiment", 3, 0.25, True)


def test_fields_come_back_as_what_they_were():
    again = Held.from_arrays("side", {**HELD.arrays("side"), "other_width": np.array(7)})
    np.testing.assert_array_equal(again.values, HELD.values)
    rest = [(type(one), one) for one in (again.names, again.trait, again.width, again.share, again.is_paired)]
    assert rest == [(tuple, ("a", "böse")), (str, "sentiment"), (int, 3), (float, 0.25), (bool, True)]


def test_no_names_are_no_names():
    empty = Held(np.zeros((0, 2)), (), "", 0, 0.0, False)
    again = Held.from_arrays("x", empty.arrays("x"))
    assert again.names == ()
    assert again.values.shape == (0, 2)


def test_what_is_not_there_is_none_or_an_error():
    assert as_arrays(None, "side") == {}
    assert from_arrays(Held, "side", HELD.arrays("other")) is None
    with pytest.raises(KeyError, match="no Held under 'side'"):
        Held.from_arrays("side", HELD.arrays("other"))


def test_half_of_it_is_damage():
    arrays = HELD.arrays("side")
    del arrays["side_share"]
    with pytest.raises(KeyError, match="side_share"):
        Held.from_arrays("side", arrays)
