import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from interp_lab.config import RunRef
from interp_lab.directions import from_run, save_directions
from interp_lab.directions.from_run import BUNDLED, made_on
from interp_lab.identity import WeightProcessing
from interp_lab.models import identity_of, load_model
from interp_lab.probes import Probes, ProbesConfig
from interp_lab.probes.saved import trained_probe
from interp_lab.production.monitors import MonitorBank, readings_on
from interp_lab.production.monitors.from_run import monitor_from_run
from interp_lab.runs import RunError, save_result
from interp_lab.sae.training.loading import load_sae
from tests.directions.planted import directions
from tests.runs.dice import DiceConfig, throw

TRUTH, INCOME = "grammar/truth/is_true", "grammar/loans/income"
SMALL = {"sites": ("resid_post",), "n_controls": 3, "n_untrained": 1, "mlp": None, "n_documents": 160}
SAE = "organism-2-resid-post"


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


@pytest.fixture(scope="module")
def probed(model, tmp_path_factory):
    config = ProbesConfig(labels=(TRUTH,), positions=("stated", "end"), causal=False, n_held_out=None, **SMALL)
    result, folder = Probes(config).measure(model), tmp_path_factory.mktemp("runs") / "probes"
    save_result(with_classes(result, INCOME, 3), folder)
    return folder, result


def with_classes(result, label, n):
    """The result with another label beside, of several classes."""
    own = result.probed[0]
    weights, bias = (np.repeat(values[None], n, 0) for values in (own.weights, own.bias))
    other = replace(own, label=label, values=tuple(range(n)), weights=weights, bias=bias, directions=own.directions[:0])
    return replace(result, probed=(own, other))


@pytest.fixture(scope="module")
def other_run(model, tmp_path_factory):
    """A complete run of something else, with directions in it."""
    folder = tmp_path_factory.mktemp("runs") / "dice"
    save_result(throw(DiceConfig()), folder)
    (folder / "directions").mkdir()
    own = directions([[1.0] + [0.0] * 127], model=identity_of(model), name="first")
    save_directions(own, folder / "directions" / "first.safetensors")
    raw = replace(own, model=identity_of(load_model("organism", device="cpu", processing="raw")))
    save_directions(raw, folder / "directions" / "raw.safetensors")
    return folder


class TestProbes:
    def test_the_chosen_site_points_to_the_second_value_as_far_as_the_means_are_apart(self, probed, model):
        folder, result = probed
        own = result.probed[0]
        found = from_run(RunRef(run=folder, artefact=TRUTH), model)
        assert own.values == (False, True)
        assert found.hooks == (own.hook_of(own.chosen),)
        probe, gap = (torch.tensor(vector) for vector in own.directions)
        unit = probe / probe.norm()
        torch.testing.assert_close(found.vectors[0], float(gap @ unit) * unit)
        assert float(gap @ unit) > 0
        assert found.about["length"] == "gap between the class means along it"
        assert found.method == "ridge probe"

    def test_a_monitor_of_one_scores_as_the_probe_does_bias_included(self, probed, model):
        folder, result = probed
        oracle = trained_probe(result.probed[0], result.provenance)
        tokens = model.tokenizer.encode("claim : Paris is the capital of France", add_special_tokens=False)
        for site in (oracle.sites[1], oracle.sites[4]):
            ref = RunRef(run=folder, artefact=f"{TRUTH}@{site}")
            one = monitor_from_run(ref, model, name="truth", reads="all+bos")
            found, _ = readings_on(model, [tokens], MonitorBank((one,)))
            _, cache = model.run_with_cache(torch.tensor([tokens]))
            expected = oracle.scorer(site)(cache[one.hook].detach())
            torch.testing.assert_close(torch.from_numpy(found.of("truth")), expected, rtol=1e-3, atol=1e-4)

    def test_every_site_by_its_name_as_the_probe_itself_gives_it(self, probed, model):
        folder, result = probed
        oracle = trained_probe(result.probed[0], result.provenance)
        assert len(oracle.sites) == 8
        for nth, site in enumerate(oracle.sites):
            found, direction = from_run(RunRef(run=folder, artefact=f"{TRUTH}@{site}"), model), oracle.direction(site)
            assert found.hooks == (direction.hook,)
            torch.testing.assert_close(
                torch.nn.functional.normalize(found.vectors[0], dim=0),
                torch.nn.functional.normalize(direction.vector, dim=0),
            )
            if nth != result.probed[0].chosen:
                assert torch.equal(found.vectors[0], direction.vector)
                assert found.about["length"] == "weights as fitted"

    @pytest.mark.parametrize(
        ("artefact", "message"),
        [
            ("grammar/truth/is_tru", "no probe of 'grammar/truth/is_tru'; did you mean 'grammar/truth/is_true'"),
            (f"{TRUTH}@2.hook_resid_post", "was not probed at '2.hook_resid_post'; did you mean"),
            (INCOME, "classes and no one direction; probe two values"),
        ],
        ids=["unknown label", "unknown site", "several classes"],
    )
    def test_what_is_not_there_is_refused_with_the_nearest(self, probed, model, artefact, message):
        with pytest.raises(ValueError, match=message):
            from_run(RunRef(run=probed[0], artefact=artefact), model)

    def test_another_processing_is_refused(self, probed):
        with pytest.raises(ValueError, match="does not belong to this model"):
            from_run(RunRef(run=probed[0], artefact=TRUTH), load_model("organism", device="cpu", processing="raw"))


