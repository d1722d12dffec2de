import pytest
import torch

from interp_lab.organisms.compiled import compiled_names
from tests.oracles.edges import contributions, logit_difference
from tests.organisms.compiled.building import all_heads, known, replacing_z

EVERY_MODEL = pytest.mark.parametrize("name", compiled_names())
INDUCTION = pytest.mark.parametrize("name", ["compiled/induction", "compiled/look-alike", "compiled/backup"])
ONE_HOT = 10 * torch.eye(24)


def ids(compiled, text):
    return torch.tensor([[compiled.vocabulary.index(word) for word in ("<bos>", *text.split())]])


class TestEveryModel:
    @EVERY_MODEL
    def test_solves_every_pair_by_the_margin_that_the_truth_names(self, name):
        compiled, model = known(name)
        clean, corrupted, answers, wrong = compiled.sample_pairs(500, 7)
        margin = torch.full((500,), compiled.truth.logit_difference)
        logits = model(clean)
        assert (logits[:, -1].argmax(-1) == answers).all()
        assert torch.allclose(logit_difference(logits, answers, wrong), margin, atol=1e-5)
        # The corrupted prompt asks for the wrong answer, and gets it.
        assert torch.allclose(logit_difference(model(corrupted), answers, wrong), -margin, atol=1e-5)

    @EVERY_MODEL
    def test_has_the_direct_effects_that_the_truth_lists(self, name):
        compiled, model = known(name)
        pairs = compiled.sample_pairs(50, 2)
        direction = model.W_U[:, pairs.answers] - model.W_U[:, pairs.wrong]
        for node, written in contributions(model, pairs.clean).items():
            effect = (written[:, -1] * direction.T).sum(-1)
            expected = torch.full((50,), compiled.truth.direct_effects.get(node, 0.0))
            assert torch.allclose(effect, expected, atol=1e-5), node

    @EVERY_MODEL
    def test_loses_with_each_head_what_the_truth_says(self, name):
        compiled, model = known(name)
        clean, _, answers, wrong = compiled.sample_pairs(50, 2)
        for head in all_heads(compiled):
            logits = model.run_with_hooks(clean, fwd_hooks=replacing_z({head: torch.zeros(())}))
            fall = compiled.truth.logit_difference - logit_difference(logits, answers, wrong)
            expected = torch.full((50,), compiled.truth.total_effects.get(head, 0.0))
            assert torch.allclose(fall, expected, atol=1e-4), head

    @pytest.mark.parametrize("name", ["compiled/backup", "compiled/look-alike"])
    def test_survives_the_knockouts_that_it_should_and_no_others(self, name):
        compiled, model = known(name)
        clean, corrupted, answers, wrong = compiled.sample_pairs(100, 4)
        whole = compiled.truth.logit_difference
        for knockout in compiled.truth.knockouts:
            values = {head: torch.zeros(()) for head in knockout.heads}
            if knockout.method != "zero":
                _, cache = model.run_with_cache(clean if knockout.method == "mean" else corrupted)
                values = {(layer, head): cache["z", layer][:, :, head] for layer, head in knockout.heads}
            if knockout.method == "mean":
                values = {head: value.mean(0) for head, value in values.items()}
            left = logit_difference(model.run_with_hooks(clean, fwd_hooks=replacing_z(values)), answers, wrong)
            assert (left - whole).abs().max() < 1e-4 if knockout.survives else left.mean() < whole / 20, knockout

    def test_needs_both_of_a_redundant_pair_and_neither_alone(self):
        methods = {(kn.method, len(kn.heads), kn.survives) for kn in known("compiled/backup")[0].truth.knockouts}
        assert {("zero", 1, True), ("zero", 2, False)} <= methods
        assert ("zero", 1, False) not in methods


class TestInduction:
    @INDUCTION
    @pytest.mark.parametrize("offset", [0, 1, 7])
    def test_predicts_the_whole_second_copy_at_every_period(self, name, offset):
        _, model = known(name)
        generator = torch.Generator().manual_seed(offset)
        for period in range(1, 24 - offset):
            symbols = torch.stack([torch.randperm(23, generator=generator) + 1 for _ in range(3)])
            prefix, x = symbols[:, :offset], symbols[:, offset : offset + period]
            tokens = torch.cat([torch.zeros(3, 1, dtype=torch.long), prefix, x, x], dim=1)
            logits = model(tokens)
            first = 1 + offset + period
            following = torch.cat([tokens[:, first + 1 :], x[:, :1]], dim=1)  # the segment comes round again
            assert torch.allclose(logits[:, first:], ONE_HOT[following], atol=1e-6)
            assert logits[:, :first].abs().max() < 1e-6  # nothing has come back yet

    @INDUCTION
    def test_averages_what_followed_several_occurrences(self, name):
        compiled, model = known(name)
        logits = model(ids(compiled, "a b a c a"))[0, -1]
        assert logits == pytest.approx((ONE_HOT[2] / 2 + ONE_HOT[3] / 2).numpy(), abs=1e-5)


class TestDuplicateToken:
    def test_knows_at_every_position_of_random_text_what_it_has_seen(self):
        _, model = known("compiled/duplicate-token")
        text = torch.randint(1, 24, (50, 47), generator=torch.Generator().manual_seed(0))
        logits = model(torch.nn.functional.pad(text, (1, 0)))[:, 1:]
        for row in range(50):
            seen = [token in text[row, :at] for at, token in enumerate(text[row])]
            expected = ONE_HOT[torch.where(torch.tensor(seen), 1, 2)]
            assert torch.allclose(logits[row], expected, atol=1e-5)


class TestCopying:
    @pytest.mark.parametrize("order", ["ABA", "BAA", "AAB"])
    @pytest.mark.parametrize("n_words", [3, 9, 46])
    def test_names_the_one_who_was_named_once(self, order, n_words):
        _, model = known("compiled/copying")
        generator = torch.Generator().manual_seed(n_words)
        for _ in range(30):
            a, b = (torch.randperm(10, generator=generator)[:2] + 1).tolist()
            words = torch.randint(11, 23, (n_words,), generator=generator)
            places = torch.randperm(n_words, generator=generator)[:3].sort().values
            words[places] = torch.tensor([a if letter == "A" else b for letter in order])
            prompt = torch.cat([torch.tensor([0]), words, torch.tensor([23])])[None]
            assert torch.allclose(model(prompt)[0, -1], ONE_HOT[b], atol=1e-5)

    def test_says_nothing_before_the_arrow(self):
        compiled, model = known("compiled/copying")
        logits = model(ids(compiled, "then Ann and Bob went and Ann gave the book ->"))
        assert logits[0, :-1].abs().max() < 1e-6
        assert compiled.vocabulary[int(logits[0, -1].argmax())] == "Bob"


class TestLinear:
    def test_weighs_the_last_three_tokens(self):
        compiled, model = known("compiled/linear")
        logits = model(ids(compiled, "f g h a b c"))[0, -1]
        expected = torch.zeros(24)
        expected[[1, 2, 3]] = torch.tensor([2.5, -0.5, 1.0])
        assert torch.allclose(logits, expected, atol=1e-6)
