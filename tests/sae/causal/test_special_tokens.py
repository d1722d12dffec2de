"""Special tokens, which a dictionary was not trained on, are left as they are and out of every number."""

import pytest
import torch

from interp_lab.claims import Split
from interp_lab.effects.parts import parts_of
from interp_lab.hooks import capture
from interp_lab.models import load_model
from interp_lab.sae.activations.reading import special_tokens
from interp_lab.sae.causal import FeatureEffects, FeatureEffectsConfig, Operation
from interp_lab.sae.causal.known_answers import Planted
from interp_lab.sae.causal.measured import Measuring
from tests.sae.causal.drawn import SMALL, organism

HOOK = "blocks.2.hook_resid_post"


class OfStart(Planted):
    """Its last latent fires at BOS alone, strongly."""

    def encode(self, activation):
        found = activation @ self.decoder_rows.T
        found[..., -1] = 100.0 * ((activation - START).norm(dim=-1) < 1e-3)
        return found


def at_start():
    tokens = torch.full((1, 1), organism().tokenizer.bos_token_id)
    return capture(organism(), tokens, [HOOK])[HOOK][0, 0].clone()


START = at_start()


class TestSpecialTokens:
    def run(self, **changes):
        c = FeatureEffectsConfig(task="grammar/sentiment", **{**SMALL, "n_held_out": None, **changes})
        drawn = torch.randn(12, 128, generator=torch.Generator().manual_seed(0))
        codec = OfStart(drawn / drawn.norm(dim=-1, keepdim=True), hook=HOOK)
        return Measuring(
            organism(), codec, c, parts_of(organism(), c, partners="any").by_split[Split.SELECT], cost=False
        )

    def test_are_left_as_they_are(self):
        run = self.run()
        pairs = run.part.pairs
        fires = run.sides.clean.latents[..., -1] != 0
        assert torch.equal(fires, pairs.clean == organism().tokenizer.bos_token_id)
        assert fires.any(1).all()
        for operation in (Operation.ZERO, Operation.MEAN, Operation.CLAMP):
            assert (run.changes(operation=operation)[fires] == 0).all()
        assert torch.equal(run.lengths()[-1], torch.zeros(len(pairs)))
        assert run.values.mean[-1] == run.values.largest[-1] == 0

    def test_unless_the_dictionary_was_trained_on_them(self):
        run = self.run(exclude_special=False)
        assert (run.lengths()[-1] > 0).all()
        assert run.values.largest[-1] == 100

    def test_are_bos_end_and_padding(self):
        tokenizer = organism().tokenizer
        expected = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id} - {None}
        assert set(special_tokens(organism()).tolist()) == expected
        assert special_tokens(load_model("compiled/linear")).tolist() == []

    def test_of_a_feature_named_that_fires_there_alone_nothing_is_changed(self):
        run = self.run()
        with pytest.raises(ValueError, match="silencing latent 11 of a planted dictionary changes nothing"):
            FeatureEffects(run.config.overlaid({"latents": [11]})).measure(organism(), codec=run.codec)
