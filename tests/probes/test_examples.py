import numpy as np
import pytest
import torch

from interp_lab.probes.baselines import bag_of_words, majority_hits, token_hits
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.drawn import TRAIN, draw
from interp_lab.probes.examples import ProbeExamples, draw_examples
from interp_lab.tasks.labels import LabelName, labels_named


def organism():
    from interp_lab import load_model

    return load_model("organism")


@pytest.fixture(scope="module")
def model():
    return organism()


TRUTH = LabelName("truth", "is_true")


def by_hand(tokens, labels, places, values=("a", "b")):
    """One example per text, read at one place."""
    n = len(labels)
    return ProbeExamples(
        label="x", values=values, tokens=torch.tensor(tokens), mask=torch.ones(n, len(tokens[0]), dtype=torch.bool),
        positions=("end",), documents=np.arange(n), places=np.array([places]), labels=np.array(labels),
        types=np.arange(n), typed_by="token", templates=np.array(["t"] * n), topics=np.array([""] * n),
        statements=np.array([""] * n), texts=("",) * n,
    )  # fmt: skip


def halves(found):
    """Two halves of the texts."""
    return [found.rows(np.flatnonzero(found.documents % 2 == nth)) for nth in range(2)]


class TestPlaces:
    def test_one_example_per_text_at_each_place(self, model):
        found = draw_examples(model, TRUTH, 40, positions=("stated", "end"), reserved=False)
        assert found.values == (False, True)
        assert found.places.shape == (2, 40)
        words = [model.tokenizer.decode([int(token)]).strip() for token in found.read_tokens()[0]]
        assert all(word in text.split() for word, text in zip(words, found.texts, strict=True))
        ends = [len(text.split()) for text in found.texts]  # BOS is token 0, so that the last word is at this place
        assert found.places[1].tolist() == ends

    def test_no_text_comes_twice(self, model):
        found = draw_examples(model, LabelName("facts", "relation"), 200, positions=("end",), reserved=False)
        assert len(set(found.texts)) == len(found.texts)

    def test_word_types_are_those_of_the_slot_that_varies_most_before_the_end(self, model):
        found = draw_examples(model, TRUTH, 120, positions=("end",), reserved=False)
        assert len(set(found.types.tolist())) == 24  # the words that can be stated; there are fewer countries
        assert len(set(found.read_tokens()[0].tolist())) < 8  # the ends of eight templates are no types

    def test_all_tokens_are_those_that_do_not_give_the_label_away(self, model):
        found = draw_examples(model, LabelName("agreement", "subject_number"), 160, positions=("all",), reserved=False)
        train, test = halves(found)
        beyond = token_hits(train, test)[0].mean() - majority_hits(train, test).mean()
        assert abs(beyond) < 0.1  # the token itself says nothing
        told = draw_examples(model, LabelName("agreement", "subject_number"), 160, positions=("label",), reserved=False)
        train, test = halves(told)
        assert token_hits(train, test)[0].mean() > 0.95  # at the tokens of the slots it says everything

    def test_held_out_templates_take_the_word_types_of_the_slot_that_was_chosen(self, model):
        found = draw_examples(model, TRUTH, 40, positions=("end",), reserved=True, typed_by="country")
        told = dict(part.split(":") for text in found.statements[:1] for part in text.split())
        assert found.typed_by == "country"
        assert model.tokenizer.decode([int(found.types[0])]).strip() == told["country"]

    def test_a_statement_is_what_a_text_says_without_its_template_and_who_says_it(self, model):
        found = draw_examples(model, TRUTH, 160, positions=("end",), reserved=False)
        rows = {}
        for statement, text in zip(found.statements, found.texts, strict=True):
            rows.setdefault(str(statement), []).append(text)
        assert max(map(len, rows.values())) > 1
        for statement, texts in rows.items():
            words = {part.split(":")[1] for part in statement.split()}
            assert len(words) == 3
            assert all(words <= set(text.split()) for text in texts)

    def test_values_make_classes_in_their_order(self, model):
        found = draw_examples(
            model, LabelName("sycophancy", "opinion"), 60, positions=("end",), reserved=False,
            values=("none", "confident wrong"),
        )  # fmt: skip
        assert found.values == ("none", "confident wrong")
        assert set(found.labels.tolist()) == {0, 1}

    def test_numbers(self, model):
        found = draw_examples(model, LabelName("greater_than", "start"), 60, positions=("end",), reserved=False)
        assert found.values == ()
        assert found.labels.dtype == np.float64
        assert found.labels.max() > 50


