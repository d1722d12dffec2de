"""The model card: what its targets mean, that the stored card is what is measured, and that a broken model fails it."""

import math

import numpy as np
import pytest
import torch

from interp_lab.organisms.bundled import WEIGHTS, BundledModel, read_bundled
from interp_lab.training import CardRow, ModelCard, card_of, model_card, read_card
from interp_lab.training.card import Target, write_card
from interp_lab.training.config import CardConfig
from interp_lab.types import Interval

NAME = "organism-attn"


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return model_card(NAME)


def row(card: ModelCard, start: str) -> CardRow:
    (found,) = [row for row in card.rows if row.figure.startswith(start)]
    return found


class TestTarget:
    @pytest.mark.parametrize(
        ("bounds", "words", "met"),
        [
            (Target(low=0.4), ">= 0.4", True),
            (Target(low=0.45), ">= 0.45", False),
            (Target(high=0.6), "<= 0.6", True),
            (Target(high=0.55), "<= 0.55", False),
            (Target(0.4, 0.6), "0.4 to 0.6", True),
        ],
        ids=["above", "estimate above, interval not", "below", "estimate below, interval not", "within"],
    )
    def test_is_met_by_the_whole_interval(self, bounds, words, met):
        assert str(bounds) == words
        assert bounds.is_met(Interval(0.5, 0.4, 0.6)) is met


class TestOrganismAttn:
    def test_meets_every_target(self, card):
        assert [row.figure for row in card.rows if not row.met] == []

    @pytest.mark.parametrize("condition", ["period 25, prefix 0", "period 14, prefix 0", "period 20, prefix 15"])
    def test_predicts_the_second_copy_and_not_the_first(self, card, condition):
        assert row(card, f"second-copy loss, {condition}").value.high <= 0.6
        assert row(card, f"first-copy loss, {condition}").value.estimate == pytest.approx(math.log(180), abs=0.15)

    def test_has_textbook_heads_where_an_untrained_model_has_none(self, card):
        scores = [row for row in card.rows if " score of " in row.figure and "resampled" not in row.figure]
        assert [row.figure.split()[0] for row in scores] == ["previous-token", "induction"]
        for found in scores:
            assert found.value.low >= 0.6
            assert found.control.high <= 0.2

    def test_the_induction_head_finds_its_key_through_the_previous_token_head_alone(self, card):
        (found,) = [row for row in card.rows if "resampled" in row.figure]
        assert found.value.high <= 0.2
        assert found.control.low >= 0.6  # the most harmful of the other heads

    def test_the_stored_card_is_what_a_fresh_measurement_gives(self, card):
        stored = read_card(WEIGHTS / NAME)
        assert [row.figure for row in stored.rows] == [row.figure for row in card.rows]
        for fresh, kept in zip(card.rows, stored.rows, strict=True):
            for one, other in ((fresh.value, kept.value), (fresh.control, kept.control)):
                found, expected = ([i.estimate, i.low, i.high] for i in (one, other))
                np.testing.assert_allclose(found, expected, rtol=0.01, atol=1e-3, err_msg=fresh.figure)

    def test_other_text_gives_the_same_picture(self, card):
        other = model_card(NAME, CardConfig(seed=77, n_examples=128))
        assert other.met
        assert [row.figure for row in other.rows] == [row.figure for row in card.rows]

    @pytest.mark.parametrize(
        ("sabotage", "missed"),
        [("blocks.0.attn.W_O", "K-composition"), ("blocks.1.attn.W_O", "second-copy loss"),
         ("pos_embed.W_pos", "previous-token score")],
        ids=["the first layer writes noise", "the second layer writes noise", "positions are noise"],
    )  # fmt: skip
    def test_a_broken_model_fails_it(self, sabotage, missed):
        bundle = read_bundled(NAME)
        weights = dict(bundle.state_dict)
        noise = torch.randn(weights[sabotage].shape, generator=torch.Generator().manual_seed(0))
        weights[sabotage] = noise * weights[sabotage].std()
        broken = card_of(BundledModel(NAME, bundle.config, weights, None), CardConfig(n_examples=64))
        assert any(row.figure.startswith(missed) and not row.met for row in broken.rows)
        assert not broken.met


class TestModelCard:
    def test_survives_the_file(self, tmp_path, card):
        write_card(tmp_path, card)
        assert read_card(tmp_path) == card

    def test_a_folder_without_card_says_how_to_get_one(self, tmp_path):
        with pytest.raises(ValueError, match=r"no model card at .*model_card"):
            read_card(tmp_path)

    def test_every_figure_stands_beside_its_control_and_target(self):
        rows = (
            CardRow(
                "loss",
                "nats",
                Interval(0.5, 0.4, 0.6, n_clusters=9),
                Interval(5.0, 4.0, 6.0),
                "untrained",
                Target(0.0, 1.0),
            ),
            CardRow("score", "share", Interval(0.5, 0.4, 0.6), Interval(0.0, 0.0, 0.0), "nothing", Target(low=0.9)),
        )
        card = ModelCard("toy", CardConfig(), rows)
        table = card.table()
        assert table["met"].tolist() == ["yes", "NO"]
        assert table["control"].tolist() == ["5.000 [4.000, 6.000] (untrained)", "0.000 [0.000, 0.000] (nothing)"]
        assert not card.met
        assert "| loss | nats | 0.500 [0.400, 0.600] |" in card.markdown()
        assert "(9 for losses" in card.markdown()

    def test_an_unknown_model_brings_up_the_nearest(self):
        with pytest.raises(ValueError, match="did you mean 'organism-attn'"):
            model_card("organism-attm")
