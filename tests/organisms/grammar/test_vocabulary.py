import json

import jaxtyping
import pytest
from transformers import AutoTokenizer

from interp_lab.models.tokenizers import read_tokenizer
from interp_lab.organisms.grammar.corpus import BEHAVIOURS, VARIANTS, packed_tokens, texts
from interp_lab.organisms.grammar.vocabulary import (
    BOS,
    BOS_ID,
    END,
    END_ID,
    PAD,
    PAD_ID,
    SPECIAL,
    UNKNOWN,
    UNKNOWN_ID,
    decode,
    encode_words,
    freeze,
    used_words,
    vocabulary,
    write_tokenizer,
)

EVERY_BEHAVIOUR = (*BEHAVIOURS.values(), *VARIANTS.values())


class TestWordList:
    def test_begins_with_four_distinct_special_tokens(self):
        assert vocabulary()[:4] == ("<|bos|>", "<|pad|>", "<|end|>", "<|unk|>")
        assert (BOS_ID, PAD_ID, END_ID, UNKNOWN_ID) == (0, 1, 2, 3)

    def test_has_under_nine_hundred_words_each_once(self):
        assert len(set(vocabulary())) == len(vocabulary()) < 900

    def test_is_exactly_the_words_of_fifty_thousand_fresh_texts(self, monkeypatch):
        monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # checked types take twenty times as long
        assert used_words(EVERY_BEHAVIOUR, n_each=50_000 // len(EVERY_BEHAVIOUR), seed=2024) == vocabulary()[4:], (
            "the grammar has changed: freeze(used_words(...)) again, and train again what was trained on it"
        )

    def test_is_enough_for_packed_text(self):
        tokens = packed_tokens(4, 10_000, seed=2024, step=0)
        assert (tokens == END_ID).sum() > 1500
        assert UNKNOWN_ID < tokens.max() < len(vocabulary())
        assert not ((tokens == UNKNOWN_ID) | (tokens == PAD_ID)).any()

    def test_is_written_as_it_is_read(self, tmp_path):
        freeze(("a", "b"), tmp_path / "words.txt")
        assert (tmp_path / "words.txt").read_text() == "a\nb\n"


class TestEncoding:
    def test_an_id_is_the_place_in_the_vocabulary(self):
        assert encode_words(["Anna", END]) == [vocabulary().index("Anna"), 2]

    def test_refuses_an_unknown_word_and_names_the_nearest(self):
        with pytest.raises(ValueError, match="'Ana' is no word of the grammar; did you mean 'Anna'"):
            encode_words(["Ana"])

    def test_is_undone_by_decoding(self):
        for text in texts(200, seed=5):
            assert decode(encode_words(text.words)) == text.text

    @pytest.mark.parametrize("token", [-1, 100_000])
    def test_refuses_an_id_outside(self, token):
        with pytest.raises(ValueError, match=f"token {token} is outside the vocabulary of {len(vocabulary())}"):
            decode([0, token])


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    there = tmp_path_factory.mktemp("tokenizer") / "new"
    write_tokenizer(there)
    return there


@pytest.fixture(scope="module")
def tokenizer(directory):
    return AutoTokenizer.from_pretrained(directory, local_files_only=True)


class TestTokenizer:
    def test_agrees_with_our_own_encoding_and_adds_nothing(self, tokenizer):
        for text in texts(300, seed=6):
            assert tokenizer(text.text)["input_ids"] == encode_words(text.words)

    def test_round_trip_gives_the_same_string(self, tokenizer):
        for text in texts(300, seed=7):
            assert tokenizer.decode(tokenizer(text.text)["input_ids"]) == text.text

    def test_has_four_distinct_special_tokens_with_our_ids(self, tokenizer):
        tokens = (tokenizer.bos_token, tokenizer.pad_token, tokenizer.eos_token, tokenizer.unk_token)
        assert tokens == SPECIAL == (BOS, PAD, END, UNKNOWN)
        assert tokenizer.convert_tokens_to_ids(list(tokens)) == [0, 1, 2, 3]
        assert len(tokenizer) == len(vocabulary())

    def test_splits_at_white_space_only(self, tokenizer):
        assert tokenizer("Anna,")["input_ids"] == [UNKNOWN_ID]
        assert tokenizer(" Anna \n ,")["input_ids"] == encode_words(["Anna", ","])

    def test_reads_special_tokens_in_text(self, tokenizer):
        assert tokenizer(f"{BOS} Anna {END}")["input_ids"] == encode_words([BOS, "Anna", END])

    def test_pads_with_its_own_token(self, tokenizer):
        batch = tokenizer(["Anna", "Anna ,"], padding=True)
        assert batch["input_ids"][0] == [*encode_words(["Anna"]), PAD_ID]
        assert batch["attention_mask"][0] == [1, 0]

    def test_the_loader_of_the_package_reads_it_and_puts_bos_in_front(self, directory):
        loaded = read_tokenizer(directory)
        assert loaded("Anna ,")["input_ids"] == [BOS_ID, *encode_words(["Anna", ","])]
        assert loaded("Anna ,", add_special_tokens=False)["input_ids"] == encode_words(["Anna", ","])

    def test_the_file_holds_the_whole_vocabulary_in_order(self, directory):
        stored = json.loads((directory / "tokenizer.json").read_text())["model"]
        assert stored["type"] == "WordLevel"
        assert tuple(sorted(stored["vocab"], key=stored["vocab"].get)) == vocabulary()
