import pytest
import torch

from interp_lab.decoding import DecodingSettings, decode
from interp_lab.decoding.sampling import Sampler, candidates, inverse_draw
from tests.decoding.kinds import PROMPTS, model_of
from tests.oracles.decoding import literal_decode, literal_sample

PROBABILITIES = torch.tensor([0.05, 0.4, 0.25, 0.2, 0.1])
LOGITS = PROBABILITIES.double().log()[None]


def allowed(*, top_k=5, top_p=2.0):
    kept = candidates(LOGITS, top_k=torch.tensor([[top_k]]), top_p=torch.tensor([[top_p]]).double())
    return kept[0].nonzero()[:, 0].tolist()


class TestCandidates:
    """Worked by hand for the probabilities 0.05, 0.4, 0.25, 0.2, 0.1."""

    def test_top_k_keeps_the_likeliest(self):
        assert allowed(top_k=1) == [1]
        assert allowed(top_k=3) == [1, 2, 3]

    @pytest.mark.parametrize("top_p", [5e-324, 0.0], ids=["denormal", "flushed to zero"])
    def test_the_likeliest_token_is_always_left(self, top_p):
        assert allowed(top_p=top_p) == [1]

    def test_top_p_keeps_the_fewest_that_reach_the_mass(self):
        assert allowed(top_p=0.39) == [1]
        assert allowed(top_p=0.41) == [1, 2]
        assert allowed(top_p=0.64) == [1, 2]
        assert allowed(top_p=0.86) == [1, 2, 3, 4]

    def test_a_mass_that_is_reached_exactly_is_enough(self):
        kept = candidates(torch.zeros(1, 2).double(), top_k=torch.tensor([[2]]), top_p=torch.tensor([[0.5]]).double())
        assert kept.tolist() == [[True, False]]

    def test_the_mass_is_that_among_the_top_k(self):
        """Of 0.4, 0.25 and 0.2 the first holds 0.47."""
        assert allowed(top_k=3, top_p=0.46) == [1]
        assert allowed(top_k=3, top_p=0.48) == [1, 2]


@pytest.mark.parametrize(("uniform", "token"), [(0.0, 0), (0.049, 0), (0.051, 1), (0.449, 1), (0.451, 2), (0.999, 4)])
def test_a_draw_inverts_the_cumulative_distribution(uniform, token):
    assert inverse_draw(PROBABILITIES[None].double(), torch.tensor([uniform])).item() == token


def test_tokens_without_probability_are_never_drawn():
    probabilities = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]]).double().expand(3, 5)
    assert inverse_draw(probabilities, torch.tensor([0.0, 0.5, 1 - 2**-24])).tolist() == [1, 3, 3]


class TestSampler:
    def test_frequencies_are_the_tempered_distribution(self):
        """4000 rows, one draw each: within four standard errors of softmax(logits / 2)."""
        settings = [DecodingSettings(max_new_tokens=1, temperature=2.0, seed=seed) for seed in range(4000)]
        drawn = Sampler.of(settings, d_vocab=5).next_tokens(LOGITS.expand(4000, 5), step=0)
        expected = (LOGITS[0] / 2).softmax(-1)
        error = (expected * (1 - expected) / 4000).sqrt()
        assert ((drawn.bincount(minlength=5) / 4000 - expected).abs() < 4 * error).all()

    @pytest.mark.parametrize(
        "chosen", [{}, {"top_k": 3}, {"top_p": 0.7}, {"top_k": 4, "top_p": 0.8}], ids=["all", "k", "p", "k and p"]
    )
    def test_equals_the_literal_sampler(self, chosen):
        logits = torch.randn(20, 11, generator=torch.Generator().manual_seed(0))
        settings = [DecodingSettings(max_new_tokens=2, temperature=0.8, seed=seed, **chosen) for seed in range(20)]
        sampler = Sampler.of(settings, d_vocab=11)
        found = sampler.next_tokens(logits, step=1).tolist()
        uniforms = sampler.uniforms[:, 1].tolist()
        assert found == [
            literal_sample(row, temperature=0.8, uniform=uniform, **chosen)
            for row, uniform in zip(logits, uniforms, strict=True)
        ]

    def test_settings_of_other_rows_do_not_change_a_row(self):
        logits = torch.randn(1, 11, generator=torch.Generator().manual_seed(0)).expand(5, 11)
        own = DecodingSettings(max_new_tokens=3, temperature=1.0, seed=7)
        others = [DecodingSettings(max_new_tokens=40, temperature=1.0, top_p=0.3), DecodingSettings(max_new_tokens=9)]
        others += [DecodingSettings(max_new_tokens=1, temperature=9.0, top_k=2, seed=1)]
        crowded = Sampler.of([*others, own, own], d_vocab=11)
        for step in range(3):
            alone = Sampler.of([own], d_vocab=11).next_tokens(logits[:1], step=step)
            assert crowded.next_tokens(logits, step=step)[3:].tolist() == alone.tolist() * 2

    def test_greedy_rows_take_the_likeliest_beside_sampled_ones(self):
        settings = [DecodingSettings(), DecodingSettings(temperature=1.0, seed=3)]
        assert Sampler.of(settings, d_vocab=5).next_tokens(LOGITS.expand(2, 5), step=0)[0] == 1


class TestRows:
    def test_a_row_samples_the_same_alone_in_company_and_elsewhere_in_the_batch(self):
        model = model_of("grouped-query")
        chosen = [
            DecodingSettings(max_new_tokens=8 - row, temperature=1.3, seed=row, stop_tokens=()) for row in range(3)
        ]
        together = decode(model, PROMPTS, chosen).tokens
        assert decode(model, PROMPTS[::-1], chosen[::-1]).tokens[::-1] == together
        assert (
            tuple(decode(model, [ids], [one]).tokens[0] for ids, one in zip(PROMPTS, chosen, strict=True)) == together
        )

    def test_one_setting_for_all_gives_each_row_its_own_seed(self):
        model, settings = (
            model_of("standard"),
            DecodingSettings(max_new_tokens=8, temperature=2.0, seed=5, stop_tokens=()),
        )
        many = decode(model, [[3, 1]] * 4, settings).tokens
        assert len(set(many)) > 1
        assert many[2] == decode(model, [[3, 1]], settings.model_copy(update={"seed": 7})).tokens[0]

    def test_sampling_is_that_of_the_literal_decoder_and_leaves_the_global_generator_alone(self):
        model, settings = (
            model_of("alibi"),
            DecodingSettings(max_new_tokens=8, temperature=1.5, top_p=0.9, stop_tokens=()),
        )
        before = torch.random.get_rng_state()
        found = decode(model, PROMPTS, settings)
        assert torch.equal(torch.random.get_rng_state(), before)
        for row, ids in enumerate(PROMPTS):
            uniforms = Sampler.of([settings.model_copy(update={"seed": row})], d_vocab=24).uniforms[0].tolist()
            tokens, _ = literal_decode(
                model,
                ids,
                8,
                choose=lambda logits, step, given=uniforms: literal_sample(
                    logits, temperature=1.5, top_p=0.9, uniform=given[step]
                ),
            )
            assert found.tokens[row] == tuple(tokens)
