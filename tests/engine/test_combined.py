"""Interventions made together equal a literal run under all of them, in order."""

import numpy as np
import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.interventions import Combined, Intervention, Op, applied, patches
from interp_lab.metrics import logit_difference
from interp_lab.types import Site
from tests.tiny import tiny_model, tokens

METRIC = logit_difference(torch.arange(5), torch.arange(5) + 6)
BASE, SOURCE = tokens(seed=0), tokens(seed=1)


@pytest.fixture(scope="module", params=["hooked", "packed not possible"])
def model(request):
    model = tiny_model(normalization_type="LN")
    if request.param != "hooked":
        model.set_use_attn_result(True)
    return model


def shift(site, value, name="shift", **options):
    width = 4 if site.has_head_axis else 16
    return Intervention((site,), Op.ADD, (value * torch.linspace(-1, 1, width),), name, **options)


def sets(model):
    at = torch.tensor([3, 5, 2, 8, 4])
    early, late = (
        patches(model, [[site]], SOURCE, base=BASE, positions=positions)[0]
        for site, positions in ((Site.of_head(0, 1), at), (Site.of_head(0, 1), at.flip(0)))
    )
    gate = torch.tensor([True, False, True, False, True])
    resid = Site("blocks.1.hook_resid_mid")
    return [
        Combined((early, late), "one head at two places of each prompt"),
        Combined((shift(resid, 2.0), Intervention((resid,), Op.SCALE, (torch.full((), 0.5),), "halve")), "add, halve"),
        Combined((Intervention((resid,), Op.SCALE, (torch.full((), 0.5),), "halve"), shift(resid, 2.0)), "halve, add"),
        Combined((shift(Site.of_head(2, 0), 1.0, gate=gate), shift(Site("hook_embed", position=6), 1.0)), "gated"),
        Combined((shift(resid, 1.0, gate=gate), shift(resid, 1.0, gate=~gate)), "each gate open somewhere"),
    ]


def test_equal_a_literal_run_under_all_of_them(model):
    combined = sets(model)
    found = sweep(model, BASE, combined, METRIC).values
    with torch.inference_mode():
        for nth, one in enumerate(combined):
            with applied(model, one):
                assert found[nth] == pytest.approx(METRIC(model(BASE)).numpy(), abs=1e-5)


def test_the_order_counts(model):
    _, add_first, halve_first, _, _ = sweep(model, BASE, sets(model), METRIC).values
    assert np.abs(add_first - halve_first).max() > 1e-3


def test_one_part_is_that_part_alone(model):
    part = shift(Site.of_head(1, 2), 1.0)
    alone, combined = sweep(model, BASE, [part, Combined((part,), "one")], METRIC).values
    assert alone == pytest.approx(combined, abs=1e-6)


def test_no_parts_are_refused():
    with pytest.raises(ValueError, match="'nothing' combines no interventions"):
        Combined((), "nothing")
