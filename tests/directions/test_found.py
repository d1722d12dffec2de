import math

import pytest
import torch

from interp_lab.directions import contrast_activations
from interp_lab.directions import found as module
from interp_lab.hooks import NonFiniteActivationError
from interp_lab.models import declare_identity, load_model
from interp_lab.tasks.contrast import Contrast
from interp_lab.tasks.grammar_texts import grammar_contrast
from tests.directions.planted import contrast
from tests.tasks.reading import reader, word_tokenizer

HOOKS = [f"blocks.{layer}.hook_resid_post" for layer in range(4)]
WORDS = ("the", "film", "was", "good", "bad", "very")


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


@pytest.fixture
def small():
    """Reads words; activations at `hook_embed` are the rows of a table, whatever stands before them."""
    made = reader(word_tokenizer(WORDS))
    declare_identity(made, name="small", processing="raw")
    return made


def pairs(*texts, paired=True):
    positive, negative = zip(*texts, strict=True)
    return Contrast("pairs", positive, negative, positive, positive, paired)


def embedded(model, *words):
    ids = model.tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
    return model.W_E[ids].detach()


UNEVEN = pairs(("the film was very good", "the film was bad"), ("good", "very very bad"), ("the good", "the bad"))


class TestWhichTokens:
    def test_last_is_the_last_word_whatever_the_length(self, small):
        found = contrast_activations(small, UNEVEN, ["hook_embed"])
        good, bad = embedded(small, "good", "bad")
        assert torch.equal(found.positive, good.expand(1, 3, -1))
        assert torch.equal(found.negative, bad.expand(1, 3, -1))

    def test_all_is_the_mean_over_words_without_bos_and_padding(self, small):
        found = contrast_activations(small, UNEVEN, ["hook_embed"], read="all")
        torch.testing.assert_close(found.positive[0, 1], embedded(small, "good")[0])
        torch.testing.assert_close(found.negative[0, 1], embedded(small, "very", "very", "bad").mean(0))

    def test_special_tokens_in_the_text_are_left_out_of_means_too(self, small):
        marked = pairs(("<bos> the <eos> good", "the <pad> bad"))
        found = contrast_activations(small, marked, ["hook_embed"], read="all")
        torch.testing.assert_close(found.positive[0, 0], embedded(small, "the", "good").mean(0))
        torch.testing.assert_close(found.negative[0, 0], embedded(small, "the", "bad").mean(0))

    def test_a_text_of_special_tokens_only_has_no_mean(self, small):
        with pytest.raises(ValueError, match="the text '<eos>' has no token that is not special"):
            contrast_activations(small, pairs(("<eos>", "bad")), ["hook_embed"], read="all")

    def test_answer_is_the_last_token_of_answered_texts(self, model):
        texts = grammar_contrast("truth", 4, seed=0, part="answered")
        answer, last = (contrast_activations(model, texts, HOOKS[:1], read=read) for read in ("answer", "last"))
        assert torch.equal(answer.positive, last.positive)
        assert (answer.read, last.read) == ("answer", "last")
        words = grammar_contrast("truth", 4, seed=0)
        before = contrast_activations(model, words, HOOKS[:1])
        assert not torch.allclose(answer.positive, before.positive)


