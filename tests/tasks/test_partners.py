"""Every pair has another one to take unrelated values from."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import torch

from interp_lab.tasks import TextPair, pairs_for, tokenize_pairs
from interp_lab.tasks.partners import draw_partners
from interp_lab.tasks.roles import Place
from tests.tasks.reading import grammar_reader, piece_reader, word_reader

TASKS = {
    "indirect_object": piece_reader, "country_facts": piece_reader, "sentiment": piece_reader,
    "grammar/loans": grammar_reader, "grammar/sources": grammar_reader,
}  # fmt: skip


def letters(*both, template="t", **more):
    """Pairs `a X d`, corrupted to `a Y d`."""
    texts = [TextPair(f"a {one} d", f"a {two} d", (" Paris",), (" Rome",), template, **more) for one, two in both]
    return tokenize_pairs(word_reader(), texts, name="letters")


class TestOfTasks:
    @pytest.mark.parametrize("side", ["right", "left"])
    @pytest.mark.parametrize("name", TASKS)
    def test_are_alike_in_everything_but_the_words(self, name, side):
        pairs = pairs_for(TASKS[name](), name, 120, padding=side)
        chosen = pairs.partners(seed=0)
        others = pairs.rows(chosen)
        assert others.templates == pairs.templates
        assert torch.equal(others.mask, pairs.mask)
        assert set(others.roles) == set(pairs.roles)
        for role, positions in pairs.roles.items():
            assert torch.equal(others.roles[role], positions)
        assert bool((others.clean != pairs.clean).any(1).all())
        assert bool((others.corrupted != pairs.corrupted).any(1).all())
        assert len(set(chosen.tolist())) > 110

    def test_same_seed_same_partners(self):
        pairs = pairs_for(piece_reader(), "country_facts", 120)
        one, again, other = (pairs.partners(seed=seed).tolist() for seed in (1, 1, 2))
        assert one == again
        assert one != other

    def test_are_counted_within_the_rows_that_are_asked(self):
        pairs = pairs_for(piece_reader(), "country_facts", 140)
        part = pairs.rows(range(70, 140))
        assert part.partners(seed=0).max() < 70


class TestByHand:
    def test_two_are_each_others(self):
        assert letters("bc", "ce").partners(seed=0).tolist() == [1, 0]

    def test_three_go_round_either_way(self):
        pairs = letters("bc", "ce", "ea")
        rounds = Counter(tuple(pairs.partners(seed=seed).tolist()) for seed in range(100))
        assert set(rounds) == {(1, 2, 0), (2, 0, 1)}
        assert min(rounds.values()) > 25  # 50 on average, sd 5

    def test_twins_are_no_partners(self):
        pairs = letters("bc", "bc", "ce", "ce")
        drawn = {tuple(pairs.partners(seed=seed).tolist()) for seed in range(40)}
        assert drawn == {(2, 3, 0, 1), (2, 3, 1, 0), (3, 2, 0, 1), (3, 2, 1, 0)}

    def test_are_shared_where_they_do_not_suffice(self):
        drawn = {tuple(letters("bc", "bc", "ce").partners(seed=seed).tolist()) for seed in range(40)}
        assert drawn == {(2, 2, 0), (2, 2, 1)}

    def test_are_not_ones_own_corruption_if_it_can_be_helped(self):
        pairs = letters("bc", "cb", "de", "ed")  # 0 and 1 are each other turned round, and so are 2 and 3
        for seed in range(40):
            assert all((i < 2) != (j < 2) for i, j in enumerate(pairs.partners(seed=seed).tolist()))
        assert letters("bc", "cb").partners(seed=0).tolist() == [1, 0]

    def test_stay_within_their_template(self):
        both = [TextPair(f"a {one}", f"a {two}", (" Paris",), (" Rome",), template)
                for template in "xy" for one, two in ("bc", "ce")]  # fmt: skip
        assert tokenize_pairs(word_reader(), both, name="l").partners(seed=0).tolist() == [1, 0, 3, 2]

    def test_a_forced_answer_makes_no_other_prompt(self):
        texts = [TextPair("a b", "a c", (answer,), (" Rome",), "t") for answer in (" d e", " e d")]
        pairs = tokenize_pairs(word_reader(), texts, name="l", several_tokens=True)
        assert pairs.teacher_forced().clean[0].tolist() != pairs.teacher_forced().clean[1].tolist()
        for some in (pairs, pairs.teacher_forced()):
            with pytest.raises(ValueError, match="has no partner"):
                some.partners(seed=0)


class TestRefuses:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("a b d", "a c d"), ("a b d", "a e d")),  # the same clean prompt
            (("a b d", "a e d"), ("a c d", "a e d")),  # the same corrupted prompt
            (("a b d", "a c d"), ("a e", "a b")),  # another length
            (("a b d", "a c d"), ("a e d", "b e d")),  # changed elsewhere
            (("a b d a", "a c d a"), ("b d c e", "b a c b")),  # changed in one place more
        ],
    )
    def test_what_is_alike_or_too_unlike(self, one, other):
        texts = [TextPair(clean, corrupted, (" Paris",), (" Rome",), "letters/3") for clean, corrupted in (one, other)]
        pairs = tokenize_pairs(word_reader(), texts, name="letters")
        with pytest.raises(
            ValueError, match=r"pair 0 of template 'letters/3', 'a b d( a)?', has no partner: among the 2 pairs .*"
            r"\(2 of 2 pairs have none\); draw more examples per template"
        ):  # fmt: skip
            pairs.partners(seed=0)

    def test_a_role_in_another_place(self):
        texts = [TextPair(f"a {one} d", f"a {two} d", (" Paris",), (" Rome",), "t", roles={"x": place})
                 for one, two, place in (("b", "c", Place(0, 1)), ("c", "e", Place(4, 5)))]  # fmt: skip
        with pytest.raises(ValueError, match="no partner"):
            tokenize_pairs(word_reader(), texts, name="letters").partners(seed=0)

    def test_names_the_one_that_is_alone(self):
        texts = [TextPair(f"a {one}", f"a {two}", (" Paris",), (" Rome",), template)
                 for template, one, two in (("x", "b", "c"), ("y", "b", "c"), ("x", "c", "e"))]  # fmt: skip
        with pytest.raises(ValueError, match=r"pair 1 of template 'y', 'a b'.*\(1 of 3 pairs have none\)"):
            tokenize_pairs(word_reader(), texts, name="letters").partners(seed=0)


class TestDraw:
    def test_as_many_different_ones_as_there_can_be(self):
        rng = np.random.default_rng(0)
        short = 0
        for seed in range(60):
            clean, corrupted = ["".join(rng.choice(list("pqr"), 1)) for _ in range(5)], list("vwxyz")
            drawn = draw_partners([0] * 5, clean=clean, corrupted=corrupted, seed=seed)
            most = max(sum(clean[i] != clean[j] for i, j in enumerate(order)) for order in permutations(range(5)))
            partners = [int(j) for j in drawn if j >= 0]
            assert len(set(partners)) == (most if partners else 0)
            assert all(clean[i] != clean[j] for i, j in enumerate(drawn) if j >= 0)
            short += most < 5
        assert 0 < short < 60  # both cases came up

    def test_everyone_else_is_as_likely(self):
        drawn = np.array([draw_partners("xxxxx", clean="abcde", corrupted="vwxyz", seed=seed) for seed in range(800)])
        shares = np.array([np.bincount(column, minlength=5) for column in drawn.T]) / 800
        assert (np.diag(shares) == 0).all()
        assert np.abs(shares - (1 - np.eye(5)) / 4).max() < 0.07  # sd 0.015


class TestApart:
    @pytest.mark.parametrize(
        ("clean", "corrupted", "together", "apart"),
        [("ab", "ba", [1, 0], [-1, -1]), ("abc", "bad", None, [2, 2, None])],
        ids=["nobody else is there", "somebody else is shared"],
    )
    def test_nobody_is_the_partner_of_itself_turned_around(self, clean, corrupted, together, apart):
        for seed in range(5):
            kinds = ["t"] * len(clean)
            if together is not None:
                assert draw_partners(kinds, clean=clean, corrupted=corrupted, seed=seed).tolist() == together
            found = draw_partners(kinds, clean=clean, corrupted=corrupted, seed=seed, apart=True).tolist()
            assert all(wanted in (None, own) for own, wanted in zip(found, apart, strict=True))
