"""Three texts that share no document, and sources that know how much of it there is."""

import itertools

import numpy as np
import pytest

from interp_lab import load_model
from interp_lab.sae.activations import stream_activations
from interp_lab.sae.activations.documents import digest, documents_of
from interp_lab.sae.material import calibration_text, judged_text, material, training_text
from interp_lab.sae.training import TrainingConfig, train_saes
from interp_lab.sae.training.stream import Counted
from tests.sae.trainings import HOOK, small


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


class TestTexts:
    def test_every_document_is_on_one_side_of_three(self):
        """By their digests, read as shares: judged below 0.3, calibrated on up to 0.6, trained on above."""
        config = small()
        trained = documents_of(config.asked(training_text(config), n_tokens=1))
        shares = [digest(one.text) % 2**64 / 2**64 for one in itertools.islice(trained, 200)]
        assert 0.6 <= min(shares) < 0.65

    def test_those_of_a_run_are_disjoint(self, model):
        config = small()
        judged, calibrated = judged_text(model, config), calibration_text(model, config)
        trained = stream_activations(model, config.asked(training_text(config), n_tokens=config.n_read))
        for one, other in itertools.combinations((judged, calibrated, trained), 2):
            assert not np.intersect1d(one.digests(), other.digests()).size
        assert (judged.n_rows, trained.n_rows) == (400, 1920)
        assert calibrated.n_rows >= config.n_calibrated

    def test_nothing_is_calibrated_where_nothing_has_a_threshold(self, model, tmp_path):
        config = small(grids={"topk": {"architecture.k": [4]}})
        assert material(model, config, folder=tmp_path).held_out is not None
        plain = {**config.as_dict()}
        del plain["training"]["saes"]["batch"]
        assert material(model, type(config).from_mapping(plain), folder=tmp_path).held_out is None


class TestCounts:
    @pytest.mark.parametrize("where", ["streamed", "memory", "disk"])
    def test_more_steps_than_there_is_text_are_refused(self, model, tmp_path, where):
        source = material(model, small(**{"activations.where": where}), folder=tmp_path).source
        assert isinstance(source, Counted)
        assert source.n_rows == 1920
        told = rf"n_tokens=1984 asks for 1984 activations, and 1920 at {HOOK} used at most 1 times are 1920: lower"
        with pytest.raises(ValueError, match=told):
            train_saes(source, TrainingConfig(n_tokens=1984, batch_size=64, device="cpu"))
