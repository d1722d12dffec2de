"""Monitors of what other runs made score as that does."""

import warnings

import numpy as np
import pytest
import torch

from interp_lab.config import RunRef
from interp_lab.directions import Directions
from interp_lab.directions.saved import save_directions
from interp_lab.models import identity_of, load_model
from interp_lab.production.monitors import MonitorBank, readings_on
from interp_lab.production.monitors.from_run import monitor_from_file, monitor_from_run, monitor_of
from interp_lab.runs.consumed import BUNDLED

SAE = BUNDLED / "organism-2-resid-post"
HOOK = "blocks.2.hook_resid_post"
TEXTS = ["the capital of France is Paris .", "Anna gave the book to Ben ."]


@pytest.fixture(scope="module")
def model():
    return load_model("organism")


def tokens_and_activations(model):
    ids = [model.tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]
    return ids, [model.run_with_cache(torch.tensor([one]))[1][HOOK][0].detach() for one in ids]


class TestLatents:
    def test_by_its_pre_activation_a_topk_latent_has_its_value_wherever_it_is_active(self, model):
        from sae_lens import TopKSAE

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about kwargs that say how we load the model
            sae = TopKSAE.load_from_disk(str(SAE), device="cpu")
        ids, activations = tokens_and_activations(model)
        encoded = [sae.encode(one).detach() for one in activations]
        latent = int(encoded[0][-1].argmax())
        one = monitor_from_run(RunRef(run=SAE, artefact=f"#{latent} pre"), model, reads="all+bos")
        found, _ = readings_on(model, ids, MonitorBank((one,)))
        for row, values in enumerate(encoded):
            active = (values[:, latent] > 0).numpy()
            scores = found.scores[row, : len(values), 0]
            np.testing.assert_allclose(scores[active], values[:, latent].numpy()[active], rtol=1e-3)
        assert (encoded[0][:, latent] > 0).any()

    def test_the_value_of_a_topk_latent_is_refused_with_the_way_out(self, model):
        with pytest.raises(ValueError, match=r"depends on which others are larger.*by='pre-activation'"):
            monitor_from_run(RunRef(run=SAE, artefact="#3"), model)

    def test_a_latent_that_is_not_there(self, model):
        with pytest.raises(ValueError, match="latent 5000 is out of range"):
            monitor_from_run(RunRef(run=SAE, artefact="#5000 pre"), model)

    @pytest.mark.parametrize("kind", ["standard", "jumprelu"])
    def test_latents_of_other_architectures_are_what_sae_lens_says(self, model, tmp_path, kind):
        from sae_lens import JumpReLUSAE, JumpReLUSAEConfig, StandardSAE, StandardSAEConfig

        made, config = {"standard": (StandardSAE, StandardSAEConfig), "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig)}[
            kind
        ]
        sae = made(config(d_in=128, d_sae=8, device="cpu", dtype="float32"))
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in sae.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
            if kind == "jumprelu":
                sae.threshold.copy_(torch.tensor([0.5, -0.5, 0, 1, 1, 1, 1, 1]))
        sae.cfg.metadata.model_name, sae.cfg.metadata.hook_name = "organism", HOOK
        sae.cfg.metadata.model_from_pretrained_kwargs = {
            "fold_ln": True, "center_writing_weights": True, "center_unembed": True, "fold_value_biases": True
        }  # fmt: skip
        sae.save_model(str(tmp_path))
        ids, activations = tokens_and_activations(model)
        bank = MonitorBank(tuple(
            monitor_from_run(RunRef(run=tmp_path, artefact=f"#{latent}"), model, reads="all+bos") for latent in range(4)
        ))  # fmt: skip
        found, _ = readings_on(model, ids, bank)
        for row, one in enumerate(activations):
            expected = sae.encode(one).detach()[:, :4].numpy()
            np.testing.assert_allclose(found.scores[row, : len(one)], expected, rtol=1e-3, atol=1e-4)


class TestDirections:
    def test_a_file_is_read_as_a_projection_in_units_of_activation(self, model, tmp_path):
        vector = torch.randn(128, generator=torch.Generator().manual_seed(0)) * 7
        made = Directions(vector[None], (HOOK,), identity_of(model), "by hand", "anything")
        save_directions(made, tmp_path / "d.safetensors")
        one = monitor_from_file(tmp_path / "d.safetensors", model, reads="all+bos")
        ids, activations = tokens_and_activations(model)
        found, _ = readings_on(model, ids, MonitorBank((one,)))
        np.testing.assert_allclose(
            found.of("anything")[0, : len(ids[0])], (activations[0] @ (vector / vector.norm())).numpy(), rtol=1e-3,
            atol=1e-4,
        )  # fmt: skip

    def test_directions_of_several_hook_points(self, model):
        several = Directions(torch.ones(2, 128), (HOOK, "blocks.1.hook_resid_post"), identity_of(model), "x", "y")
        with pytest.raises(ValueError, match="are of 2 hook points; take one"):
            monitor_of(several, name="y")

    def test_another_models(self, model):
        foreign = Directions(torch.ones(1, 128), (HOOK,), identity_of(load_model("organism-tuned")), "x", "y")
        with pytest.raises(ValueError, match="organism-tuned"):
            readings_on(model, TEXTS, MonitorBank((monitor_of(foreign, name="y"),)))
