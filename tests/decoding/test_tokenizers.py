"""With a tokenizer, whatever its pad token is: the setups in which `HookedTransformer.generate` is silently wrong."""

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from interp_lab.decoding import DecodingSettings, decode, prompt_ids, stream
from interp_lab.models import build_hooked
from tests.decoding.kinds import PROMPTS, model_of
from tests.models.fixtures import WORDS, hooked_parts, word_tokenizer
from tests.oracles.decoding import literal_decode

N_NEW = 6
SETTINGS = DecodingSettings(max_new_tokens=N_NEW, stop_tokens=())
END = 0


def gpt2_like_tokenizer():
    """One token is beginning, end and padding, as in GPT-2."""
    core = Tokenizer(WordLevel({"<end>": END, **{word: i for i, word in enumerate(WORDS) if i}}, unk_token="<unk>"))
    core.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<end>", eos_token="<end>", pad_token="<end>", unk_token="<unk>"
    )


def built(tokenizer, **changes):
    config, state_dict = hooked_parts(normalization_type="LNPre", **changes)
    return build_hooked(config, state_dict, tokenizer=tokenizer)


@pytest.fixture(scope="module", params=["standard", "rotary"])
def gpt2_like(request):
    rotary = {"positional_embedding_type": "rotary", "rotary_dim": 4}
    return built(gpt2_like_tokenizer(), **(rotary if request.param == "rotary" else {}))


def require_literal(model, prompts):
    for cache in (True, False):
        under_way = stream(model, prompts, SETTINGS, cache=cache)
        logits = torch.stack([step.logits for step in under_way], dim=1)
        for row, ids in enumerate(prompts):
            tokens, expected = literal_decode(model, ids, N_NEW)
            assert under_way.result().tokens[row] == tuple(tokens)
            torch.testing.assert_close(logits[row], expected, atol=1e-4, rtol=1e-4)


def generated_logits(model, ids, **options):
    """The first logits of TransformerLens's own loop."""
    chosen = {"do_sample": False, "stop_at_eos": False, "verbose": False, "output_logits": True, **options}
    return torch.stack(model.generate(torch.tensor([ids]), max_new_tokens=N_NEW, **chosen).logits, dim=1)[0]


SILENT = {"only BOS": [END], "ends in EOS": [END, 5, 7, END], "two ends": [END, 6, END, END]}


class TestPadIsEnd:
    @pytest.mark.parametrize("case", SILENT)
    def test_prompts_of_such_tokens_are_read_whole(self, gpt2_like, case):
        require_literal(gpt2_like, [SILENT[case]])

    def test_in_one_batch_with_others(self, gpt2_like):
        require_literal(gpt2_like, [*SILENT.values(), [END, 5, 6, 7, 8, 9], [END, END, 7]])

    @pytest.mark.parametrize("case", SILENT)
    def test_the_reference_masks_them_as_padding(self, gpt2_like, case):
        ids = SILENT[case]
        error = (generated_logits(gpt2_like, ids) - literal_decode(gpt2_like, ids, N_NEW)[1]).abs().max()
        if error < 0.01:
            pytest.skip("mended in this TransformerLens")
        assert error > 0.1

    def test_an_end_that_was_generated_is_no_padding_either(self, gpt2_like):
        """Every prompt of one word: among their continuations are some with the end token inside."""
        prompts = [[END, word] for word in range(1, len(WORDS))]
        sampled = DecodingSettings(max_new_tokens=8, temperature=2.0, stop_tokens=())
        decoded = decode(gpt2_like, prompts, sampled)
        assert any(END in new[:-1] for new in decoded.tokens)
        with torch.no_grad():
            for sequence, new, found in zip(decoded.sequences, decoded.tokens, decoded.log_probs, strict=True):
                tokens = torch.tensor([sequence])
                log_probs = gpt2_like(tokens, attention_mask=torch.ones_like(tokens))[0, 1:-1].log_softmax(-1)
                expected = log_probs.gather(-1, torch.tensor(new)[:, None])[:, 0]
                torch.testing.assert_close(torch.tensor(found), expected, atol=1e-4, rtol=1e-4)


class TestWithoutTokenizer:
    def test_the_reference_counts_positions_twice_with_a_cache(self):
        """Ours is compared with the oracle for every kind of positions in `test_equalities`."""
        model = model_of("standard")
        error = (generated_logits(model, PROMPTS[0]) - literal_decode(model, PROMPTS[0], N_NEW)[1]).abs().amax(-1)
        if error.max() < 0.01:
            pytest.skip("mended in this TransformerLens")
        assert error[0] < 1e-4
        assert error[1:].max() > 0.1

    def test_nothing_stops_a_row_but_its_length(self):
        decoded = decode(model_of("standard"), PROMPTS, DecodingSettings(max_new_tokens=5))
        assert [len(new) for new in decoded.tokens] == [5, 5, 5]

    def test_there_is_no_text(self):
        model = model_of("standard")
        with pytest.raises(ValueError, match="no tokenizer; read `tokens`"):
            decode(model, PROMPTS, DecodingSettings(max_new_tokens=1)).texts(model)


class TestText:
    @pytest.mark.parametrize("tokenizer", [word_tokenizer(), word_tokenizer(bos=False), gpt2_like_tokenizer()])
    def test_is_encoded_as_transformer_lens_encodes_it(self, tokenizer):
        model = built(tokenizer)
        texts = ["the cat sat", "a mat", "on"]
        assert prompt_ids(model, texts) == [model.to_tokens(text)[0].tolist() for text in texts]

    def test_has_one_bos_also_if_it_brings_its_own(self):
        model = built(word_tokenizer())
        assert prompt_ids(model, ["<bos> the cat", "the cat"]) == [[0, 4, 5], [0, 4, 5]]

    def test_that_is_empty_is_bos(self):
        require_literal(built(word_tokenizer()), prompt_ids(built(word_tokenizer()), [""]))
        with pytest.raises(ValueError, match="prompt 0 is empty"):
            prompt_ids(built(word_tokenizer(bos=False)), [""])

    def test_padding_side_of_the_tokenizer_does_not_matter(self):
        model = built(word_tokenizer())
        expected = decode(model, ["the cat sat", "a"], SETTINGS).tokens
        model.tokenizer.padding_side = "left"
        assert decode(model, ["the cat sat", "a"], SETTINGS).tokens == expected

    def test_ends_with_the_end_of_text_by_default_and_reads_back(self):
        model = built(word_tokenizer())
        settings = DecodingSettings(max_new_tokens=12, temperature=2.0)
        decoded = decode(model, ["the cat sat on"] * 30, settings)
        free = decode(model, ["the cat sat on"] * 30, settings.model_copy(update={"stop_tokens": ()}))
        eos = model.tokenizer.eos_token_id
        ended = [row for row in range(30) if eos in free.tokens[row]]
        assert ended
        for row in range(30):
            end = free.tokens[row].index(eos) + 1 if row in ended else 12
            assert decoded.tokens[row] == free.tokens[row][:end]
        assert decoded.texts(model)[ended[0]] == " ".join(
            WORDS[token] for token in decoded.tokens[ended[0]] if token > 3
        )
