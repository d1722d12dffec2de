"""A training that is stopped anywhere ends with the bytes that it would have ended with."""

import errno

import pytest
import torch

import interp_lab.sae.activations.streaming as streaming
import interp_lab.sae.experiment as module
import interp_lab.sae.training.checkpoint as checkpoint
import interp_lab.sae.training.saving as saving
from interp_lab.hooks import NonFiniteActivationError
from interp_lab.runs import RunError, read_run
from interp_lab.sae.config import SaeTrainingConfig
from interp_lab.sae.training import CheckpointError, DivergedError
from tests.sae.trainings import BRIEF, SMALL, Killed, Killer, values, weights

WHERE = ["streamed", "disk"]


def training(**changes):
    """Two autoencoders."""
    few = SaeTrainingConfig.from_mapping({**SMALL, "grids": {}})
    return module.SaeTraining(few.overlaid({**BRIEF, **changes}))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """By where activations are kept: the run that nothing stopped, and its numbers."""
    made = {}
    for where in WHERE:
        folder = tmp_path_factory.mktemp("whole") / "run"
        made[where] = folder, values(training(**{"activations.where": where}).run(run_dir=folder))
    return made


def steps(run):
    return sorted(path.name for path in (run / "checkpoints").iterdir())


class TestStopped:
    @pytest.mark.parametrize("where", WHERE)
    def test_between_checkpoints_twice_it_ends_with_the_same_bytes(self, tmp_path, whole, where):
        own = training(**{"activations.where": where})
        for step, kept in ((9, ["step-000000004", "step-000000008"]), (15, ["step-000000008", "step-000000012"])):
            with pytest.raises(Killed):
                own.run(Killer(step), tmp_path / "run", resume=step > 9)
            assert steps(tmp_path / "run") == kept
            assert not read_run(tmp_path / "run", allow_incomplete=True).is_complete
        result = own.run(run_dir=tmp_path / "run", resume=True)
        before, numbers = whole[where]
        assert weights(tmp_path / "run") == weights(before)
        assert values(result) == numbers
        assert result.curves.steps.tolist() == list(range(3, 31, 3)), "rows logged twice count once"

    def test_while_it_is_saved_by_a_full_disk_and_by_a_kill(self, tmp_path, whole, monkeypatch):
        real = saving.write_atomic
        with monkeypatch.context() as patch:
            patch.setattr(saving, "write_atomic", lambda path, data: _no_room("saes/batch", path, data, real))
            with pytest.raises(OSError, match=r"no room on the disk for 'batch'; the training is whole in its last"):
                training().run(run_dir=tmp_path / "run")
            patch.setattr(saving, "write_atomic", lambda path, data: _stop_at("batch/cfg.json", path, data, real))
            with pytest.raises(Killed):
                training().run(run_dir=tmp_path / "run", resume=True)
        assert sorted(path.name for path in (tmp_path / "run" / "saes").iterdir()) == ["batch", "topk"]
        training().run(run_dir=tmp_path / "run", resume=True)
        assert weights(tmp_path / "run") == weights(whole["streamed"][0])

    def test_while_it_is_judged_it_is_not_trained_again(self, tmp_path, whole, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(module, "evaluate", _stop)
            with pytest.raises(Killed):
                training().run(run_dir=tmp_path / "run")
        monkeypatch.setattr(module, "train_saes", None)
        monkeypatch.setattr(module, "material", None)
        assert values(training().run(run_dir=tmp_path / "run", resume=True)) == whole["streamed"][1]


def test_bad_activations_and_a_full_disk_are_named_and_the_last_good_checkpoint_is_kept(tmp_path, whole, monkeypatch):
    real = checkpoint.write_atomic
    with monkeypatch.context() as patch:
        patch.setattr(streaming, "activations_at", _spoilt(streaming.activations_at, call=8))
        with pytest.raises(NonFiniteActivationError, match=r"epoch 0, block \d+: activations are NaN or inf from"):
            training().run(run_dir=tmp_path / "run")
    assert steps(tmp_path / "run")[-1] < "step-000000024"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_atomic", lambda path, data: _no_room("step-000000024", path, data, real))
        with pytest.raises(CheckpointError, match=r"step 24 .*No space left.* checkpoint is step-000000020: make room"):
            training().run(run_dir=tmp_path / "run", resume=True)
    training().run(run_dir=tmp_path / "run", resume=True)
    assert weights(tmp_path / "run") == weights(whole["streamed"][0])


def test_a_loss_that_is_lost_names_the_autoencoder_and_what_to_lower(tmp_path):
    with pytest.raises(DivergedError, match=r"loss of 'topk' is .* on batch \d+; lower its .* again in a new folder"):
        training(**{"training.saes.topk.learning_rate": 1e30}).run(run_dir=tmp_path / "run")


def test_another_config_is_refused_key_by_key(tmp_path):
    with pytest.raises(Killed):
        training().run(Killer(9), tmp_path / "run")
    changes = {"training.saes.topk.learning_rate": 0.1, "grids.topk": {"seed": [4]}, "hook": "hook_embed"}
    with pytest.raises(RunError, match="another config") as told:
        training(**changes).run(run_dir=tmp_path / "run", resume=True)
    for change in (
        "training.saes.topk.learning_rate: 0.003 -> 0.1",
        "grids.topk.seed: None -> [4]",
        "hook: 'blocks.1.hook_resid_post' -> 'hook_embed'",
    ):
        assert change in str(told.value)
    assert steps(tmp_path / "run") == ["step-000000004", "step-000000008"]


def _stop(*args, **kwargs):
    raise Killed


def _stop_at(place, path, data, real):
    if place in str(path):
        raise Killed
    real(path, data)


def _no_room(place, path, data, real):
    if place in str(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    real(path, data)


def _spoilt(real, *, call):
    """Reading, by a model whose weights are lost from one call on."""
    calls = []

    def read(model, *args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            with torch.no_grad():
                model.W_E.fill_(torch.nan)
        return real(model, *args, **kwargs)

    return read