class TestChats:
    CHAT = "<bos> {% for m in messages %}{{ m['content'] }} {% endfor %}{% if add_generation_prompt %}very{% endif %}"

    @pytest.fixture
    def talking(self, small):
        small.tokenizer.chat_template = self.CHAT
        return small

    def test_the_last_token_is_that_from_which_the_reply_is_predicted(self, talking):
        own = pairs(("the film was good", "the film was bad"))
        found = contrast_activations(talking, own, ["hook_embed"], chat=True)
        assert torch.equal(found.positive[0], embedded(talking, "very"))
        said = contrast_activations(talking, own, ["hook_embed"], read="all", chat=True)
        torch.testing.assert_close(said.positive[0, 0], embedded(talking, "the", "film", "was", "good", "very").mean(0))

    def test_says_so_and_reads_what_the_written_out_chat_would_be(self, talking):
        own = pairs(("the film was good", "the film was bad"))
        hook = ["blocks.0.hook_resid_post"]
        chat = contrast_activations(talking, own, hook, chat=True, system="the film")
        out = pairs(("<bos> the film the film was good very", "<bos> the film the film was bad very"))
        torch.testing.assert_close(chat.positive, contrast_activations(talking, out, hook).positive)
        assert chat.plain()["chat"] is True
        assert chat.texts != contrast_activations(talking, own, hook, chat=True).texts
        assert contrast_activations(talking, own, hook).plain()["chat"] is False

    def test_of_an_answer_or_without_a_template_there_is_none(self, small, talking):
        own = pairs(("good", "bad"))
        with pytest.raises(ValueError, match="no answer to read; take read='last'"):
            contrast_activations(talking, own, ["hook_embed"], read="answer", chat=True)
        small.tokenizer.chat_template = None
        with pytest.raises(ValueError, match="no chat template"):
            contrast_activations(small, own, ["hook_embed"], chat=True)


