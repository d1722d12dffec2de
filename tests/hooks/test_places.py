"""Activations at places of many texts."""

import pytest
import torch

from interp_lab.hooks import capture, capture_at
from interp_lab.models import load_model

HOOKS = ["blocks.0.hook_resid_post", "blocks.1.attn.hook_z"]


@pytest.fixture(scope="module")
def texts():
    model = load_model("organism-attn")
    tokens = torch.randint(3, 60, (5, 12), generator=torch.Generator().manual_seed(0))
    return model, tokens, torch.arange(12) < torch.tensor([12, 9, 12, 7, 10])[:, None]


@pytest.mark.parametrize("batch_size", [1, 2, 128])
def test_are_those_of_the_texts_read_one_by_one(texts, batch_size):
    model, tokens, mask = texts
    rows, places = torch.tensor([4, 0, 4, 2]), torch.tensor([[3, 11, 0, 5], [9, 1, 2, 5]])
    found = capture_at(model, tokens, HOOKS, mask=mask, rows=rows, places=places, batch_size=batch_size)
    for hook in HOOKS:
        for nth, place in enumerate(places):
            alone = [
                capture(model, tokens[[row]], [hook], mask=mask[[row]])[hook][0, at]
                for row, at in zip(rows.tolist(), place.tolist(), strict=True)
            ]
            torch.testing.assert_close(found[hook][nth], torch.stack(alone), atol=1e-5, rtol=1e-5)


def test_one_place_each_has_no_axis_for_it(texts):
    model, tokens, mask = texts
    rows, places = torch.tensor([1, 3]), torch.tensor([2, 6])
    both = capture_at(model, tokens, HOOKS, mask=mask, rows=rows, places=places[None])
    alone = capture_at(model, tokens, HOOKS, mask=mask, rows=rows, places=places)
    assert all(torch.equal(alone[hook], both[hook][0]) for hook in HOOKS)
    assert not any(values.is_inference() for values in alone.values())


def test_an_unknown_hook_point_is_refused(texts):
    model, tokens, mask = texts
    with pytest.raises(ValueError, match="no hook point"):
        capture_at(
            model, tokens, ["blocks.0.hook_resid_pst"], mask=mask, rows=torch.tensor([0]), places=torch.tensor([0])
        )
