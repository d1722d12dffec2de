"""The first page: every claim counted once, everything uncertain with its reason."""

from collections import Counter
from dataclasses import replace

from interp_lab.claims import Claim, Grade, Split
from interp_lab.reports import digest
from tests.reports.results import Made, evidence, held_out

REPLICATED = Claim("replicated", "o", evidence(), held_out())
CAUSAL = Claim("causal", "o", evidence())
SEEN = Claim("seen", "o")
FAILED = Claim("failed", "o", evidence((0.6, 0.3, 0.9), name="another prompt"))


def asked(*results: Made) -> list[digest.Asked]:
    return [digest.asked_of(number, result) for number, result in enumerate(results, 1)]


def test_says_what_was_asked_on_which_data():
    (one,) = asked(Made((REPLICATED, SEEN), model="m"))
    assert (one.heading, one.question, one.data) == ("1. made up: m", "Does it?", "Measured on made-up numbers.")
    assert one.examples == "32 (report), 32 (held-out templates)"
    assert one.counts == Counter({Grade.REPLICATED: 1, Grade.DESCRIPTIVE: 1})
    assert asked(Made())[0].examples == "no intervention"


def test_sizes_of_a_split_are_one_number_or_a_range():
    """However many claims there are, the front page has one entry per split."""
    sizes = {Split.REPORT: (48, 40, 44, 48), Split.HELD_OUT: (24, 24)}
    claims = tuple(
        Claim("c", "o", replace(evidence(), split=split, n_examples=n)) for split, own in sizes.items() for n in own
    )
    assert asked(Made(claims))[0].examples == "40-48 (report), 24 (held-out templates)"


def test_grades_stand_from_the_most_supported_with_none_left_out():
    found = digest.by_grade(asked(Made((SEEN, CAUSAL)), Made((CAUSAL, FAILED))))
    assert [(str(grade), len(claims)) for grade, claims in found.items()] == [
        ("replicated", 0), ("causal", 2), ("descriptive", 2),
    ]  # fmt: skip
    assert [one.asked.number for one in found[Grade.CAUSAL]] == [1, 2]


def test_what_stayed_descriptive_stands_with_its_reason():
    untested, failed = digest.stayed_descriptive(asked(Made((SEEN, FAILED, CAUSAL)), Made((SEEN,))))
    assert (untested.lacks, len(untested.claims)) == ("no intervention tests it", 2)
    assert "0.600 [0.300, 0.900]" in failed.claims[0][1]


def test_what_is_not_replicated_stands_with_its_reason():
    (group,) = digest.not_replicated(asked(Made((REPLICATED, CAUSAL, SEEN))))
    assert group.lacks == "not measured on held-out templates"
    assert [supported.claim.statement for supported, _ in group.claims] == ["causal"]


def test_controls_are_counted_over_results():
    first, second = digest.controls(asked(Made((FAILED, CAUSAL)), Made((REPLICATED, SEEN))))
    assert (first.control, first.n_claims, first.numbers) == ("random heads", 2, (1, 2))
    assert (second.control, second.behaviours) == ("another prompt", ("change of loss",))


def test_only_what_all_have_in_common_is_said_once():
    shared = digest.shared_origin(asked(Made(), Made(commit=None)))
    assert "commit" not in shared
    assert shared["versions"] == "torch 2.0"
    assert digest.origin_facts(Made(commit=None))["commit"].startswith("unknown")
