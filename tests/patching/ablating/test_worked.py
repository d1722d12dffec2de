"""Compiled models: what each head writes, what is lost without it, and what stands in for what, is known by hand."""

import numpy as np
import pytest

from interp_lab.claims import Grade, Split
from interp_lab.organisms.compiled import compile_model
from interp_lab.patching.ablating.claimed import Subject, Verdict
from interp_lab.patching.ablating.known_answers import rows
from interp_lab.types import head_name
from tests.patching.ablating.results import measure_compiled

APART = ("1.0", "1.1", "1.2")
"""Heads of `compiled/linear` that nobody reads."""


@pytest.fixture(scope="module")
def linear():
    return measure_compiled("compiled/linear", prescreen="attribution", n_prescreened=4)


@pytest.fixture(scope="module")
def backup():
    return measure_compiled("compiled/backup", ablations=("zero", "mean by template", "resample"))


class TestLinear:
    def test_every_head_writes_and_is_missed_by_what_the_truth_says(self, linear):
        truth, table = compile_model("compiled/linear").truth, linear.tables()["sites"].set_index("site")
        lost = {head_name(head): amount for head, amount in truth.total_effects.items()}
        for name, row in table.iterrows():
            assert row["direct"] == pytest.approx(truth.direct_effects.get(name, 0.0), abs=1e-4)
            assert row["ablated"] == pytest.approx(lost.get(name, 0.0), abs=1e-4)

    def test_heads_that_nobody_reads_are_missed_by_what_they_write(self, linear):
        for name in APART:
            at = linear.names.index(name)
            assert np.allclose(linear.report.direct[at], -linear.report.changes[0, at], atol=1e-4)

    def test_verdicts(self, linear):
        assert dict(zip(linear.names, linear.verdicts, strict=True)) == {
            "0.0": Verdict.NEEDED,  # writes -0.5 and hands on 4
            "1.0": Verdict.BOTH,
            "1.1": Verdict.AGAINST,
            "1.2": Verdict.BOTH,
            **dict.fromkeys(("0.1", "0.2", "0.3", "1.3"), Verdict.NEITHER),
        }

    def test_takes_exactly_the_heads_that_matter_and_claims_them(self, linear):
        assert {linear.names[site] for site in linear.plan.chosen} == {"0.0", *APART}
        claims = {claim.statement: claim.grade for claim in linear.claims()}
        assert claims == dict.fromkeys(
            [
                "The answer needs 0.0 in compiled/linear",
                "The answer needs 1.0 in compiled/linear",
                "1.1 works against the answer in compiled/linear",
                "The answer needs 1.2 in compiled/linear",
            ],
            Grade.REPLICATED,
        )

    def test_the_cumulative_curve_is_worked_by_hand(self, linear):
        """1.0 (4), then 0.0 of which only its own -0.5 is left, then 1.2 (1), then idle heads, and 1.1 (-1.5) last."""
        table = linear.tables()["cumulative"]
        assert table["besides"].tolist()[:3] == ["1.0", "0.0", "1.2"]
        assert table["besides"].tolist()[-1] == "1.1"
        assert table["lost"].tolist() == pytest.approx([4, 3.5, 4.5, 4.5, 4.5, 4.5, 4.5, 3.0], abs=1e-3)
        assert table["sum_of_members"].tolist() == pytest.approx([4, 7.5, 8.5, 8.5, 8.5, 8.5, 8.5, 7.0], abs=1e-3)
        assert table["left"].tolist() == pytest.approx((4 - table["lost"]).tolist(), abs=1e-3)
        assert table["random_orders"].iloc[-1] == pytest.approx(3.0, abs=1e-3)  # all heads, in whatever order

    def test_no_set_where_there_is_one_other_set_only(self, linear):
        """Four of eight heads are chosen: the other four are no sample of sets of four."""
        assert "sets" not in linear.tables()

    def test_a_set_loses_less_than_its_members_by_what_one_hands_to_the_other(self):
        """1.0 (4), 0.0 (3.5) and 1.1 (-1.5); without all three the embedding's 1 and the 1 of 1.2 are left of 4."""
        found = measure_compiled("compiled/linear", n_top=3)
        (row,) = found.tables()["sets"].to_dict("records")
        assert row["sites"] == "1.0+0.0+1.1"
        assert (row["together"], row["sum_of_members"], row["beyond_the_sum"]) == pytest.approx((2, 6, -4), abs=1e-3)
        assert row["finding"] == "shared"
        evidence = found.evidence[Split.REPORT][Subject.SET, "z"]
        assert evidence.effect.estimate == pytest.approx(2, abs=1e-3)
        assert evidence.control == "mean of the random sets of as many (larger than 5 of 5)"

    def test_no_head_that_writes_is_unmissed(self, linear):
        assert "backups" not in linear.tables()

    def test_the_agreement_names_where_the_two_part(self, linear):
        (row,) = linear.tables()["agreement"].to_dict("records")
        direct, falls = [-0.5, 0, 0, 0, 4, -1.5, 1, 0], [3.5, 0, 0, 0, 4, -1.5, 1, 0]
        assert row["pearson"] == pytest.approx(np.corrcoef(direct, falls)[0, 1], abs=1e-4)
        assert (row["opposed"], row["writes_only"], row["needed_only"]) == ("0.0", "", "")

    def test_the_prescreen_is_exact_here_and_misses_nothing(self, linear):
        table = linear.tables()["prescreen"]
        assert np.allclose(table["estimated"], table["patched"], atol=1e-3)
        assert set(table["site"][table["kept"]]) == {"0.0", *APART}
        assert linear.metrics()["prescreen_recall"] == 1.0
        assert not table["missed"].any()


