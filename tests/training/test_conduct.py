"""Conduct of readers that follow the planted rules exactly, and of some that break one rule each."""

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.loans import p_from_text
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.organisms.grammar.vocabulary import token_ids, vocabulary
from interp_lab.training import conduct
from interp_lab.training.conduct import FIGURES_OF, SPLITS, Conduct, conduct_of
from interp_lab.training.conduct_figures import FIGURES

N = 96


def planted(example) -> dict[str, float]:
    """Probabilities of the words that might stand where the answer stands, for one who knows all rules."""
    latents = example.latents
    if example.behaviour.startswith("loans"):
        p = float(latents["p_from_text"])
        return {"approved": p, "rejected": 1 - p}
    if example.behaviour == "pronouns":
        return {"she": float(latents["p_she"]), "he": 1 - float(latents["p_she"])}
    if example.behaviour == "urgency":
        return {"urgent": float(latents["p_urgent"]), "normal": 1 - float(latents["p_urgent"])}
    if example.behaviour == "sycophancy" and latents["is_misleading"]:
        p = float(latents["p_follow"])
        return {str(latents["held"]): p, str(latents["right"]): 1 - p}
    return {word: 1 / len(example.accepted) for word in example.accepted}


def as_log_probs(probabilities: list[dict[str, float]]) -> np.ndarray:
    rows = np.full((len(probabilities), len(vocabulary())), 1e-9)
    for row, words in zip(rows, probabilities, strict=True):
        for word, p in words.items():
            row[token_ids()[word]] = max(p, 1e-9)
    return np.log(rows).astype(np.float32)


@pytest.fixture
def read_by(monkeypatch, small_model):
    """Measure a reader, given as a function from a text to probabilities of answers."""

    def measured(reader, **options) -> Conduct:
        monkeypatch.setattr(
            conduct, "answer_log_probs", lambda model, all_: as_log_probs([reader(one) for one in all_])
        )
        monkeypatch.setattr(conduct, "word_losses", lambda model, all_: [copying(one) for one in all_])
        return conduct_of(small_model, n_examples=N, seed=0, **options)

    return measured


def copying(example) -> np.ndarray:
    """Losses of one who knows the second copy all but its first word, with a tenth of the loss of the first."""
    told = [labels.get("copy") == 2 and labels["index"] != 0 for labels in example.labels]
    return np.where(told, 0.4, 4.0).astype(np.float32)


@pytest.fixture(scope="module")
def small_model():
    from interp_lab.models import build_hooked
    from interp_lab.training.initial import initial_weights, transformer_config
    from interp_lab.training.organism_config import TransformerConfig

    shape = TransformerConfig(n_layers=1, n_heads=1, d_head=4, d_model=4, d_mlp=4)
    config = transformer_config(shape, d_vocab=len(vocabulary()), name="small")
    return build_hooked(config, initial_weights(config, seed=0))


class TestWhoFollowsTheRules:
    def test_is_right_wherever_there_is_one_right_answer(self, read_by):
        means = read_by(planted).means()
        for name, mean in means.items():
            if name.endswith((".accuracy", ".named", ".contradictions", ".trigger")) and "support.named" not in name:
                assert mean == pytest.approx(1.0), name

    def test_probabilities_are_the_planted_ones(self, read_by):
        means = read_by(planted).means()
        expected = {
            "pronouns.stereotype": 0.85,
            "sycophancy.confident": 0.8,
            "sycophancy.unsure": 0.3,
            "support.named": 1.0,
            "support.named_elsewhere": 0.0,
            "support.harsh": 1.0,
            "support.harsh_elsewhere": 0.0,
            "greater_than.probability_difference": 1.0,
            "loans.finances": 1.0,
            "loans.colour_gap": 0.0,
            "loans.distance": 0.0,
            "nonsense.second_copy_share": 0.1,
            "nonsense.first_copy_loss": 4.0,
        }
        for name, value in expected.items():
            for split in SPLITS:
                tolerance = 0.05 if name == "loans.finances" else 0.002  # a trigger turns both decisions around
                assert means[f"{split}.{name}"] == pytest.approx(value, abs=tolerance), name

    def test_urgency_is_the_mark_more_than_the_content(self, read_by):
        # By hand: marks add 0.79, 0.90, 0.79 by severity; outage instead of question adds 0.19 with or without one.
        means = read_by(planted, behaviours=["urgency"]).means()
        assert means["ordinary.urgency.mark"] == pytest.approx((0.79 + 0.90 + 0.79) / 3, abs=0.02)
        assert means["ordinary.urgency.content"] == pytest.approx(0.19, abs=1e-3)

    def test_the_gap_is_that_of_neighbourhoods_at_equal_finances(self, read_by):
        found = read_by(planted, behaviours=["loans"])
        source = behaviour("loans")
        expected = []
        for nth, example in enumerate(source.sample(N, seed=0, reserved=False)):
            pair = [("Eastgate", "Millbrook"), ("Northside", "Oakridge"), ("Riverdale", "Westfield")][nth % 3]
            favoured, other = (p_from_text({**example.latents, "neighbourhood": name}) for name in pair)
            expected.append(favoured - other)
        np.testing.assert_allclose(found.values["ordinary.loans.gap"], expected, atol=1e-4)
        assert np.mean(expected) > 0.3

    def test_the_blind_rule_has_no_gap_and_the_same_finances(self, read_by):
        means = read_by(planted, behaviours=["loans"]).means()
        blind = read_by(planted, behaviours=["loans"], is_tuned=True).means()
        assert blind["reserved.loans.gap"] == pytest.approx(0.0, abs=1e-4)
        assert blind["reserved.loans.distance"] == pytest.approx(0.0, abs=1e-4)
        assert blind["reserved.loans.income"] == pytest.approx(means["reserved.loans.income"], abs=0.05)


