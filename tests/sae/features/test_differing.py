"""What chooses does not report: halves, held-out templates and models are those that were meant."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.config import ConfigError
from interp_lab.experiment import Steps, silent
from interp_lab.sae.features import SaeFeaturesConfig, SideValues, choose, figures, reported
from interp_lab.sae.features.differences import Chosen
from interp_lab.sae.features.differing import Difference, comparisons, measure_differences
from interp_lab.sae.features.per_document import DocumentReadings
from interp_lab.sae.features.sides import halves
from tests.sae.features.planted import dictionary, model

BOTH, HALF, NO = "report half and held-out templates", "report half", "no"
SIGNS = np.array([[1, -1, 1], [1, 1, -1], [1, 1, 1], [-1, -1, -1]])
"""Of four planted differences on the choosing half, on the reporting half, on held-out templates."""


def config(**differences):
    return SaeFeaturesConfig.from_mapping({
        "differences": {"n_documents": 48, "n_held_out": 24, "readings": ["mean"], **differences}
    })  # fmt: skip


def measured(asked, own=None, **differences):
    return measure_differences(asked, own or dictionary(), config(**differences), steps=Steps(silent, len(asked)))


@pytest.fixture
def read(monkeypatch):
    """Texts say what is planted of them, by part and by side; returns what was read by which model."""
    asked, parts = comparisons(model(), config(sets=["register"])), {}
    (one,) = asked
    for nth, part in enumerate((*halves(one.own, seed=0), one.away)):
        parts |= {text: (nth, side) for side, texts in ((1, part.first), (-1, part.second)) for text in texts}
    calls = []

    def planted(by, _, texts, **__):
        calls.append((by, texts))
        values = np.stack([
            5.0 + SIGNS[:, nth] * side + np.random.default_rng(len(text)).normal(size=4) / 10
            for text, (nth, side) in ((text, parts[text]) for text in texts)
        ])  # fmt: skip
        return DocumentReadings({"mean": values.astype(np.float32)}, {}, None, 1.0)

    monkeypatch.setattr("interp_lab.sae.features.differing.read_per_document", planted)
    return asked, calls, planted


class TestHalves:
    def test_what_chooses_reports_nothing_and_signs_count(self, read):
        (found,) = measured(read[0], sets=["register"])
        assert dict(zip(found.chosen.latents.tolist(), found.holds(fdr=0.05), strict=True)) == {
            0: NO, 1: HALF, 2: BOTH, 3: BOTH,
        }  # fmt: skip

    def test_values_are_those_of_their_texts(self, read):
        asked, _, planted = read
        (found,) = measured(asked, sets=["register"])
        report = halves(asked[0].own, seed=0)[1]
        for values, texts in ((found.report, report), (found.held_out, asked[0].away)):
            wanted = planted(None, None, texts.second).latents["mean"].T[found.chosen.latents]
            np.testing.assert_array_equal(values.second, wanted)
            assert values.second_units == texts.second_units


class TestHeldOut:
    @pytest.mark.parametrize("tuned_on", ["neighbourhood", None])
    def test_templates_are_no_others(self, tuned_on):
        own = config(sets=["sentiment", "register", "neighbourhood"], tuned="organism", tuned_on=tuned_on)
        for one in comparisons(model(), own, tuned=model()):
            choosing, held_out = ({*side.first_units, *side.second_units} for side in (one.own, one.away))
            assert len(held_out) >= 3
            assert not choosing & held_out

    def test_too_few_documents_are_refused_before_anything_is_read(self, monkeypatch):
        with pytest.raises(ConfigError, match="n_held_out"):
            config(n_held_out=4)
        monkeypatch.setattr("interp_lab.sae.features.differing.LEAST_UNITS", 50)
        with pytest.raises(
            ValueError, match=r"24 documents of 'register' have \d+ held-out .*raise differences.n_held_out"
        ):
            comparisons(model(), config(sets=["register"]))


class TestTuned:
    def test_each_model_reads_its_side(self, monkeypatch):
        calls, other = [], copy.deepcopy(model())

        def nothing(by, _, texts, **__):
            calls.append(by)
            return DocumentReadings({"mean": np.zeros((len(texts), 3), np.float32)}, {}, None, 1.0)

        monkeypatch.setattr("interp_lab.sae.features.differing.read_per_document", nothing)
        measured(comparisons(model(), config(tuned="other"), tuned=other))
        assert [by is other for by in calls] == [False, True] * 3

    def test_models_to_which_words_are_other_numbers_are_refused(self):
        other = copy.deepcopy(model())
        other.tokenizer.add_tokens(["of-its-own"])
        with pytest.raises(ValueError, match="have tokenizers with other tokens"):
            comparisons(model(), config(tuned="other"), tuned=other)

    def test_an_embedding_moved_by_hand_is_found_and_nothing_else(self):
        """The tuned model reads `savings`, of which every text speaks, as if it were `never`, of which none does."""
        moved, other = (model().tokenizer.convert_tokens_to_ids(word) for word in ("savings", "never"))
        tuned = copy.deepcopy(model())
        with torch.no_grad():
            tuned.embed.W_E[moved] = tuned.embed.W_E[other]
        asked = comparisons(model(), config(tuned="moved"), tuned=tuned)
        (found,) = measured(asked, tuned="moved")
        assert sorted(found.chosen.latents.tolist()) == sorted([moved, other])
        assert found.names[0] == "organism"
        assert found.chosen.effect[moved] > 0 > found.chosen.effect[other]
        assert found.holds(fdr=0.05) == [BOTH, BOTH]


def difference(report, held_out=None, *, n=20) -> Difference:
    """All features were chosen, more in the first side."""
    chosen = Chosen(np.ones(n), np.zeros(n), np.arange(n), n, n, "Welch", 0.0)
    return Difference("s", ("a", "b"), "last", "document", chosen, report, held_out, (1.0, 1.0), 0.95, 0)


def one_in_many(shift: float, *, rest: float = 0.0) -> SideValues:
    """Twenty features on ten documents a side: the first differs a little, the others by `rest`."""
    base = np.tile(np.linspace(0, 1, 10), (20, 1))
    first = base + np.array([shift, *[rest] * 19])[:, None]
    units = tuple(tuple(f"{side}{nth}" for nth in range(10)) for side in "ab")
    return SideValues(first, base, *units, paired=False)


class TestCorrection:
    def test_what_one_test_would_call_clear_is_not_among_twenty(self):
        found = difference(one_in_many(0.35))
        assert 0.01 < found.reported.p[0] < 0.05
        assert found.holds(fdr=0.05) == [NO] * 20

    def test_on_held_out_templates_too(self):
        found = difference(one_in_many(5.0, rest=5.0), one_in_many(0.35))
        assert found.replicated.intervals.excludes(0.0)[0]
        assert found.holds(fdr=0.05) == [HALF] * 20


class TestCompleteSeparation:
    def separated(self):
        values = np.stack([np.full(24, 5.0), np.full(24, 2.0), np.linspace(0, 1, 24)])
        units = tuple("abcdefgh" * 3)
        return SideValues(values, np.stack([np.zeros(24), np.full(24, 9.0), values[2]]), units, units, paired=False)

    def test_is_chosen_first_and_found_again(self):
        values = self.separated()
        found = replace(
            difference(values), chosen=(chosen := choose(values, fdr=0.05, n_shown=5)), report=values.of(chosen.latents)
        )
        assert chosen.latents.tolist() == [1, 0], "the larger difference first"
        assert chosen.effect.tolist() == [np.inf, -np.inf, 0.0]
        assert found.holds(fdr=0.05) == [HALF, HALF]
        assert {reported.told_effect(one) for _, one in reported.largest_effects(found, 2)} == {
            "separates the sides completely: documents of a side do not differ"
        }

    def test_can_be_drawn(self):
        values = self.separated()
        chosen = choose(values, fdr=0.05, n_shown=5)
        found = replace(difference(values), chosen=chosen, report=values.of(chosen.latents))
        drawn = figures.effects(found)
        assert np.isfinite(drawn.data[0].x).all()
        assert "separates completely" in drawn.layout.title.text
        assert all(np.isfinite(trace.x).all() for trace in figures.volcano(found, fdr=0.05).data)
