"""Saved autoencoders: SAE Lens reads the same outputs, and what does not belong together does not meet."""

import dataclasses
import json
import shutil
import warnings

import pytest
import torch
from sae_lens import SAE, JumpReLUSAE, JumpReLUSAEConfig, TopKSAE, TopKSAEConfig
from sae_lens.saes.sae import SAEMetadata

from interp_lab.identity import ModelIdentity, WeightProcessing, steps_seen_at
from interp_lab.models import declare_identity
from interp_lab.runs import RunError
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.training import HeldOut, load_sae, save_sae, train_saes
from interp_lab.sae.training.dead import diagnose
from interp_lab.sae.training.loading import _processing_of
from interp_lab.sae.training.record import RECORD
from interp_lab.types import Codec
from tests.sae.training.sources import HOOK, TINY, MemorySource, sparse_sums
from tests.sae.training.test_loop import ARCHITECTURES, config, sae_config
from tests.tiny import tiny_model

RAW = WeightProcessing.named("raw")


def tiny(processing="folded", name="tiny", **changes):
    model = tiny_model(**changes)
    declare_identity(model, name=name, processing=processing)
    return model


@pytest.fixture(scope="module")
def held_out():
    return HeldOut(MemorySource(sparse_sums(seed=0)[:1000]), n_tokens=500)


@pytest.fixture(scope="module")
def trained(held_out):
    saes = {name: sae_config(name) for name in ARCHITECTURES}
    saes["scaled"] = sae_config("batchtopk", scale="mean_norm")
    return train_saes(MemorySource(), config(saes), held_out=held_out)


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "topk"
    save_sae(trained["topk"], folder, context_size=32, prepend_bos=True)
    return folder


def outputs_in_training(trained, batch):
    """Latents and reconstruction by the training class; BatchTopK chooses by its threshold, not by the batch."""
    sae = trained.sae
    latents, before = sae.encode_with_hidden_pre(batch)
    if hasattr(sae, "topk_threshold"):
        latents = before * (before > sae.topk_threshold)
    return latents, sae.decode(latents)


@torch.no_grad()
@pytest.mark.parametrize("name", [*ARCHITECTURES, "scaled"])
def test_sae_lens_reads_what_was_trained(name, trained, tmp_path):
    """Reconstructions are the same; latents too, but for the decoder norm, which saving moves into them."""
    save_sae(trained[name], tmp_path / name)
    with pytest.warns(UserWarning, match="non-empty model_from_pretrained_kwargs"):
        read = SAE.load_from_disk(tmp_path / name)
    batch = MemorySource().activations[:200]
    latents, output = outputs_in_training(trained[name], batch)
    assert torch.allclose(read(batch), output, atol=1e-5)
    assert torch.equal(read.encode(batch) > 0, latents > 0)
    assert (latents > 0).any()
    ours = load_sae(tmp_path / name)
    assert isinstance(ours, Codec)
    assert torch.equal(ours.decode(ours.encode(batch)), read(batch))


