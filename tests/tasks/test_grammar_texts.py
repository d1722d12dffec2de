import pytest

from interp_lab.organisms.grammar.behaviours.loans import UNFAVOURED
from interp_lab.tasks import Contrast, ContrastRule, grammar_contrast, grammar_documents
from interp_lab.tasks.grammar_texts import CONTRASTS


class TestContrast:
    @pytest.mark.parametrize("name", CONTRASTS)
    def test_partners_differ_and_have_the_same_length(self, name):
        contrast = grammar_contrast(name, 14, seed=0)
        assert contrast.paired
        assert len(contrast.positive) == len(contrast.negative) == 14
        assert contrast.positive_templates == contrast.negative_templates
        for text, other in zip(contrast.positive, contrast.negative, strict=True):
            assert text != other
            assert len(text.split()) == len(other.split())

    def test_sides_by_hand(self):
        truth = grammar_contrast("truth", 12, seed=0, part="answered")
        assert {text.split()[-1] for text in truth.positive} == {"true"}
        assert {text.split()[-1] for text in truth.negative} == {"false"}
        places = grammar_contrast("neighbourhood", 12, seed=0)
        assert all(any(name in text for name in UNFAVOURED) for text in places.positive)
        assert not any(name in text for text in places.negative for name in UNFAVOURED)

    def test_parts_of_a_text(self):
        prompt, answered, text = (grammar_contrast("sentiment", 5, seed=0, part=part).positive
                                  for part in ("prompt", "answered", "text"))  # fmt: skip
        for short, longer, whole in zip(prompt, answered, text, strict=True):
            assert longer.startswith(f"{short} ")
            assert len(longer.split()) == len(short.split()) + 1
            assert whole.startswith(longer)
            assert whole.endswith(" .")

    def test_a_latent_in_no_text_is_contrasted_without_partners(self):
        rule = ContrastRule("loans", "group", ("favoured",), ("unfavoured",))
        contrast = grammar_contrast(rule, 400, seed=0)
        assert not contrast.paired
        unfavoured = [any(name in text for name in UNFAVOURED) for text in contrast.negative]
        assert 0.85 <= sum(unfavoured) / 400 <= 0.95  # the planted 90 in 100

    def test_a_text_without_a_partner_is_drawn_again(self):
        contrast = grammar_contrast(ContrastRule("indirect_objects", "receiver", ("Anna",), ("Ben",)), 200, seed=0)
        assert all(text.split().count("Ben") == 1 for text in contrast.negative)  # who never gives to himself

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ("sentimant", "did you mean 'sentiment'"),
            (ContrastRule("facts", "mood", ("good",), ("bad",)), "facts has no latent 'mood'"),
            (ContrastRule("facts", "relation", ("river",), ("capital",)), "'relation' was never one of"),
        ],
    )
    def test_refuses(self, rule, message):
        with pytest.raises(ValueError, match=message):
            grammar_contrast(rule, 3, seed=0)

    def test_a_contrast_needs_both_sides_and_partners_that_differ(self):
        with pytest.raises(ValueError, match="0 positive and 1 negative"):
            Contrast("x", (), ("a",), (), ("t",), paired=False)
        with pytest.raises(ValueError, match="identical texts, 'a'"):
            Contrast("x", ("a",), ("a",), ("t",), ("t",), paired=True)
        with pytest.raises(ValueError, match="paired=False"):
            Contrast("x", ("a", "b"), ("c",), ("t", "t"), ("t",), paired=True)
        with pytest.raises(ValueError, match="1 templates for 2 texts"):
            Contrast("x", ("a", "b"), ("c",), ("t",), ("t",), paired=False)

    def test_rows(self):
        contrast = Contrast("x", ("a", "b"), ("c", "d"), ("s", "t"), ("s", "t"), paired=True)
        assert contrast.rows([1]) == Contrast("x", ("b",), ("d",), ("t",), ("t",), paired=True)
        assert contrast.rows([1], [0]) == Contrast("x", ("b",), ("c",), ("t",), ("s",), paired=False)
        with pytest.raises(ValueError, match="not paired"):
            contrast.rows([1], [0]).rows([0])


def test_documents_are_texts_of_the_grammar():
    documents = grammar_documents(8, seed=0, behaviours=["facts"], reserved=True)
    assert [document.id for document in documents] == list(range(8))
    assert {document.name for document in documents} <= {f"facts/{nth:02d}" for nth in range(8, 12)}
