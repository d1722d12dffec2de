import pytest
import torch

from interp_lab.organisms.compiled import ATTENTION_TYPES, compile_model, compiled_names
from tests.oracles.edges import attention_gained
from tests.organisms.compiled.building import all_heads, known, replacing_z

EVERY_MODEL = pytest.mark.parametrize("name", compiled_names())


def twice(symbols, period, n=16):
    """[BOS, x, x] with x distinct and in random order."""
    generator = torch.Generator().manual_seed(period)
    x = torch.stack(
        [torch.tensor(symbols)[torch.randperm(len(symbols), generator=generator)[:period]] for _ in range(n)]
    )
    return torch.cat([torch.zeros(n, 1, dtype=torch.long), x, x], dim=1)


def patterns(model, tokens):
    _, cache = model.run_with_cache(tokens, names_filter=lambda hook: hook.endswith("hook_pattern"))
    return torch.stack([cache[f"blocks.{layer}.attn.hook_pattern"] for layer in range(model.cfg.n_layers)])


def attention_score(pattern, kind, period):
    """Mean attention [layer, head] from every query of a type to the key it would look at."""
    everywhere, second_copy = range(1, 2 * period + 1), range(period + 1, 2 * period + 1)
    looked_at = {
        "previous_token": [(q, q - 1) for q in everywhere],
        "first_token": [(q, 0) for q in everywhere],
        "duplicate_token": [(q, q - period) for q in second_copy],
        "induction": [(q, q - period + 1) for q in second_copy],
    }[kind]
    return torch.stack([pattern[..., query, key] for query, key in looked_at]).mean((0, 2))


class TestWhereHeadsLook:
    @EVERY_MODEL
    @pytest.mark.parametrize("period", [4, 8, 20])
    def test_is_what_the_truth_says_and_nothing_else(self, name, period):
        compiled, model = known(name)
        pattern = patterns(model, twice(compiled.symbols, period))
        for kind in ATTENTION_TYPES:
            score = attention_score(pattern, kind, period)
            found = {head for head in all_heads(compiled) if score[head] > 0.95}
            assert found == {head for head, kinds in compiled.truth.head_types.items() if kind in kinds}, kind

    @EVERY_MODEL
    def test_has_the_same_answer_for_every_head_of_every_query(self, name):
        compiled, model = known(name)
        pattern = patterns(model, twice(compiled.symbols, 8))
        for kind in ATTENTION_TYPES:
            score = attention_score(pattern, kind, 8)
            for head, kinds in compiled.truth.head_types.items():
                assert kind not in kinds or score[head] == pytest.approx(1.0, abs=1e-6)

    def test_leaves_half_of_the_attention_of_induction_and_duplicate_heads_on_bos(self):
        for name, head in (("compiled/induction", (1, 0)), ("compiled/duplicate-token", (0, 1))):
            compiled, model = known(name)
            score = attention_score(patterns(model, twice(compiled.symbols, 8)), "first_token", 8)
            assert score[head] == pytest.approx(0.5, abs=1e-6)

    @EVERY_MODEL
    def test_is_much_the_same_when_any_token_but_bos_may_be_drawn(self, name):
        compiled, model = known(name)
        pattern = patterns(model, twice(range(1, 24), 8, n=64))
        for kind in ATTENTION_TYPES:
            score = attention_score(pattern, kind, 8)
            for head, kinds in compiled.truth.head_types.items():
                assert kind not in kinds or score[head] > 0.9

    def test_of_the_backup_becomes_induction_when_the_first_head_is_silent(self):
        compiled, model = known("compiled/backup")
        with model.hooks(fwd_hooks=replacing_z({(1, 0): torch.zeros(())})):
            pattern = patterns(model, twice(compiled.symbols, 8))
        assert attention_score(pattern, "induction", 8)[2, 1] == pytest.approx(1.0, abs=1e-6)

    def test_is_the_same_for_the_look_alikes_as_for_the_real_head(self):
        compiled, model = known("compiled/look-alike")
        pattern = patterns(model, compiled.sample_pairs(32, 0).clean)
        assert torch.equal(pattern[1, :, 0], pattern[1, :, 1])
        assert torch.equal(pattern[1, :, 0], pattern[1, :, 2])
        assert torch.equal(pattern[0, :, 0], pattern[0, :, 1])


class TestWhatHeadsDo:
    @EVERY_MODEL
    def test_inert_heads_may_write_anything_and_all_others_may_not(self, name):
        compiled, model = known(name)
        tokens = compiled.sample_pairs(16, 0).clean
        whole = model(tokens)

        def moved_by_noise_in(heads):
            generator = torch.Generator().manual_seed(0)
            shape = (*tokens.shape, model.cfg.d_head)
            noise = {head: 10 * torch.randn(shape, generator=generator) for head in heads}
            return (model.run_with_hooks(tokens, fwd_hooks=replacing_z(noise)) - whole).abs().max().item()

        inert = {head for head, kinds in compiled.truth.head_types.items() if "inert" in kinds}
        assert len(inert) >= 4
        assert moved_by_noise_in(inert) == 0.0
        assert all(moved_by_noise_in({head}) > 1.0 for head in set(all_heads(compiled)) - inert)

    @EVERY_MODEL
    def test_copying_heads_raise_each_symbol_above_all_others(self, name):
        compiled, model = known(name)
        embedded = model.W_E[list(compiled.symbols)]
        own = torch.arange(len(compiled.symbols))
        for (layer, head), kinds in compiled.truth.head_types.items():
            logits = embedded @ model.W_V[layer, head] @ model.W_O[layer, head] @ model.W_U
            rest = logits.clone()
            rest[own, list(compiled.symbols)] = -torch.inf
            raised = logits[own, list(compiled.symbols)] > rest.max(-1).values
            assert raised.all().item() == ("copying" in kinds)

    @EVERY_MODEL
    def test_inhibiting_heads_keep_a_later_head_from_looking_at_a_token_by_way_of_its_query(self, name):
        compiled, model = known(name)
        tokens = compiled.sample_pairs(16, 0).clean
        gained = attention_gained(model, tokens, "q")
        inhibiting = {edge[0] for edge, gain in gained.items() if gain[:, -1, 1:].max() > 0.2}
        assert inhibiting - {"embed", "pos_embed"} == set(compiled.truth.heads_of_type("inhibition"))

    def test_heads_of_a_type_are_named_layer_by_layer(self):
        truth = compile_model("compiled/look-alike").truth
        assert truth.heads_of_type("previous_token") == ("0.0", "0.1")
        assert truth.heads_of_type("induction") == ("1.0", "1.1", "1.2")
        assert truth.heads_of_type("inhibition") == ()