class TestBadInput:
    def test_a_place_that_not_every_text_has(self, model):
        with pytest.raises(ValueError, match="not every text has a place 'person'; all have"):
            draw_examples(model, TRUTH, 40, positions=("person",), reserved=False)

    def test_a_value_that_never_occurs(self, model):
        with pytest.raises(ValueError, match="were asked for, and texts have"):
            draw_examples(
                model, LabelName("sycophancy", "opinion"), 40, positions=("end",), reserved=False,
                values=("none", "mild"),
            )  # fmt: skip

    def test_values_and_topics_that_no_text_has(self, model):
        with pytest.raises(ValueError, match=r"no text has grammar/truth/is_true among .*; it takes False, True"):
            draw_examples(model, TRUTH, 40, positions=("end",), reserved=False, values=("x", "y"))
        with pytest.raises(ValueError, match="no latent 'relaton'; did you mean 'relation'"):
            draw_examples(model, TRUTH, 40, positions=("end",), reserved=False, topic="relaton")

    def test_words_are_no_numbers(self, model):
        with pytest.raises(ValueError, match=r"takes words such as '\w+', which are no numbers"):
            draw_examples(model, LabelName("facts", "country"), 40, positions=("end",), reserved=False, target="number")

    def test_one_value_only(self, model):
        with pytest.raises(ValueError, match="probe needs labels that vary"):
            draw_examples(model, TRUTH, 40, positions=("end",), reserved=False, values=(True,))

    def test_labels_and_words_of_different_length(self):
        with pytest.raises(ValueError, match="3 documents for 2 labels"):
            ProbeExamples(**{**by_hand([[1]] * 3, [0, 1, 0], [0, 0, 0]).__dict__, "labels": np.array([0, 1])})

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("truth/is_true", "names no label"),
            ("grammar/truth/is_tru", "no latent 'is_tru'; did you mean 'is_true'"),
            ("grammar/thruth/is_true", "unknown behaviour 'thruth'; did you mean 'truth'"),
        ],
    )
    def test_unknown_labels(self, name, told):
        with pytest.raises(ValueError, match=told):
            labels_named([name])

    def test_places_that_do_not_go_together(self):
        with pytest.raises(ValueError, match="read many tokens of a text; name one alone"):
            ProbesConfig(positions=("all", "end"))


class TestLabels:
    def test_a_star_stands_for_latents_of_few_values(self):
        found = [str(one) for one in labels_named(["grammar/truth/*"])]
        assert found == [f"grammar/truth/{name}" for name in ("country", "relation", "is_true", "slip")]
        assert len(labels_named(["grammar/*/*"])) > 80
        assert labels_named(["grammar/truth/is_true", "grammar/truth/is_true"]) == (TRUTH,)


class TestParts:
    def test_no_document_is_in_two_parts_and_templates_are_held_out_whole(self, model):
        config = ProbesConfig(n_documents=160, n_held_out=40, positions=("all",))
        drawn = draw(model, TRUTH, config)
        documents = {name: set(drawn.examples.documents[at].tolist()) for name, at in drawn.parts.items()}
        names = list(documents)
        assert not any(documents[a] & documents[b] for i, a in enumerate(names) for b in names[:i])
        templates = {name: set(drawn.examples.templates[at].tolist()) for name, at in drawn.parts.items()}
        assert templates["train"] == templates["select"] == templates["report"]
        assert not templates["held-out templates"] & templates["train"]
        assert len(drawn.folds) == len(drawn.parts[TRAIN])


class TestBaselines:
    def test_the_token_that_is_read_by_hand(self):
        train = by_hand([[5], [5], [5], [6], [7]], [0, 0, 1, 1, 0], [0] * 5)
        test = by_hand([[5], [6], [8]], [0, 1, 1], [0] * 3)
        assert token_hits(train, test).tolist() == [[1.0, 1.0, 0.0]]  # 8 is new: the commonest label, which is wrong
        assert majority_hits(train, test).tolist() == [1.0, 0.0, 0.0]

    def test_numbers_are_scored_by_r2(self):
        train = by_hand([[5], [5], [6], [6]], [1.0, 3.0, 5.0, 7.0], [0] * 4, values=())
        test = by_hand([[5], [6]], [2.0, 6.0], [0, 0], values=())
        assert token_hits(train, test).mean() == 1.0
        assert majority_hits(train, test).mean() == 0.0

    def test_a_bag_holds_the_words_up_to_the_place_and_none_behind_it(self):
        found = bag_of_words(by_hand([[5, 6, 5], [6, 7, 9]], [0, 1], [1, 2]), np.array([5, 6, 9]))
        assert found.tolist() == [[[1, 1, 0], [0, 1, 1]]]
