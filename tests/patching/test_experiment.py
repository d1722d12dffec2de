"""Identities that every model obeys, circuits worked by hand, and the same experiment broken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Grade, Split
from interp_lab.effects.parts import parts_of
from interp_lab.models import load_model
from interp_lab.patching import divided, experiment
from interp_lab.patching.changes import PATCHES, TO_CHOOSE, Patch
from interp_lab.patching.experiment import Patching
from interp_lab.patching.worked import HEADS, STREAM
from tests.patching.results import (
    config_of,
    effects_at,
    grammar_drawn_once,
    grammar_model,
    linear_pairs,
    measure,
    only,
    organism,
)


@pytest.fixture(scope="module", autouse=True)
def draw_once():
    with pytest.MonkeyPatch.context() as patch:
        only(patch, grammar_drawn_once)
        yield


BOTH_WAYS = (Patch.DENOISE, Patch.NOISE)


@pytest.fixture(scope="module")
def result():
    """The organism on indirect objects: who is given what the other one gives?"""
    return measure(organism(), sites=("resid_pre", "z"))


@pytest.fixture(scope="module")
def untrained():
    return measure(grammar_model(n_layers=2), **FACTS)


FACTS = {"task": "grammar/facts", "sites": ("resid_pre", "resid_post", "z")}


def same_bits(one, other):
    first, second = one.arrays(), other.arrays()
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f") for name in first
    )


class TestIdentities:
    """What holds in any model: everything the pair differs in passes through these places."""

    @pytest.mark.parametrize("patch", BOTH_WAYS)
    def test_all_changed_tokens_restore_everything(self, result, untrained, patch):
        """The prompts of a pair differ in one token, so the stream before layer 0 differs at one place."""
        for found, place in ((result, "changed"), (untrained, "country")):
            site = found.names.index(f"0.hook_resid_pre at {place}")
            for held in (found.report, found.held_out):
                largest = np.abs(held.total).max()
                assert largest > 0.01
                assert np.allclose(held.effect(patch)[site], held.total, rtol=0, atol=1e-3 * largest)
        assert effects_at(result, "0.hook_resid_pre at changed", patch) == pytest.approx(1.0, abs=1e-5)

    @pytest.mark.parametrize("patch", BOTH_WAYS)
    def test_the_last_stream_at_the_end_is_all_that_the_answer_is_read_from(self, untrained, patch):
        held = untrained.report
        assert np.allclose(
            held.effect(patch)[untrained.names.index("1.hook_resid_post at end")], held.total, rtol=0, atol=1e-5
        )
        elsewhere = untrained.names.index("1.hook_resid_post at country")
        assert np.abs(held.changes[:, elsewhere]).max() < 1e-5

    def test_a_layer_ends_where_the_next_one_begins(self, untrained):
        for place in ("country", "end"):
            pre, post = (
                untrained.names.index(f"{hook} at {place}") for hook in ("1.hook_resid_pre", "0.hook_resid_post")
            )
            assert np.allclose(untrained.report.changes[:, pre], untrained.report.changes[:, post], atol=1e-4)

    def test_shares_are_of_the_total_effect(self, result):
        for patch in BOTH_WAYS:
            site = result.names.index("2.hook_resid_pre at end")
            shown = result.intervals[patch].at(site)
            assert shown.estimate == pytest.approx(effects_at(result, "2.hook_resid_pre at end", patch), abs=1e-9)
            assert shown.low < shown.estimate < shown.high

    def test_baselines_are_those_of_the_model(self, result):
        pairs = parts_of(organism(), result.config, partners="auto").by_split[Split.REPORT].pairs
        with torch.inference_mode():
            logits = organism()(pairs.clean, attention_mask=pairs.mask.long())
        rows = torch.arange(len(pairs))
        at = logits[rows, pairs.answer_position]
        right, wrong = (torch.tensor([s[0][0] for s in sets]) for sets in (pairs.answers, pairs.wrong))
        assert np.allclose(result.report.clean, (at[rows, right] - at[rows, wrong]).numpy(), atol=1e-3)

    def test_it_is_the_organism_that_knows_the_answer(self, result):
        assert result.total.low > 10
        assert result.report.clean.min() > 0 > result.report.corrupted.max()


class TestWorkedByHand:
    """`compiled/linear` on its own pairs, `a w a` against `w a w`: effects add up, and each is known."""

    @pytest.fixture(scope="class")
    def linear(self):
        with pytest.MonkeyPatch.context() as patch:
            only(patch, linear_pairs)
            return measure(
                load_model("compiled/linear"), sites=("resid_pre", "resid_post", "z"), task="induction", n_top=4
            )

    @pytest.mark.parametrize("patch", BOTH_WAYS)
    def test_heads(self, linear, patch):
        for layer in range(2):
            for head in range(4):
                expected = HEADS["compiled/linear"].get((layer, head), 0.0) / 8
                assert effects_at(linear, f"{layer}.{head}", patch) == pytest.approx(expected, abs=1e-4)

    @pytest.mark.parametrize("patch", BOTH_WAYS)
    @pytest.mark.parametrize("layer", [0, 1, 2])
    def test_places_of_a_layer_add_up_to_everything(self, linear, patch, layer):
        hook = "1.hook_resid_post" if layer == 2 else f"{layer}.hook_resid_pre"
        shares = {at: effects_at(linear, f"{hook} at {at}", patch) for at in ("two back", "one back", "end")}
        known = {"end" if at == "last" else at: effect / 8 for at, effect in STREAM["compiled/linear"][layer].items()}
        assert shares == pytest.approx({"two back": 0.0, "one back": 0.0, **known}, abs=1e-4)
        assert sum(shares.values()) == pytest.approx(1.0, abs=1e-4)

    def test_takes_exactly_the_heads_that_matter(self, linear):
        heads = {linear.names[site] for site in linear.chosen} & {f"{x}.{y}" for x in range(2) for y in range(4)}
        assert heads == {"0.0", "1.0", "1.1", "1.2"}

    def test_the_head_that_works_against_the_answer_is_below_zero(self, linear):
        claims = [claim for claim in linear.claims() if claim.statement.startswith("1.1 ")]
        assert [claim.statement for claim in claims] == [
            "1.1 works against the answer: its clean value takes more of it away in corrupted prompts (organism)",
            "1.1 works against the answer: its corrupted value brings more of it to clean prompts (organism)",
        ]
        for claim in claims:
            assert claim.effect.effect.estimate == pytest.approx(-3 / 8, abs=1e-4)
            assert claim.grade is Grade.REPLICATED
        assert not [claim for claim in linear.claims() if "value at 1.1 " in claim.statement]

    def test_idle_heads_are_exactly_idle(self, linear):
        for name in ("0.1", "0.2", "0.3", "1.3"):
            assert np.abs(linear.report.changes[:, linear.names.index(name)]).max() < 1e-4


class TestHonesty:
    def test_a_model_without_the_behaviour_is_given_raw_effects_and_no_claim(self, untrained):
        assert not untrained.is_normalised
        assert untrained.effect_unit == "logits"
        assert "its interval covers zero: effects are given raw" in untrained.summary()
        assert "nothing to take a share of" in untrained.sections()[0].suggests
        assert untrained.claims() == []
        assert untrained.summary().split("\n")[-1].startswith("not asked: the corruption costs ")
        assert "which covers zero, so that there is nothing to bring back" in untrained.summary()

    def test_a_site_that_is_made_inert_gets_no_claim(self, result):
        """Head 0.2 is what the organism needs most; without its output weights there is nothing to patch."""
        assert "0.2" in {result.names[site] for site in result.chosen}
        model = load_model("organism")
        model.blocks[0].attn.W_O.data[2] = 0
        found = measure(model, sites=("z",), n_held_out=None)
        assert np.abs(found.report.changes[:, found.names.index("0.2")]).max() < 1e-4
        assert not [claim for claim in found.claims() if " at 0.2 " in claim.statement]

    def test_with_the_own_value_as_control_nothing_is_chosen(self, monkeypatch):
        """The sabotaged control does all that the patch does."""
        runs = divided.RUNS
        sabotaged = {**runs, Patch.DENOISE_NULL: runs[Patch.DENOISE], Patch.NOISE_NULL: runs[Patch.NOISE]}
        monkeypatch.setattr(divided, "RUNS", sabotaged)
        only(monkeypatch, linear_pairs)
        found = measure(load_model("compiled/linear"), task="induction", sites=("z",), n_held_out=None)
        assert found.chosen.tolist() == []
        assert found.claims() == []
        assert "no site was clear of its control" in found.summary()

    def test_claims_follow_the_controls_numbers(self, result):
        changes = result.report.changes.copy()
        for null, own in ((Patch.DENOISE_NULL, Patch.DENOISE), (Patch.NOISE_NULL, Patch.NOISE)):
            changes[PATCHES.index(null)] = changes[PATCHES.index(own)]
        fallen = replace(result, report=replace(result.report, changes=changes, sets=result.report.sets * np.nan))
        assert max(claim.grade for claim in result.claims()) is Grade.REPLICATED
        assert {claim.grade for claim in fallen.claims()} == {Grade.DESCRIPTIVE}

    def test_the_choice_does_not_see_what_is_reported(self, monkeypatch):
        """Other numbers on the report split, and on held-out templates: the same choice."""
        only(monkeypatch, linear_pairs)
        model, changes = load_model("compiled/linear"), {"task": "induction", "sites": ("z",), "n_held_out": None}
        honest = measure(model, **changes)
        original = divided.DividedSweeps.of_split

        def spoilt(self, split, **given):
            found = original(self, split, **given)
            return found if split is Split.SELECT else np.random.default_rng(0).standard_normal(found.shape)

        monkeypatch.setattr(divided.DividedSweeps, "of_split", spoilt)
        again = measure(model, **changes)
        assert again.chosen.tolist() == honest.chosen.tolist() != []
        assert again.summary() != honest.summary()

    def test_the_choice_follows_the_selection_split(self, result):
        swapped = experiment.choose(
            replace(result.select, changes=result.select.changes[:, ::-1]), result.maps, config=result.config
        )
        assert swapped.tolist() != result.chosen.tolist()


class TestSplits:
    @pytest.fixture(scope="class")
    def parts(self):
        return parts_of(grammar_model(), config_of(task="grammar/facts"), partners="auto").by_split

    def test_selection_and_report_share_templates_and_no_pair(self, parts):
        select, report = parts[Split.SELECT].pairs, parts[Split.REPORT].pairs
        assert (len(select), len(report)) == (8, 8)
        assert set(select.templates) == set(report.templates)
        assert not set(zip(select.clean_texts, select.corrupted_texts, strict=True)) & set(
            zip(report.clean_texts, report.corrupted_texts, strict=True)
        )

    def test_held_out_templates_really_are_other_templates(self, parts):
        held_out = parts[Split.HELD_OUT].pairs
        seen = {*parts[Split.SELECT].pairs.templates, *parts[Split.REPORT].pairs.templates}
        assert not seen & set(held_out.templates)
        assert all(held_out.reserved)

    def test_others_are_never_the_pair_itself_and_always_of_its_template_and_places(self, parts):
        for part in parts.values():
            assert part.pairs.templates == part.others.templates
            assert (part.pairs.clean != part.others.clean).any(1).all()
            assert (part.pairs.corrupted != part.others.corrupted).any(1).all()
            for role, positions in part.pairs.roles.items():
                assert torch.equal(positions, part.others.roles[role])

    def test_the_selection_split_is_patched_only_as_choosing_needs(self, result):
        measured = {patch: np.isfinite(result.select.changes[nth]).all() for nth, patch in enumerate(PATCHES)}
        assert {patch for patch, there in measured.items() if there} == set(TO_CHOOSE)
        assert np.isnan(result.select.changes[PATCHES.index(Patch.DENOISE_OTHER)]).all()
        assert np.isfinite(result.report.changes).all()
        assert np.isfinite(result.held_out.changes).all()

    def test_partners_with_the_same_answers_where_all_splits_have_them(self):
        """Loans are granted or denied: a partner of the other kind would speak for the clean answer."""
        changes = {"task": "grammar/loans/neighbourhood"}
        same = parts_of(grammar_model(), config_of(**changes), partners="auto")
        assert same.same_answers
        for part in same.by_split.values():
            assert part.pairs.answers == part.others.answers
        free = parts_of(grammar_model(), config_of(**changes, partners="any"), partners="any")
        assert not free.same_answers
        assert any(part.pairs.answers != part.others.answers for part in free.by_split.values())

    def test_no_held_out_templates_if_none_are_wanted(self):
        drawn = parts_of(grammar_model(), config_of(**FACTS, n_held_out=None), partners="auto")
        assert set(drawn.by_split) == {Split.SELECT, Split.REPORT}


class TestSeed:
    def test_same_seed_same_bits_and_another_seed_others(self, untrained):
        assert same_bits(measure(grammar_model(n_layers=2), **FACTS), untrained)
        other = parts_of(grammar_model(), config_of(**FACTS, seed=1), partners="auto").by_split
        same = parts_of(grammar_model(), untrained.config, partners="auto").by_split
        assert other[Split.REPORT].pairs.clean_texts != same[Split.REPORT].pairs.clean_texts
        assert other[Split.HELD_OUT].pairs.clean_texts != same[Split.HELD_OUT].pairs.clean_texts

    def test_a_small_memory_budget_changes_nothing(self, untrained):
        tight = measure(grammar_model(n_layers=2), **FACTS, n_held_out=None, memory_budget=200_000)
        assert np.allclose(tight.report.changes, untrained.report.changes, atol=1e-5)


class TestProgress:
    def test_goes_up_to_the_end(self):
        told = []
        Patching(config_of(task="grammar/facts", sites=("z",))).measure(
            grammar_model(), progress=lambda done, total, what: told.append((done / total, what))
        )
        shares = [share for share, _ in told]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert {"denoise", "noise_null"} <= {what for _, what in told}
