"""What controls are: the content test and random sets, worked by hand on `compiled/linear`.

The pairs are `a w a` against `w a w`. Head 1.0 writes 4 times the token two back, 0.0 half of the token one back (and a
note of it, which 1.0 reads), 1.1 -3/2 times the token two back, 1.2 minus the token one back.
"""

import numpy as np
import pytest

from interp_lab.claims import Split
from interp_lab.effects.parts import parts_of
from interp_lab.models import load_model
from interp_lab.patching import experiment
from interp_lab.patching.changes import PATCHES, Patch
from interp_lab.patching.experiment import Patching
from interp_lab.patching.sites import site_map
from tests.patching.results import (
    config_of,
    grammar_drawn_once,
    grammar_model,
    linear_pairs,
    made,
    measure,
    only,
    split,
)

WEIGHTS = {"1.0": (4.0, -3), "1.1": (-1.5, -3), "1.2": (-1.0, -2)}
"""What a head of layer 1 adds to the logit of a token: of the one at that place from the end."""
CONFIG = {"task": "induction", "sites": ("z",)}


@pytest.fixture(scope="module", autouse=True)
def draw():
    def draw_once(model, name, n, *, seed, reserved):
        source = linear_pairs if name == "induction" else grammar_drawn_once
        return source(model, name, n, seed=seed, reserved=reserved)

    with pytest.MonkeyPatch.context() as patch:
        only(patch, draw_once)
        yield


@pytest.fixture(scope="module")
def linear():
    return load_model("compiled/linear")


@pytest.fixture(scope="module")
def part(linear):
    return parts_of(linear, config_of(**CONFIG), partners="auto").by_split[Split.REPORT]


@pytest.fixture(scope="module")
def found(linear):
    return measure(linear, **CONFIG)


def written(prompts, pairs, head):
    """What the head adds to logit(a) - logit(w) of each pair, if it has the value that it has on these prompts."""
    weight, back = WEIGHTS[head]
    tokens = prompts[:, back].tolist()
    sides = zip(tokens, pairs.answers, pairs.wrong, strict=True)
    return np.array([weight * ((token == right[0][0]) - (token == wrong[0][0])) for token, right, wrong in sides])


def sources(part, patch):
    pairs, others = part.pairs, part.others
    return {
        Patch.DENOISE: (pairs.clean, pairs.corrupted),
        Patch.NOISE: (pairs.corrupted, pairs.clean),
        Patch.DENOISE_NULL: (others.corrupted, pairs.corrupted),
        Patch.NOISE_NULL: (others.clean, pairs.clean),
        Patch.DENOISE_OTHER: (others.clean, pairs.corrupted),
    }[patch]


class TestEveryPatch:
    @pytest.mark.parametrize("patch", PATCHES)
    @pytest.mark.parametrize("head", list(WEIGHTS))
    def test_by_hand_pair_by_pair(self, found, part, patch, head):
        source, base = sources(part, patch)
        expected = written(source, part.pairs, head) - written(base, part.pairs, head)
        changes = found.report.changes[PATCHES.index(patch), found.names.index(head)]
        assert changes == pytest.approx(expected, abs=1e-3)

    def test_another_clean_prompt_takes_the_wrong_answer_away_and_brings_no_right_one(self, found, part):
        """Where it shares no symbol: 1.0 no longer writes 4 for w, and writes 4 for something else."""
        others, own = part.others.clean[:, -3:].tolist(), part.pairs.clean[:, -3:].tolist()
        apart = [not set(one) & set(other) for one, other in zip(own, others, strict=True)]
        assert any(apart)
        changes = found.report.changes[PATCHES.index(Patch.DENOISE_OTHER), found.names.index("1.0")]
        assert changes[apart] == pytest.approx(np.full(sum(apart), 4.0), abs=1e-3)


