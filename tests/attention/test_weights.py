"""Composition of heads: by hand, as the dense formula, as TransformerLens has it, and on circuits written by hand."""

from functools import partial

import pytest
import torch

from interp_lab.attention.weights import (
    HeadWeights,
    composition_scores,
    head_weights,
    random_composition,
    rotated,
)
from interp_lab.models import build_hooked, load_model
from interp_lab.organisms.compiled import compile_model
from interp_lab.training.config import AttentionOnlyConfig
from interp_lab.training.initial import attention_only_config, initial_weights
from tests.tiny import tiny_model

CONFIG = attention_only_config(AttentionOnlyConfig(n_heads=3, d_head=4, d_model=12, n_ctx=10), n_symbols=20, name="x")
KINDS = ("q", "k", "v")


def untrained(processing="raw"):
    """Weights as before training, but LayerNorms that do something, so that folding them matters."""
    weights = initial_weights(CONFIG, seed=0)
    generator = torch.Generator().manual_seed(1)
    for name in ("blocks.0.ln1", "blocks.1.ln1"):
        weights[f"{name}.w"] = 1 + 0.5 * torch.randn(12, generator=generator)
        weights[f"{name}.b"] = torch.randn(12, generator=generator)
    return build_hooked(CONFIG, weights, processing=processing)


def random_heads(*, n_layers=3, n_heads=2, d_model=10, d_head=3):
    generator = torch.Generator().manual_seed(0)
    tall, wide = (n_layers, n_heads, d_model, d_head), (n_layers, n_heads, d_head, d_model)
    return HeadWeights(*(torch.randn(shape, generator=generator) for shape in (tall, wide, tall, tall)))


def axes(*rows: int) -> torch.Tensor:
    """Read (or write) these coordinates of a residual stream of 6, in this order."""
    return torch.eye(6)[:, list(rows)][None, None]


def pair(*, v=(0,), o=(5,), q=(1,), k=(2,), reader_v=(3,)):
    """A writing head, and a reading head in the layer above, by the coordinates that they read and write."""
    n = len(o)
    spare = tuple(range(n))
    writer = HeadWeights(axes(*v), axes(*o).mT, axes(*spare), axes(*spare))
    reader = HeadWeights(axes(*reader_v), axes(*spare).mT, axes(*q), axes(*k))
    return HeadWeights(*(torch.cat(both) for both in zip(writer, reader, strict=True)))


def score(weights, kind="k"):
    return composition_scores(weights, kind=kind)[0, 0, 1, 0].item()


class TestByHand:
    @pytest.mark.parametrize(
        ("written", "read", "expected"),
        [((2, 3), (2, 3), 2**-0.5), ((2, 3), (4, 5), 0.0), ((2, 3), (3, 4), 0.5)],
        ids=["the same plane", "another plane", "planes that share an axis"],
    )
    def test_planes(self, written, read, expected):
        # |OV| = |QK| = sqrt(2); the product has 2, 0 and 1 unit entries.
        weights = pair(v=(0, 1), o=written, q=(0, 1), k=read, reader_v=(0, 1))
        assert score(weights) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("kind", "reads"), [("q", {"q": (5,)}), ("k", {"k": (5,)}), ("v", {"reader_v": (5,)})], ids=KINDS
    )
    def test_one_dimension_written_and_read_is_one_for_that_input_and_zero_for_the_others(self, kind, reads):
        scores = {other: score(pair(**reads), other) for other in KINDS}
        assert scores.pop(kind) == pytest.approx(1.0)
        assert set(scores.values()) == {0.0}

    def test_a_silent_head_is_zero(self):
        weights = pair(k=(5,))
        assert score(weights._replace(o=torch.zeros_like(weights.o))) == 0.0

    def test_nan_weights_are_not_taken_for_silence(self):
        weights = random_heads()
        weights.o[0, 1, 0, 0] = torch.nan
        assert composition_scores(weights, kind="k")[0, 1, 1].isnan().all()

    def test_only_higher_layers_read(self):
        scores = composition_scores(random_heads(), kind="k")
        above = torch.arange(3)[:, None] < torch.arange(3)
        assert torch.equal(~scores.isnan(), above[:, None, :, None].expand(3, 2, 3, 2))

    def test_an_unknown_kind_is_refused(self):
        with pytest.raises(ValueError, match="kind='o' is no input of a head"):
            composition_scores(random_heads(), kind="o")