class TestHowItIsRead:
    def test_half_precision_is_averaged_in_full(self, small):
        found = contrast_activations(small.to(torch.bfloat16), UNEVEN, ["hook_embed"], read="all")
        exact = embedded(small, "very", "very", "bad").float().mean(0)
        assert found.negative.dtype == torch.float32
        torch.testing.assert_close(found.negative[0, 1], exact, atol=1e-6, rtol=0)

    @pytest.mark.parametrize("read", ["last", "all"])
    @pytest.mark.parametrize("how", [{"batch_size": 1}, {"batch_size": 5}, {"padding": "left"}], ids=str)
    def test_batch_size_and_padding_make_no_difference(self, model, read, how):
        texts = grammar_contrast("sentiment", 12, seed=0)
        lengths = {len(text.split()) for text in (*texts.positive, *texts.negative)}
        assert len(lengths) > 3
        one, other = (contrast_activations(model, texts, HOOKS, read=read, **given) for given in ({}, how))
        torch.testing.assert_close(other.positive, one.positive, atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(other.negative, one.negative, atol=1e-4, rtol=1e-5)

    def test_all_hook_points_in_one_pass_as_each_alone(self, model):
        texts = grammar_contrast("urgency", 6, seed=0)
        together = contrast_activations(model, texts, HOOKS)
        for nth, hook in enumerate(HOOKS):
            alone = contrast_activations(model, texts, [hook])
            torch.testing.assert_close(alone.positive[0], together.positive[nth])
        assert together.hooks == tuple(HOOKS)

    def test_equal_texts_are_read_once_and_the_rest_in_their_order(self, small, monkeypatch):
        seen, read = [], module.capture

        def counting(model, tokens, *given, **named):
            seen.append(len(tokens))
            return read(model, tokens, *given, **named)

        monkeypatch.setattr(module, "capture", counting)
        texts = pairs(("the film was good", "bad"), ("good", "bad"), ("the film was good", "very bad"))
        found = contrast_activations(small, texts, ["blocks.0.hook_resid_post"])
        assert sum(seen) == 4
        assert torch.equal(found.positive[:, 0], found.positive[:, 2])
        assert torch.equal(found.negative[:, 0], found.negative[:, 1])
        assert not torch.equal(found.negative[:, 0], found.negative[:, 2])

    def test_the_background_is_read_in_the_same_way(self, small):
        texts = ["the", "the very film"]
        found = contrast_activations(small, UNEVEN, ["hook_embed"], background=texts)
        torch.testing.assert_close(found.background[0], embedded(small, "the", "film").mean(0))
        assert found.n_background == 2
        assert contrast_activations(small, UNEVEN, ["hook_embed"]).background is None

    def test_the_checksum_tells_texts_and_reading_apart(self, small):
        found = [
            contrast_activations(small, texts, ["hook_embed"], read=read).texts
            for texts, read in ((UNEVEN, "last"), (UNEVEN, "last"), (UNEVEN, "all"), (UNEVEN.rows([1, 0, 2]), "last"))
        ]
        assert found[0] == found[1]
        assert len(set(found)) == 3


class TestRows:
    def test_partners_stay_together(self):
        own = contrast([[[1.0], [2.0], [3.0]]], [[[4.0], [5.0], [6.0]]])
        some = own.rows([2, 0])
        assert (some.positive[0, :, 0].tolist(), some.negative[0, :, 0].tolist()) == ([3.0, 1.0], [6.0, 4.0])
        assert some.positive_templates == ("2", "0")
        assert some.paired
        assert not own.rows([0], [1, 2]).paired

    def test_without_partners_both_sides_are_named(self):
        with pytest.raises(ValueError, match="is not paired; say which negative"):
            contrast([[[1.0], [2.0]]], [[[3.0]]], paired=False).rows([0])

    def test_none_is_too_few(self):
        with pytest.raises(ValueError, match="0 positive and 0 negative activations"):
            contrast([[[1.0]]], [[[3.0]]]).rows([])


class TestBadInput:
    def test_partners_that_are_the_same_tokens(self, small):
        with pytest.raises(ValueError, match="the same tokens, 'the  good' and 'the good'; leave the pair out"):
            contrast_activations(small, pairs(("the  good", "the good")), ["hook_embed"])

    @pytest.mark.parametrize(
        ("hooks", "message"),
        [
            ([], "no hook point to read at"),
            (["blocks.0.hook_resid_pots"], "did you mean"),
            (["blocks.7.hook_resid_post"], "no hook point"),
            (["blocks.0.attn.hook_z"], "no single vector"),
            (["blocks.0.hook_resid_post", "blocks.0.mlp.hook_post"], "different widths"),
        ],
        ids=["none", "misspelt", "no such layer", "with heads", "two widths"],
    )
    def test_hook_points(self, small, hooks, message):
        with pytest.raises(ValueError, match=message):
            contrast_activations(small, UNEVEN, hooks)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "a prompt is empty"),
            ("the book", "does not know 'book'"),
            ("very " * 80, "more than the context of 64"),
        ],
        ids=["empty", "unknown word", "too long"],
    )
    def test_texts(self, small, text, message):
        with pytest.raises(ValueError, match=message):
            contrast_activations(small, pairs((text, "bad")), ["hook_embed"])

    def test_a_batch_of_none(self, small):
        with pytest.raises(ValueError, match="batch_size=0 reads nothing"):
            contrast_activations(small, UNEVEN, ["hook_embed"], batch_size=0)

    def test_weights_that_are_not_numbers_are_named_by_hook_point(self, small):
        with torch.no_grad():
            small.blocks[0].mlp.W_out[0, 0] = math.nan
        with pytest.raises(NonFiniteActivationError, match=r"'blocks.0.hook_mlp_out'"):
            contrast_activations(small, UNEVEN, ["blocks.0.hook_resid_post"])

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_activations_that_are_not_numbers(self, value):
        with pytest.raises(ValueError, match=r"negative activations of 'written' at blocks.0.* NaN or inf in 1 of 2"):
            contrast([[[1.0], [2.0]]], [[[3.0], [value]]])

    def test_partners_that_are_missing(self):
        with pytest.raises(ValueError, match="paired, and has 2 positive and 1 negative"):
            contrast([[[1.0], [2.0]]], [[[3.0]]])

    def test_a_model_nobody_declared(self):
        with pytest.raises(ValueError, match="carries no identity"):
            contrast_activations(reader(word_tokenizer(WORDS)), UNEVEN, ["hook_embed"])
