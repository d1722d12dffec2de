"""The arithmetic of the paper estimate, by hand; and its multiply-adds, as torch counts them."""

import pytest

from interp_lab.sae.activations import ActivationsConfig
from interp_lab.sae.activations.manifest import describe
from tests.benchmarks.estimate import (
    LABEL_BYTES,
    SEVEN_BILLION,
    SHARD_BYTES,
    Layers,
    Rates,
    estimate,
    gpu_hours,
    n_parts,
    row_bytes,
    tokens_read,
)
from tests.benchmarks.scaling import counted
from tests.sae.activations.small import model

SMALL = Layers(n=3, d_model=4, d_mlp=8, gated=False, window=5)


class TestMultiplyAdds:
    def test_by_hand(self):
        # Three layers of: four matrices of 4 x 4, two of 4 x 8, scores with 5 keys of 4 entries, and their mix.
        assert SMALL.multiply_adds == 3 * (4 * 16 + 2 * 32 + 5 * 4 + 5 * 4) == 504

    def test_a_gated_mlp_has_a_third_matrix(self):
        gated = Layers(n=3, d_model=4, d_mlp=8, gated=True, window=5)
        assert gated.multiply_adds - SMALL.multiply_adds == 3 * 32

    def test_are_those_that_torch_counts_in_a_pass(self):
        cfg = model().cfg
        config = ActivationsConfig(hooks=("blocks.1.hook_resid_post",), n_tokens=100)
        layers = Layers(n=2, d_model=cfg.d_model, d_mlp=cfg.d_mlp, gated=False, window=cfg.n_ctx)
        assert counted(model(), config) == layers.multiply_adds

    def test_of_half_a_7b_model_are_about_half_its_weights(self):
        weights = 16 * (4 * 4096**2 + 3 * 4096 * 11008)
        assert weights == 3_238_002_688
        assert SEVEN_BILLION.multiply_adds == weights + 16 * 2 * 1024 * 4096


class TestHours:
    def test_by_hand(self):
        # 504 multiply-adds are 1008 operations; 1e6 tokens at half of 560 operations a second take 3.6e6 seconds.
        assert gpu_hours(SMALL, n_tokens=1_000_000, utilisation=0.5, peak=560) == pytest.approx(1000)

    def test_of_7b_and_a_billion_tokens(self):
        # 2 x 3.3722e9 x 1e9 = 6.7444e18 operations; at 296.7e12 a second 22,731 seconds.
        assert gpu_hours(SEVEN_BILLION, n_tokens=10**9, utilisation=0.3) == pytest.approx(22_731 / 3600, rel=1e-4)

    def test_halve_with_twice_the_utilisation(self):
        slow, fast = (gpu_hours(SMALL, n_tokens=7, utilisation=share) for share in (0.2, 0.4))
        assert slow == pytest.approx(2 * fast)


class TestDisk:
    def test_a_row_is_values_and_labels(self):
        assert row_bytes(SMALL) == 4 * 2 + 16
        assert row_bytes(SMALL, n_hooks=3) == 3 * 4 * 2 + 16
        assert row_bytes(SEVEN_BILLION) == 8208

    def test_parts_hold_whole_rows(self):
        assert n_parts(SMALL, n_tokens=8, shard_bytes=100) == 2  # four rows of 24 bytes each
        assert n_parts(SMALL, n_tokens=9, shard_bytes=100) == 3
        assert n_parts(SEVEN_BILLION, n_tokens=10**9) == 122_310  # of 8,176 rows

    def test_is_that_of_the_store(self):
        config = ActivationsConfig(hooks=("blocks.1.hook_resid_post",), n_tokens=100)
        manifest = describe(model(), config)
        layers = Layers(n=2, d_model=model().cfg.d_model, d_mlp=1)
        assert (config.shard_bytes, manifest.row_bytes) == (SHARD_BYTES, row_bytes(layers))
        assert manifest.row_bytes - 2 * layers.d_model == LABEL_BYTES


class TestTokensRead:
    @pytest.mark.parametrize(("n_jobs", "read"), [(1, 12), (2, 6 + 12), (3, 4 + 8 + 12), (12, 78)])
    def test_every_job_reads_from_the_beginning(self, n_jobs, read):
        assert tokens_read(n_tokens=12, n_jobs=n_jobs) == read


def test_the_table_says_what_the_functions_do():
    rates = Rates(text=1e5, write=1e8, join=2e8, memory=50)
    columns = [list(column.cells) for column in estimate(rates, n_tokens=10**9).columns]
    found = dict(zip(columns[0], columns[1], strict=True))
    assert found["GPU-hours at 30% of 989 TFLOP/s"] == "6.3"
    assert found["disk"] == "8.21 TB"
    assert found["writing, one process"] == "22.8 h"  # 8.208e12 bytes
    assert found["joining, one process"] == "11.4 h"
    assert found["memory of the join"] == "50 GB"
    assert found["reading text, 8 jobs of 15,289 parts"] == "12.5 h of cores"  # 4.5e9 tokens
