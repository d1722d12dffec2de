"""Texts of a label: what counts, how it is split, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from interp_lab.claims import Split
from interp_lab.config import ConfigError
from interp_lab.models import load_model
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.tokens import concepts_of, draw_tokens
from interp_lab.tasks import labelled_tokens, labels
from interp_lab.tasks.labels import LabelName, distinct_texts

SMALL = ConceptsConfig(n_documents=96, n_held_out=32)


@pytest.fixture(scope="module")
def model():
    return load_model("organism")


@pytest.fixture(scope="module")
def sentiment(model):
    return draw_tokens(model, LabelName("sentiment", "sentiment"), SMALL)[0]


class TestTokens:
    def test_no_word_that_shows_the_label_counts(self, model, sentiment):
        texts = [*distinct_texts(LabelName("sentiment", "sentiment"), 96, reserved=False),
                 *distinct_texts(LabelName("sentiment", "sentiment"), 32, reserved=True, seed=1)]  # fmt: skip
        for row, place in zip(sentiment.documents.tolist(), sentiment.places.tolist(), strict=True):
            labels = texts[row].labels
            assert "sentiment" not in labels[place - 1]  # the first token is that of the beginning
            assert any("sentiment" in before for before in labels[: place - 1])

    def test_a_text_is_in_one_split_and_reserved_templates_in_their_own(self, sentiment):
        owners = {split: set(sentiment.documents[at].tolist()) for split, at in sentiment.parts.items()}
        assert not owners[Split.SELECT] & owners[Split.REPORT]
        templates = {split: set(sentiment.templates[sorted(rows)]) for split, rows in owners.items()}
        assert templates[Split.SELECT] == templates[Split.REPORT]
        assert not templates[Split.SELECT] & templates[Split.HELD_OUT]

    def test_two_values_are_one_concept_and_more_are_one_each(self, model, sentiment):
        assert sentiment.concepts == ("grammar/sentiment/sentiment = positive",)
        many, _ = draw_tokens(model, LabelName("loans", "income"), SMALL)
        assert len(many.concepts) == 3
        assert (many.member.sum(0) == 1).all()

    def test_many_numbers_are_cut_at_their_median(self, model):
        cut, _ = draw_tokens(model, LabelName("greater_than", "start"), SMALL)
        (name,) = cut.concepts
        assert name.startswith("grammar/greater_than/start > ")
        rows = np.unique(cut.documents, return_index=True)[1]
        assert cut.member[0, rows].mean() == pytest.approx(0.5, abs=0.1)

    def test_a_value_that_few_texts_have_is_left_out_with_the_reason(self, model):
        texts, left_out = draw_tokens(model, LabelName("truth", "slip"), SMALL)
        assert len(left_out) + len(texts.concepts) == 11
        assert left_out
        assert "have it; draw more texts" in left_out[0][1]

    def test_a_label_that_is_in_no_text_can_be_asked_for(self, model):
        assert draw_tokens(model, LabelName("truth", "random"), SMALL)[0].concepts == ("grammar/truth/random = True",)


class TestBadInput:
    def test_an_unknown_latent_names_the_nearest(self):
        with pytest.raises(ConfigError, match="sentiment has no latent 'sentimnt'; did you mean 'sentiment'"):
            ConceptsConfig.from_mapping({"labels": ["grammar/sentiment/sentimnt"]})

    def test_a_latent_of_one_value(self, model):
        name = LabelName("sentiment", "sentiment")
        texts = distinct_texts(name, 24, reserved=False, values=("positive",))
        labelled = labelled_tokens(model, texts, "sentiment")
        with pytest.raises(
            ValueError, match="every text has grammar/sentiment/sentiment = 'positive'; a concept needs"
        ):
            concepts_of(name, ["positive"] * len(texts), labelled)

    def test_a_latent_of_many_words(self, model):
        with pytest.raises(ValueError, match=r"person takes 20 words such as .* at most 12 values, or of numbers"):
            draw_tokens(model, LabelName("facts", "person"), SMALL)

    def test_more_texts_than_there_are(self, monkeypatch):
        name = LabelName("facts", "person")
        told = (
            r"of 170 texts of facts \(reserved templates\) only 0 differ and have grammar/facts/person among 'Nobody'; "
        )
        with pytest.raises(ValueError, match=told + "ask for fewer than 40"):
            distinct_texts(name, 40, reserved=True, values=("Nobody",))
        one = behaviour("facts").sample(1, seed=0)
        source = SimpleNamespace(sample=lambda n, **_: one * n)
        monkeypatch.setattr(labels, "behaviour", lambda _: source)
        with pytest.raises(
            ValueError, match=r"of 21 texts of facts \(ordinary templates\) only 1 differ; ask for fewer"
        ):
            distinct_texts(name, 5, reserved=False)

    def test_k_that_does_not_rise(self):
        with pytest.raises(ConfigError, match="must rise"):
            ConceptsConfig.from_mapping({"k": [2, 1]})
