import pytest
import torch

from interp_lab.identity import WeightProcessing
from interp_lab.models.settings import device_named, dtype_named, processing_named


class TestDtype:
    @pytest.mark.parametrize("name", ["bfloat16", "bf16", "torch.bfloat16", torch.bfloat16])
    def test_has_several_names(self, name):
        assert dtype_named(name) is torch.bfloat16

    @pytest.mark.parametrize("name", ["float8", torch.int64, "int8"], ids=str)
    def test_must_be_a_floating_one_that_models_run_in(self, name):
        with pytest.raises(ValueError, match=r"unknown dtype .*use one of float32, float64, float16, bfloat16"):
            dtype_named(name)


class TestDevice:
    def test_none_is_the_gpu_where_there_is_one(self, monkeypatch):
        assert device_named(None) == ("cuda" if torch.cuda.is_available() else "cpu")
        monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        assert device_named(None) == "cuda"

    def test_an_absent_one_is_refused_with_those_there_are(self, monkeypatch):
        monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
        assert device_named("cuda:0") == "cuda:0"
        with pytest.raises(ValueError, match=r"device 'cuda:1' is not available; did you mean .* cpu, cuda, cuda:0"):
            device_named("cuda:1")


class TestProcessing:
    @pytest.mark.parametrize(
        "processing",
        [
            WeightProcessing(),
            WeightProcessing.named("raw"),
            WeightProcessing(center_unembed=False),
            WeightProcessing(False, False, False, True),
        ],
        ids=str,
    )
    def test_reads_what_error_messages_write(self, processing):
        assert processing_named(str(processing)) == processing
        assert processing_named(processing) is processing

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("fold", "unknown weight processing 'fold'.*'folded'"),
            ("fold_ln+center", "processing 'center'; did you mean"),
        ],
    )
    def test_refuses_other_names(self, text, message):
        with pytest.raises(ValueError, match=message):
            processing_named(text)
