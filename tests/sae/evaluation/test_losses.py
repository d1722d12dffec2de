"""Which predictions count, and what is lost by who knows nothing."""

import dataclasses
import math
import types

import pytest
import torch

from interp_lab.sae.activations.reading import pieces
from interp_lab.sae.evaluation import evaluate, fitting, losses
from interp_lab.sae.evaluation.losses import next_tokens, padding_of
from interp_lab.tasks import grammar_documents
from tests.sae.evaluation.small import IDENTITY, RESID, config, model, read, standard


def value(found, name, metric):
    return found.interval(name, metric).estimate


class TestPredictions:
    tokens = torch.tensor([[0, 5, 6, 2, 7], [0, 5, 2, 1, 1], [0, 8, 9, 1, 1]])
    kept = torch.tensor([[0, 1, 1, 0, 1], [0, 1, 0, 0, 0], [0, 1, 1, 1, 0]]).bool()

    @pytest.mark.parametrize("padding", [1, None])
    def test_of_padding_never_count_and_of_the_end_token_do(self, padding):
        following, there = next_tokens(self.tokens, self.kept, padding=padding)
        expected = []
        for batch, pos in self.kept.nonzero().tolist():
            after = self.tokens[batch, pos + 1].item() if pos + 1 < self.tokens.shape[1] else None
            expected.append(after if after is not None and after != padding else None)
        told = [token if counts else None for token, counts in zip(following.tolist(), there.tolist(), strict=True)]
        assert told == expected
        assert 2 in told
        assert (1 in told) == (padding is None)

    def test_padding_is_a_token_of_its_own_or_none(self, monkeypatch):
        assert padding_of(model()) == model().tokenizer.pad_token_id
        like_gpt2 = types.SimpleNamespace(pad_token_id=2, eos_token_id=2, bos_token_id=2)
        monkeypatch.setattr(losses, "tokenizer_of", lambda _: like_gpt2)
        assert padding_of(model()) is None

    @pytest.mark.parametrize("packed", [True, False])
    def test_in_text(self, packed):
        tokenizer = model().tokenizer
        counted = []
        for piece in read(text={"part": "held_out", "held_out_share": 0.5, "packed": packed, "length": 12}):
            following, there = next_tokens(piece.tokens.long(), piece.kept, padding=padding_of(model()))
            counted += following[there].tolist()
        assert tokenizer.pad_token_id not in counted
        assert tokenizer.bos_token_id not in counted
        assert (tokenizer.eos_token_id in counted) == packed

    def test_of_padding_change_no_loss(self):
        """A text that spells the padding token: the prediction of it is left out of every loss."""
        pad = model().tokenizer.pad_token
        plain = grammar_documents(30, seed=3)
        documents = [dataclasses.replace(one, text=f"{one.text} {pad}") for one in plain]
        text = {"part": "held_out", "held_out_share": 0.5, "packed": True, "length": 16}
        own = config(text=text, n_tokens=60, n_fit_tokens=60, baselines=())
        reading = fitting.reading_config(model(), RESID, config=own, fit=False)
        followed, n_pads, special = 0, 0, model().tokenizer
        for piece in pieces(model(), reading, documents=documents):
            for batch, pos in piece.kept.nonzero().tolist():
                after = int(piece.tokens[batch, pos + 1]) if pos + 1 < piece.tokens.shape[1] else None
                n_pads += after == special.pad_token_id
                followed += after not in (None, special.pad_token_id)
        assert n_pads > 0
        found = evaluate(model(), {"identity": IDENTITY}, RESID, config=own, documents=documents)
        assert found.shared["predicted"].sum() == followed


class TestKnowingNothing:
    def test_references_stand_in_the_table(self):
        found = standard()
        losses = found.tables()["losses"].set_index("in_place")["ce"]
        assert losses["uniform"] == pytest.approx(math.log(model().cfg.d_vocab))
        assert losses["untouched"] < losses["unigram"] < losses["uniform"]
        assert losses["unigram"] == found.metrics()["ce_unigram"]

    def test_it_is_said_where_an_ablation_costs_more(self):
        found = standard()
        assert set(found.worse_than_unigram()) <= {"mean", "zero"}
        assert "counts from worse than knowing nothing" in found.sections()[1].suggests
        low = dataclasses.replace(found, shared={**found.shared, "ce_unigram": 9 * found.shared["ce_unigram"]})
        assert low.worse_than_unigram() == ()
        assert "worse than knowing nothing" not in low.sections()[1].suggests

    def test_what_is_recovered_from_there_is_less(self):
        found = standard()
        for name in found.worse_than_unigram():
            assert value(found, name, "ce_recovered_unigram") < 0
        assert value(found, "identity", "ce_recovered_unigram") == pytest.approx(1.0)
