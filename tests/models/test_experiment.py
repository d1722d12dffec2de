"""An experiment needs a config, what it measures, and a result: the rest is there already."""

from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interp_lab.bibliography import ELHAGE_2021
from interp_lab.claims import Claim
from interp_lab.config import Config, Processing
from interp_lab.experiment import Experiment, Progress, Provenance, Result, Section, silent
from interp_lab.identity import WeightProcessing
from interp_lab.models import build_hooked, load_model
from interp_lab.models.experiment import ModelExperiment, provenance_on
from interp_lab.registry import EXPERIMENTS, resolve
from interp_lab.runs import RunError, read_run
from interp_lab.types import HookedModel
from tests.models.fixtures import hooked_parts
from tests.runs.dice import ListTracker


class WeighConfig(Config):
    model: str = "compiled/induction"
    processing: Processing = WeightProcessing.named("raw")
    backend: str = "hooked"
    dtype: str = "float32"
    device: str | None = "cpu"
    seed: int = 3


@dataclass(frozen=True)
class WeighResult:
    config: WeighConfig
    provenance: Provenance
    sizes: np.ndarray

    @classmethod
    def from_arrays(cls, config: WeighConfig, provenance: Provenance, arrays: dict[str, np.ndarray]) -> "WeighResult":
        return cls(config, provenance, **arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"sizes": self.sizes}

    def metrics(self) -> dict[str, float]:
        return {"n_parameters": float(self.sizes.sum())}

    def tables(self) -> dict[str, pd.DataFrame]:
        return {}

    def figures(self) -> dict[str, Any]:
        return {}

    def sections(self) -> list[Section]:
        return []

    def claims(self) -> list[Claim]:
        return []

    def summary(self) -> str:
        return f"{self.sizes.sum()} parameters"


class Weigh(ModelExperiment[WeighConfig, WeighResult]):
    """How many parameters has a model?"""

    name = "weigh"
    result = WeighResult
    sources = (ELHAGE_2021,)

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> WeighResult:
        sizes = np.array([weight.numel() for weight in model.parameters()])
        progress(1, 1, "weighed")
        return WeighResult(self.config, self.provenance(model), sizes)


def expected(name: str = "compiled/induction") -> int:
    return sum(weight.numel() for weight in load_model(name, "cpu", processing="raw").parameters())


class TestModelExperiment:
    def test_is_an_experiment_with_a_result(self):
        experiment = Weigh(WeighConfig())
        assert isinstance(experiment, Experiment)
        assert isinstance(experiment.run(), Result)

    def test_loads_the_model_that_its_config_names_as_it_says(self):
        config = WeighConfig(model="compiled/linear", dtype="float64")
        result = Weigh(config).run()
        assert result.sizes.sum() == expected("compiled/linear")
        assert result.provenance.model.name == "compiled/linear"
        assert result.provenance.model.processing == WeightProcessing.named("raw")
        assert result.provenance.dtype == "float64"

    def test_an_unknown_model_leaves_the_folder_free(self, tmp_path):
        with pytest.raises(ValueError, match="unknown model 'nobody'"):
            Weigh(WeighConfig(model="nobody")).run(None, tmp_path / "run")
        assert Weigh(WeighConfig()).run(None, tmp_path / "run").sizes.sum() == expected()

    def test_is_kept_told_and_read_back(self, tmp_path):
        told, steps = ListTracker(), []
        first = Weigh(WeighConfig()).run(told, tmp_path, progress=lambda *step: steps.append(step))
        assert told.logged == [({"n_parameters": float(expected())}, None)]
        assert steps == [(1, 1, "weighed")]
        assert read_run(tmp_path).experiment == "weigh"
        again = Weigh(WeighConfig()).run(None, tmp_path, resume=True)
        assert np.array_equal(again.sizes, first.sizes)
        assert again.provenance == first.provenance
        with pytest.raises(RunError, match="resume=True"):
            Weigh(WeighConfig()).run(None, tmp_path)

    def test_nobody_writes_to_its_config_and_equal_configs_make_equal_experiments(self):
        experiment = Weigh(WeighConfig())
        with pytest.raises(FrozenInstanceError):
            experiment.config = WeighConfig(seed=4)
        assert experiment == Weigh(WeighConfig())
        assert experiment != Weigh(WeighConfig(seed=4))

    def test_without_a_measurement_it_is_none(self):
        class Unfinished(ModelExperiment[WeighConfig, WeighResult]):
            name, result, sources = "unfinished", WeighResult, ()

        with pytest.raises(TypeError, match=r"abstract method '?measure"):
            Unfinished(WeighConfig())


class TestProvenanceOn:
    def test_reads_identity_device_and_dtype_off_the_model(self):
        model = build_hooked(*hooked_parts(), name="m", dtype="bfloat16")
        found = provenance_on(model, "weigh", seed=7, sources=(ELHAGE_2021,))
        assert (found.experiment, found.seed, found.device, found.dtype) == ("weigh", 7, "cpu", "bfloat16")
        assert found.model.name == "m"
        assert found.sources == (ELHAGE_2021,)

    def test_refuses_a_model_that_nobody_named(self):
        with pytest.raises(ValueError, match="carries no identity"):
            provenance_on(build_hooked(*hooked_parts()), "weigh", seed=0)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_registered_experiments_go_by_their_own_name_and_result(name):
    entry = EXPERIMENTS[name]
    experiment = resolve(entry.experiment)
    assert experiment.name == name
    assert experiment.result is resolve(entry.result)
    assert experiment.sources