class TestAutoencoders:
    def test_what_a_latent_writes_as_the_autoencoder_itself_gives_it(self, model):
        oracle = load_sae(BUNDLED / SAE)
        for latent in (0, 12, 1023):
            found = from_run(RunRef(run=Path(SAE), artefact=f"#{latent}"), model)
            torch.testing.assert_close(found.vectors[0], oracle.decoder_rows[latent])
            assert (found.hooks, found.name) == ((oracle.hook,), f"{SAE}#{latent}")

    def test_folder_name_and_training_run_lead_to_the_same(self, model, tmp_path):
        shutil.copytree(BUNDLED / SAE, tmp_path / "saes" / "topk")
        places = [
            (tmp_path, "topk#3"),
            (tmp_path, "saes/topk#3"),
            (tmp_path / "saes" / "topk", "#3"),
            (Path(SAE), "#3"),
        ]
        rows = [from_run(RunRef(run=run, artefact=artefact), model).vectors for run, artefact in places]
        assert all(torch.equal(row, rows[0]) for row in rows)

    def test_rows_that_decoding_does_not_rescale_keep_their_length(self, model, tmp_path):
        folder = foreign(tmp_path, rescale_acts_by_decoder_norm=False)
        weights = load_file(folder / "sae_weights.safetensors")
        found = from_run(RunRef(run=folder, artefact="#5"), model)
        torch.testing.assert_close(found.vectors[0], weights["W_dec"][5].float())
        assert not torch.isclose(found.norms, torch.ones(1)).all()

    def test_those_of_others_are_taken_at_their_word(self, model, tmp_path):
        found = from_run(RunRef(run=foreign(tmp_path), artefact="#5"), model)
        assert found.hooks == ("blocks.2.hook_resid_post",)
        torch.testing.assert_close(found.norms, torch.ones(1))  # three times as long in the file; decoding rescales
        with pytest.raises(ValueError, match="processing: raw, not the model's folded"):
            from_run(RunRef(run=foreign(tmp_path / "raw", kwargs={}), artefact="#5"), model)
        with pytest.raises(ValueError, match="name: pythia"):
            from_run(RunRef(run=foreign(tmp_path / "other", model_name="pythia"), artefact="#5"), model)
        with pytest.raises(ValueError, match="does not say which model"):
            from_run(RunRef(run=foreign(tmp_path / "none", hook_name=None), artefact="#5"), model)

    def test_transcoders_act_where_they_write(self, model, tmp_path):
        folder = foreign(tmp_path, hook_name_out="blocks.3.hook_mlp_out")
        assert from_run(RunRef(run=folder, artefact="#5"), model).hooks == ("blocks.3.hook_mlp_out",)

    @pytest.mark.parametrize(
        ("run", "artefact", "message"),
        [
            (SAE, "#1024", "latent 1024 is out of range: .* has latents 0 to 1023"),
            (SAE, "#x", "write its number behind #"),
            (SAE, "topk#1", "no autoencoder 'topk' in"),
            ("nowhere", "#1", "no autoencoder '' in nowhere"),
        ],
        ids=["beyond the last", "no number", "a name in a folder of one", "no folder"],
    )
    def test_latents_that_are_not_there(self, model, run, artefact, message):
        with pytest.raises(ValueError, match=message):
            from_run(RunRef(run=Path(run), artefact=artefact), model)

    def test_changed_weights_are_noticed(self, model, tmp_path):
        folder = shutil.copytree(BUNDLED / SAE, tmp_path / "sae")
        path = folder / "sae_weights.safetensors"
        path.write_bytes(path.read_bytes()[:-4] + b"\1\2\3\4")
        with pytest.raises(RunError, match="was changed"):
            from_run(RunRef(run=folder, artefact="#1"), model)


