"""A page says what the weights are: of a model with one matrix changed it claims something else."""

import html
import re

import torch

from interp_lab.attention import AttentionHeads, AttentionHeadsConfig
from interp_lab.models import load_model
from interp_lab.reports import write_page


def claims_on(page):
    """By grade, the claims of the page's summary."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", page.read_text()))
    summary = text[text.index("Claims by grade") : text.index("Controls")]
    return {" ".join(line.split()) for line in summary.splitlines() if "organism-attn" in line}


def test_the_claims_of_a_page_change_with_a_weight_of_its_model(tmp_path):
    config = AttentionHeadsConfig().overlaid({"n_sequences": 32, "ablations": ["mean"], "n_copied_tokens": None})
    experiment = AttentionHeads(config)
    model = load_model("organism-attn")
    before = claims_on(write_page(tmp_path / "before.html", "t", [experiment.measure(model)], reproduce="again"))
    with torch.no_grad():
        model.blocks[1].attn.W_O[0] = 0  # what the first induction head writes
    after = claims_on(write_page(tmp_path / "after.html", "t", [experiment.measure(model)], reproduce="again"))
    told = (
        "1.0 of organism-attn attends like an induction head, and the model predicts the second copy worse without it"
    )
    assert any(told in claim for claim in before)
    assert not any(told in claim for claim in after)
    taken_over = told.replace("1.0", "1.1")
    assert any(taken_over in claim for claim in after), "the head that backed it up is now the one that matters"
    assert not any(taken_over in claim for claim in before)
