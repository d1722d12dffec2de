"""What is found on one fold is tested on the other: the same parts, the same sentences, nothing chosen again."""

import re
from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Split
from interp_lab.patching.ablating import Ablating
from interp_lab.patching.ablating.claimed import Subject
from tests.patching.ablating.results import config_of, measure_compiled
from tests.patching.results import organism

ONE_WAY = {"n_pairs": 48, "n_held_out": None, "ablations": ("mean by template",)}
BACKUP = "compiled/backup"


@pytest.fixture(scope="module")
def searched():
    return Ablating(config_of(fold="search", **ONE_WAY)).measure(organism())


@pytest.fixture(scope="module")
def confirmed(searched):
    overlay = {**searched.confirmation().config, "fold": "held_out", "n_held_out": 16}
    return Ablating(searched.config.overlaid(overlay)).measure(organism())


class TestConfirmation:
    def test_other_examples_make_the_very_same_sentences(self, searched, confirmed):
        stated = searched.confirmation().statements
        made = {claim.statement for claim in confirmed.claims() if claim.grade}
        assert stated
        assert len(made & set(stated)) >= 0.75 * len(stated)
        assert set(stated) <= {claim.statement for claim in confirmed.claims()}

    def test_each_says_what_it_is_about_and_what_stays_open(self, searched):
        found = searched.confirmation()
        assert set(found.statements) == set(found.components) == set(found.uncertain)
        listed = {row.name for row in searched.components()}
        assert {part for name in found.components.values() for part in name.split(" + ")} <= listed
        assert not any(re.search(r"\d%|\d\.\d\d", statement) for statement in found.statements)

    def test_where_nothing_holds_there_is_nothing_to_test(self, searched):
        assert replace(searched, config=searched.config.overlaid({"smallest_effect": 0.99})).confirmation() is None


class TestStated:
    def test_nothing_is_chosen(self, searched, confirmed):
        assert np.isnan(confirmed.select.changes).all()
        assert [confirmed.names[nth] for nth in confirmed.plan.chosen] == [
            searched.names[nth] for nth in searched.plan.chosen
        ]
        said = " ".join(one.suggests + one.does_not_show for one in confirmed.sections())
        assert "chosen on other prompts" not in said
        assert "stated in advance" in said

    def test_its_numbers_are_those_of_choosing(self, searched):
        stated = Ablating(searched.config.overlaid(searched.confirmation().config)).measure(organism())
        assert {claim.statement for claim in searched.claims()} >= {claim.statement for claim in stated.claims()}
        for key, one in stated.evidence[Split.REPORT].items():
            other = searched.evidence[Split.REPORT][key]
            assert one.effect.estimate == pytest.approx(other.effect.estimate, abs=1e-5)
            assert one.versus_control.high == pytest.approx(other.versus_control.high, abs=1e-5)

    def test_a_stand_in_is_stated_by_both_heads(self):
        free = measure_compiled(BACKUP)
        (name,) = {name for kind, name in free.evidence[Split.REPORT] if kind is Subject.BACKUP} or {None}
        stated = measure_compiled(BACKUP, chosen=(name,))
        one, other = (found.evidence[Split.REPORT][Subject.BACKUP, name].effect for found in (free, stated))
        assert one.estimate == pytest.approx(other.estimate, abs=1e-5)
        assert name in stated.confirmation().config["chosen"]

    @pytest.mark.parametrize(
        ("chosen", "told"),
        [("1.9", "chosen names '1.9'"), ("0.0+0.9", "chosen names '0.9'"), ("0.0+0.0", "two different heads")],
    )
    def test_an_unknown_part_is_refused(self, chosen, told):
        with pytest.raises(ValueError, match=told):
            measure_compiled(BACKUP, chosen=(chosen,))