def foreign(
    folder: Path, *, kwargs: dict[str, bool] | None = None, rescale_acts_by_decoder_norm: bool = True, **metadata
) -> Path:
    """The bundled autoencoder as others would keep it: without our record, and rows of other lengths than one."""
    shutil.copytree(BUNDLED / SAE, folder, dirs_exist_ok=True)
    (folder / "interp_lab.json").unlink()
    config = json.loads((folder / "cfg.json").read_bytes())
    config["rescale_acts_by_decoder_norm"] = rescale_acts_by_decoder_norm
    config["metadata"] |= metadata | ({} if kwargs is None else {"model_from_pretrained_kwargs": kwargs})
    (folder / "cfg.json").write_text(json.dumps(config))
    weights = load_file(folder / "sae_weights.safetensors")
    save_file({**weights, "W_dec": 3 * weights["W_dec"]}, folder / "sae_weights.safetensors")
    return folder


class TestMadeOn:
    """Which model to load, before it is there to be compared with."""

    def test_of_probes_of_latents_and_of_files(self, probed, other_run, tmp_path):
        folded, raw = WeightProcessing(), WeightProcessing.named("raw")
        assert made_on(RunRef(run=probed[0], artefact=TRUTH)) == ("organism", folded)
        assert made_on(RunRef(run=Path(SAE), artefact="#3")) == ("organism", folded)
        assert made_on(RunRef(run=foreign(tmp_path, kwargs={}), artefact="#3")) == ("organism", raw)
        assert made_on(RunRef(run=other_run, artefact="raw")) == ("organism", raw)
        with pytest.raises(ValueError, match="does not say which model"):
            made_on(RunRef(run=foreign(tmp_path / "none", hook_name=None), artefact="#5"))


class TestFiles:
    @pytest.mark.parametrize("artefact", ["first", "directions/first.safetensors"])
    def test_directions_that_a_run_kept(self, other_run, model, artefact):
        assert from_run(RunRef(run=other_run, artefact=artefact), model).name == "first"

    def test_what_belongs_to_another_processing_is_refused(self, other_run, model):
        with pytest.raises(ValueError, match="load the model with processing='raw'"):
            from_run(RunRef(run=other_run, artefact="raw"), model)

    def test_what_is_not_there(self, other_run, model, tmp_path):
        with pytest.raises(RunError, match=r"no directions 'fist'.*did you mean 'first'\?; it has first, raw"):
            from_run(RunRef(run=other_run, artefact="fist"), model)
        with pytest.raises(RunError, match="there is no run folder"):
            from_run(RunRef(run=tmp_path / "nowhere", artefact="first"), model)