class TestSaveSae:
    def test_tells_sae_lens_where_it_belongs(self, folder):
        metadata = json.loads((folder / "cfg.json").read_text())["metadata"]
        told = {"model_name": "tiny", "hook_name": HOOK, "context_size": 32, "prepend_bos": True}
        assert told.items() <= metadata.items()
        assert metadata["model_from_pretrained_kwargs"]["center_writing_weights"] is True
        assert metadata["l0"] == pytest.approx(4, abs=0.01)

    def test_keeps_where_it_came_from(self, folder, trained):
        record = load_sae(folder).record
        assert record.training == trained["topk"].config.as_dict()
        assert ModelIdentity.from_dict(record.model) == TINY
        assert record.provenance["versions"]["sae-lens"]
        assert record.dead["criterion"] == "no activation in more than 10 batches of 64 tokens"

    def test_names_the_fold_that_was_read_if_it_was_one(self, trained, tmp_path):
        for fold in ("all", "search"):
            save_sae(trained["topk"], tmp_path / fold, text=TextConfig(part="train"), fold=fold)
        read = [load_sae(tmp_path / fold).record.training for fold in ("all", "search")]
        assert [one.get("fold") for one in read] == [None, "search"]

    def test_again_into_the_same_folder_is_allowed_for_the_same_only(self, folder, trained):
        save_sae(trained["topk"], folder, context_size=32, prepend_bos=True)
        with pytest.raises(ValueError, match=r"another autoencoder, 'topk' \(differing in name\)"):
            save_sae(trained["gated"], folder)
        elsewhere = dataclasses.replace(trained["topk"], hook="blocks.0.hook_resid_pre")
        with pytest.raises(ValueError, match=r"another autoencoder, 'topk' \(differing in hook\)"):
            save_sae(elsewhere, folder, context_size=32, prepend_bos=True)

    def test_a_folder_of_something_else_is_left_alone(self, trained, tmp_path):
        (tmp_path / "thesis.txt").write_text("mine")
        with pytest.raises(ValueError, match="is not empty"):
            save_sae(trained["topk"], tmp_path)

    def test_as_float16_it_takes_half_the_room_and_gives_nearly_the_same(self, folder, trained, tmp_path):
        save_sae(trained["topk"], tmp_path / "half", weights="float16")
        whole, half = ((one / "sae_weights.safetensors").stat().st_size for one in (folder, tmp_path / "half"))
        assert half < 0.6 * whole
        batch = sparse_sums(seed=3)[:64]
        before, after = (load_sae(one).sae(batch) for one in (folder, tmp_path / "half"))
        assert after.dtype is torch.float32
        assert not torch.equal(before, after)
        assert (before - after).square().mean() < 1e-5 * before.square().mean()

    def test_what_float16_cannot_hold_is_named(self, trained, tmp_path, monkeypatch):
        weight = trained["topk"].sae.b_dec
        monkeypatch.setattr(weight, "data", torch.full_like(weight, 1e5))
        with pytest.raises(ValueError, match=r"b_dec of 'topk' cannot be written as float16.*as_trained"):
            save_sae(trained["topk"], tmp_path / "large", weights="float16")
        assert not (tmp_path / "large").exists()

    def test_a_threshold_below_zero_is_raised_to_it(self, monkeypatch):
        """Training lets negative activations through such a gate, and SAE Lens's inference does not."""
        source, one = MemorySource(), config({"j": sae_config("jumprelu")})
        low = "interp_lab.sae.training.trained.diagnose"

        def after_last_step(trainee):
            with torch.no_grad():
                trainee.trainer.sae.threshold[:5] = -1.0
            return diagnose(trainee)

        monkeypatch.setattr(low, after_last_step)
        assert train_saes(source, one)["j"].sae.threshold.min() >= 0

    def test_heads_are_apart_for_sae_lens_and_flat_for_us(self, tmp_path):
        source = MemorySource(hook="blocks.1.attn.hook_z")
        save_sae(train_saes(source, config())["sae"], tmp_path / "z")
        with pytest.warns(UserWarning, match="non-empty"):
            theirs = SAE.load_from_disk(tmp_path / "z")
        flat = source.activations[:6]
        ours = load_sae(tmp_path / "z")
        assert torch.allclose(ours.decode(ours.encode(flat)), theirs(flat.reshape(1, 6, 4, 4)).reshape(6, 16))


