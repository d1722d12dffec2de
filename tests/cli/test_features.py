"""`interp-lab features`: a folder of features into one page, or one clear line and nothing written."""

from pathlib import Path

import pytest

from interp_lab.cli.main import main
from tests.sae.dashboard.folders import made_folder


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["features", *map(str, arguments)])
    return stopped.value.code or 0


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    made_folder(folder / "features")
    return folder


@pytest.mark.parametrize("inside", [".", "features"], ids=["the run", "its folder of features"])
def test_writes_the_page_with_the_labels_given(run, tmp_path, capsys, inside):
    labels, page = tmp_path / "labels.csv", tmp_path / "new" / "page.html"
    labels.write_text("latent,label\n4,warm greetings\n5,\n", "utf-8")
    assert call(run / inside, "--out", page, "--title", "Mine", "--labels", labels) == 0
    assert capsys.readouterr().out.strip() == f"wrote {page}"
    text = page.read_text("utf-8")
    assert "<h1>Mine</h1>" in text
    assert "warm greetings" in text
    assert "fires on 'word5'" in text


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("latent,label\n1,a\n12,b\n", "row 2: there is no latent '12'; they go from 0 to 11"),
        ("latent,label\n-1,a\n", "row 1: there is no latent '-1'"),
        ("latent,label\n1,a\n1,b\n", "row 2: latent 1 has a label already"),
        ("latent,name\n1,a\n", "has no column 'label'"),
    ],
)
def test_labels_that_fit_no_latent_are_told_in_one_line(run, tmp_path, capsys, rows, told):
    labels = tmp_path / "labels.csv"
    labels.write_text(rows, "utf-8")
    assert call(run, "--out", tmp_path / "page.html", "--labels", labels) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"error: {labels}")
    assert told in error
    assert "\n" not in error
    assert list(tmp_path.iterdir()) == [labels]


def test_a_folder_without_features_says_how_to_make_one(tmp_path, capsys):
    assert call(tmp_path) == 1
    assert "is no complete folder of features" in capsys.readouterr().err
