import re

import pytest
import torch

from interp_lab.runs import RunError
from interp_lab.runs.parts import Divided, Parts, key_of, make_parts


class Squares:
    """Part n holds n squared; it counts what it was asked to make."""

    n_parts = 5
    inputs = "numbers"

    def __init__(self):
        self.asked = []

    def make(self, numbers):
        for number in numbers:
            self.asked.append(number)
            yield number, {"square": torch.tensor([number**2])}


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path / "parts", 5, key_of({"work": "squares"}))


def test_what_is_made_is_read_back(parts):
    work = Squares()
    assert isinstance(work, Divided)
    assert make_parts(work, parts, [3, 1]) == [1, 3]
    assert parts.missing() == [0, 2, 4]
    assert parts.read(3)["square"].tolist() == [9]


def test_a_part_that_is_there_is_not_made_again(parts):
    work = Squares()
    make_parts(work, parts, [0, 1])
    assert make_parts(work, parts, range(5)) == [2, 3, 4]
    assert work.asked == [0, 1, 2, 3, 4]
    assert parts.missing() == []


def test_order_and_repetition_leave_the_same_bytes(parts, tmp_path):
    other = Parts(tmp_path / "other", 5, parts.key)
    make_parts(Squares(), parts, range(5))
    for number in (4, 0, 2, 2, 3, 1):
        make_parts(Squares(), other, [number])
    files = [{path.name: path.read_bytes() for path in one.folder.iterdir()} for one in (parts, other)]
    assert files[0] == files[1]


def test_what_was_written_before_the_disk_was_full_stays(parts):
    class Full(Squares):
        def make(self, numbers):
            yield from list(super().make(numbers))[:2]
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        make_parts(Full(), parts, range(5))
    assert parts.missing() == [2, 3, 4]


@pytest.mark.parametrize("damage", ["torn", "without note", "without file"])
def test_a_part_that_was_cut_short_is_made_again(parts, damage):
    make_parts(Squares(), parts, range(5))
    path = parts.path(2)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "without note":
        path.with_suffix(".json").unlink()
    else:
        path.unlink()
    assert parts.missing() == [2]
    with pytest.raises(RunError, match=re.escape("make it again")):
        parts.read(2)
    assert make_parts(Squares(), parts, range(5)) == [2]
    assert parts.read(2)["square"].tolist() == [4]


def test_a_flipped_bit_is_noticed_when_it_is_read(parts):
    make_parts(Squares(), parts, [1])
    data = bytearray(parts.path(1).read_bytes())
    data[-1] ^= 1
    parts.path(1).write_bytes(bytes(data))
    with pytest.raises(RunError, match="checksum is wrong; remove it"):
        parts.read(1)


def test_parts_of_other_work_are_refused(parts):
    make_parts(Squares(), parts, [0])
    other = Parts(parts.folder, 5, key_of({"work": "cubes"}))
    with pytest.raises(RunError, match="holds parts of other work"):
        other.missing()
    with pytest.raises(RunError, match="holds parts of other work"):
        make_parts(Squares(), other, [0])


def test_a_note_that_was_edited_is_named(parts):
    make_parts(Squares(), parts, [0])
    parts.path(0).with_suffix(".json").write_text("{")
    with pytest.raises(RunError, match=r"part-00000\.json is no note of a part; remove it"):
        parts.has(0)


def test_a_number_that_there_is_not(parts):
    with pytest.raises(ValueError, match="there is no part 5: parts are numbered 0 to 4"):
        make_parts(Squares(), parts, [5])
