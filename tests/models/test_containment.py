import json
import logging
import os
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from interp_lab.models import load_model
from interp_lab.models.containment import contained, no_progress_bars
from tests.models.fixtures import save_directory, word_tokenizer

SCRIPT = """
import json, logging, random, socket, sys, warnings
import numpy as np
import plotly.io
import torch

calls = []

def refused(*given, **named):
    calls.append(str(given)[:200])
    raise OSError("no network in this test")

# Every client, whatever library it is written with, must come through here.
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused

def state():
    root = logging.getLogger()
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": str(np.random.get_state()),
        "random": str(random.getstate()),
        "gradients": torch.is_grad_enabled(),
        "dtype": str(torch.get_default_dtype()),
        "root logger": [str(root.handlers), root.level],
        "warning filters": str(warnings.filters),
        "plot theme": str(plotly.io.templates.default),
    }

clean = state()
from interp_lab.models import known_models, load_model

imported = state()
heavy = sorted({"transformer_lens", "transformers", "sae_lens"} & set(sys.modules))
known_models()
for backend in ("hooked", "bridge"):
    for name in ("compiled/induction", *known_models()["bundled"], *sys.argv[1:]):
        load_model(name, "cpu", backend=backend)
loaded, quiet = state(), list(calls)

from huggingface_hub import get_session
try:
    get_session().get("https://huggingface.co/gpt2")
except Exception:  # the hub client has errors of its own for this
    pass
report = {key: [clean[key] == imported[key], clean[key] == loaded[key]] for key in clean}
sys.stderr.write(json.dumps({"state": report, "calls": quiet, "control": calls, "heavy": heavy}))
"""


@pytest.fixture(scope="module")
def fresh_process(tmp_path_factory):
    """What a new process reports that may use the hub (and has no network), after loading of every local kind."""
    root = tmp_path_factory.mktemp("fresh")
    with_tokenizer = save_directory(root / "gpt2-like", "gpt2", tokenizer=word_tokenizer())
    without = save_directory(root / "llama-like", "llama")
    offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    environment = {key: value for key, value in os.environ.items() if key not in offline}
    command = [sys.executable, "-c", SCRIPT, str(with_tokenizer), str(without)]
    done = subprocess.run(
        command, env={**environment, "HF_HOME": str(root / "hub")}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *noise, report = done.stderr.strip().splitlines()
    return {**json.loads(report), "printed": done.stdout, "noise": noise}


class TestAFreshProcess:
    def test_finds_its_global_state_as_it_was(self, fresh_process):
        changed = {key: kept for key, kept in fresh_process["state"].items() if kept != [True, True]}
        assert not changed, f"[unchanged by import, unchanged by load_model]: {changed}"

    def test_made_not_one_network_call(self, fresh_process):
        assert fresh_process["calls"] == []
        assert len(fresh_process["control"]) > 0, "the recorder itself sees hub calls"

    def test_saw_nothing_printed(self, fresh_process):
        assert fresh_process["printed"] == ""
        assert fresh_process["noise"] == []

    def test_imported_the_heavy_libraries_only_to_load(self, fresh_process):
        assert fresh_process["heavy"] == []


class TestContained:
    def test_restores_generators_also_after_an_exception(self):
        before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()

        def fail():
            torch.rand(3), np.random.rand(3), random.random()
            torch.manual_seed(0), np.random.seed(0), random.seed(0)
            raise KeyError

        with pytest.raises(KeyError), contained():
            fail()
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]

    def test_a_bare_root_logger_stays_bare(self, monkeypatch):
        root = logging.getLogger()
        monkeypatch.setattr(root, "handlers", [])
        with contained():
            logging.warning("TransformerLens says something")
        assert root.handlers == []

    def test_a_logger_that_was_set_up_still_hears(self, caplog):
        with contained():
            logging.warning("TransformerLens says something")
        assert "TransformerLens says something" in caplog.text

    def test_drops_what_is_printed_and_deprecations_but_no_other_warning(self, capsys):
        filters = list(warnings.filters)
        with contained():
            print("Loaded pretrained model")  # noqa: T201 - as TransformerLens does
            warnings.warn("gone in 4.0", DeprecationWarning, stacklevel=1)
        assert capsys.readouterr().out == ""
        with pytest.warns(UserWarning, match="meant"), contained():
            warnings.warn("meant", UserWarning, stacklevel=1)
        assert warnings.filters == filters

    @pytest.mark.parametrize("drawn", [True, False], ids=["on", "off"])
    def test_progress_bars_come_back_as_they_were(self, drawn):
        from huggingface_hub.utils import are_progress_bars_disabled
        from transformers.utils import logging as transformers_logging

        (transformers_logging.enable_progress_bar if drawn else transformers_logging.disable_progress_bar)()
        with no_progress_bars():
            assert not transformers_logging.is_progress_bar_enabled()
        assert transformers_logging.is_progress_bar_enabled() is drawn
        assert are_progress_bars_disabled() is not drawn
        transformers_logging.enable_progress_bar()

    @pytest.mark.parametrize("enabled", [True, False])
    def test_loading_keeps_the_gradient_mode(self, directories, enabled):
        with torch.set_grad_enabled(enabled):
            load_model(directories["gpt2"], "cpu")
            assert torch.is_grad_enabled() is enabled
