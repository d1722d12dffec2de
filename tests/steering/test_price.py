"""What steering costs on text that has nothing to do with the trait."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.interventions import Intervention, Op
from interp_lab.steering import price as pricing
from interp_lab.steering.neutral import NeutralTexts, neutral_texts
from interp_lab.steering.price import kl_metric, price_of
from interp_lab.steering.setting import intervention_for, selected_tokens
from interp_lab.types import Site
from tests.steering.made import gate, literal_logits, organism, setting, vectors
from tests.tiny import tiny_model

TOP = "blocks.2.hook_resid_post"


@pytest.fixture(scope="module")
def neutral():
    return neutral_texts(organism(), "sentiment", 12, seed=0, part="select")


def documents(tokens, mask=None):
    tokens = torch.tensor(tokens)
    mask = torch.ones_like(tokens, dtype=torch.bool) if mask is None else torch.tensor(mask)
    names = tuple(str(row) for row in range(len(tokens)))
    return NeutralTexts(tokens, mask, mask.sum(1) - 1, names, names)


def two_words(normalization_type=None):
    """A model of two words whose layers write nothing: logits are read off the embeddings, and stay small."""
    model = tiny_model(d_vocab=2, normalization_type=normalization_type)
    with torch.no_grad():
        for block in model.blocks:
            for part in (block.attn.W_O, block.attn.b_O, block.mlp.W_out, block.mlp.b_out):
                part.zero_()
    return model


class TestByHand:
    def test_kl_of_two_words(self):
        """Even chances against three to one: KL is 0.5 log(0.5/0.75) + 0.5 log(0.5/0.25)."""
        even, steered = torch.zeros(1, 3, 2), torch.tensor([math.log(3.0), 0.0]).expand(1, 3, 2)
        metric = kl_metric(even, torch.ones(1, 3, dtype=torch.bool))
        expected = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
        np.testing.assert_allclose(metric(steered).numpy(), [expected], atol=1e-6)

    def test_it_is_not_the_other_divergence(self):
        even, steered = torch.zeros(1, 2, 2), torch.tensor([math.log(3.0), 0.0]).expand(1, 2, 2)
        other = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
        found = float(kl_metric(even, torch.ones(1, 2, dtype=torch.bool))(steered))
        assert abs(found - other) > 0.01

    def test_only_tokens_that_predict_one_of_the_document_count(self):
        """Of three tokens and one of padding two predict; the last and the padding may say what they like."""
        mask = torch.tensor([[True, True, True, False]])
        steered = torch.zeros(1, 4, 2)
        steered[0, 2:, 0] = 50.0
        metric = kl_metric(torch.zeros(1, 4, 2), mask)
        assert float(metric(steered)) == 0.0
        steered[0, 1, 0] = math.log(3.0)
        expected = (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)) / 2
        np.testing.assert_allclose(metric(steered).numpy(), [expected], atol=1e-6)

    def test_a_change_of_logits_that_is_known(self):
        """Without a last norm, what is added behind the last layer changes logits by itself times the unembedding."""
        model, own = two_words(), documents([[0, 1, 1, 0, 1], [1, 0, 0, 1, 1]])
        vector = 0.3 * torch.randn(16, generator=torch.Generator().manual_seed(4))
        with torch.no_grad():
            clean = model(own.tokens)
            steered = clean + vector @ model.W_U
        p, q = (part.double().softmax(-1)[:, :-1] for part in (clean, steered))
        kl = (p * (p / q).log()).sum(-1).mean(-1)
        target = own.tokens[:, 1:, None]
        ce = (p.log() - q.log()).gather(-1, target)[..., 0].mean(-1)
        made = Intervention((Site(TOP),), Op.ADD, (vector,), "known")
        found = price_of(model, own, [made])
        np.testing.assert_allclose(found.kl[0], kl, atol=1e-5)
        np.testing.assert_allclose(found.ce_change[0], ce, atol=1e-5)
        np.testing.assert_allclose(found.perplexity_ratio[0], np.exp(ce), rtol=1e-4)
        np.testing.assert_allclose(found.clean_ce, -p.log().gather(-1, target)[..., 0].mean(-1), atol=1e-5)

    def test_where_it_is_touched(self):
        """Steered at the third of five tokens: two of the four that predict can change, and one of five is touched."""
        model, own = two_words(), documents([[0, 1, 1, 0, 1]])
        tokens = torch.tensor([[False, False, True, False, False]])
        found = price_of(model, own, [Intervention((Site(TOP),), Op.ADD, (torch.ones(16),), "third", tokens=tokens)])
        np.testing.assert_allclose(found.touched, [[0.2]])
        np.testing.assert_allclose(found.kl_touched, found.kl * 4 / 2)
        assert found.kl[0, 0] > 0

    def test_touched_behind_all_that_predicts(self):
        model, own = two_words(), documents([[0, 1, 1]])
        tokens = torch.tensor([[False, False, True]])
        found = price_of(model, own, [Intervention((Site(TOP),), Op.ADD, (torch.ones(16),), "last", tokens=tokens)])
        assert found.kl[0, 0] == 0
        assert np.isnan(found.kl_touched[0, 0])

    def test_what_changes_nothing_costs_exactly_nothing(self):
        model, own = two_words("LNPre"), documents([[0, 1, 1, 0, 1]])
        nothing = Intervention((Site(TOP),), Op.ADD, (torch.zeros(16),), "nothing")
        found = price_of(model, own, [nothing])
        assert (found.kl == 0).all()
        assert (found.ce_change == 0).all()
        assert (found.touched == 0).all()
        assert np.isnan(found.kl_touched).all()


class TestFastIsSlow:
    SETTINGS = (
        setting(),
        setting("ablate", "from 4"),
        setting("clamp", "last", coefficient=0.3),
        setting("add", "all", gate="similarity"),
        setting("add", "tokens the was", coefficient=-2.0),
    )

    def test_every_document_under_every_setting(self, neutral):
        gates = [None if one.gate is None else gate(one.gate, percentile=80.0) for one in self.SETTINGS]
        made = [
            intervention_for(organism(), one, vectors(), neutral.batch, gate=gate)
            for one, gate in zip(self.SETTINGS, gates, strict=True)
        ]
        fast = price_of(organism(), neutral, made)
        with torch.no_grad():
            clean = organism()(neutral.tokens, attention_mask=neutral.mask.long()).log_softmax(-1)
        for nth, (one, own_gate) in enumerate(zip(self.SETTINGS, gates, strict=True)):
            selected = selected_tokens(organism(), one, neutral.batch, gate=own_gate)
            steered = literal_logits(one, vectors(), neutral.batch, selected).log_softmax(-1)
            kl = (clean.exp() * (clean - steered)).sum(-1)
            for row in range(len(neutral)):
                n = int(neutral.mask[row].sum())
                target = neutral.tokens[row, 1:n, None]
                ce = (clean[row, : n - 1] - steered[row, : n - 1]).gather(-1, target).mean()
                np.testing.assert_allclose(fast.kl[nth, row], kl[row, : n - 1].mean(), atol=2e-5)
                np.testing.assert_allclose(fast.ce_change[nth, row], ce, atol=2e-5)
                np.testing.assert_allclose(fast.touched[nth, row], selected[row].sum() / n, atol=1e-6)
                since = selected[row].nonzero()
                expected = kl[row, int(since[0]) : n - 1].mean() if len(since) else np.nan
                np.testing.assert_allclose(fast.kl_touched[nth, row], expected, atol=5e-5)
        assert np.isnan(fast.kl_touched).any(), "some document has none of the words"

    def test_pieces_of_documents_are_no_matter(self, neutral, monkeypatch):
        made = [intervention_for(organism(), one, vectors(), neutral.batch) for one in self.SETTINGS[:3]]
        whole = price_of(organism(), neutral, made)
        monkeypatch.setattr(pricing, "REFERENCE_ENTRIES", 5 * neutral.tokens.shape[1] * 599)
        pieces = price_of(organism(), neutral, made)
        np.testing.assert_allclose(pieces.kl, whole.kl, atol=1e-6)
        np.testing.assert_allclose(pieces.ce_change, whole.ce_change, atol=1e-6)
        np.testing.assert_allclose(pieces.clean_ce, whole.clean_ce, atol=1e-6)

    def test_losses_may_be_left_out(self, neutral):
        made = [intervention_for(organism(), setting(), vectors(), neutral.batch)]
        found = price_of(organism(), neutral, made, losses=False)
        np.testing.assert_allclose(found.kl, price_of(organism(), neutral, made).kl)
        assert np.isnan(found.ce_change).all()

    def test_rows(self, neutral):
        made = [intervention_for(organism(), one, vectors(), neutral.batch) for one in self.SETTINGS[:2]]
        found = price_of(organism(), neutral, made)
        np.testing.assert_array_equal(found.rows([1]).kl, found.kl[1:])


class TestNeutralText:
    def test_halves_share_no_text(self):
        select, report = (self.drawn(200, part=half) for half in ("select", "report"))
        assert not set(select.texts) & set(report.texts)
        assert len(set(select.texts)) == len(set(report.texts)) == 200

    def test_a_longer_half_begins_with_a_shorter_one_so_that_lengths_may_differ(self):
        short, long = (neutral_texts(organism(), "sentiment", n, seed=0, part="report") for n in (10, 30))
        assert long.texts[:10] == short.texts

    @pytest.mark.parametrize(
        ("trait", "absent"),
        [("sentiment", {"sentiment", "support"}), ("neighbourhood", {"loans"}), ("truth", {"truth", "sources"})],
    )
    def test_shows_nothing_of_the_trait(self, trait, absent):
        found = neutral_texts(organism(), trait, 300, seed=1, part="select")
        behaviours = {template.split("/")[0] for template in found.templates}
        assert not behaviours & absent
        assert len(behaviours) >= 10

    def test_a_prompt_would_end_before_the_answer(self, neutral):
        for text, last, mask in zip(neutral.texts, neutral.last.tolist(), neutral.mask, strict=True):
            assert 0 < last < int(mask.sum()) - 1, text

    def test_of_a_file(self, tmp_path):
        path = tmp_path / "some.txt"
        places, how = ("Eastgate", "Oakridge", "Riverdale"), ("slow", "quick", "light")
        path.write_text("\n\n".join(f"the film in {place} was {one} ." for place in places for one in how))
        select, report = (self.drawn(3, part=half, path=path) for half in ("select", "report"))
        assert not set(select.texts) & set(report.texts)
        assert select.last.tolist() == [3, 3, 3], "halfway, behind BOS"
        with pytest.raises(ValueError, match="holds 5 different documents"):
            self.drawn(6, part="select", path=path)

    def drawn(self, n, **more):
        return neutral_texts(organism(), "sentiment", n, seed=0, **more)

    def test_none(self):
        with pytest.raises(ValueError, match="n=0 makes no neutral text"):
            neutral_texts(organism(), "sentiment", 0, seed=0, part="select")

    def test_documents_that_predict_nothing(self):
        own = documents([[0, 1]], [[True, False]])
        with pytest.raises(ValueError, match="two tokens or more"):
            price_of(two_words(), own, [Intervention((Site(TOP),), Op.ADD, (torch.ones(16),), "one")])

    def test_padding_on_the_left(self):
        own = replace(documents([[0, 1, 1]], [[False, True, True]]))
        with pytest.raises(ValueError, match="padding on the right only"):
            price_of(two_words(), own, [Intervention((Site(TOP),), Op.ADD, (torch.ones(16),), "one")])
