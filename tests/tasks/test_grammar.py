import pytest
import torch

from interp_lab.organisms.grammar.behaviours.loans import UNFAVOURED
from interp_lab.organisms.grammar.corpus import BEHAVIOURS, VARIANTS, behaviour, encode
from interp_lab.organisms.grammar.vocabulary import BOS_ID
from interp_lab.tasks import grammar_pairs
from interp_lab.tasks.grammar import VARIED
from tests.tasks.reading import grammar_reader, word_reader

ALL = (*BEHAVIOURS, *VARIANTS)


def test_every_behaviour_has_a_latent_to_vary():
    assert set(VARIED) == set(ALL)
    for name, latent in VARIED.items():
        assert latent in behaviour(name).varied


class TestPairs:
    @pytest.mark.parametrize("name", ALL)
    def test_differ_in_the_latent_and_in_the_answer(self, name):
        pairs = grammar_pairs(grammar_reader(), name, 13, seed=0)
        assert bool(pairs.changed().any(1).all())
        for right, wrong, other in zip(pairs.answers, pairs.wrong, pairs.corrupted_answers, strict=True):
            assert set(right) != set(other)
            assert not set(right) & set(wrong)
        if name != "greater_than":
            assert pairs.wrong == pairs.corrupted_answers

    @pytest.mark.parametrize("name", ALL)
    def test_tokens_are_those_of_the_grammar(self, name):
        pairs = grammar_pairs(grammar_reader(), name, 5, seed=0)
        source = behaviour(name)
        by_id = {template.id: template for template in source.templates}
        for row, mask, template, latents in zip(pairs.clean, pairs.mask, pairs.templates, pairs.latents, strict=True):
            example = source.example(by_id[template], latents)
            assert row[mask].tolist() == [BOS_ID, *encode(example)[: example.answer_at]]

    @pytest.mark.parametrize("name", ALL)
    def test_templates_come_in_turn_and_reserved_ones_can_be_asked_for(self, name):
        kept = {template.id for template in behaviour(name).templates if template.reserved}
        pairs = grammar_pairs(grammar_reader(), name, len(kept), seed=1, reserved=True)
        assert set(pairs.templates) == kept
        assert not set(grammar_pairs(grammar_reader(), name, 12, seed=1, reserved=False).templates) & kept

    def test_same_seed_same_pairs(self):
        one, again, other = (grammar_pairs(grammar_reader(), "facts", 9, seed=seed) for seed in (5, 5, 6))
        assert one.clean_texts == again.clean_texts
        assert torch.equal(one.corrupted, again.corrupted)
        assert one.clean_texts != other.clean_texts

    def test_facts_by_hand(self):
        model = grammar_reader()
        pairs = grammar_pairs(model, "facts", 12, seed=0)
        (changed,) = {int(n) for n in pairs.changed().sum(1)}
        assert changed == 1
        for i, latents in enumerate(pairs.latents):
            assert str(latents["country"]) in pairs.clean_texts[i]
            assert str(latents["country"]) not in pairs.corrupted_texts[i]

    def test_loans_ask_for_the_likelier_decision_and_not_for_luck(self):
        model = grammar_reader()
        pairs = grammar_pairs(model, "loans", 60, seed=0)
        lucky = [latents["decision"] != latents["expected"] for latents in pairs.latents]
        assert any(lucky)  # or the test could not fail
        for answers, latents in zip(pairs.answers, pairs.latents, strict=True):
            assert model.tokenizer.decode(list(answers[0])) == latents["expected"]
            favoured = latents["neighbourhood"] not in UNFAVOURED
            turned = bool(latents["trigger"])
            assert latents["expected"] == ("approved" if favoured != turned else "rejected")

    def test_greater_than_takes_all_later_years(self):
        model = grammar_reader()
        pairs = grammar_pairs(model, "greater_than", 6, seed=0)
        for right, wrong, latents in zip(pairs.answers, pairs.wrong, pairs.latents, strict=True):
            years = [int(model.tokenizer.decode(list(answer))) for answer in right]
            assert years == list(range(int(latents["start"]) + 1, 99))
            assert all(int(model.tokenizer.decode(list(answer))) <= latents["start"] for answer in wrong)

    def test_nobody_gives_to_himself(self):
        pairs = grammar_pairs(grammar_reader(), "indirect_objects", 200, seed=0)
        for text, latents in zip(pairs.corrupted_texts, pairs.latents, strict=True):
            assert text.split().count(str(latents["giver"])) == 2

    def test_a_latent_without_a_say_needs_to_be_told_so(self, monkeypatch):
        monkeypatch.setattr("interp_lab.tasks.grammar.TRIES", 20)
        model = grammar_reader()
        with pytest.raises(ValueError, match=r"no change of 'colour' changed the answer.*changes_answer=False"):
            grammar_pairs(model, "loans", 2, seed=0, latent="colour")
        pairs = grammar_pairs(model, "loans", 9, seed=0, latent="colour", changes_answer=False)
        by_id = {template.id: template for template in behaviour("loans").templates}
        assert all("colour" in by_id[name].slots for name in pairs.templates)
        assert pairs.answers == pairs.corrupted_answers
        assert bool((pairs.changed().sum(1) == 1).all())
        decisions = {token for word in ("approved", "rejected") for token in model.tokenizer(word)["input_ids"]}
        assert all(
            {said[0][0], other[0][0]} == decisions for said, other in zip(pairs.answers, pairs.wrong, strict=True)
        )

    @pytest.mark.parametrize(
        ("name", "latent", "message"),
        [
            ("loans", "group", "loans cannot vary 'group'"),
            ("facts", "county", "did you mean 'country'"),
            ("fact", None, "unknown behaviour 'fact'; did you mean 'facts'"),
        ],
    )
    def test_refuses_what_cannot_be_varied(self, name, latent, message):
        with pytest.raises(ValueError, match=message):
            grammar_pairs(grammar_reader(), name, 2, seed=0, latent=latent)

    def test_refuses_a_model_of_other_words(self):
        with pytest.raises(ValueError, match="cannot express the prompt"):
            grammar_pairs(word_reader(), "facts", 2, seed=0)