class TestIdentities:
    @pytest.mark.parametrize("kind", KINDS)
    def test_equals_the_dense_formula(self, kind):
        weights = random_heads()
        scores = composition_scores(weights, kind=kind)
        norm = torch.linalg.matrix_norm
        for writer in [(0, 0), (0, 1), (1, 0)]:
            for reader in [(2, 0), (2, 1)]:
                ov = weights.v[writer] @ weights.o[writer]
                qk = weights.q[reader] @ weights.k[reader].T
                read = {"q": qk, "k": qk.T, "v": weights.v[reader] @ weights.o[reader]}[kind]
                expected = norm(ov @ read) / (norm(ov) * norm(read))
                assert scores[*writer, *reader].item() == pytest.approx(expected.item(), abs=1e-6)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("processing", ["raw", "folded"])
    def test_equals_transformer_lens_on_folded_weights(self, processing, kind):
        # TransformerLens reads weights as they are, so its answer is right for the folded model; ours for both.
        oracle = untrained("folded").all_composition_scores(kind.upper())[0, :, 1]
        found = composition_scores(head_weights(untrained(processing)), kind=kind)[0, :, 1]
        torch.testing.assert_close(found, oracle, atol=1e-5, rtol=0)

    def test_scale_of_the_weights_cancels(self):
        weights = random_heads()
        scaled = HeadWeights(*(3.0 * part for part in weights))
        same = partial(torch.testing.assert_close, equal_nan=True)
        same(composition_scores(scaled, kind="k"), composition_scores(weights, kind="k"))

    def test_a_head_wider_than_the_stream_is_no_trouble(self):
        weights = random_heads(d_model=3, d_head=5)
        ov, qk = weights.v[0, 0] @ weights.o[0, 0], weights.q[1, 0] @ weights.k[1, 0].T
        norm = torch.linalg.matrix_norm
        assert score(weights) == pytest.approx((norm(ov @ qk.T) / norm(ov) / norm(qk)).item(), abs=1e-6)


class TestModels:
    """That processing and backend make no difference is tested in `test_token_circuits`, on all that weights give."""

    def test_heads_that_share_keys_and_values_have_copies_of_them(self):
        weights = head_weights(tiny_model(n_key_value_heads=2))
        assert all(part.shape[:2] == (3, 4) for part in weights)
        assert torch.equal(weights.k[:, 0], weights.k[:, 1])
        assert torch.equal(weights.v[:, 2], weights.v[:, 3])
        assert not torch.equal(weights.v[:, 1], weights.v[:, 2])
        assert not torch.equal(weights.q[:, 0], weights.q[:, 1])

    def test_a_norm_behind_attention_scales_what_is_written(self):
        settings = {"normalization_type": "RMS", "use_normalization_before_and_after": True}
        model = tiny_model(**settings)
        weights = head_weights(model)
        torch.testing.assert_close(weights.o[1], model.blocks[1].attn.W_O * model.blocks[1].ln1_post.w)
        torch.testing.assert_close(weights.q[1], model.blocks[1].attn.W_Q * model.blocks[1].ln1.w[:, None])

    def test_rms_norms_do_not_centre(self):
        model = tiny_model(normalization_type="RMS")
        assert torch.equal(head_weights(model).o[0], model.blocks[0].attn.W_O)

    def test_half_precision_is_read_in_full(self):
        assert head_weights(tiny_model().to(torch.bfloat16)).o.dtype == torch.float32

    def test_layers_without_heads_are_named(self):
        model = tiny_model()
        del model.blocks[1].attn.W_Q
        with pytest.raises(ValueError, match="layer 1 has no attention heads"):
            head_weights(model)

    def test_norms_behind_the_layers_are_refused(self):
        model = tiny_model()
        model.cfg.original_architecture = "Olmo2ForCausalLM"
        with pytest.raises(ValueError, match="norms what its layers write"):
            head_weights(model)