class TestBackup:
    def test_the_pair_is_found_confirmed_and_claimed(self, backup):
        table = backup.tables()["backups"]
        (row,) = table[table["ablation"] == "zero"].to_dict("records")
        assert (row["head"], row["stand_in"], row["finding"], row["grade"]) == ("1.0", "2.1", "backup", "replicated")
        assert (row["direct"], row["alone"], row["together"]) == pytest.approx((10, 0, 10), abs=0.05)
        assert (
            "1.0 and 2.1 stand in for each other in compiled/backup: more is lost without both than without each"
            in [claim.statement for claim in backup.claims()]
        )
        assert "2.1 stands in for 1.0 (zero ablation)" in backup.summary()

    def test_the_head_writes_and_is_not_missed(self, backup):
        verdicts = dict(zip(backup.names, backup.verdicts, strict=True))
        assert verdicts["1.0"] is Verdict.WRITES
        assert verdicts["0.0"] is Verdict.NEEDED
        assert verdicts["2.1"] is Verdict.NEITHER

    @pytest.mark.parametrize("kind", ["mean by template", "resample"])
    def test_what_another_prompt_made_it_write_keeps_the_stand_in_silent(self, backup, kind):
        """As in `truth.knockouts`: then the head is missed, and has no stand-in to look for."""
        lost = backup.ablated[list(map(str, backup.config.ablations)).index(kind)].at(backup.names.index("1.0"))
        assert lost.low > 9
        assert kind not in backup.tables()["backups"]["ablation"].tolist()

    def test_other_heads_in_its_place_are_the_control(self, backup):
        evidence = backup.evidence[Split.REPORT][Subject.BACKUP, "1.0+2.1"]
        assert evidence.control == "mean of the other heads in the place of 2.1 (larger than 10 of 10)"
        assert evidence.effect.estimate == pytest.approx(10, abs=0.05)


class TestKnownAnswers:
    @pytest.mark.parametrize("row", rows(), ids=lambda row: row.instrument)
    def test_reads_true_and_its_sabotaged_twin_does_not(self, row):
        assert row.measure()[0]
        assert not row.sabotage()[0]
