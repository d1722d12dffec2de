"""What heads copy and look for: by hand, against literal computations, and on circuits written by hand."""

from functools import partial

import pytest
import torch

from interp_lab.attention.token_circuits import (
    attention_scale,
    copied_tokens,
    eigenvalue_scores,
    token_states,
    top_keys,
)
from interp_lab.attention.weights import HeadWeights, composition_scores, head_weights, rotated
from interp_lab.models import load_model
from interp_lab.models.readings import unembedding
from interp_lab.organisms.compiled import compile_model, compiled_names
from interp_lab.organisms.compiled.copying import END, NAMES
from tests.models.fixtures import D_VOCAB, save_directory
from tests.tiny import tiny_model

VOCABULARY = torch.arange(24)


def without_biases(**settings):
    """What weights say of a model leaves the biases out that are not an MLP's."""
    model = tiny_model(d_vocab=24, **settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith((".b", "b_Q", "b_K", "b_V", "b_O", "b_U")) and "mlp" not in name:
                weight.zero_()
            if name.endswith(".w"):
                weight.add_(1.0)
    return model


def whole_vocabulary(model, *, through_mlp0=False):
    tokens = torch.arange(int(model.cfg.d_vocab))
    return token_states(model, tokens, through_mlp0=through_mlp0), unembedding(model)


def copied(model, tokens, *, top=1, negative=False, through_mlp0=False):
    states = token_states(model, tokens, through_mlp0=through_mlp0)
    unembed = unembedding(model)
    return copied_tokens(head_weights(model), states, unembed=unembed, tokens=tokens, top=top, negative=negative)


def one_head(ov: torch.Tensor) -> HeadWeights:
    """A head that maps the residual stream like this."""
    eye = torch.eye(len(ov))[None, None]
    return HeadWeights(eye, ov[None, None], eye, eye)


class TestTokenStates:
    @pytest.mark.parametrize("normalization", ["LN", "RMS", None])
    def test_through_mlp0_equals_the_literal_sum(self, normalization):
        model = without_biases(normalization_type=normalization)
        embedded = model.W_E[VOCABULARY]
        block = model.blocks[0]
        after = embedded + block.mlp(block.ln2(embedded[:, None]))[:, 0]
        found = token_states(model, VOCABULARY, through_mlp0=True)
        if normalization == "LN":
            after = after - after.mean(-1, keepdim=True)
        if normalization:
            after = after / (after.square().mean(-1, keepdim=True) + model.cfg.eps).sqrt()
        torch.testing.assert_close(found, after.detach(), atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize("shape", ["neox", "qwen2"])
    def test_processing_and_backend_make_no_difference(self, shape, tmp_path):
        """Nor to anything that is made of them; `neox` runs attention and MLP in parallel, `qwen2` shares keys."""
        directory = save_directory(tmp_path / shape, shape)
        settings = [("raw", "hooked"), ("folded", "hooked"), ("folded", "bridge")]
        found = []
        for processing, backend in settings:
            model = load_model(directory, "cpu", processing=processing, backend=backend)
            weights = head_weights(model)
            states, unembed = whole_vocabulary(model, through_mlp0=True)
            keys = top_keys(weights, states, states, top=1, attn_scale=attention_scale(model)).keys
            tokens = torch.arange(D_VOCAB)
            copies = copied_tokens(weights, states, unembed=unembed, tokens=tokens, top=5)
            composition = [composition_scores(weights, kind=kind)[0, :, 1] for kind in "qkv"]
            found.append([states, eigenvalue_scores(weights, states, unembed=unembed), copies, keys, *composition])
        for other in found[1:]:
            for ours, first in zip(other, found[0], strict=True):
                torch.testing.assert_close(ours, first, atol=1e-5, rtol=1e-5)

    def test_a_model_without_mlps_has_nothing_to_go_through(self):
        with pytest.raises(ValueError, match="no MLPs; ask with through_mlp0=False"):
            token_states(tiny_model(attn_only=True), VOCABULARY, through_mlp0=True)

    def test_tokens_outside_the_vocabulary_are_refused(self):
        with pytest.raises(ValueError, match="token 24 is outside"):
            token_states(tiny_model(), torch.tensor([24]), through_mlp0=False)


class TestCopying:
    def test_by_hand(self):
        """A vocabulary of 4, one direction each: what is written is what is copied."""
        eye = torch.eye(4)
        tokens = torch.arange(4)
        read = partial(copied_tokens, states=eye, unembed=eye, tokens=tokens, top=1)
        assert read(one_head(eye))[0, 0].tolist() == [True] * 4
        assert read(one_head(eye), negative=True)[0, 0].tolist() == [False] * 4
        assert read(one_head(-eye), negative=True)[0, 0].tolist() == [True] * 4
        assert read(one_head(eye.roll(1, 1)))[0, 0].tolist() == [False] * 4
        assert read(one_head(torch.diag(torch.tensor([1.0, 0, -1, 2]))))[0, 0].tolist() == [True, False, False, True]

    def test_ties_and_silence_are_no_copies(self):
        eye = torch.eye(4)
        read = partial(copied_tokens, states=eye, unembed=eye, tokens=torch.arange(4), top=3)
        assert not read(one_head(torch.zeros(4, 4))).any()
        assert not read(one_head(torch.ones(4, 4))).any()

    def test_top_counts_the_places(self):
        eye = torch.eye(4)
        second = one_head(eye + 2 * eye.roll(1, 1))  # the next token first, then itself
        places = [copied_tokens(second, eye, unembed=eye, tokens=torch.arange(4), top=top).all() for top in (1, 2)]
        assert places == [False, True]

    @pytest.mark.parametrize("through_mlp0", [False, True])
    @pytest.mark.parametrize("settings", [{"normalization_type": "LN"}, {"n_key_value_heads": 2}], ids=str)
    def test_equals_the_paper_head_by_head(self, settings, through_mlp0):
        """State of the token, the layer's norm, W_OV, the last norm, the unembedding; is it among the first five?"""
        model = without_biases(**settings)
        found = copied(model, VOCABULARY, top=5, through_mlp0=through_mlp0)
        state = model.W_E[VOCABULARY][:, None]  # every token a prompt of its own
        if through_mlp0:
            state = state + model.blocks[0].mlp(model.blocks[0].ln2(state))
        for layer, block in enumerate(model.blocks):
            for head in range(4):
                written = block.ln1(state) @ block.attn.W_V[head] @ block.attn.W_O[head]
                best = (model.ln_final(written) @ model.W_U)[:, 0].topk(5).indices
                assert torch.equal(found[layer, head], (best == VOCABULARY[:, None]).any(-1)), (layer, head)

    def test_chunks_make_no_difference(self, monkeypatch):
        model = without_biases()
        whole = copied(model, VOCABULARY, top=5)
        monkeypatch.setattr("interp_lab.attention.token_circuits._BUDGET", 5 * 4 * 24)
        assert torch.equal(copied(model, VOCABULARY, top=5), whole)

    def test_random_heads_copy_by_chance(self):
        model = without_biases()
        states, unembed = whole_vocabulary(model)

        def share(weights):
            return copied_tokens(weights, states, unembed=unembed, tokens=VOCABULARY, top=6).float().mean(-1)

        assert rotated(head_weights(model), share, n_draws=60, seed=0).mean().item() == pytest.approx(6 / 24, abs=0.02)

    def test_refuses_what_says_nothing(self):
        eye = torch.eye(4)
        with pytest.raises(ValueError, match="3 tokens have 4 states"):
            copied_tokens(one_head(eye), eye, unembed=eye, tokens=torch.arange(3), top=1)
        for top in (0, 4):
            with pytest.raises(ValueError, match=f"top={top} of a vocabulary of 4 says nothing"):
                copied_tokens(one_head(eye), eye, unembed=eye, tokens=torch.arange(4), top=top)


class TestEigenvalues:
    @pytest.mark.parametrize(
        ("ov", "score"),
        [
            (torch.eye(2), 1.0),
            (-torch.eye(2), -1.0),
            (torch.diag(torch.tensor([1.0, -3.0])), -0.5),
            (torch.tensor([[0.0, -1.0], [1.0, 0.0]]), 0.0),  # a quarter turn: i and -i
            (torch.tensor([[1.0, -1.0], [1.0, 1.0]]), 2**-0.5),  # an eighth of one, longer: 1 + i and 1 - i
            (torch.zeros(2, 2), 0.0),
        ],
        ids=["keeps", "turns around", "one of each", "quarter turn", "eighth turn", "silent"],
    )
    def test_by_hand(self, ov, score):
        assert eigenvalue_scores(one_head(ov)).item() == pytest.approx(score, abs=1e-6)

    def test_equals_brute_force(self):
        model = without_biases()
        weights = head_weights(model)
        ov = (weights.v @ weights.o).double()
        values = torch.linalg.eigvals(ov)
        torch.testing.assert_close(
            eigenvalue_scores(weights).double(), (values.sum(-1) / values.abs().sum(-1)).real, atol=1e-4, rtol=0
        )

    @pytest.mark.parametrize("through_mlp0", [False, True])
    def test_of_tokens_equals_brute_force_over_the_vocabulary(self, through_mlp0):
        model = without_biases()
        weights = head_weights(model)
        states, unembed = whole_vocabulary(model, through_mlp0=through_mlp0)
        values = torch.linalg.eigvals((states @ weights.v @ weights.o @ unembed).double())
        assert values.shape == (3, 4, 24)
        torch.testing.assert_close(
            eigenvalue_scores(weights, states, unembed=unembed).double(),
            (values.sum(-1) / values.abs().sum(-1)).real,
            atol=1e-4,
            rtol=0,
        )

    def test_refuses_half_a_map_and_a_part_of_the_vocabulary(self):
        weights = one_head(torch.eye(4))
        with pytest.raises(ValueError, match="both states and unembed"):
            eigenvalue_scores(weights, torch.eye(4))
        with pytest.raises(ValueError, match="3 states for a vocabulary of 4"):
            eigenvalue_scores(weights, torch.eye(4)[:3], unembed=torch.eye(4))


class TestTopKeys:
    def test_by_hand(self):
        """Queries ask for the next token, and after that for the one after it; scores are divided by 2."""
        eye = torch.eye(4)
        asks = 6 * eye.roll(1, 1) + 2 * eye.roll(2, 1)
        weights = HeadWeights(eye[None, None], eye[None, None], asks[None, None], eye[None, None])
        found = top_keys(weights, eye, eye, top=2, attn_scale=2.0)
        assert found.keys[0, 0].tolist() == [[1, 2], [2, 3], [3, 0], [0, 1]]
        assert found.scores[0, 0].tolist() == [[3.0, 1.0]] * 4

    @pytest.mark.parametrize("settings", [{"normalization_type": "LN"}, {"n_key_value_heads": 2}], ids=str)
    def test_is_the_attention_that_the_model_pays(self, settings):
        """Without positions and biases, the score of the last token with the first is that of the pair."""
        model = without_biases(**settings)
        with torch.no_grad():
            model.W_pos.zero_()
        states, _ = whole_vocabulary(model)
        found = top_keys(head_weights(model), states, states, top=24, attn_scale=attention_scale(model))
        both = torch.cartesian_prod(VOCABULARY, VOCABULARY).flip(1)  # key first, then query
        hook = "blocks.0.attn.hook_attn_scores"
        _, cache = model.run_with_cache(both, names_filter=hook, prepend_bos=False)
        scores = cache[hook][:, :, 1, 0].reshape(24, 24, 4).permute(2, 0, 1)  # head, query, key
        best = scores.sort(-1, descending=True)
        torch.testing.assert_close(found.scores[0], best.values, atol=1e-3, rtol=1e-4)
        assert torch.equal(found.keys[0, :, :, 0], best.indices[:, :, 0])

    def test_chunks_make_no_difference(self, monkeypatch):
        model = without_biases()
        weights, (states, _) = head_weights(model), whole_vocabulary(model)
        whole = top_keys(weights, states, states, top=3, attn_scale=2.0)
        monkeypatch.setattr("interp_lab.attention.token_circuits._BUDGET", 7 * 4 * 24)
        assert torch.equal(top_keys(weights, states, states, top=3, attn_scale=2.0).keys, whole.keys)

    def test_no_keys_are_refused(self):
        with pytest.raises(ValueError, match="top=0 asks for no keys"):
            top_keys(one_head(torch.eye(4)), torch.eye(4), torch.eye(4), top=0, attn_scale=1.0)

    def test_scale_of_a_model_and_of_one_that_does_not_say(self):
        model = tiny_model()
        assert attention_scale(model) == 2.0
        model.cfg.attn_scale = -1.0  # as a bridge has it
        assert attention_scale(model) == 2.0


class TestCircuitsWrittenByHand:
    @pytest.mark.parametrize("name", compiled_names())
    def test_copying_heads_and_only_they_copy(self, name):
        compiled = compile_model(name)
        found = copied(load_model(name), torch.tensor(compiled.symbols))
        copying = {f"{layer}.{head}" for layer, head in found.all(-1).nonzero().tolist()}
        assert copying == set(compiled.truth.heads_of_type("copying"))
        assert torch.equal(found.any(-1), found.all(-1))  # all of the symbols, or none

    @pytest.mark.parametrize("name", compiled_names())
    def test_heads_that_lower_what_they_see_and_only_they_copy_negatively(self, name):
        """Of the compiled models only `linear` has such heads: 1.1 (weight -3/2) and 1.2 (-1)."""
        found = copied(load_model(name), torch.tensor(compile_model(name).symbols), negative=True).all(-1)
        assert found.nonzero().tolist() == ([[1, 1], [1, 2]] if name == "compiled/linear" else [])

    @pytest.mark.parametrize("name", compiled_names())
    def test_copying_heads_are_far_above_heads_of_the_same_spectrum(self, name):
        model, symbols = load_model(name), torch.tensor(compile_model(name).symbols)
        states, unembed = token_states(model, symbols, through_mlp0=False), unembedding(model)

        def share(weights):
            return copied_tokens(weights, states, unembed=unembed, tokens=symbols, top=1).float().mean(-1)

        null = rotated(head_weights(model), share, n_draws=20, seed=0)
        assert null.max() < 0.4
        assert null.mean() < 2 / 24

    @pytest.mark.parametrize("name", compiled_names())
    def test_eigenvalues_have_the_sign_of_what_is_copied(self, name):
        model = load_model(name)
        weights, (states, unembed) = head_weights(model), whole_vocabulary(model)
        score = eigenvalue_scores(weights, states, unembed=unembed)
        symbols = torch.tensor(compile_model(name).symbols)
        torch.testing.assert_close(score > 0.5, copied(model, symbols).all(-1))
        torch.testing.assert_close(score < -0.5, copied(model, symbols, negative=True).all(-1))

    def test_a_duplicate_token_head_looks_for_its_own_token(self):
        """Whatever it looks at it turns into the answer that belongs to it, not into itself: no copying."""
        model, compiled = load_model("compiled/duplicate-token"), compile_model("compiled/duplicate-token")
        (head,) = [head for head, kinds in compiled.truth.head_types.items() if "duplicate_token" in kinds]
        states, _ = whole_vocabulary(model)
        found = top_keys(head_weights(model), states, states, top=1, attn_scale=attention_scale(model))
        symbols = torch.tensor(compiled.symbols)
        assert torch.equal(found.keys[head][symbols, 0], symbols)

    def test_an_induction_head_looks_for_what_the_previous_token_head_wrote(self):
        """Composed by hand: keys are what 0.0 writes of the token before; the best one is the query's own token."""
        model = load_model("compiled/induction")
        weights, (states, _) = head_weights(model), whole_vocabulary(model)
        noted = states @ weights.v[0, 0] @ weights.o[0, 0]
        found = top_keys(weights, states, noted, top=2, attn_scale=attention_scale(model))
        assert torch.equal(found.keys[1, 0, 1:, 0], VOCABULARY[1:])
        assert (found.scores[1, 0, 1:] == torch.tensor([60.0, 0.0])).all()

    def test_an_inhibiting_head_turns_the_copying_head_away(self):
        """In `compiled/copying`, '->' looks for names, but away from the one that 1.1 brings the note of."""
        model = load_model("compiled/copying")
        weights, (states, _) = head_weights(model), whole_vocabulary(model)
        scale = attention_scale(model)
        plain = top_keys(weights, states[[END]], states, top=len(NAMES) + 1, attn_scale=scale)
        assert sorted(plain.keys[2, 2, 0, :-1].tolist()) == list(NAMES)
        assert plain.scores[2, 2, 0].tolist() == [60.0] * len(NAMES) + [0.0]
        barred = states @ weights.v[0, 0] @ weights.o[0, 0] @ weights.v[1, 1] @ weights.o[1, 1]
        told = top_keys(weights, barred[list(NAMES)], states, top=24, attn_scale=scale)
        assert told.keys[2, 2, :, -1].tolist() == list(NAMES)
        assert (told.scores[2, 2, :, -1] == -120.0).all()
        assert (told.scores[2, 2, :, :-1] == 0.0).all()
