import numpy as np
import pytest
import torch

from interp_lab.tasks import TextPair, tokenize_pairs
from tests.tasks.reading import piece_reader, reader, word_reader, word_tokenizer

FRANCE = TextPair("the capital of France is", "the capital of Italy is", (" Paris",), (" Rome",), "capital/0")
SHORT = TextPair("a b", "a c", (" d", " e"), (" a",), "letters/0", (" a",), True, {"second": "b"})


def ids(*words):
    return word_reader().tokenizer.convert_tokens_to_ids(list(words))


def forced_by_hand(model, prompt, answer):
    """Log-probability of an answer, one token at a time, each in a run of its own."""
    total = 0.0
    for token in answer:
        total += float(model(torch.tensor([prompt]))[0, -1].log_softmax(-1)[token].detach())
        prompt = [*prompt, token]
    return total


class TestTokenizePairs:
    def test_by_hand(self):
        pairs = tokenize_pairs(word_reader(), [FRANCE, SHORT], name="mine")
        assert pairs.clean.tolist() == [
            ids("<bos>", "the", "capital", "of", "France", "is"),
            ids("<bos>", "a", "b", "<pad>", "<pad>", "<pad>"),
        ]
        assert pairs.corrupted.tolist()[1] == ids("<bos>", "a", "c", "<pad>", "<pad>", "<pad>")
        assert pairs.answer_position.tolist() == [5, 2]
        assert pairs.answers == ((tuple(ids("Paris")),), (tuple(ids("d")), tuple(ids("e"))))
        assert pairs.corrupted_answers == ((), (tuple(ids("a")),))
        assert pairs.changed().nonzero().tolist() == [[0, 4], [1, 2]]
        assert pairs.shared_prefix().tolist() == [4, 2]
        assert (pairs.templates, pairs.reserved) == (("capital/0", "letters/0"), (False, True))
        assert pairs.latents == ({}, {"second": "b"})
        assert pairs.single_token

    def test_left_padding_moves_the_same_tokens(self):
        pairs = tokenize_pairs(word_reader(), [FRANCE, SHORT], name="mine", padding="left")
        assert pairs.clean.tolist()[1] == ids("<pad>", "<pad>", "<pad>", "<bos>", "a", "b")
        assert pairs.answer_position.tolist() == [5, 5]

    @pytest.mark.parametrize(
        ("pair", "message"),
        [
            (TextPair("a b", "a b c", (" d",), (" e",), "t"),
             r"same number of tokens.* 3 and 4: 'a b' is \['<bos>', 'a', 'b'\], 'a b c' is"),
            (TextPair("a b", "a b", (" d",), (" e",), "t"), "same text, 'a b'"),
            (TextPair("a b", "a  b", (" d",), (" e",), "t"), "'a b' and 'a  b' are the same tokens"),
            (TextPair("a b", "a c", (), (" e",), "t"), r"has answers \(\) and wrong answers"),
            (TextPair("a b", "a c", (" d",), (" d",), "t"), "' d' is a wrong answer to 'a b' and the same token"),
            (TextPair("a b", "a c", (" d", "  d"), (" e",), "t"), "are the same tokens; give each once"),
            (TextPair("a b", "a c", (" Berlin",), (" e",), "t"), "cannot express the answer ' Berlin'"),
            (TextPair("a b", "a c", (" d e",), (" e",), "t"), r"is 2 tokens, \['d', 'e'\].*several_tokens=True"),
            (TextPair("a " * 62 + "b", "a " * 62 + "c", (" d e f",), (" e",), "t"), "does not know 'f'"),
        ],
    )  # fmt: skip
    def test_refuses(self, pair, message):
        with pytest.raises(ValueError, match=message):
            tokenize_pairs(word_reader(), [pair], name="mine")

    def test_refuses_an_answer_that_leaves_the_context(self):
        pair = TextPair(
            "a " * 62 + "b", "a " * 62 + "c", (" d e",), (" e",), "t"
        )  # 64 tokens with BOS; one more is read
        with pytest.raises(ValueError, match="with its answer has 65 tokens, more than the context of 64"):
            tokenize_pairs(word_reader(), [pair], name="mine", several_tokens=True)

    def test_refuses_no_pairs(self):
        with pytest.raises(ValueError, match="no pairs"):
            tokenize_pairs(word_reader(), [], name="mine")

    def test_chat_puts_both_prompts_into_the_template(self):
        model = piece_reader()
        pair = TextPair("The war was", "The play was", (" good",), (" bad",), "t")
        pairs = tokenize_pairs(model, [pair], name="chat", chat=True)
        assert pairs.clean_texts[0].endswith("<user> The war was <assistant>")
        own = model.tokenizer(pairs.clean_texts[0] + " good", add_special_tokens=False)["input_ids"]
        assert [*pairs.clean[0].tolist(), *pairs.answers[0][0]] == own


class TestRows:
    def test_take_everything_along(self):
        pairs = tokenize_pairs(word_reader(), [FRANCE, SHORT, FRANCE], name="mine")
        for index in ([1], torch.tensor([1]), np.array([1])):
            (text,) = pairs.rows(index).clean_texts
            assert text == "a b"
        taken = pairs.rows([1, 0])
        assert taken.clean.tolist() == pairs.clean[[1, 0]].tolist()
        assert taken.answers == (pairs.answers[1], pairs.answers[0])
        assert taken.reserved == (True, False)
        assert len(taken) == 2


