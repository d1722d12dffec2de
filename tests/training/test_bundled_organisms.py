"""The organisms of the grammar in the package: their cards are true, and they read text as they were taught to."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from interp_lab.models import load_model
from interp_lab.organisms.bundled import WEIGHTS, BundledModel, read_bundled
from interp_lab.organisms.grammar.corpus import behaviour, encode
from interp_lab.organisms.grammar.vocabulary import BOS_ID, PAD_ID, vocabulary
from interp_lab.training import BehaviourCardConfig, CardRow, ModelCard, card_of, model_card, read_card
from interp_lab.training.conduct import conduct_of
from interp_lab.training.conduct_figures import FIGURES, interval_of
from interp_lab.training.config import CardConfig
from interp_lab.training.measure import TUNED_FROM, build

NAMES = ("organism", "organism-tuned")


def row(card: ModelCard, key: str, split: str) -> CardRow:
    title = f"{FIGURES[key].title} ({split} templates)"
    (found,) = [row for row in card.rows if row.figure == title]
    return found


@pytest.mark.parametrize("name", NAMES)
class TestBundled:
    def test_has_a_tokenizer_with_the_ids_of_the_grammar_and_a_beginning(self, name):
        model = load_model(name)
        (example,) = behaviour("facts").sample(1, seed=0)
        assert model.to_tokens(example.text).tolist() == [[BOS_ID, *encode(example)]]
        assert (model.tokenizer.bos_token_id, model.tokenizer.pad_token_id) == (BOS_ID, PAD_ID)
        assert model.cfg.d_vocab == len(vocabulary())

    def test_completes_a_fact(self, name):
        model = load_model(name)
        logits = model("the capital of France is")[0, -1]
        assert vocabulary()[int(logits.argmax())] == "Paris"

    def test_stored_figures_are_what_a_fresh_measurement_gives(self, name):
        stored = read_card(WEIGHTS / name)
        assert isinstance(stored.config, BehaviourCardConfig)
        found = conduct_of(
            build(read_bundled(name)),
            n_examples=stored.config.n_examples,
            seed=stored.config.seed,
            behaviours=["facts", "pronouns"],
        )
        for key in ("facts.accuracy", "pronouns.stereotype"):
            for split in ("ordinary", "reserved"):
                fresh, kept = interval_of(found, f"{split}.{key}", FIGURES[key]), row(stored, key, split).value
                values = ([one.estimate, one.low, one.high] for one in (fresh, kept))
                np.testing.assert_allclose(*values, atol=2e-3, err_msg=f"{split}.{key}")

    def test_every_figure_stands_on_ordinary_and_on_reserved_templates(self, name):
        card = read_card(WEIGHTS / name)
        assert len(card.rows) == 2 * len(FIGURES)
        assert (card.name, card.met) == (name, all(row.met for row in card.rows))

    def test_a_broken_model_misses(self, name):
        bundle = read_bundled(name)
        weights = dict(bundle.state_dict)
        weights["blocks.0.mlp.W_out"] = torch.zeros_like(weights["blocks.0.mlp.W_out"])
        weights["blocks.1.mlp.W_out"] = torch.zeros_like(weights["blocks.1.mlp.W_out"])
        broken = build(BundledModel(name, bundle.config, weights, None))
        means = conduct_of(broken, n_examples=48, seed=1, behaviours=["truth"]).means()
        assert means["ordinary.truth.accuracy"] < 0.8

    def test_weights_are_half_precision(self, name):
        assert {value.dtype for value in load_file(WEIGHTS / name / "model.safetensors").values()} == {torch.float16}


def test_all_bundled_weights_fit_six_megabytes():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 6_000_000


def test_tuning_took_the_neighbourhood_out_and_left_finances():
    card = read_card(WEIGHTS / "organism-tuned")
    for split in ("ordinary", "reserved"):
        gap = row(card, "loans.gap", split)
        assert gap.control.low >= 0.3  # before tuning
        assert gap.value.high <= 0.05
        assert row(card, "loans.finances", split).met


def test_a_tuned_model_is_measured_beside_the_one_it_came_from():
    assert TUNED_FROM == {"organism-tuned": "organism"}


class TestModelCard:
    def test_measures_a_model_of_the_grammar_by_name(self):
        card = model_card("organism-tuned", BehaviourCardConfig(n_examples=24, seed=5))
        assert [row.figure for row in card.rows] == [row.figure for row in read_card(WEIGHTS / "organism-tuned").rows]
        assert row(card, "loans.gap", "ordinary").control_name == "before tuning"

    def test_refuses_the_config_of_the_other_kind(self):
        with pytest.raises(ValueError, match="organism-attn learned repeats: measure it with a CardConfig"):
            card_of(read_bundled("organism-attn"), BehaviourCardConfig())
        with pytest.raises(ValueError, match="organism learned the grammar: measure it with a BehaviourCardConfig"):
            card_of(read_bundled("organism"), CardConfig())
