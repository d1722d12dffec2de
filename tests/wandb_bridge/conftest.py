import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def wandb_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A W&B that knows no key, no settings and no server, and leaves nothing behind.

    W&B's background process is out of the network guard's sight: its server is a closed port of this machine.
    """
    import wandb

    for name in [name for name in os.environ if name.startswith("WANDB_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    quiet = {
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_X_DISABLE_STATS": "true",
    }
    places = {f"WANDB_{kind}_DIR": str(tmp_path / kind) for kind in ("DATA", "CACHE", "CONFIG")}
    server = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_INIT_TIMEOUT": "1", "NETRC": str(tmp_path / "netrc")}
    for name, value in {**quiet, **places, **server}.items():
        monkeypatch.setenv(name, value)
    assert wandb.run is None, "an earlier test left a run open"
    wandb.teardown()
    yield tmp_path / "home"
    if wandb.run is not None:
        wandb.run.finish()
    wandb.teardown()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[int, str]]]:
    """What the bridge logged so far: levels and messages."""
    caplog.set_level(logging.INFO, logger="interp_lab.wandb")
    return lambda: [(level, message) for name, level, message in caplog.record_tuples if name == "interp_lab.wandb"]


@pytest.fixture
def offline_runs(wandb_home: Path) -> Callable[[], list]:
    """Reads back the offline runs that a test made, in order of their start."""
    from interp_lab.wandb_bridge import read_wandb_run

    def read() -> list:
        folders = sorted(wandb_home.rglob("offline-run-*"), key=lambda folder: folder.stat().st_ctime_ns)
        return [read_wandb_run(folder) for folder in folders]

    return read
