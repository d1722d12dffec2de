"""What the selection split says is worth testing, and which texts it is asked of."""

import numpy as np
import pytest

from interp_lab.audit.choosing import chosen_of, require_known
from interp_lab.audit.config import AuditConfig
from interp_lab.audit.named import Proxy, ValuePair
from interp_lab.audit.own_file import read_own
from interp_lab.audit.screen import Screen
from interp_lab.audit.single import Scan
from interp_lab.audit.source import source_of
from interp_lab.config import ConfigError
from tests.audit.made import asked, jittered
from tests.audit.test_claimed import PAIR, pair

OTHER = "paper=thick with seal=whole"


def scan_of(**effects: float) -> Scan:
    """Twelve texts with two values of each attribute, the first likelier by so much, give or take 0.05."""
    p = [np.array([0.5 + effect, 0.5]) for effect in effects.values()]
    noise = np.random.default_rng(0).uniform(-0.05, 0.05, size=(12, 2 * len(effects)))
    names = tuple(name for name in effects for _ in range(2))
    return Scan(names, ("a", "b") * len(effects), np.concatenate(p) + noise, np.array([f"t{nth}" for nth in range(12)]))


def chosen(scan, candidates=None, **config):
    groups = [found for name in dict.fromkeys(scan.attributes) if (found := scan.groups(name)) is not None]
    own = AuditConfig.from_mapping(config)
    return chosen_of(own, scan, groups, candidates, legitimate=("income",), hidden=("group",))


class TestChosen:
    def test_are_attributes_with_an_effect_of_interest_the_largest_first(self):
        found = chosen(scan_of(home=0.2, income=0.4, day=0.0))
        assert [one.attribute for one in found.attributes] == ["income", "home"]
        assert [str(one) for one in found.attributes] == ["income: a > b", "home: a > b"]
        larger = chosen(scan_of(home=0.2, income=0.4, day=0.0), smallest_effect=0.3)
        assert [one.attribute for one in larger.attributes] == ["income"]

    def test_an_effect_that_is_as_often_the_other_way_is_not_chosen(self):
        p = np.array([[0.9, 0.1], [0.1, 0.75]] * 6)
        scan = Scan(("home",) * 2, ("a", "b"), p, np.array([f"t{nth}" for nth in range(12)]))
        assert scan.effect(scan.groups("home")) > 0.05
        assert chosen(scan).attributes == ()

    def test_what_should_not_decide_and_does_may_stand_in(self):
        assert chosen(scan_of(home=0.2, income=0.4)).proxies == (Proxy("home", "group"),)

    def test_pairs_that_turn_answers_on_both_sides(self):
        candidates = asked({PAIR: pair(0.1, 0.9), OTHER: pair(0.1, 0.1)})
        assert [str(one) for one in chosen(scan_of(home=0.0), candidates).pairs] == [PAIR]

    def test_of_pairs_those_that_turn_most(self):
        rows = {f"paper=thin with seal={nth}": pair(0.9 - nth / 10, 0.1 + nth / 10) for nth in range(1, 6)}
        found = chosen(scan_of(home=0.0), asked(rows)).pairs
        assert [one.second[1] for one in found] == ["5", "4", "3"]

    def test_pairs_that_bring_one_answer_are_asked_about_on_that_side_alone(self):
        held = pair(0.9, 0.9)[[*range(20, 40), *range(20, 40)]]
        candidates = asked({PAIR: held})
        assert chosen(scan_of(home=0.0), candidates).pairs == ()
        one_side = chosen(scan_of(home=0.0), candidates, pairs_that="bring one answer")
        assert [str(one) for one in one_side.pairs] == [PAIR]


class TestScreened:
    def test_two_values_that_bring_an_answer_only_together(self):
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, 4, size=(600, 4))
        p = np.where((drawn[:, 1] == 3) & (drawn[:, 2] == 1), 0.95, 0.05)
        held = (drawn[:, :, None] == np.arange(4)).reshape(600, 16).astype(np.int64)
        names = tuple(name for name in "abcd" for _ in range(4))
        screen = Screen(names, tuple("0123") * 4, held, p, np.full(600, "t"))
        assert screen.best(1, that="bring one answer") == [ValuePair(("b", "3"), ("c", "1"))]


class TestWhere:
    def test_texts_have_the_latents_that_are_asked_for(self):
        source, rng = source_of("loans", where={"group": "favoured"}), np.random.default_rng(0)
        assert {source.draw(rng)["group"] for _ in range(30)} == {"favoured"}
        free = source_of("loans")
        assert {free.draw(rng)["group"] for _ in range(30)} == {"favoured", "unfavoured"}

    def test_what_cannot_be_asked_for(self, tmp_path):
        with pytest.raises(ValueError, match="loans has no latent 'grup'; did you mean 'group'"):
            source_of("loans", where={"grup": "favoured"})
        with pytest.raises(ValueError, match="none of 1000 texts of loans has"):
            source_of("loans", where={"group": "nobody"}).draw(np.random.default_rng(0))
        with pytest.raises(ValueError, match=r"picks texts of the grammar by latents, and .*mine.yaml has none"):
            source_of(str(tmp_path / "mine.yaml"), where={"kind": "tone"})


OWN = """
answers: [" approved", " rejected"]
templates: ["{home} {day} :", "{day} {home} :"]
attributes: {home: [Eastgate, Westfield], day: [monday, VALUE]}
"""


class TestKnown:
    def test_hidden_latents_are_asked_for_before_anything_is_read(self, tmp_path):
        with pytest.raises(ValueError, match="loans has no latent 'grup'"):
            require_known(source_of("loans"), AuditConfig(hidden=("grup",)))
        path = tmp_path / "mine.yaml"
        path.write_text(OWN)
        with pytest.raises(ValueError, match="hidden names 'group', and mine knows no latents behind its texts"):
            require_known(read_own(path), AuditConfig(hidden=("group",)))

    @pytest.mark.parametrize("value", ["'a,b'", "'a>b'", "'a=b'", "' a'", "''"])
    def test_a_value_that_would_not_be_read_back_is_refused(self, tmp_path, value):
        path = tmp_path / "mine.yaml"
        path.write_text(OWN.replace("VALUE", value))
        with pytest.raises(ConfigError, match="of day is empty, has spaces around it, or holds"):
            read_own(path)


def test_the_made_probabilities_are_what_they_say():
    np.testing.assert_allclose(jittered(0.2, 0.7).mean(0), [0.2, 0.7], atol=0.01)