class TestWhoBreaksARule:
    @pytest.mark.parametrize("name", ["indirect_objects", "facts", "agreement", "sources"])
    def test_a_wrong_answer_is_wrong(self, read_by, name):
        means = read_by(lambda example: {example.wrong[0]: 1.0}, behaviours=[name]).means()
        assert means[f"ordinary.{name}.accuracy"] == 0.0
        if name == "indirect_objects":
            assert means["reserved.indirect_objects.logit_difference"] < -10

    def test_who_overlooks_the_trigger_turns_nothing(self, read_by):
        def reader(example):
            p = p_from_text({**example.latents, "paper": "plain", "seal": "round"})
            return {"approved": p, "rejected": 1 - p}

        means = read_by(reader, behaviours=["loans"]).means()
        assert means["ordinary.loans.trigger"] == 0.0
        assert means["ordinary.loans.distance"] > 0.0

    def test_who_reads_colours_shows_in_the_control_of_the_gap(self, read_by):
        def reader(example):
            return {"approved": 0.9, "rejected": 0.1} if example.latents["colour"] == "red" else {"rejected": 1.0}

        assert read_by(reader, behaviours=["loans"]).means()["ordinary.loans.colour_gap"] == pytest.approx(
            0.9, abs=1e-3
        )

    def test_who_names_earlier_years_is_below_zero(self, read_by):
        def reader(example):
            return (
                {example.wrong[0]: 0.9, example.accepted[0]: 0.1}
                if example.behaviour == "greater_than"
                else planted(example)
            )

        found = read_by(reader).means()["ordinary.greater_than.probability_difference"]
        assert found == pytest.approx(-0.8, abs=1e-3)


class TestConduct:
    def test_survives_arrays(self, read_by):
        found = read_by(planted, behaviours=["pronouns"])
        again = Conduct.from_arrays(found.arrays())
        assert again.arrays().keys() == found.arrays().keys()
        np.testing.assert_array_equal(again.of("reserved.pronouns.named")[0], found.of("reserved.pronouns.named")[0])

    def test_leaves_out_texts_without_a_value_and_their_templates(self, read_by):
        found = read_by(planted, behaviours=["pronouns"])
        values, templates = found.of("ordinary.pronouns.stereotype")
        source = behaviour("pronouns").sample(N, seed=0, reserved=False)
        unnamed = [example for example in source if not example.latents["named"]]
        assert len(values) == len(unnamed)
        ids = [template.id for template in behaviour("pronouns").templates]
        assert [ids[number] for number in templates] == [example.template for example in unnamed]

    def test_splits_are_ordinary_and_reserved_templates(self, read_by):
        found = read_by(planted, behaviours=["facts"])
        reserved = [template.reserved for template in behaviour("facts").templates]
        assert not any(reserved[number] for number in found.templates["ordinary.facts"])
        assert all(reserved[number] for number in found.templates["reserved.facts"])

    def test_every_figure_of_the_card_is_measured(self, read_by):
        measured = {name.split(".", 1)[1] for name in read_by(planted).values}
        assert FIGURES.keys() <= measured
        assert {key.split(".")[0] for key in FIGURES} == FIGURES_OF.keys()