class TestLoadSae:
    def test_a_changed_file_is_refused(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "copy")
        (tmp_path / "copy" / "cfg.json").write_text("{}")
        with pytest.raises(RunError, match=r"cfg\.json has 2 bytes"):
            load_sae(tmp_path / "copy")

    def test_without_our_record_it_is_sae_lens_that_says_where_it_belongs(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "copy")
        (tmp_path / "copy" / RECORD).unlink()
        loaded = load_sae(tmp_path / "copy")
        assert (loaded.hook, loaded.model_name, loaded.record) == (HOOK, "tiny", None)
        assert loaded.processing == WeightProcessing()
        loaded.require_fits(tiny())

    def test_one_that_says_nothing_is_refused(self, tmp_path):
        TopKSAE(TopKSAEConfig(d_in=4, d_sae=8, k=2)).save_model(tmp_path)
        with pytest.raises(ValueError, match="does not say which model"):
            load_sae(tmp_path)

    def test_an_unknown_release_names_the_nearest(self):
        with pytest.raises(ValueError, match="no release that SAE Lens knows; did you mean 'gpt2-small-res-jb'"):
            load_sae("gpt2-small-res-jbb", sae_id="x")

    def test_an_unknown_id_names_the_nearest_and_what_there_is(self):
        with pytest.raises(
            ValueError, match=r"did you mean 'blocks.1.hook_resid_pre'.*blocks.0.hook_resid_pre, .*more"
        ):
            load_sae("gpt2-small-res-jb", sae_id="blocks.1.hook_resid_pree")

    def test_without_network_a_known_release_says_so(self):
        with pytest.raises(ValueError, match=r"could not fetch gpt2-small-res-jb/blocks.0.hook_resid_pre .*copy its"):
            load_sae("gpt2-small-res-jb", sae_id="blocks.0.hook_resid_pre")

    def test_a_release_asks_for_no_processing_but_what_it_names(self):
        assert str(_processing_of({"center_writing_weights": True})) == "center_writing_weights"
        assert _processing_of({}) == RAW

    def test_activations_of_another_length_are_refused(self, folder):
        with pytest.raises(ValueError, match=r"activations of 8 entries do not fit .* trained on 16 at blocks.1"):
            load_sae(folder).encode(torch.zeros(2, 8))


class TestRequireFits:
    def test_accepts_its_own_model(self, folder):
        load_sae(folder).require_fits(tiny(), hook=HOOK)

    def test_refuses_another_model(self, folder):
        with pytest.raises(ValueError, match=r"name: tiny, not the model's other.*use its own model"):
            load_sae(folder).require_fits(tiny(name="other"))

    def test_refuses_another_processing_that_its_hook_point_sees(self, folder):
        with pytest.raises(ValueError, match=r"'folded'.*has 'raw'.*center_writing_weights matters; load .*'folded'"):
            load_sae(folder).require_fits(tiny(processing="raw"))

    def test_accepts_another_processing_that_its_hook_point_does_not_see(self, folder):
        load_sae(folder).require_fits(tiny(processing="center_writing_weights"))

    def test_refuses_another_hook_point(self, folder):
        with pytest.raises(ValueError, match=r"trained at blocks.1.hook_resid_post, not at blocks.0"):
            load_sae(folder).require_fits(tiny(), hook="blocks.0.hook_resid_post")

    def test_refuses_a_model_without_the_hook_point(self, folder):
        with pytest.raises(ValueError, match=r"no hook point 'blocks.1.hook_resid_post'.*did you mean"):
            load_sae(folder).require_fits(tiny(n_layers=1))

    def test_knows_models_by_their_aliases(self, tmp_path):
        """A release says `gpt2-small`; the model may have been loaded as `gpt2`."""
        metadata = SAEMetadata(model_name="gpt2-small", hook_name=HOOK)
        JumpReLUSAE(JumpReLUSAEConfig(d_in=16, d_sae=8, metadata=metadata)).save_model(tmp_path)
        loaded = load_sae(tmp_path)
        loaded.require_fits(tiny(name="gpt2", processing="raw"))
        with pytest.raises(ValueError, match="trained on gpt2-small, not on tiny"):
            loaded.require_fits(tiny(processing="raw"))


@pytest.mark.parametrize("step", WeightProcessing.__dataclass_fields__)
def test_a_step_is_seen_where_it_changes_activations(step):
    """Against the models themselves: TransformerLens's processing, one step at a time."""
    plain, processed = tiny_model(), tiny_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        steps = {name: name == step for name in WeightProcessing.__dataclass_fields__}
        processed.load_and_process_state_dict(plain.state_dict(), **steps)
    tokens = torch.arange(12).reshape(2, 6)
    _, before = plain.run_with_cache(tokens)
    _, after = processed.run_with_cache(tokens)
    for hook in before:
        changed = not torch.allclose(before[hook], after[hook], atol=1e-4)
        assert not changed or step in steps_seen_at(hook), hook
    resid = not torch.allclose(before[HOOK], after[HOOK], atol=1e-4)
    assert resid == (step in steps_seen_at(HOOK))
