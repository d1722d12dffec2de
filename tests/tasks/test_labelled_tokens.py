import pytest
import torch

from interp_lab.organisms.grammar.behaviour import Behaviour
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.organisms.grammar.template import Template
from interp_lab.tasks import labelled_tokens
from interp_lab.tasks.encoding import encode
from tests.tasks.reading import grammar_reader, reader, word_reader, word_tokenizer

WORDS = ["the", *"abcde", "hot", "cold"]


def example(text, latents, behind):
    """One text with the slots filled by latents of the same name; the answer is `the`."""

    def fill(latents):
        return {**{name: str(value) for name, value in latents.items()}, "answer": "the"}

    template = Template("t/00", text, reserved=False)
    toy = Behaviour("toy", (template,), draw=lambda rng: {}, fill=fill, wrong=lambda latents: ("a",), behind=behind,
                    varied={})  # fmt: skip
    return toy.example(template, latents)


def toy_reader():
    return reader(word_tokenizer(WORDS))


class TestLabels:
    def by_hand(self, span):
        text = "a {sky} b {answer}"
        examples = [example(text, {"sky": sky}, {"sky": ("sky",)}) for sky in ("hot", "cold")]
        return labelled_tokens(toy_reader(), examples, "sky", span=span)

    @pytest.mark.parametrize(
        ("span", "labelled"),
        [("text", [0, 1, 1, 1, 1]), ("after", [0, 0, 1, 1, 1]), ("slots", [0, 0, 1, 0, 0])],
    )
    def test_by_hand(self, span, labelled):
        found = self.by_hand(span)
        assert found.values == ("cold", "hot")
        places = [[1 if there else -1 for there in labelled], [0 if there else -1 for there in labelled]]
        assert found.labels.tolist() == places
        assert found.reveals.tolist() == [[False, False, True, False, False]] * 2
        assert found.scored.tolist() == [[there == 1 and at != 2 for at, there in enumerate(labelled)]] * 2
        assert found.documents.tolist() == [0, 1]

    def test_padding_has_no_label(self):
        examples = [example(text, {"sky": "hot"}, {}) for text in ("a b c {answer}", "b {answer}")]
        found = labelled_tokens(toy_reader(), examples, "sky", padding="left")
        assert found.labels.tolist() == [[-1, 0, 0, 0, 0], [-1, -1, -1, 0, 0]]
        assert found.mask.tolist() == [[True] * 5, [False, False, True, True, True]]

    def test_numbers(self):
        examples = [example("a {answer}", {"n": n}, {}) for n in (0.5, 2.0)]
        numbers = labelled_tokens(toy_reader(), examples, "n").numbers()
        assert numbers[:, 1:].tolist() == [[0.5, 0.5], [2.0, 2.0]]
        assert bool(numbers[:, 0].isnan().all())
        with pytest.raises(ValueError, match="are no numbers"):
            self.by_hand("text").numbers()

    def test_rows(self):
        found = self.by_hand("text")
        taken = found.rows([1])
        assert (taken.documents.tolist(), taken.labels.tolist()) == ([1], found.labels[1:].tolist())
        assert taken.templates == ("t/00",)

    def test_follow_words_through_pieces(self):
        model, examples = self.in_pieces()
        found = labelled_tokens(model, examples, "giver", span="slots")
        for row, kept, one in zip(found.tokens, found.labels >= 0, examples, strict=True):
            named = [word for word, labels in zip(one.words, one.labels, strict=True) if "giver" in labels]
            assert model.tokenizer.decode(row[kept]).split() == named
        n_words = sum("giver" in labels for one in examples for labels in one.labels)
        assert int((found.labels >= 0).sum()) > n_words  # some are several tokens

    def in_pieces(self):
        from tests.tasks.reading import piece_reader

        return piece_reader(), behaviour("indirect_objects").sample(30, seed=0)


class TestReveals:
    def test_a_word_outside_its_slot_that_goes_with_the_label(self):
        """`e` stands only in hot texts, without a slot; `d` stands in both alike."""
        hot = [example("d e {answer}", {"sky": "hot"}, {}) for _ in range(30)]
        cold = [example("d c {answer}", {"sky": "cold"}, {}) for _ in range(30)]
        found = labelled_tokens(toy_reader(), [*hot, *cold], "sky")
        assert found.reveals[0].tolist() == [False, False, True, False]
        assert found.reveals[-1].tolist() == [False, False, True, False]

    def test_not_by_chance(self):
        few = [example("d e {answer}", {"sky": sky}, {}) for sky in ("hot", "hot", "cold", "cold")]
        assert not labelled_tokens(toy_reader(), few, "sky").reveals.any()

    def test_a_hidden_group_is_revealed_by_its_neighbourhood(self):
        model = grammar_reader()
        examples = behaviour("loans").sample(600, seed=0)
        found = labelled_tokens(model, examples, "group")
        names = {str(one.latents["neighbourhood"]) for one in examples}
        places = {model.tokenizer.convert_tokens_to_ids(name) for name in names}
        at = torch.isin(found.tokens, torch.tensor(sorted(places)))
        assert bool(found.reveals[at].all())
        assert float(found.scored.float().mean()) > 0.5

    def test_sentiment_is_shown_by_no_word_of_the_templates(self):
        examples = behaviour("sentiment").sample(300, seed=0)
        found = labelled_tokens(grammar_reader(), examples, "sentiment", span="after")
        outside = [[label.get("slot") is None for label in one.labels] for one in examples]
        for row, free in zip(found.reveals, outside, strict=True):
            assert not any(shown for shown, ours in zip(row[1:].tolist(), free, strict=False) if ours)


class TestTokens:
    def test_equal_the_encoding(self):
        model = grammar_reader()
        examples = behaviour("truth").sample(6, seed=0)
        found = labelled_tokens(model, examples, "is_true")
        for row, kept, one in zip(found.tokens, found.mask, examples, strict=True):
            assert tuple(row[kept].tolist()) == encode(model, [one.text])[0]
        assert found.values == (False, True)
        assert found.templates == tuple(one.template for one in examples)

    @pytest.mark.parametrize(
        ("latent", "span", "message"),
        [
            ("sentimant", "text", "has no latent 'sentimant'; did you mean 'sentiment'"),
            ("cues", "slots", None),
        ],
    )
    def test_refuses_a_latent_that_is_not_there(self, latent, span, message):
        examples = behaviour("sentiment").sample(3, seed=0)
        if message is None:
            assert bool((labelled_tokens(grammar_reader(), examples, latent, span=span).labels >= 0).any())
            return
        with pytest.raises(ValueError, match=message):
            labelled_tokens(grammar_reader(), examples, latent, span=span)

    def test_refuses_no_texts_strange_words_and_a_latent_behind_no_slot(self):
        examples = behaviour("sentiment").sample(3, seed=0)
        with pytest.raises(ValueError, match="no texts"):
            labelled_tokens(grammar_reader(), [], "sentiment")
        with pytest.raises(ValueError, match="cannot express the text"):
            labelled_tokens(word_reader(), examples, "sentiment")
        with pytest.raises(ValueError, match=r"'sky' stands behind no slot.*span='text'"):
            labelled_tokens(toy_reader(), [example("a {answer}", {"sky": "hot"}, {})], "sky", span="after")
