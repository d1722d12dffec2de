import pytest
import torch

from interp_lab.tasks.batch import tokenize
from interp_lab.tasks.encoding import chat_text, continuations, encode, one_token_words, prompts
from tests.tasks.reading import CHAT, END, piece_reader, piece_tokenizer, reader, word_reader, word_tokenizer
from tests.tiny import tiny_model

READERS = {"words": word_reader, "pieces": piece_reader}


class TestEncode:
    @pytest.mark.parametrize("kind", READERS)
    def test_equals_transformer_lens_and_the_tokenizer_itself(self, kind):
        model = READERS[kind]()
        for text in ("the capital of France is", "a b c"):
            own = model.tokenizer(text, add_special_tokens=False)["input_ids"]
            (ids,) = encode(model, [text])
            assert list(ids) == [model.tokenizer.bos_token_id, *own]
            assert list(ids) == model.to_tokens(text)[0].tolist()
            assert list(encode(model, [text], bos=False)[0]) == own

    def test_never_doubles_a_bos_that_is_there(self):
        model = piece_reader()
        assert model.to_tokens(f"{END} the war").tolist()[0][:2] == [0, 0]  # what happens elsewhere
        assert encode(model, [f"{END} the war"]) == encode(model, [" the war"])

    def test_adds_none_for_a_model_trained_without(self):
        model = reader(word_tokenizer(["a", "b"], bos=False))
        assert encode(model, ["a b"]) == [(4, 5)]
        assert model.tokenizer.bos_token == "<eos>"  # appointed by TransformerLens; not ours to prepend

    def test_needs_a_tokenizer(self):
        with pytest.raises(ValueError, match="no tokenizer"):
            encode(tiny_model(), ["a"])


class TestPrompts:
    def test_refuse_a_word_that_would_be_read_as_unknown(self):
        with pytest.raises(ValueError, match=r"cannot express the prompt 'the capital of Zorland is'.*'Zorland'"):
            prompts(word_reader(), ["the capital of Zorland is"])

    def test_may_hold_the_token_that_gpt2_calls_unknown(self):
        (prompt,) = prompts(piece_reader(), [f"the war{END}"])
        assert prompt.ids[0] == prompt.ids[-1] == 0

    def test_are_never_cut(self):
        with pytest.raises(ValueError, match="has 71 tokens, more than the context of 64"):
            prompts(word_reader(), ["a " * 69 + "b"])

    def test_refuse_nothing(self):
        with pytest.raises(ValueError, match="empty"):
            prompts(word_reader(), [""])


class TestChat:
    @pytest.mark.parametrize("system", [None, "the play"])
    def test_equals_the_tokenizers_own_chat(self, system):
        model = piece_reader()
        messages = [] if system is None else [{"role": "system", "content": system}]
        messages.append({"role": "user", "content": "the war"})
        own = model.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        (prompt,) = prompts(model, ["the war"], chat=True, system=system)
        assert list(prompt.ids) == own
        assert own.count(0) == 1  # the template brings the BOS

    def test_begins_without_bos_where_the_template_says_so(self):
        tokenizer = word_tokenizer(["<user>", "<assistant>", "a"])
        tokenizer.chat_template = CHAT.replace("{{ bos_token }}", "")
        (prompt,) = prompts(reader(tokenizer), ["a"], chat=True)
        assert tokenizer.convert_ids_to_tokens(list(prompt.ids)) == ["<user>", "a", "<assistant>"]

    def test_needs_a_template(self):
        with pytest.raises(ValueError, match=r"no chat template.*chat=False"):
            chat_text(word_reader(), "a")
        with pytest.raises(ValueError, match="chat=True"):
            prompts(word_reader(), ["a"], system="b")


class TestContinuations:
    def test_are_what_the_whole_text_has_more(self):
        model = piece_reader()
        (prompt,) = prompts(model, ["The war of"])
        whole = encode(model, ["The war of Victoria"])[0]
        (added,) = continuations(model, [(prompt, " Victoria")])
        assert prompt.ids + added == whole
        assert len(added) > 1

    def test_refuse_to_melt_into_the_prompt(self):
        (prompt,) = prompts(piece_reader(), ["The war of "])
        with pytest.raises(
            ValueError, match=r"joins 'Mary' with the end of the prompt 'The war of '.*begin it with a space"
        ):
            continuations(piece_reader(), [(prompt, "Mary")])

    @pytest.mark.parametrize(
        ("answer", "message"), [(" ", "becomes no token"), (" Zorland", "does not know 'Zorland'")]
    )
    def test_refuse_what_the_tokenizer_cannot_express(self, answer, message):
        (prompt,) = prompts(word_reader(), ["the capital of"])
        with pytest.raises(ValueError, match=f"cannot express.*{message}"):
            continuations(word_reader(), [(prompt, answer)])


class TestOneTokenWords:
    def test_keeps_the_words_that_are_one_token_and_known(self):
        assert one_token_words(word_reader(), ["France", "Zorland", "Rome"], after="the") == ["France", "Rome"]
        assert one_token_words(piece_reader(), ["Mary", "Victoria", "John"]) == ["Mary", "John"]

    def test_tells_how_many_are_missing(self):
        with pytest.raises(ValueError, match=r"only 1 of 3 words .*needs 2.*grammar"):
            one_token_words(word_reader(), ["France", "Zorland", "Ombria"], need=2)


class TestTokenize:
    def test_pads_on_the_side_asked_for(self):
        model = word_reader()
        right, left = (tokenize(model, ["a b c", "d"], padding=side) for side in ("right", "left"))
        assert right.tokens.tolist()[1] == [0, *model.tokenizer.convert_tokens_to_ids(["d"]), 2, 2]
        assert right.mask.tolist() == [[True] * 4, [True, True, False, False]]
        assert left.tokens.tolist()[1] == [2, 2, 0, *model.tokenizer.convert_tokens_to_ids(["d"])]
        assert (right.last.tolist(), left.last.tolist()) == ([3, 1], [3, 3])

    def test_masks_by_length_and_not_by_token(self):
        assert piece_tokenizer().pad_token in (None, END)
        batch = tokenize(piece_reader(), [f"war{END}", "the war of the"])
        assert batch.tokens[0].tolist().count(0) == 2 + (batch.tokens.shape[1] - int(batch.mask[0].sum()))
        assert int(batch.mask[0].sum()) == int(batch.last[0]) + 1

    def test_right_padding_changes_nothing_that_is_read(self):
        model = word_reader()
        batch = tokenize(model, ["a b c d e", "the capital"])
        alone = tokenize(model, ["the capital"])
        read = model(batch.tokens)[1, batch.last[1]]
        torch.testing.assert_close(read, model(alone.tokens)[0, -1])

    def test_refuses_no_texts(self):
        with pytest.raises(ValueError, match="no texts"):
            tokenize(word_reader(), [])
