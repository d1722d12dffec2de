import numpy as np
import pytest

from interp_lab import load_model
from interp_lab.tasks import pairs_for
from interp_lab.tasks.registry import task


@pytest.fixture(scope="module")
def model():
    return load_model("organism")


def test_right_and_wrong_change_places_in_half_of_the_pairs_and_nothing_else_changes(model):
    given, swapped = (pairs_for(model, name, 400, seed=3) for name in ("grammar/facts", "swapped/grammar/facts"))
    turned = [right != other for right, other in zip(given.answers, swapped.answers, strict=True)]
    for nth, is_turned in enumerate(turned):
        sides = (given.wrong[nth], given.answers[nth]) if is_turned else (given.answers[nth], given.wrong[nth])
        assert (swapped.answers[nth], swapped.wrong[nth]) == sides
    assert abs(np.mean(turned) - 0.5) < 3 * 0.5 / 400**0.5
    assert swapped.clean_texts == given.clean_texts
    assert swapped.corrupted_texts == given.corrupted_texts
    assert swapped.task == "swapped/grammar/facts"


def test_the_label_of_a_text_hangs_on_the_text_and_the_seed_alone(model):
    def labels(name, n, seed):
        drawn = pairs_for(model, name, n, seed=seed)
        return dict(zip(drawn.clean_texts, drawn.answers, strict=True))

    few, many = labels("swapped@1/grammar/urgency", 60, 0), labels("swapped@1/grammar/urgency", 300, 0)
    both = few.keys() & many.keys()
    assert len(both) > 5
    assert all(few[text] == many[text] for text in both)
    other = labels("swapped@2/grammar/urgency", 300, 0)
    assert 0.3 < np.mean([other[text] == many[text] for text in other]) < 0.7


def test_what_there_is_no_task_of_cannot_be_swapped():
    with pytest.raises(ValueError, match="unknown task 'grammer/facts'"):
        task("swapped/grammer/facts")
