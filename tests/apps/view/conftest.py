import pytest


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """Registers the made-up experiment for the length of a test."""
    from interp_lab.registry import EXPERIMENTS
    from tests.apps.view.made import ENTRY

    monkeypatch.setitem(EXPERIMENTS, "made", ENTRY)
