import pytest

from tests.models.fixtures import SHAPES, save_directory


@pytest.fixture(scope="session")
def directories(tmp_path_factory):
    """One saved model directory per shape, without tokenizer."""
    root = tmp_path_factory.mktemp("models")
    return {shape: save_directory(root / f"tiny-{shape}", shape) for shape in SHAPES}
