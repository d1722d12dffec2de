"""Classifiers are told on documents that they were not trained on, with intervals that are not of width zero."""

import numpy as np
import pytest
from scipy import stats

from interp_lab.config import ConfigError
from interp_lab.experiment import Steps, silent
from interp_lab.sae.features import combinations
from interp_lab.sae.features.combination import FEW, PAIR, SHUFFLED, SINGLE, Told, draw_documents
from interp_lab.sae.features.config import CombinationConfig
from interp_lab.sae.features.per_document import DocumentReadings
from interp_lab.sae.features.reported import accuracy, combination_table, less_than_pair
from interp_lab.stats import split_by_template
from tests.sae.features.planted import dictionary, model

CONFIG = CombinationConfig(n_documents=96, n_held_out=48, readings=("last",), most_features=2, n_shuffled=2)


@pytest.fixture(scope="module")
def found():
    """Two features are the two contexts, but for the reporting half, where they say the contrary of the label."""
    own, away = (draw_documents(CONFIG, n, reserved=r, seed=s)[1] for n, r, s in ((96, False, 0), (48, True, 1)))
    report = {
        own.texts[nth] for nth in split_by_template(own.templates, held_out=None, together=own.texts, seed=0).report
    }
    known = {
        text: ("repeated" in context, "late" in context) if text not in report else (not label, not label)
        for one in (own, away)
        for text, context, label in zip(one.texts, one.contexts, one.labels, strict=True)
    }

    def planted(_, __, texts, **___):
        noise = np.random.default_rng(0).normal(size=(len(texts), 6))
        x = np.concatenate([np.array([known[text] for text in texts], dtype=float), noise], 1).astype(np.float32)
        wide = np.pad(x, ((0, 0), (0, model().cfg.d_model - x.shape[1])))
        return DocumentReadings({"last": x}, {"last": wide}, np.ones((len(texts), 4), np.int64), 1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("interp_lab.sae.features.combination.read_per_document", planted)
        (one,) = combinations(model(), dictionary(), CONFIG, seed=0, steps=Steps(silent, 2))
    return one


def right(found, part, name):
    return getattr(found, part).right[found.names.index(name)].mean()


class TestParts:
    def test_the_reporting_half_is_not_the_training_half(self, found):
        assert set(found.few.chosen.tolist()) == {0, 1}
        assert right(found, "report", PAIR) == right(found, "report", FEW) == 0.0

    def test_held_out_templates_are_no_others(self, found):
        assert not set(found.report.templates) & set(found.held_out.templates)
        assert right(found, "held_out", PAIR) == 1.0

    def test_two_features_are_not_one(self, found):
        assert right(found, "held_out", SINGLE) < 0.95

    def test_the_gain_is_that_on_held_out_templates(self, found):
        gain = less_than_pair(found, SINGLE, level=0.95)
        assert gain.estimate == pytest.approx(1.0 - right(found, "held_out", SINGLE))

    def test_shuffled_labels_teach_nothing(self, found):
        assert accuracy(found.held_out, SHUFFLED, found.names, level=0.95).estimate < 0.9


class TestIntervals:
    TEMPLATES = tuple("abcd" * 10)

    def told(self, right):
        rows = np.array([right], dtype=bool)
        return Told(rows, rows, np.ones(len(right), dtype=int), self.TEMPLATES, ("",) * len(right))

    def test_all_right_on_every_template_is_no_certainty(self):
        """40 texts of 4 templates tell as much as 40 (t39 / t3)^2 independent ones."""
        told = self.told([True] * 40)
        all_right = accuracy(told, "it", ["it"], level=0.95)
        n = 40 * (stats.t.ppf(0.975, 39) / stats.t.ppf(0.975, 3)) ** 2
        assert (all_right.estimate, all_right.low, all_right.high) == (1.0, pytest.approx(0.025 ** (1 / n)), 1.0)

    def test_none_right_is_the_mirror(self):
        right, wrong = (accuracy(self.told([one] * 40), "it", ["it"], level=0.95) for one in (True, False))
        assert (wrong.low, wrong.high) == (0.0, pytest.approx(1 - right.low))

    def test_no_interval_of_a_table_has_width_zero(self, found):
        table = combination_table([found], level=0.95).set_index("classifier")
        for part in ("report", "held_out"):
            assert (table[f"{part}_low"] < table[f"{part}_high"]).all()
        gains = table.drop(PAIR)
        assert (gains["pair_less_this_low"] < gains["pair_less_this_high"]).all()


def test_monitors_are_refused_where_the_token_that_they_read_is_not():
    given = {"monitors": [{"run": "a/run", "artefact": "harsh"}], "readings": ["max"]}
    with pytest.raises(ConfigError, match=r"monitors=harsh read the last token, and readings are max; add last"):
        CombinationConfig.from_mapping(given)