class TestSets:
    def test_of_chosen_heads_of_one_layer_is_the_sum_of_them_and_random_ones_hold_none(self, linear, part):
        """1.0, 1.1 and 1.2 have effects of 8, -3 and 2; of the others only 0.0 has one: 7."""
        patching = Patching(config_of(**CONFIG, n_random_sets=30))
        sites = [site_map(linear, "z", [part.pairs], places="role")]
        chosen, none = ["1.0", "1.1", "1.2"], np.zeros(8, dtype=bool)
        counted = experiment.Steps(lambda *_: None, 1)
        ((together, *random),) = patching._sets(linear, sites, part, chosen, left_out=none, counted=counted)
        assert together == pytest.approx(np.full(len(part.pairs), 8 - 3 + 2), abs=1e-3)
        seen = np.unique(np.round(np.array(random).mean(1), 2))
        assert seen.tolist() == [0, 7]

    def test_leave_out_what_is_not_asked_about(self, linear, part):
        """Without 0.0 random sets of two are of heads that do nothing."""
        patching = Patching(config_of(**CONFIG, n_random_sets=10))
        sites = [site_map(linear, "z", [part.pairs], places="role")]
        left_out = np.arange(8) == 0
        chosen, counted = ["1.0", "1.1", "1.2"], experiment.Steps(lambda *_: None, 1)
        ((_, *random),) = patching._sets(linear, sites, part, chosen, left_out=left_out, counted=counted)
        assert np.abs(random).max() < 1e-3

    def test_in_the_experiment(self, found):
        """Chosen are 1.0, 0.0 and 1.1. With 1.0 patched 0.0 adds only what it writes itself, -1: 8 - 1 - 3."""
        assert [found.names[site] for site in found.chosen] == ["1.0", "0.0", "1.1"]
        for held in (found.report, found.held_out):
            assert held.sets[0, 0] == pytest.approx(np.full(len(held.clean), 4.0), abs=1e-3)
            random = held.sets[0, 1:]
            assert set(np.unique(np.round(random)).tolist()) <= {0.0, 2.0}  # 1.2, or none of the heads that matter


class TestPartners:
    """`auto` comes to one or the other, and what is said of controls must follow."""

    @pytest.fixture(scope="class")
    def same(self):
        return made(split((1.5, 0.8)), split((1.5, 0.8), seed=1), n_top=1, partners="same answers")

    @pytest.fixture(scope="class")
    def free(self):
        return made(split((1.5, 0.8)), split((1.5, 0.8), seed=1), n_top=1, partners="any")

    def test_what_they_came_to_is_kept(self, same, free):
        assert (same.same_answers, free.same_answers) == (True, False)
        for result in (same, free):
            again = type(result).from_arrays(result.config, result.provenance, result.arrays())
            assert again.same_answers is result.same_answers

    def test_is_what_auto_resolved_to(self):
        for task, same in (("grammar/loans/neighbourhood", True), ("grammar/indirect_objects", False)):
            drawn = parts_of(grammar_model(), config_of(task=task), partners="auto")
            assert drawn.same_answers is same, task
            equal = [part.pairs.answers == part.others.answers for part in drawn.by_split.values()]
            assert all(equal) is same

    def test_legends_evidence_and_page_say_which(self, same, free):
        names = {result.same_answers: [one.name for one in result.figures()["chosen"].data] for result in (same, free)}
        assert names[True][1:3] == [
            "its control: another corrupted prompt with the same answer", "another clean prompt with the same answer",
        ]  # fmt: skip
        assert names[False][1:3] == ["its control: another corrupted prompt", "another clean prompt (content)"]
        for result, which in ((same, " with the same answer"), (free, "")):
            told = f"denoise other is what another clean prompt{which} brings back, and specificity"
            assert told in result.sections()[0].suggests
            denoised, noised = (result.evidence(patch, Split.REPORT)[0] for patch in (Patch.DENOISE, Patch.NOISE))
            assert denoised.control == f"the value of another corrupted prompt{which}, of the same template"
            assert noised.control == f"the value of another clean prompt{which}, of the same template"

    def test_the_command_line_says_which(self, same, free, capsys):
        from interp_lab.cli.result_tables import show_patching

        for result, which in ((same, " with the same answer"), (free, "")):
            show_patching(result)
            told = " ".join(capsys.readouterr().out.split())
            assert f"null, other: another corrupted prompt{which}, another clean prompt{which}; grade" in told
            assert "0.0" in told
