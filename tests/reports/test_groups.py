"""Claims in groups: what they share is said once, what they do not share stays with each."""

from interp_lab.claims import Claim
from interp_lab.reports.groups import claim_groups
from tests.reports.results import evidence, held_out


def claim(head: str, beaten: int, observed: str = "seen", **options) -> Claim:
    name = f"mean of 4 heads (larger than {beaten} of them)"
    effect = evidence(what=f"ablation of {head}: change of loss", name=name, **options)
    return Claim(f"{head} matters", observed, effect)


def test_a_remark_on_the_control_does_not_part_claims():
    (group,) = claim_groups([claim("1.0", 4), claim("1.1", 2)])
    assert (group.control, group.behaviour, group.unit) == ("mean of 4 heads", "change of loss", "nats")
    assert group.observed == "seen"
    assert [row.remarks for row in group.rows] == [
        ("ablation of 1.0", "larger than 4 of them"),
        ("ablation of 1.1", "larger than 2 of them"),
    ]


def test_observations_that_differ_stay_with_their_claims():
    (group,) = claim_groups([claim("1.0", 4, "0.9"), claim("1.1", 2, "0.5")])
    assert group.observed == ""
    assert [row.remarks[1] for row in group.rows] == ["0.9", "0.5"]


def test_another_margin_and_no_intervention_are_other_groups():
    groups = claim_groups([Claim("a", "b"), claim("1.0", 4), claim("1.1", 4, margin=0.1)])
    assert [group.margins for group in groups] == [(0.5,), (0.1,), ()]
    assert groups[-1].control == ""


def test_a_margin_of_its_own_on_held_out_templates_is_told():
    groups = claim_groups([Claim("a", "b", evidence(), held_out(margin=0.7))])
    assert groups[0].margins == (0.5, 0.7)
    assert claim_groups([Claim("a", "b", evidence(), held_out(margin=0.50001))])[0].margins == (0.5,)


def test_the_most_supported_stands_first():
    weak, strong = Claim("weak", "", evidence(p=0.9)), Claim("strong", "", evidence(), held_out())
    (group,) = claim_groups([weak, strong])
    assert [row.claim.statement for row in group.rows] == ["strong", "weak"]
    assert [len(row.lines) for row in group.rows] == [2, 1]