class TestSplits:
    def pairs(self):
        letters = [TextPair(f"{one} b", f"{one} c", (" d",), (" a",), template, reserved=kept)
                   for template, kept in (("x", False), ("y", False), ("z", True)) for one in "abcd"]  # fmt: skip
        return tokenize_pairs(word_reader(), letters, name="letters")

    def test_reserved_templates_are_held_out(self):
        splits = self.pairs().splits()
        assert splits.held_out.tolist() == [8, 9, 10, 11]
        assert splits.held_out_templates == ("z",)
        assert len(splits.select) == len(splits.report) == 4

    def test_others_if_asked(self):
        assert self.pairs().splits(held_out=["x"]).held_out.tolist() == [0, 1, 2, 3]
        assert len(self.pairs().rows(range(8)).splits().held_out) == 0


class TestMetrics:
    @pytest.mark.parametrize("padding", ["right", "left"])
    def test_are_read_at_the_last_token_of_each_prompt(self, padding):
        model = word_reader()
        pairs = tokenize_pairs(model, [FRANCE, SHORT], name="mine", padding=padding)
        logits = model(pairs.clean, attention_mask=pairs.mask.long())
        france = model(torch.tensor([ids("<bos>", "the", "capital", "of", "France", "is")]))[0, -1]
        short = model(torch.tensor([ids("<bos>", "a", "b")]))[0, -1]
        (paris, rome), (a, d, e) = ids("Paris", "Rome"), ids("a", "d", "e")
        by_hand = torch.stack([france[paris] - france[rome], (short[d] + short[e]) / 2 - short[a]])
        torch.testing.assert_close(pairs.logit_difference()(logits), by_hand)
        p = short.softmax(-1)
        torch.testing.assert_close(pairs.probability_difference()(logits)[1], p[d] + p[e] - p[a])
        torch.testing.assert_close(pairs.log_probability()(logits)[1], short.log_softmax(-1)[d])
        assert pairs.rank()(logits)[0] == (france > france[paris]).sum()

    def test_logit_difference_refuses_answers_of_several_tokens(self):
        pair = TextPair("a b", "a c", (" d e",), (" e",), "t")
        pairs = tokenize_pairs(word_reader(), [pair], name="mine", several_tokens=True)
        assert not pairs.single_token
        for metric in (pairs.logit_difference, pairs.probability_difference, pairs.rank, pairs.log_probability):
            with pytest.raises(ValueError, match=r"several tokens.*teacher_forced\(\)\.log_probability\(\)"):
                metric()


class TestTeacherForcing:
    PAIRS = (
        TextPair("the capital of France is", "the capital of Italy is", (" very a b",), (" Rome",), "t"),
        TextPair("a b", "a c", (" d",), (" e very",), "t"),
        TextPair("b a", "b c", (" d e",), (" c a a a",), "t"),
    )

    @pytest.mark.parametrize("padding", ["right", "left"])
    @pytest.mark.parametrize("wrong", [False, True])
    def test_equals_the_literal_loop(self, padding, wrong):
        model = word_reader()
        pairs = tokenize_pairs(model, self.PAIRS, name="mine", several_tokens=True, padding=padding)
        forced = pairs.teacher_forced(wrong=wrong)
        sets = pairs.wrong if wrong else pairs.answers
        for kind in ("clean", "corrupted"):
            logits = model(getattr(forced, kind), attention_mask=forced.mask.long())
            prompts = [row[kept].tolist() for row, kept in zip(getattr(pairs, kind), pairs.mask, strict=True)]
            by_hand = [forced_by_hand(model, row, said[0]) for row, said in zip(prompts, sets, strict=True)]
            torch.testing.assert_close(forced.log_probability()(logits), torch.tensor(by_hand))

    def test_rows_keep_their_answers(self):
        model = word_reader()
        forced = tokenize_pairs(model, self.PAIRS, name="mine", several_tokens=True).teacher_forced()
        whole = forced.log_probability()(model(forced.clean))
        part = forced.rows([2, 0])
        torch.testing.assert_close(part.log_probability()(model(part.clean)), whole[[2, 0]])

    def test_fills_the_context_to_its_last_place(self):
        model = word_reader()
        pair = TextPair("a " * 61 + "b", "a " * 61 + "c", (" d e",), (" e",), "t")
        pairs = tokenize_pairs(model, [pair], name="mine", several_tokens=True)
        forced = pairs.teacher_forced()
        assert forced.clean.shape == (1, 64)
        by_hand = forced_by_hand(model, pairs.clean[0].tolist(), pairs.answers[0][0])
        assert forced.log_probability()(model(forced.clean)).item() == pytest.approx(by_hand, abs=1e-5)

    def test_is_not_done_twice(self):
        forced = tokenize_pairs(word_reader(), [FRANCE], name="mine").teacher_forced()
        with pytest.raises(ValueError, match="stands behind these prompts already"):
            forced.teacher_forced()

    def test_without_bos_the_positions_move_along(self):
        model = reader(word_tokenizer(["a", "b", "c", "d"], bos=False))
        pairs = tokenize_pairs(model, [TextPair("a b", "a c", (" d a",), (" c",), "t")], name="x", several_tokens=True)
        assert pairs.answer_position.tolist() == [1]
        forced = pairs.teacher_forced()
        by_hand = forced_by_hand(model, pairs.clean[0].tolist(), pairs.answers[0][0])
        assert forced.log_probability()(model(forced.clean)).item() == pytest.approx(by_hand, abs=1e-5)
