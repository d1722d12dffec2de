"""What is found on one fold is tested on the other: the same sites, the same sentences, nothing chosen again."""

import re
from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Grade, Split
from interp_lab.config import ConfigError
from interp_lab.patching.changes import Patch
from interp_lab.patching.experiment import Patching
from tests.patching.results import config_of, organism

SITES = {"sites": ("resid_pre", "z"), "n_pairs": 48, "n_top": 2}


@pytest.fixture(scope="module")
def searched():
    return Patching(config_of(fold="search", **SITES, n_held_out=None)).measure(organism())


@pytest.fixture(scope="module")
def confirmed(searched):
    config = searched.config.overlaid({**searched.confirmation().config, "fold": "held_out", "n_held_out": 16})
    return Patching(config).measure(organism())


class TestConfirmation:
    def test_other_examples_make_the_very_same_sentences(self, searched, confirmed):
        stated = searched.confirmation().statements
        made = {claim.statement: claim.grade for claim in confirmed.claims()}
        assert stated
        assert all(made[statement] >= Grade.CAUSAL for statement in stated)

    def test_the_strongest_comes_first(self, searched):
        effects = {claim.statement: abs(claim.effect.effect.estimate) for claim in searched.claims()}
        sizes = [effects[statement] for statement in searched.confirmation().statements]
        assert sizes == sorted(sizes, reverse=True)

    def test_each_says_what_it_is_about_and_what_stays_open(self, searched):
        found = searched.confirmation()
        assert set(found.statements) == set(found.components) == set(found.uncertain)
        listed = {row.name for row in searched.components()}
        alone = {name for name in found.components.values() if " + " not in name}
        assert alone <= listed

    def test_no_sentence_holds_a_measured_number(self, searched):
        assert not any(re.search(r"\d%|\d\.\d\d", statement) for statement in searched.confirmation().statements)

    def test_where_nothing_holds_there_is_nothing_to_test(self, searched):
        nothing = replace(searched, config=searched.config.overlaid({"smallest_effect": 0.99}))
        assert nothing.confirmation() is None


class TestStated:
    def test_only_what_is_stated_is_patched_and_nothing_is_chosen(self, searched, confirmed):
        assert sorted(confirmed.names) == sorted(searched.config.overlaid(searched.confirmation().config).chosen)
        assert np.isnan(confirmed.select.changes).all()
        assert not confirmed.stability
        assert "stated in advance" in confirmed.claims()[0].observed
        assert "chosen on other prompts" not in confirmed.sections()[0].does_not_show

    def test_its_numbers_are_those_of_patching_everything(self, searched):
        stated = Patching(searched.config.overlaid(searched.confirmation().config)).measure(organism())
        assert [claim.statement for claim in stated.claims()] == [claim.statement for claim in searched.claims()]
        for patch in (Patch.DENOISE, Patch.NOISE):
            for one, other in zip(
                stated.evidence(patch, Split.REPORT), searched.evidence(patch, Split.REPORT), strict=True
            ):
                assert one.effect.estimate == pytest.approx(other.effect.estimate, abs=1e-5)
                assert one.versus_control.low == pytest.approx(other.versus_control.low, abs=1e-5)
                assert one.p_adjusted == pytest.approx(other.p_adjusted, abs=1e-6)
        for name, one in stated.set_evidence(Split.REPORT).items():
            assert one.effect.estimate == pytest.approx(
                searched.set_evidence(Split.REPORT)[name].effect.estimate, abs=1e-5
            )

    def test_a_result_comes_back_from_its_arrays(self, confirmed):
        again = type(confirmed).from_arrays(confirmed.config, confirmed.provenance, confirmed.arrays())
        assert again.components() == confirmed.components()
        assert again.confirmation() == confirmed.confirmation()
        assert again.figures().keys() == confirmed.figures().keys()

    def test_an_unknown_cell_is_refused_with_the_nearest(self):
        with pytest.raises(ValueError, match=r"chosen names '1.9', .*did you mean '1\.\d'"):
            Patching(config_of(sites=("z",), chosen=("1.9",), n_held_out=None)).measure(organism())

    @pytest.mark.parametrize("chosen", [(), ("1.3", "1.3")], ids=["nothing", "twice"])
    def test_it_is_a_list_of_different_names(self, chosen):
        with pytest.raises(ConfigError, match="chosen"):
            config_of(chosen=chosen)
