"""The comparison of the organism with its tuned form: claims follow numbers, nothing leaks, it outlives the model."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Grade, Split
from interp_lab.config import ConfigError
from interp_lab.registry import load_result
from interp_lab.runs.keep import keep
from interp_lab.similarity import ModelDifference, ModelDifferenceConfig
from interp_lab.similarity.crossed import WAYS, Way, chosen_parts
from interp_lab.similarity.described import BASE, TUNED
from interp_lab.similarity.experiment import documents_of
from tests.similarity.models import QUICK, bundled, declared, quick_result


@pytest.fixture(scope="module")
def found():
    return quick_result()


class TestOrganismAgainstTuned:
    def test_the_neighbourhood_lost_its_say(self, found):
        assert found.gap_of(BASE).low > 1.5
        assert abs(found.gap_of(TUNED).estimate) < 0.3

    def test_the_first_mlp_carries_most_of_what_is_written(self, found):
        carried = found.carried[WAYS.index(Way.WRITES_IN)].estimate / abs(found.total.estimate)
        assert found.parts.names[int(carried.argmax())] == "mlp 0"
        assert carried.max() > 0.4

    def test_no_single_parts_weights_bring_the_old_behaviour_back(self, found):
        carried = found.carried[WAYS.index(Way.WEIGHTS_BACK)].estimate / abs(found.total.estimate)
        assert carried.max() < 0.15

    def test_every_place_is_more_like_its_own_than_an_untrained_one_and_than_shuffled_text(self, found):
        same = found.same_places
        assert (same["text"].estimate > 0.8).all()
        assert (same["untrained"].estimate < 0.6).all()
        assert np.abs(same["shuffled"].estimate).max() < 0.15


class TestAgainstItself:
    """A model compared with itself: nothing moved, nothing is carried, and nothing is claimed."""

    @pytest.fixture(scope="class")
    def same(self):
        return quick_result("organism", n_held_out=None)

    def test_nothing_moved(self, same):
        assert same.moved["text"].estimate.max() == same.weights.max() == 0
        assert same.same_places["text"].estimate == pytest.approx(1)

    def test_by_name_it_is_refused(self):
        config = ModelDifferenceConfig(model="organism", tuned="organism")
        with pytest.raises(
            ValueError, match="organism does not differ from itself; name the model that was tuned from it"
        ):
            ModelDifference(config).measure(bundled("organism"))

    def test_nothing_is_carried_or_claimed(self, same):
        assert np.abs(same.report.changes).max() < 1e-4
        assert same.claims() == []
        assert "there is no change to carry" in same.summary()


class TestClaims:
    def test_only_chosen_parts_are_claimed_and_all_their_exchanges(self, found):
        names = {found.parts.names[nth] for nth in found.chosen}
        claims = found.claims()
        assert len(claims) == len(WAYS) * len(names)
        assert all(any(f", {name}:" in claim.effect.what for name in names) for claim in claims)

    def test_parts_are_chosen_on_the_selection_split_alone(self, found):
        assert np.array_equal(found.chosen, chosen_parts(found.select, found.parts, n_top=1))
        turned = replace(found.select, changes=found.select.changes[:, ::-1])
        assert not np.array_equal(found.chosen, chosen_parts(turned, found.parts, n_top=1))

    def test_without_a_change_on_the_report_split_nothing_is_claimed(self, found):
        noise = replace(found.report, tuned=found.report.base + np.tile([1.0, -1.0], len(found.report.base) // 2))
        silent = replace(found, report=noise)
        assert "covers zero" in silent.not_asked
        assert silent.claims() == []

    def test_a_part_that_does_what_all_do_is_not_causal(self, found):
        alike = np.broadcast_to(found.report.changes[:, :1], found.report.changes.shape).copy()
        flat = replace(found, report=replace(found.report, changes=alike))
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in flat.claims())

    def test_what_is_carried_points_from_the_receiver_to_the_other_model(self, found):
        held = found.report
        assert held.direction == -1
        assert np.array_equal(held.carried[WAYS.index(Way.WRITES_IN)], -held.changes[WAYS.index(Way.WRITES_IN)])
        assert np.array_equal(held.carried[WAYS.index(Way.WRITES_BACK)], held.changes[WAYS.index(Way.WRITES_BACK)])

    def test_without_held_out_templates_nothing_is_replicated(self, found):
        alone = replace(found, held_out=None)
        assert not alone.evidence[Split.HELD_OUT]
        assert max(claim.grade for claim in alone.claims()) <= Grade.CAUSAL


class TestShown:
    def test_descriptive_comes_first_and_has_no_causal_number(self, found):
        sections = found.sections()
        assert [one.causal for one in sections] == [False, False, True, True]
        assert {name for one in sections for name in one.tables} == set(found.tables())
        assert {name for one in sections for name in one.figures} == set(found.figures())

    def test_metrics_are_those_of_the_tables(self, found):
        carried, metrics = found.tables()["carried"], found.metrics()
        own = carried[carried["exchange"] == "tuned writes in base"]
        assert metrics["largest_writes_in"] == pytest.approx(own["share"].max())
        assert all(np.isfinite(list(metrics.values())))

    def test_it_outlives_the_models(self, found, tmp_path):
        keep(found, None, tmp_path / "run")
        again = load_result(tmp_path / "run")
        assert again.summary() == found.summary()
        assert again.metrics() == found.metrics()


class TestBadInput:
    def test_an_unknown_behaviour_to_leave_out(self):
        with pytest.raises(ValueError, match="without names 'nothing', which is no behaviour"):
            documents_of(ModelDifferenceConfig(without=("nothing",)))

    def test_too_few_documents(self, tmp_path):
        path = tmp_path / "text.txt"
        path.write_text("one line\n\nanother")
        with pytest.raises(ValueError, match="holds 2 documents, and n_documents=512"):
            documents_of(ModelDifferenceConfig(text=str(path)))

    def test_a_map_twice(self):
        with pytest.raises(ConfigError, match="one comes twice"):
            ModelDifferenceConfig.from_mapping({"parts": ["z", "z"]})

    def test_another_models_shape(self):
        config = ModelDifferenceConfig.from_mapping(QUICK)
        with pytest.raises(ValueError, match="different shapes"):
            ModelDifference(config).measure(bundled("organism"), tuned=declared())