class TestNulls:
    def test_random_is_about_one_over_the_root_of_the_width(self):
        like = HeadWeights(*(torch.zeros(1, 40, 40) for _ in range(4)))
        drawn = random_composition(like, n_draws=50, seed=0)
        assert drawn.mean().item() == pytest.approx(40**-0.5, rel=0.02)

    def test_untrained_heads_score_like_random_ones(self):
        weights = head_weights(untrained())
        drawn = random_composition(weights, n_draws=400, seed=0)
        low, high = torch.quantile(drawn, torch.tensor([0.001, 0.999]))
        for kind in KINDS:
            scores = composition_scores(weights, kind=kind)[0, :, 1]
            assert ((scores > low) & (scores < high)).all()

    def test_rotations_keep_spectra_and_what_heads_write_relative_to_each_other(self):
        weights = random_heads()

        def written(turned):
            return torch.cat([torch.linalg.svdvals(turned.o[0, 0]), (turned.o[0, 0] @ turned.o[1, 1].T).ravel()])

        for turned in rotated(weights, written, n_draws=3, seed=0):
            torch.testing.assert_close(turned, written(weights), atol=1e-5, rtol=1e-5)

    def test_rotations_turn_every_direction_everywhere(self):
        weights = random_heads()
        drawn = rotated(weights, lambda turned: turned.o[0, 0, 0] / turned.o[0, 0, 0].norm(), n_draws=600, seed=0)
        assert drawn.mean(0).abs().max() < 0.06
        torch.testing.assert_close(drawn.T @ drawn / 600, torch.eye(10) / 10, atol=0.03, rtol=0)

    def test_steep_spectra_scatter_more_than_random_matrices_do(self):
        """Why the null of the same spectrum is there: rank one in the place of rank three, at the same mean."""
        weights = random_heads(d_model=30)
        rank_one = HeadWeights(weights.v[..., :1], weights.o[..., :1, :], weights.q[..., :1], weights.k[..., :1])
        three, one = (
            rotated(heads, partial(composition_scores, kind="k"), n_draws=150, seed=0)[:, 0, 0, 1, 0]
            for heads in (weights, rank_one)
        )
        assert one.std() > 2 * three.std()
        assert one.square().mean().item() == pytest.approx(1 / 30, rel=0.3)
        assert three.square().mean().item() == pytest.approx(1 / 30, rel=0.3)

    def test_the_same_seed_gives_the_same_bits(self):
        weights = random_heads()
        for draw in (
            partial(random_composition, weights, n_draws=3),
            partial(rotated, weights, partial(composition_scores, kind="k"), n_draws=2),
        ):
            torch.testing.assert_close(draw(seed=1), draw(seed=1), rtol=0, atol=0, equal_nan=True)
            assert not torch.equal(draw(seed=1).nan_to_num(), draw(seed=2).nan_to_num())


class TestCircuitsWrittenByHand:
    """Recall and precision 1: what composes, above the random null, is what was written to; all else is exactly 0."""

    @pytest.mark.parametrize(
        ("name", "composes"),
        [
            # Previous token -> induction, by keys: 1 / sqrt(24), one of 24 directions that are all alike.
            ("induction", {"k": {((0, 0), (1, 0)): 24**-0.5}}),
            # 1.1 and 1.2 read what 1.0 reads, and do nothing with it: composition is no effect.
            ("look-alike", {"k": {((0, 0), (1, head)): 24**-0.5 for head in range(3)}}),
            ("duplicate-token", {}),
            ("linear", {"v": {((0, 0), (1, 0)): 0.187}}),
            ("copying", {"k": {((0, 0), (1, 1)): 10**-0.5}, "v": {((0, 0), (1, 1)): 23**-0.5},
                         "q": {((1, 1), (2, 2)): 0.194}}),
            # 2.1 is silenced by what 1.0 writes at its queries, and is else a second 1.0.
            ("backup", {"k": {((0, 0), (1, 0)): 24**-0.5, ((0, 0), (2, 1)): 0.146}, "q": {((1, 0), (2, 1)): 0.146}}),
        ],
    )  # fmt: skip
    def test_what_composes(self, name, composes):
        weights = head_weights(load_model(f"compiled/{name}"))
        null = random_composition(weights, n_draws=200, seed=0)
        for kind in KINDS:
            scores = composition_scores(weights, kind=kind)
            above = {((w, wh), (r, rh)) for w, wh, r, rh in (scores > null.max()).nonzero().tolist()}
            assert above == set(composes.get(kind, {}))
            for (writer, reader), expected in composes.get(kind, {}).items():
                assert scores[*writer, *reader].item() == pytest.approx(expected, abs=1e-3)
            rest = scores[~(scores > null.max()) & ~scores.isnan()]
            assert (rest == 0).all()

    @pytest.mark.parametrize("name", ["induction", "duplicate-token", "copying", "linear"])
    def test_it_is_the_edges_between_heads_of_the_compiled_truth(self, name):
        """Not of look-alikes, which compose without effect, nor of a backup, which waits to be needed."""
        compiled = compile_model(f"compiled/{name}")
        weights = head_weights(load_model(compiled.name))
        found = {
            f"{w}.{wh}->{r}.{rh}.{kind}"
            for kind in KINDS
            for w, wh, r, rh in (composition_scores(weights, kind=kind) > 0.1).nonzero().tolist()
        }
        edges = {str(edge) for edge in compiled.truth.edges_zero}
        assert found == {edge for edge in edges if edge[0].isdigit() and "logits" not in edge}

    def test_induction_is_the_largest_and_above_rotations(self):
        weights = head_weights(load_model("compiled/induction"))
        scores = composition_scores(weights, kind="k")
        null = rotated(weights, partial(composition_scores, kind="k"), n_draws=50, seed=0)
        largest = torch.unravel_index(scores.nan_to_num().argmax(), scores.shape)
        assert [int(index) for index in largest] == [0, 0, 1, 0]
        assert scores[0, 0, 1, 0] > null[:, 0, 0, 1, 0].max() * 1.5
